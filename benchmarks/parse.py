"""inboxstats' reading of mail beside the standard library, mu and notmuch; and what a report costs as a mailbox grows.

    make bench                                all of it: about 15 minutes on a machine with nothing else to do
    make bench BENCH='--quick'                a glance: 2,000 messages, one round
    benchmarks/parse.py --only rows,whole --rounds 9
    benchmarks/parse.py --only own --mail FOLDER

rows    messages a second to rows with keywords, by warm processes, as compiled as they are and in Python alone; the
        same by a recipe of fast libraries (recipe.py); mu and notmuch as whole programs
own     the same over mail of your own: each file below FOLDER is a message
whole   a first `report --format json`, start-up included, beside the script benchmarks/plain.py
scale   a report over a growing archive: the first, one after 100 new messages, one after none

Contenders are measured in turn: never all of one and then all of the other. Only ratios travel from machine to machine,
so each is the median of the rounds' own ratios. A contender that counts the messages wrongly ends the run. The mail is
made by mixed.py, but for your own. The recipe's libraries, mu and notmuch take part where they are installed.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

import mixed
import pandas as pd
from measure import Measured, compile_package, measured
from results import machine, write_results

from inboxstats.archive import Archive, MailboxFolder, MailboxState, Owner
from inboxstats.archive.layout import message_key
from inboxstats.charts import LIGHT, svg
from inboxstats.mail import Mailbox, MessageInfo, MessageKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Key = TypeVar("Key")

HERE = Path(__file__).parent
ROOT = HERE.parent

EXPERIMENTS = ("rows", "own", "whole", "scale")
ROWS = 5_000
"""Messages of the experiment rows, at most."""
ALL_BUT = 0.01
"""Of mail that is not made for this: so much of it may have no sender, whom a contender counts by."""
NOTMUCH = 1_000
"""Messages that notmuch indexes, at most: it takes three minutes for 20,000."""
INDEXER_ROUNDS = 3
SCALE_ROUNDS = 3
"""Of the experiment scale, at most: four minutes, of which the first reports take half."""
SIZES = (1_000, 10_000, 50_000, 100_000)
NEW = 100
"""Messages that come between two reports of the experiment scale."""
PICTURE = ROOT / "docs" / "images" / "scale.svg"
UIDVALIDITY = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """What a contender works with: the mail, how much of it, so many processes, and an empty folder of its own.

    `fewest` are the messages that it must count, of `count`.
    """

    files: Path
    count: int
    processes: int
    folder: Path
    fewest: int

    @property
    def out(self) -> Path:
        """What the contender printed."""
        return self.folder / "out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds for `messages`, as the contender or the clock around it tells, and all that was measured."""

    messages: int
    seconds: float
    measured: Measured


@dataclass(frozen=True, slots=True)
class Contender:
    """A program; `most` messages where all would take long, `rounds` where it has no turn in every one."""

    name: str
    run: Callable[[Place], Outcome]
    most: int | None = None
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Of scale, `contender` is the state (first, 100 new, none new) and `messages` the size of the archive."""

    experiment: str
    round: int
    contender: str
    messages: int
    seconds: float
    peak_mb: float
    main_mb: float
    child_mb: float
    together_mb: float
    processor: float

    @property
    def a_second(self) -> float:
        """Messages."""
        return self.messages / self.seconds


def _measured(place: Place, *command: str, watch: bool = False) -> Measured:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INBOXSTATS_", "XDG_", "NOTMUCH"))
    }
    home = str(place.folder)
    own = {"HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "XDG_CONFIG_HOME": f"{home}/config", "TZ": "UTC"}
    own["NOTMUCH_CONFIG"] = f"{home}/notmuch"
    return measured(command, place.out, environment=kept | own, folder=ROOT, watch=watch)


def _whole(place: Place, took: Measured, count: int) -> Outcome:
    if not place.fewest <= count <= place.count:
        sys.exit(f"{count:,} of {place.count:,} messages were counted: {place.out.read_text(errors='replace')[:300]}")
    return Outcome(place.count, took.seconds, took)


def _rows(who: str, processes: int) -> Callable[[Place], Outcome]:
    def run(place: Place) -> Outcome:
        script = str(HERE / "rows.py")
        took = _measured(place, sys.executable, script, who, str(processes), str(place.files), str(place.count))
        count, seconds = json.loads(place.out.read_bytes())
        return Outcome(_whole(place, took, count).messages, seconds, took)

    return run


def _report(place: Place) -> Outcome:
    command = [sys.executable, "-m", "inboxstats", "report", str(place.files), "--format", "json", "--top", "0"]
    took = _measured(place, *command, "--quiet", "--no-progress", "--workers", str(place.processes), watch=True)
    return _whole(place, took, json.loads(place.out.read_bytes())["totals"]["messages"])


def _plain(place: Place) -> Outcome:
    command = [sys.executable, str(HERE / "plain.py"), str(place.files), "--processes", str(place.processes)]
    took = _measured(place, *command, watch=True)
    return _whole(place, took, sum(count for _, count in json.loads(place.out.read_bytes())["hours"]))


def _maildir(place: Place) -> Path:
    """The mail as a Maildir of links: the same bytes."""
    maildir = place.folder / "mail"
    for part in ("cur", "new", "tmp"):
        (maildir / "INBOX" / part).mkdir(parents=True)
    for number, path in enumerate(islice(sorted(place.files.rglob("*.eml")), place.count)):
        os.link(path, maildir / "INBOX" / "cur" / f"{number}.bench:2,S")
    return maildir


def _mu(place: Place) -> Outcome:
    muhome = f"--muhome={place.folder}/mu"
    _measured(place, "mu", "init", "--quiet", f"--maildir={_maildir(place)}", muhome)
    took = _measured(place, "mu", "index", "--quiet", muhome)
    _measured(place, "mu", "find", muhome, "--fields=l", "")
    return _whole(place, took, len(place.out.read_bytes().splitlines()))


def _notmuch(place: Place) -> Outcome:
    (place.folder / "notmuch").write_text(
        f"[database]\npath={_maildir(place)}\n[user]\nname=x\nprimary_email=me@example.org\n[new]\ntags=inbox\n"
    )
    took = _measured(place, "notmuch", "new", "--quiet")
    _measured(place, "notmuch", "count", "*")
    return _whole(place, took, int(place.out.read_bytes()))


def contenders(experiment: str, processes: int) -> list[Contender]:
    """Who takes part, ours first."""
    if experiment == "whole":
        return [Contender("ours", _report), Contender("plain.py", _plain)]
    found = [
        Contender(f"ours, {processes} processes", _rows("ours", processes)),
        Contender("ours, 1 process", _rows("ours", 1)),
        Contender(f"ours, not compiled, {processes} processes", _rows("uncompiled", processes)),
        Contender(f"standard library, {processes} processes", _rows("plain", processes)),
        Contender("standard library, 1 process", _rows("plain", 1)),
    ]
    if find_spec("fast_mail_parser") and find_spec("selectolax"):
        found.append(Contender(f"recipe of libraries, {processes} processes", _rows("recipe", processes)))
    if shutil.which("mu"):
        found.append(Contender("mu index", _mu, rounds=INDEXER_ROUNDS))
    if shutil.which("notmuch"):
        found.append(Contender("notmuch new", _notmuch, most=NOTMUCH, rounds=INDEXER_ROUNDS))
    return found


def write_mail(folder: Path, count: int) -> int:
    """Mixed mail as .eml files, a thousand a folder; how many bytes."""
    total = 0
    for number, mail in enumerate(mixed.mixed(count)):
        place = folder / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}.eml").write_bytes(mail.data)
        total += len(mail.data)
    return total


def copy_mail(mail: Path, folder: Path) -> int:
    """Copy each file below `mail` into the folder, as an .eml file, shuffled; returns how many there are."""
    paths = sorted(path for path in mail.rglob("*") if path.is_file())
    Random(len(paths)).shuffle(paths)  # what the processes warm up with is then like the rest
    folder.mkdir()
    for number, path in enumerate(paths):
        shutil.copyfile(path, folder / f"{number:06}.eml")
    return len(paths)


def rounds(experiment: str, files: Path, folder: Path, *, turns: int, count: int, processes: int) -> Iterator[Run]:
    """All runs of the experiment rows, own or whole, in turn; the odd rounds forwards, the even ones backwards."""
    chosen = contenders(experiment, processes)
    for turn in range(1, turns + 1):
        for contender in chosen if turn % 2 else reversed(chosen):
            if turn > (contender.rounds or turns):
                continue
            asked = min(count, contender.most or count)
            here = folder / "run"
            here.mkdir()
            fewest = asked - int(asked * ALL_BUT) if experiment == "own" else asked
            found = contender.run(Place(files, asked, processes, here, fewest))
            shutil.rmtree(here)
            yield _noted(experiment, turn, contender.name, found.messages, found.seconds, found.measured)


def _noted(experiment: str, turn: int, name: str, messages: int, seconds: float, took: Measured) -> Run:
    memory = (took.peak_mb, took.main_mb, took.child_mb, took.together_mb, took.processor)
    return Run(experiment, turn, name, messages, seconds, *memory)


def _tell(run: Run) -> None:
    what = f"{run.experiment:6} {run.round}  {run.contender:34} {run.messages:7,} messages {run.seconds:8.2f} s"
    print(what, file=sys.stderr, flush=True)


def growing(folder: Path, sizes: Sequence[int], *, turns: int, processes: int) -> Iterator[Run]:
    """Reports over an archive of small messages as it grows: its first, one after NEW more, and one after none."""
    archive = Archive.create(folder / "archive", fsync=False)
    archive.admit("me", Owner("imap.example.org", "me"))
    inbox = archive.mailbox("me", Mailbox("INBOX", "/"))
    inbox.note_name()
    mail = mixed.small(sizes[-1] + NEW)
    listing: dict[MessageKey, MessageInfo] = {}
    kept = folder / "kept"
    for size in sizes:
        _fill(inbox, listing, islice(mail, size - len(listing)))
        for turn in range(1, turns + 1):
            shutil.rmtree(archive.cache, ignore_errors=True)
            yield _reported(folder, "first", turn, size, processes)
        shutil.copytree(archive.cache, kept)
        _fill(inbox, listing, islice(mail, NEW))
        for turn in range(1, turns + 1):
            shutil.rmtree(archive.cache)
            shutil.copytree(kept, archive.cache)
            yield _reported(folder, f"{NEW} new", turn, len(listing), processes)
            yield _reported(folder, "none new", turn, len(listing), processes)
        shutil.rmtree(kept)


def _fill(inbox: MailboxFolder, listing: dict[MessageKey, MessageInfo], mail: Iterable[mixed.Mail]) -> None:
    def stored() -> Iterator[tuple[MessageKey, bytes]]:
        for each in mail:
            key = message_key(UIDVALIDITY, len(listing) + 1)
            date = each.truth.date.astimezone(UTC)
            listing[key] = MessageInfo(key, date, frozenset({"\\Seen"}), len(each.data))
            yield key, each.data

    inbox.store(stored())
    inbox.note_listing(MailboxState(UIDVALIDITY, len(listing) + 1, len(listing)), listing)


def _reported(folder: Path, state: str, turn: int, size: int, processes: int) -> Run:
    here = folder / "run"
    here.mkdir()
    place = Place(folder / "archive", size, processes, here, fewest=size)
    command = [sys.executable, "-m", "inboxstats", "report", str(place.files), "--format", "json", "--quiet"]
    took = _measured(place, *command, "--no-progress", "--workers", str(processes), watch=True)
    _whole(place, took, json.loads(place.out.read_bytes())["totals"]["messages"])
    shutil.rmtree(here)
    return _noted("scale", turn, state, size, took.seconds, took)


def tables(runs: Sequence[Run], *, what: str) -> str:
    """All figures in Markdown: medians, ranges, and the medians and ranges of the rounds' ratios."""
    made = {"rows": _rows_table, "own": _rows_table, "whole": _whole_table, "scale": _scale_table}
    lines = ["## Reading", "", what]
    for experiment in EXPERIMENTS:
        if found := [run for run in runs if run.experiment == experiment]:
            lines += ["", *made[experiment](found)]
    return "\n".join([*lines, ""])


def _rows_table(runs: Sequence[Run]) -> Iterator[str]:
    if runs[0].experiment == "own":
        yield f"### The same over {max(run.messages for run in runs):,} messages of real mail (`--mail`)"
    else:
        yield "### To rows with keywords, the processes warm; mu and notmuch as whole programs"
    yield ""
    yield "| | messages a second | range | ours is so many times as fast | range | messages | n |"
    yield "|---|---:|---|---:|---|---:|---:|"
    ours = {run.round: run.a_second for run in runs if run.contender == runs[0].contender}
    for name, of_name in _by_contender(runs):
        rates = [run.a_second for run in of_name]
        ratios = [ours[run.round] / run.a_second for run in of_name]
        spread = [*_spread(rates, ",.0f"), *_spread(ratios, ".2f")]
        yield _row(name, *spread, f"{of_name[0].messages:,}", str(len(rates)))


def _whole_table(runs: Sequence[Run]) -> Iterator[str]:
    yield f"### A first report over {runs[0].messages:,} messages, start-up included"
    yield ""
    yield "| | seconds | range | times ours | range | processor s | times ours | MB, the program | MB together | n |"
    yield "|---|---:|---|---:|---|---:|---:|---:|---:|---:|"
    ours = {run.round: run for run in runs if run.contender == "ours"}
    for name, of_name in _by_contender(runs):
        seconds = [run.seconds for run in of_name]
        ratios = [run.seconds / ours[run.round].seconds for run in of_name]
        used = statistics.median(run.processor for run in of_name)
        work = statistics.median(run.processor / ours[run.round].processor for run in of_name)
        memory = [max(run.main_mb for run in of_name), max(run.together_mb for run in of_name)]
        spread = [*_spread(seconds, ".2f"), *_spread(ratios, ".2f")]
        yield _row(
            *(name, *spread, f"{used:.1f}", f"{work:.2f}", *(f"{most:.0f}" for most in memory), str(len(seconds)))
        )


def _scale_table(runs: Sequence[Run]) -> Iterator[str]:
    yield "### A report over an archive as it grows, of messages of 3.2 kB"
    yield ""
    yield f"![Seconds of a report, by messages in the archive](../docs/images/{PICTURE.name})"
    yield ""
    yield "| messages | report | seconds | range | processor s | MB, the program | MB, a worker | MB together | n |"
    yield "|---:|---|---:|---|---:|---:|---:|---:|---:|"
    for (size, state), of_state in _grouped(runs, lambda run: (run.messages, run.contender)):
        memory = [(run.main_mb, run.child_mb, run.together_mb) for run in of_state]
        peaks = [max(values) for values in zip(*memory, strict=True)]
        spread = _spread([run.seconds for run in of_state], ".2f")
        used = statistics.median(run.processor for run in of_state)
        yield _row(f"{size:,}", state, *spread, f"{used:.1f}", *(f"{peak:.0f}" for peak in peaks), str(len(of_state)))


def _by_contender(runs: Sequence[Run]) -> Iterator[tuple[str, list[Run]]]:
    return _grouped(runs, lambda run: run.contender)


def _grouped(runs: Sequence[Run], key: Callable[[Run], Key]) -> Iterator[tuple[Key, list[Run]]]:
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    yield from groups.items()


def _spread(values: Sequence[float], form: str) -> list[str]:
    return [format(statistics.median(values), form), f"{min(values):{form}} to {max(values):{form}}"]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """Seconds over messages, a line a state: straight ones, for a message costs the same in a mailbox of any size."""
    figure = axes.figure
    figure.set_figheight(3)
    axes.set_position((0.08, 0.15, 0.72, 0.77))
    # That of a report on nothing new lies on the lower one.
    for state, marker, alpha in (("first", "o", 1.0), (f"{NEW} new", "s", 0.6)):
        of_state = table[table["state"] == state]
        where, seconds = of_state["messages"], of_state["seconds"]
        axes.plot(where, seconds, marker=marker, markersize=4, linewidth=1.4, alpha=alpha)
        end = (where.iloc[-1], seconds.iloc[-1])
        axes.annotate(f"{state}: {end[1]:.1f} s", end, (8, 0), textcoords="offset points", va="center")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlim(0)
    axes.set_ylim(0)
    sizes = list(table.loc[table["state"] == "first", "messages"])
    axes.set_xticks(sizes, [f"{size:,}" if size > sizes[-1] / 20 else "" for size in sizes])
    axes.grid(axis="y")
    axes.set_title("seconds of a report, by messages in the archive", pad=8)


def picture(runs: Sequence[Run]) -> bytes:
    """The medians of the experiment scale as an SVG."""
    reports = [run for run in runs if run.experiment == "scale"]
    rows = [
        (state, size, statistics.median(run.seconds for run in of_state))
        for (state, size), of_state in _grouped(reports, lambda run: (run.contender, run.messages))
    ]
    drawn = svg(draw, pd.DataFrame(rows, columns=["state", "messages", "seconds"]), LIGHT, width=640)
    paper = f'<rect width="100%" height="100%" fill="{LIGHT.paper}"/>'  # else it is not to be read on a dark page
    return drawn.replace(b'<g id="figure_1">', f'{paper}<g id="figure_1">'.encode(), 1)


def _check_space(folder: Path, count: int, experiments: Sequence[str], sizes: Sequence[int]) -> None:
    """Exits where the mail, the indexes and a report would not fit."""
    mail = count * 70_000 if {"rows", "whole"} & set(experiments) else 0
    needed = max(mail, sizes[-1] * 7_000 if "scale" in experiments else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(
            f"{folder} has {free / 1e9:.1f} GB free, and this needs {needed / 1e9:.1f}. "
            "Name another folder with --folder, or ask for less with --messages and --sizes."
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000, help="how many are read: 0.8 GB (20000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn (5)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="of the archives of scale (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes of all who have some (2)")
    parser.add_argument("--only", help="experiments (all; own with --mail)")
    parser.add_argument("--mail", type=Path, metavar="FOLDER", help="mail of your own: each file below it is a message")
    parser.add_argument("--quick", action="store_true", help="2,000 messages, one round")
    parser.add_argument("--folder", type=Path, help="for all that is made, and removed again (/dev/shm)")
    parser.add_argument("--json", type=Path, help="add the runs to this file, a JSON line each")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md, and make the picture")
    given = parser.parse_args()
    if given.quick:
        given.messages, given.rounds, given.sizes = 2000, 1, "1000,2000"
    every = [name for name in EXPERIMENTS if given.mail or name != "own"]
    given.only = given.only.split(",") if given.only else every
    given.sizes = sorted(map(int, given.sizes.split(",")))
    if unknown := set(given.only) - set(EXPERIMENTS):
        parser.error(f"there is no experiment {', '.join(sorted(unknown))}; there are {', '.join(EXPERIMENTS)}")
    if "own" in given.only and not (given.mail and given.mail.is_dir()):
        parser.error("own wants --mail, a folder with mail of your own")
    if min(given.messages, given.rounds, given.processes, *given.sizes) < 1:
        parser.error("messages, rounds, processes and sizes are numbers from 1 on")
    if any(after - before <= NEW for before, after in pairwise(given.sizes)):
        parser.error(f"sizes must be more than {NEW} apart: so many messages come after each")
    return given


def _runs(given: argparse.Namespace, place: Path) -> Iterator[Run]:
    told = {"turns": given.rounds, "processes": given.processes}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as name:
        files = Path(name) / "files"
        if {"rows", "whole"} & set(given.only):
            size = write_mail(files, given.messages)
            print(f"{given.messages:,} messages, {size / 1e6:,.0f} MB", file=sys.stderr, flush=True)
        if "rows" in given.only:
            yield from rounds("rows", files, Path(name), count=min(given.messages, ROWS), **told)
        if "own" in given.only:
            own = Path(name) / "own"
            yield from rounds("own", own, Path(name), count=copy_mail(given.mail, own), **told)
            shutil.rmtree(own)
        if "whole" in given.only:
            yield from rounds("whole", files, Path(name), count=given.messages, **told)
        shutil.rmtree(files, ignore_errors=True)
        if "scale" in given.only:
            yield from growing(Path(name), given.sizes, **told | {"turns": min(given.rounds, SCALE_ROUNDS)})


def main() -> None:
    given = _arguments()
    compile_package(ROOT / "inboxstats")
    where = machine(("mu", "--version"), ("notmuch", "--version"))
    memory = Path("/dev/shm")  # not a disk, whose speed is its own matter
    place = given.folder or (memory if memory.is_dir() else Path(tempfile.gettempdir()))
    _check_space(place, given.messages, given.only, given.sizes)
    runs: list[Run] = []
    for run in _runs(given, place):
        runs.append(run)
        _tell(run)
        if given.json:  # at once: what an interrupted run has measured stays
            with given.json.open("a") as file:
                file.write(json.dumps(asdict(run)) + "\n")
    text = tables(runs, what=where + ".")
    print(text, end="")
    if given.markdown:
        given.markdown.write_text(text)
    if given.write:
        write_results("parse", text)
        if "scale" in given.only:
            PICTURE.write_bytes(picture(runs))


if __name__ == "__main__":
    main()
