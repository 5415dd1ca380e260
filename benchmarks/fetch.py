"""inboxstats' fetch beside other ways to download a mailbox, from a Dovecot of its own and over made links.

    make bench                                all of it: about 25 minutes on a machine with nothing else to do
    make bench BENCH='--quick'                a glance: small mailbox, one round
    benchmarks/fetch.py --links loopback,40ms --rounds 7 --only ours,limit,mbsync
    benchmarks/fetch.py --write               puts the tables into RESULTS.md
    benchmarks/fetch.py --at 40ms=10.0.0.2:143 --at 100ms=10.0.0.3:143 --through 'ip netns exec far'
                                              over links of the kernel's own, which this program cannot make

Whole programs are measured, start-up included, in turn: never all of one and then all of the other. Only ratios travel
from machine to machine, so each is the median of the rounds' own ratios, and stands beside their range. A contender
whose number of messages is wrong ends the run. Ours has its password from a command, as mbsync has it from its file.
Wants Dovecot 2.3, or with --at a server with a user "bench", whose password is "bench", and whose INBOX has --messages
messages; mbsync takes part where it is installed.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))  # the tests' Dovecot

from contenders import PASSWORD, USER, Contender, Place, contenders
from corpus import messages
from measure import compile_package
from results import machine, write_results
from servers.certificates import make_certificates
from servers.dovecot import Dovecot, dovecot_server
from servers.process import UnavailableError, free_ports, greets, running
from servers.raw import Login

LINKS: Mapping[str, tuple[float, float | None]] = {
    "loopback": (0, None),
    "40ms": (40, None),
    "100ms": (100, None),
    "40ms-2MB/s": (40, 2e6),
}
"""Round trip in ms, and bytes a second on a connection."""

SLOW_SECONDS = 15.0
"""A contender that took longer is not asked again: what takes five times as long needs no second digit."""

# A process takes over the peak of the one that starts it: this one is small.
_MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stderr.decode(errors="replace")[-2000:], wall, used.ru_utime, used.ru_stime,
                  used.ru_maxrss]))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a contender. `seconds` is scaled to the whole mailbox where only a part was asked for."""

    link: str
    round: int
    contender: str
    seconds: float
    user: float
    system: float
    peak_mb: float
    messages: int


def measure(contender: Contender, place: Place, *, link: str, turn: int, count: int) -> Run:
    """Run a contender once. Exits where it fails or leaves messages out."""
    command = [*place.through, *contender.command(place, contender.most)]
    home = {"HOME": str(place.folder), "XDG_CONFIG_HOME": str(place.folder)}
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURE, *command],
        env={**os.environ, **home}, cwd=HERE.parent, capture_output=True, check=True,
    )  # fmt: skip
    code, said, seconds, user, system, peak = json.loads(told.stdout)
    stored = sum(_is_message(Path(folder), name) for folder, _, names in os.walk(place.folder) for name in names)
    asked = contender.most or count
    if code or stored != asked:
        sys.exit(f"{contender.name} over {link} ended with {code} and {stored} of {asked} messages: {said}")
    scale = count / asked
    return Run(link, turn, contender.name, seconds * scale, user * scale, system * scale, peak / 1024, stored)


def _is_message(folder: Path, name: str) -> bool:
    return name.endswith(".eml") or folder.name in ("cur", "new")


@contextmanager
def server(folder: Path, count: int) -> Iterator[Dovecot]:
    """A Dovecot with the mailbox in it."""
    certificate = make_certificates(folder).good
    compress = "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}\n"
    with dovecot_server(folder / "log", certificate, settings=compress) as dovecot:
        login: Login = dovecot.add_user(USER, PASSWORD)
        dovecot.fill(login, "INBOX", messages(count))
        yield dovecot


@contextmanager
def link(name: str, port: int, log: Path) -> Iterator[int]:
    """The port at the near end of a link to `port`."""
    rtt, rate = LINKS[name]
    if name == "loopback":
        yield port
        return
    (near,) = free_ports(1)
    options = [str(near), str(port), str(rtt), *([str(rate)] if rate else [])]
    with running([sys.executable, "-m", "inboxstats.bench.link", *options], ready=lambda: greets(near), log=log):
        yield near


def rounds(chosen: Sequence[Contender], place: Place, *, name: str, turns: int, count: int) -> Iterator[Run]:
    """All runs over one link, in turn; a first one of ours, which fills the server's caches, does not count."""
    slow: set[str] = set()
    for turn in range(turns + 1):
        order = chosen[:1] if turn == 0 else chosen if turn % 2 else list(reversed(chosen))
        for contender in order:
            if contender.name in slow:
                continue
            out = place.folder / "out"
            out.mkdir()
            run = measure(contender, replace(place, folder=out), link=name, turn=turn, count=count)
            shutil.rmtree(out)
            if run.seconds > SLOW_SECONDS and contender is not chosen[0]:
                slow.add(contender.name)
            if turn:
                print(f"{name:12} {turn}  {contender.name:20} {run.seconds:8.2f} s", file=sys.stderr, flush=True)
                yield run


def tables(runs: Sequence[Run], *, what: str) -> str:
    """The medians, the ranges and the ratios to ours, a table a link, in Markdown."""
    lines = [what]
    for name in dict.fromkeys(run.link for run in runs):
        lines += ["", f"### {name}", "", "| | seconds | range | processor s | peak MB | times ours | range | n |"]
        lines.append("|---|---:|---|---:|---:|---:|---|---:|")
        of_link = [run for run in runs if run.link == name]
        ours = {run.round: run.seconds for run in of_link if run.contender == "ours"}
        for who in dict.fromkeys(run.contender for run in of_link):
            lines.append(_row(who, [run for run in of_link if run.contender == who], ours))
    return "\n".join([*lines, ""])


def _row(who: str, runs: Sequence[Run], ours: Mapping[int, float]) -> str:
    seconds = [run.seconds for run in runs]
    ratios = [run.seconds / ours[run.round] for run in runs if run.round in ours]
    cells = [
        who + (f" ({runs[0].messages}, scaled)" if who == "one by one" else ""),
        f"{statistics.median(seconds):.2f}",
        f"{min(seconds):.2f} to {max(seconds):.2f}",
        f"{statistics.median(run.user + run.system for run in runs):.2f}",
        f"{max(run.peak_mb for run in runs):.0f}",
        f"{statistics.median(ratios):.2f}" if ratios else "",
        f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "",
        str(len(runs)),
    ]
    return f"| {' | '.join(cells)} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--messages", type=int, default=5000, help="how many are in the mailbox (5000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn (5)")
    parser.add_argument("--links", default=",".join(LINKS), help=f"of {', '.join(LINKS)} (all)")
    parser.add_argument("--at", action="append", default=[], metavar="LINK=HOST:PORT", help="a server behind a link")
    parser.add_argument("--through", default="", metavar="COMMAND", help="what runs a program where those links begin")
    parser.add_argument("--only", help="contenders by name, with commas (all)")
    parser.add_argument("--quick", action="store_true", help="600 messages, one round")
    parser.add_argument("--json", type=Path, help="add the runs to this file, a JSON line each")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    given = parser.parse_args()
    if given.quick:
        given.messages, given.rounds = 600, 1
    if broken := [each for each in given.at if not re.fullmatch(r"[^=]+=.+:\d+", each)]:
        parser.error(f"--at {broken[0]}: write LINK=HOST:PORT")
    unknown = set(given.links.split(",")) - set(LINKS)
    if unknown:
        parser.error(f"there is no link {', '.join(sorted(unknown))}; there are {', '.join(LINKS)}")
    return given


def _here(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Place]]:
    """Each link in turn, to a Dovecot of our own."""
    with server(folder, given.messages) as dovecot:
        for which in given.links.split(","):
            with link(which, dovecot.port, folder / "link.log") as port:
                yield which, Place("127.0.0.1", port, folder)


def _elsewhere(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Place]]:
    """The servers that --at names. One on this machine's loopback is reached from here."""
    for each in given.at:
        which, _, address = each.partition("=")
        host, _, port = address.rpartition(":")
        is_near = host in ("127.0.0.1", "::1", "localhost")
        yield which, Place(host, int(port), folder, () if is_near else tuple(shlex.split(given.through)))


def main() -> None:
    given = _arguments()
    compile_package(HERE.parent / "inboxstats")
    chosen = [each for each in contenders(given.messages) if not given.only or each.name in given.only.split(",")]
    if not chosen:
        sys.exit(f"None of these takes part: {given.only}. mbsync must be installed (Debian: apt-get install isync).")
    what = f"{given.messages:,} messages. {machine(('mbsync', '--version'), ('dovecot', '--version'))}."
    memory = Path("/dev/shm")  # not a disk, whose speed is its own matter
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=memory if memory.is_dir() else None) as name:
        try:
            for which, place in _elsewhere(given, Path(name)) if given.at else _here(given, Path(name)):
                runs += rounds(chosen, place, name=which, turns=given.rounds, count=given.messages)
        except UnavailableError as reason:
            sys.exit(f"{reason}")
    if given.json:
        with given.json.open("a") as file:
            file.writelines(json.dumps(asdict(run)) + "\n" for run in runs)
    print(tables(runs, what=what), end="")
    if given.markdown:
        given.markdown.write_text(tables(runs, what=what))
    if given.write:
        write_results("fetch", tables(runs, what=what))


if __name__ == "__main__":
    main()
