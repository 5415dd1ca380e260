"""A mailbox of a million messages, as the program meets it: memory, round trips, the length of lines.

Every run has 200,000 of them; `make soak`, or pytest -m huge, the million.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Inboxstats
from scripted import ScriptedServer
from scripted_huge import STEP, Huge
from scripted_mailbox import box

from inboxstats.archive import Archive
from inboxstats.mail import Mailbox

MILLION = 1_000_000
LONGEST_LINE = 65_536
MOST_FOR_A_FETCH = 80 * 2**20


def most_memory(messages: int) -> int:
    """300 MB for a million."""
    return (75 * MILLION + 225 * messages) * 2**20 // MILLION


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": box()}) as running:
        yield running


# A process takes over the peak of the one that starts it, and pytest's is high: this one is small.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def fetch(inboxstats: Inboxstats, server: ScriptedServer, archive: Path, *, since: str = "2099-01-01") -> int:
    """Lists the mailbox, and fetches nothing older; returns the peak memory of the whole program in bytes."""
    server.log.clear()
    address = ("--host", "127.0.0.1", "--port", str(server.port), "--user", "me", "--security", "none")
    options = ("--archive", str(archive), "--no-fsync", "--since", since, "--quiet")
    command = [sys.executable, "-m", "inboxstats", "fetch", *address, *options]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, *command],
        env=inboxstats.environment(password="secret"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("messages", [MILLION // 5, pytest.param(MILLION, marks=pytest.mark.huge)])
@pytest.mark.parametrize("extensions", [(), ("CONDSTORE", "ENABLE"), ("CONDSTORE", "ENABLE", "QRESYNC", "ESEARCH")])
def test_a_mailbox_of_a_million_messages_is_listed_in_little_memory_and_short_lines(
    inboxstats: Inboxstats, server: ScriptedServer, tmp_path: Path, extensions: tuple[str, ...], messages: int
) -> None:
    inbox = Huge(messages)
    inbox.serve(server)
    server.script.extensions = extensions
    archive = tmp_path / "archive"
    assert fetch(inboxstats, server, archive) < most_memory(messages)
    if extensions:
        assert fetch(inboxstats, server, archive) < most_memory(messages)
        assert len([line for line in server.log if line != "CAPABILITY"]) <= 5, server.log
    inbox.gone = frozenset(range(1000, inbox.exists, inbox.exists // 7))
    inbox.flagged = frozenset({5, inbox.exists // 2})
    inbox.modseq += 1
    assert fetch(inboxstats, server, archive) < most_memory(messages)
    assert len(server.log) <= (30 if extensions else 10 + inbox.exists // 5000)
    assert inbox.longest <= LONGEST_LINE
    assert max(map(len, server.log)) <= LONGEST_LINE
    listed = Archive.open(archive).mailbox("me@127.0.0.1", Mailbox("INBOX")).listed()
    assert len(listed) == inbox.exists - len(inbox.gone)
    there = set(listed.uids)
    assert [number for number in range(1, inbox.exists + 1) if number * STEP not in there] == sorted(inbox.gone)
    flagged = [info.key for info in listed.values() if "\\Flagged" in info.flags]
    assert flagged == [f"1-{number * STEP}" for number in sorted(inbox.flagged)]


def test_a_fetch_and_a_run_without_news_take_little_memory(
    inboxstats: Inboxstats, server: ScriptedServer, tmp_path: Path
) -> None:
    message = b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n" * 20_000
    server.script.mailboxes[b"INBOX"] = box(*[message] * 1500)  # 60 MB
    server.script.extensions = ("CONDSTORE", "ENABLE", "QRESYNC", "ESEARCH")
    assert fetch(inboxstats, server, tmp_path / "archive", since="2000-01-01") < MOST_FOR_A_FETCH
    assert len(list((tmp_path / "archive").rglob("*.eml"))) == 1500
    assert fetch(inboxstats, server, tmp_path / "archive", since="2000-01-01") < MOST_FOR_A_FETCH
