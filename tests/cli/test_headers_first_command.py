"""`inboxstats fetch --headers-first` and a report in the middle of it, as a user runs them."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Inboxstats
from scripted import ScriptedServer
from scripted_mailbox import box
from scripted_session import Session

MESSAGES = [
    f"From: a{number % 3}@example.com\r\nMessage-ID: <{number}@example.com>\r\nSubject: {number}\r\n\r\n"
    f"Pandas are bears. {'x' * 200}\r\n".encode()
    for number in range(1, 61)
]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": box(*MESSAGES)}) as running:
        yield running


def options(server: ScriptedServer, archive: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(server.port), "--user", "me@example.com", "--security", "none"]
    return ["fetch", *where, "--archive", str(archive), "--no-fsync"]


def waiting_with_messages(session: Session, tag: str, line: str) -> None:
    """Headers at once; of messages nothing, until the server is stopped."""
    if "BODY.PEEK[]" in line:
        session.script.stopping.wait(60)
        session.drop()
    session.answer(tag, line)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process does it, and tells nobody


def summary(line: str) -> str:
    return re.sub(r"[\d.]+ s", "… s", line.strip())


def test_a_report_can_be_had_while_the_text_is_still_to_come(
    inboxstats: Inboxstats, server: ScriptedServer, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    server.on("UID FETCH", waiting_with_messages)
    fetching = inboxstats.start(*options(server, archive), "--headers-first", password="secret")
    try:
        wait_until(lambda: any("BODY.PEEK[]" in line for line in server.log))
        reported = inboxstats("report", str(archive), "--format", "json,csv", "--out", str(tmp_path / "out"))
        assert reported.code == 0, reported.err
        assert "60 of 60 messages so far by their headers alone" in reported.out
    finally:
        fetching.kill()
        said = fetching.communicate()[1]
    assert "60 messages (0.0 MB) to fetch, 60 headers first." in said
    assert "the headers are here: `inboxstats report` can be run now" in said
    found = json.loads((tmp_path / "out" / "latest" / "report.json").read_text())
    assert found["totals"] | {"bytes": 0} == {
        "files": 60, "messages": 60, "duplicates": 0, "unreadable": 0, "undated": 0, "without_sender": 0, "bytes": 0,
        "messages_with_attachments": 0, "attachments": 0, "with_list_id": 0, "with_list_unsubscribe": 0,
        "headers_only": 60,
    }  # fmt: skip
    assert found["totals"]["bytes"] == sum(map(len, MESSAGES))
    assert [row[::2] for row in found["statistics"]["senders"]["rows"]] == [
        ["a0@example.com", 20], ["a1@example.com", 20], ["a2@example.com", 20],
    ]  # fmt: skip
    assert found["statistics"]["keywords"]["rows"] == []

    server.script.rules.clear()
    server.log.clear()
    done = inboxstats(*options(server, archive), "--headers-first", password="secret")
    assert done.code == 0, done
    assert summary(done.out) == "me@example.com: 60 new messages (0.0 MB) in … s; 60 on the server in 1 mailbox."
    assert not [line for line in server.log if "HEADER.FIELDS" in line]
    whole = inboxstats("report", str(archive), "--json")
    assert json.loads(whole.out)["totals"]["headers_only"] == 0
    assert json.loads(whole.out)["statistics"]["keywords"]["rows"][0][:2] == ["bears", 60]


def test_what_comes_first_is_said_before_and_after(
    inboxstats: Inboxstats, server: ScriptedServer, tmp_path: Path
) -> None:
    command = [*options(server, tmp_path / "archive"), "--headers-first"]
    planned = inboxstats(*command, "-n", password="secret")
    assert planned.out == (
        "me@example.com: 60 new messages (0.0 MB) to fetch, 60 headers first, in 1 mailbox, 60 on the server.\n"
    )
    done = inboxstats(*command, "--quiet", password="secret")
    assert (done.code, done.out) == (0, "")
    assert "header" not in done.err
    again = inboxstats(*command, "--json", password="secret")
    assert [row["headers"] for row in json.loads(again.out)["accounts"]] == [0]
    other = [*options(server, tmp_path / "other"), "--headers-first", "--json"]
    assert [row["headers"] for row in json.loads(inboxstats(*other, password="secret").out)["accounts"]] == [60]


def test_a_low_bandwidth_brings_headers_first_by_itself(
    inboxstats: Inboxstats, server: ScriptedServer, tmp_path: Path
) -> None:
    large = box(*[each + b"x" * 20_000 for each in MESSAGES])
    server.script.mailboxes[b"INBOX"] = large
    archive = tmp_path / "archive"
    for more, expected in (((), 60), (("--no-headers-first",), 0)):
        planned = inboxstats(*options(server, archive), "-n", "--json", "--bandwidth", "10k", *more, password="secret")
        assert [row["headers"] for row in json.loads(planned.out)["accounts"]] == [expected]
    assert not archive.exists()
