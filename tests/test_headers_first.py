"""Headers before messages: when, in which order on the wire, and what stops it. What a kill does: tests/faults."""

import math
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedServer, drop, reply
from scripted_mailbox import ANY_DAY, Box, Stored, box, numbers
from scripted_session import Session
from servers.dovecot import Dovecot
from servers.raw import Login

from inboxstats.archive import Archive, Owner
from inboxstats.collection import open_collection
from inboxstats.dataset import Selection, Totals, select
from inboxstats.fetch import Fetched, fetch
from inboxstats.mail import Content, Mailbox, MessageKey, Part
from inboxstats.sources.imap import ImapSource, Server

FIXTURES = Path(__file__).parents[1] / "fixtures"


def message(number: int) -> bytes:
    head = f"From: ann{number}@example.org\r\nMessage-ID: <{number}@example.org>\r\nSubject: {number}\r\n"
    return f"{head}Received: from nobody\r\n\tby us\r\n\r\n{'x' * 2000}\r\n".encode()


MESSAGES = [message(number) for number in range(1, 121)]
TOTAL = sum(map(len, MESSAGES))


class Notes:
    """A watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...

    def stored(self, messages: int, size: int) -> None:
        assert size >= 0
        self.told += ["message"] * messages

    def headers(self, messages: int, seconds: float | None) -> None:
        self.told.append((messages, seconds))

    def header_stored(self) -> None:
        self.told.append("header")

    def headers_done(self) -> None:
        self.told.append("done")


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A far server, which all threads are needed for; and more than one FETCH for these few headers."""
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 0)
    monkeypatch.setattr("inboxstats.download.agenda.CHUNK_HEADERS", 20)


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box) -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": inbox, "Other": box(message(1), message(200))}) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


def run(server: ScriptedServer, archive: Archive, *, headers_first: bool | None = True, **more: Any) -> Fetched:
    source = ImapSource(Server("127.0.0.1", server.port, "me", "none"), "secret")
    chosen = {"mailboxes": ("INBOX",), "threads": 3, "watcher": Notes()} | more
    owner = Owner("127.0.0.1", "me")
    return fetch(archive, "me", owner, source, headers_first=headers_first, wait=lambda _: None, **chosen)


def asked(server: ScriptedServer) -> list[tuple[str, set[int]]]:
    """What was fetched of which UIDs, in the order of the commands: ``("header", {1, 2})``."""
    fetch = re.compile(r"UID FETCH (\S+) \(UID BODY\.PEEK\[(HEADER\.FIELDS \(FROM .*|)\]\)$")
    found = filter(None, map(fetch.match, server.log))
    return [("header" if match[2] else "message", numbers(match[1], most=1000)) for match in found]


def uids(server: ScriptedServer, part: str) -> list[int]:
    return sorted(uid for each, some in asked(server) if each == part for uid in some)


def totals(archive: Archive) -> Totals:
    """Those of a report on the archive as it is."""
    return select(open_collection(archive.path).update(engine="serial").rows, Selection()).totals


@pytest.mark.parametrize("threads", [1, 3])
def test_no_message_is_asked_for_before_all_headers_are_there(
    server: ScriptedServer, archive: Archive, threads: int
) -> None:
    notes = Notes()
    done = run(server, archive, threads=threads, watcher=notes)
    assert (done.exit_code, done.stored, done.headers, done.bytes) == (0, 120, 120, TOTAL)
    parts = [part for part, _ in asked(server)]
    assert parts == sorted(parts)  # "header" before "message"
    assert uids(server, "header") == uids(server, "message") == list(range(1, 121))
    assert notes.told == [(120, None), *["header"] * 120, "done", *["message"] * 120]
    assert not list(archive.path.rglob("headers-*"))


def test_headers_come_first_of_all_mailboxes(server: ScriptedServer, archive: Archive) -> None:
    done = run(server, archive, mailboxes=("*",))
    assert (done.exit_code, done.stored, done.headers) == (0, 122, 122)
    parts = [part for part, _ in asked(server)]
    assert parts == sorted(parts)


def test_a_second_run_asks_for_nothing(server: ScriptedServer, archive: Archive) -> None:
    run(server, archive)
    server.log.clear()
    done = run(server, archive)
    assert (done.exit_code, done.stored, done.headers, asked(server)) == (0, 0, 0, [])


def test_a_report_in_the_middle_is_of_all_messages_and_says_how_much_has_arrived(
    server: ScriptedServer, archive: Archive
) -> None:
    limit = 120 * 1_000 + TOTAL // 4
    first = run(server, archive, daily_bytes=limit)
    assert (first.exit_code, first.headers) == (5, 120)
    assert 0 < first.stored < 120
    found = totals(archive)
    assert (found.files, found.messages, found.headers_only) == (120, 120, 120 - first.stored)
    assert (found.bytes, found.without_sender, found.undated) == (TOTAL, 0, 0)
    # The headers are there already: the next run brings messages alone, and with them the rows change for good.
    server.log.clear()
    assert (again := run(server, archive)).exit_code == 0
    assert (again.headers, uids(server, "header"), again.stored) == (0, [], 120 - first.stored)
    found = totals(archive)
    assert (found.files, found.messages, found.headers_only, found.bytes) == (120, 120, 0, TOTAL)


def test_a_rerun_asks_for_the_headers_that_are_missing_alone(server: ScriptedServer, archive: Archive) -> None:
    first = run(server, archive, threads=1, daily_bytes=45_000)
    # Nothing of the day is used yet: 20 headers of 1,000 bytes as it is reckoned, and 20 more behind them.
    assert (first.exit_code, first.headers, first.left, uids(server, "message")) == (5, 40, 120, [])
    server.log.clear()
    again = run(server, archive)
    assert (again.exit_code, again.headers, again.stored) == (0, 80, 120)
    assert uids(server, "header") == list(range(41, 121))


def test_headers_count_for_the_budget_of_the_day(server: ScriptedServer, archive: Archive) -> None:
    run(server, archive, daily_bytes=10_000_000)
    fields = sum(len(each.partition(b"Received")[0]) + 2 for each in MESSAGES)
    used = archive.budget("me", 1).used
    assert used == TOTAL + fields


def test_only_what_is_missing_has_its_header_fetched(server: ScriptedServer, archive: Archive, inbox: Box) -> None:
    run(server, archive)
    server.log.clear()
    for uid in range(121, 126):
        inbox.messages[uid] = Stored(message(uid))
    assert run(server, archive).headers == 5
    assert uids(server, "header") == [121, 122, 123, 124, 125]


def test_what_since_leaves_out_has_no_header_fetched(server: ScriptedServer, archive: Archive, inbox: Box) -> None:
    late = ANY_DAY + timedelta(days=10)
    inbox.messages[121] = Stored(message(121), internal_date=late)
    assert run(server, archive, since=late.date()).headers == 1
    assert uids(server, "header") == [121]


def test_a_dry_run_says_how_many_headers_would_come_first(server: ScriptedServer, archive: Archive) -> None:
    assert run(server, archive, dry_run=True).headers == 120
    assert run(server, archive, dry_run=True, headers_first=None).headers == 0
    assert run(server, archive, dry_run=True, headers_first=None, rate=TOTAL // 121).headers == 120
    assert asked(server) == []
    assert not list(archive.path.rglob("headers-*"))


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"rate": TOTAL // 121}, TOTAL / (TOTAL // 121)),
        ({"rate": TOTAL // 119}, None),
        ({"daily_bytes": TOTAL - 1}, math.inf),
        ({"daily_bytes": TOTAL + 1}, None),
        ({}, None),
    ],
)
def test_by_itself_headers_come_first_where_the_rest_would_take_two_minutes(
    server: ScriptedServer, archive: Archive, more: dict[str, int], seconds: float | None
) -> None:
    notes = Notes()
    done = run(server, archive, headers_first=None, watcher=notes, **more)
    assert done.headers == (120 if seconds else 0)
    assert [told for told in notes.told if isinstance(told, tuple)] == ([(120, seconds)] if seconds else [])


@pytest.mark.parametrize(
    ("more", "is_early"),
    [({"headers_first": True}, False), ({"rate": TOTAL // 121}, False), ({}, True)],
    ids=["told to", "capped", "neither"],
)
def test_messages_are_asked_for_while_all_is_listed_only_where_no_headers_will_come_first(
    server: ScriptedServer,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, int | bool],
    is_early: bool,
) -> None:
    snapshot = ImapSource.snapshot

    def long(*arguments: Any, **named: Any) -> Any:
        found = snapshot(*arguments, **named)
        until = time.monotonic() + (60 if is_early else 0.3)
        while not uids(server, "message") and time.monotonic() < until:
            time.sleep(0.01)  # the server notes what it is asked, and tells nobody
        asked_early.extend(uids(server, "message"))
        return found

    asked_early: list[int] = []
    monkeypatch.setattr(ImapSource, "snapshot", long)
    monkeypatch.setattr("inboxstats.download.pool.MANY", 1)
    done = run(server, archive, **{"headers_first": None, **more})
    assert (done.exit_code, done.stored, done.headers) == (0, 120, 0 if is_early else 120)
    assert bool(asked_early) is is_early


def test_who_wants_no_headers_first_has_none(server: ScriptedServer, archive: Archive) -> None:
    assert run(server, archive, headers_first=False, rate=1).headers == 0
    assert uids(server, "header") == []


def test_a_download_that_proves_slow_goes_on_with_headers(
    server: ScriptedServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxstats.download.agenda.MEASURED_SECONDS", 0)
    monkeypatch.setattr("inboxstats.headers_first.LONG", -1)
    monkeypatch.setattr("inboxstats.download.agenda.CHUNK_MESSAGES", 5)
    monkeypatch.setattr("inboxstats.download.worker.UNDER_WAY", 2)
    monkeypatch.setattr("inboxstats.headers_first.HeadersFirst.at_once", lambda _: ())
    notes = Notes()
    done = run(server, archive, headers_first=None, watcher=notes, threads=1)
    assert (done.exit_code, done.stored, done.bytes) == (0, 120, TOTAL)
    assert 0 < done.headers < 120
    parts = [part for part, _ in asked(server)]
    last = len(parts) - parts[::-1].index("header")
    assert parts[0] == parts[last] == "message"
    # From the first header on, no message until the last.
    assert set(parts[parts.index("header") : last]) == {"header"}
    assert notes.told.count("done") == 1
    assert not list(archive.path.rglob("headers-*"))


def test_a_download_that_proves_fast_has_none(
    server: ScriptedServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxstats.download.agenda.MEASURED_SECONDS", 0)
    assert run(server, archive, headers_first=None).headers == 0
    assert uids(server, "header") == []


def refusing_headers(session: Session, tag: str, line: str) -> None:
    if "HEADER.FIELDS (FROM" in line:
        session.send(f"{tag} NO [SERVERBUG] not that")
    else:
        session.answer(tag, line)


def refusing_messages(session: Session, tag: str, line: str) -> None:
    if "BODY.PEEK[]" in line:
        session.send(f"{tag} NO [OVERQUOTA] enough")
    else:
        session.answer(tag, line)


def test_a_server_that_gives_no_headers_is_soon_asked_for_messages(server: ScriptedServer, archive: Archive) -> None:
    server.on("UID FETCH", refusing_headers)
    done = run(server, archive)
    assert (done.exit_code, done.headers, done.stored, done.failed) == (0, 0, 120, ())
    assert len([part for part, _ in asked(server) if part == "header"]) < 100


def test_one_bad_header_costs_itself_alone(server: ScriptedServer, archive: Archive) -> None:
    def refuse_30(session: Session, tag: str, line: str) -> None:
        is_header = "HEADER.FIELDS (FROM" in line
        if is_header and 30 in numbers(line.split()[2], most=120):
            session.send(f"{tag} NO [SERVERBUG] not that")
        else:
            session.answer(tag, line)

    server.on("UID FETCH", refuse_30)
    done = run(server, archive)
    assert (done.exit_code, done.headers, done.stored, done.failed) == (0, 119, 120, ())


def test_headers_of_messages_that_are_expunged_meanwhile_are_no_trouble(
    server: ScriptedServer, archive: Archive, inbox: Box
) -> None:
    def expunge(session: Session, tag: str, line: str) -> None:
        inbox.messages.pop(7, None)
        session.answer(tag, line)

    server.on("UID FETCH 1:20 (UID BODY.PEEK[HEADER", expunge)
    done = run(server, archive, threads=1)
    assert (done.exit_code, done.headers, done.stored, done.gone) == (0, 119, 119, 1)
    assert not list(archive.path.rglob("headers-*"))


def test_a_mailbox_that_is_deleted_while_its_headers_come_is_named_once(
    server: ScriptedServer, archive: Archive
) -> None:
    def delete(session: Session, tag: str, line: str) -> None:
        server.script.mailboxes.pop(b"Other", None)
        session.answer(tag, line)

    server.on("UID FETCH 1:20 (UID BODY.PEEK[HEADER", delete)
    done = run(server, archive, threads=1, mailboxes=("*",))
    assert (done.exit_code, done.stored, [mailbox for mailbox, _ in done.troubles]) == (3, 120, ["Other"])


@pytest.mark.parametrize(
    ("fault", "nth"),
    [(drop(after=500), 3), (reply("NO [LIMIT] slow down"), 3), (reply("BAD [THROTTLED] slow down"), 2), (drop(), 2)],
)
def test_what_befalls_a_command_for_headers_is_made_good(
    server: ScriptedServer, archive: Archive, fault: Callable[[Session, str, str], None], nth: int
) -> None:
    server.on("UID FETCH", fault, nth=nth)  # the first is the listing's
    done = run(server, archive)
    assert (done.exit_code, done.headers, done.stored) == (0, 120, 120)
    parts = [part for part, _ in asked(server)]
    assert parts == sorted(parts)


def test_a_rest_that_is_too_long_ends_the_run_and_the_headers_stay(server: ScriptedServer, archive: Archive) -> None:
    server.on("UID FETCH", reply("NO [OVERQUOTA] enough"), nth=5)
    done = run(server, archive, threads=1)
    assert (done.exit_code, done.left, uids(server, "message")) == (5, 120, [])
    kept = done.headers
    assert 0 < kept < 120
    assert totals(archive).headers_only == kept
    server.log.clear()
    server.script.rules.clear()
    assert (again := run(server, archive)).exit_code == 0
    assert again.headers == 120 - kept


def test_a_mailbox_made_anew_has_its_headers_fetched_anew(server: ScriptedServer, archive: Archive) -> None:
    server.on("UID FETCH", refusing_messages)
    run(server, archive)
    assert totals(archive).headers_only == 120
    server.script.rules.clear()
    server.script.mailboxes[b"INBOX"] = Box(box(*MESSAGES[:50]).messages, uid_validity=2)
    done = run(server, archive)
    assert (done.exit_code, done.headers, done.stored) == (0, 50, 50)
    found = totals(archive)
    assert (found.headers_only, found.messages) == (0, 50)
    assert not list(archive.path.rglob("headers-*"))


def interrupted(server: ScriptedServer, archive: Archive) -> int:
    """A first run that has all headers of INBOX and Other, and some messages of INBOX. Returns how many."""
    done = run(server, archive, threads=1, mailboxes=("*",), daily_bytes=122 * 1_000 + TOTAL // 4)
    assert (done.exit_code, done.headers) == (5, 122)
    assert 0 < done.stored < 120
    return done.stored


def test_headers_of_a_mailbox_that_is_gone_are_said_to_go_and_count_no_more(
    server: ScriptedServer, archive: Archive
) -> None:
    interrupted(server, archive)
    assert run(server, archive).exit_code == 0  # INBOX alone
    assert totals(archive).headers_only == 1  # the other one of Other is in INBOX, too
    del server.script.mailboxes[b"Other"]
    assert run(server, archive, dry_run=True).warnings == ()
    assert totals(archive).headers_only == 1
    done = run(server, archive)
    assert done.exit_code == 0
    assert done.warnings == (
        ("Other", "the server no longer has it; the headers of 2 messages that never came are removed."),
    )
    found = totals(archive)
    assert (found.messages, found.headers_only) == (120, 0)
    assert not list(archive.path.rglob("headers-*"))
    assert run(server, archive).warnings == ()


def test_headers_of_a_mailbox_that_is_emptied_go_and_what_came_stays(
    server: ScriptedServer, archive: Archive, inbox: Box
) -> None:
    kept = interrupted(server, archive)
    there = dict(inbox.messages)
    inbox.messages.clear()
    done = run(server, archive)
    assert (done.exit_code, done.emptied) == (3, (("INBOX", kept),))
    assert totals(archive).headers_only == 1  # of Other
    inbox.messages.update(there)
    done = run(server, archive)
    assert (done.exit_code, done.stored, done.headers) == (0, 120 - kept, 120 - kept)


def test_a_mailbox_that_is_emptied_before_any_message_came_is_an_empty_one(
    server: ScriptedServer, archive: Archive, inbox: Box
) -> None:
    server.on("UID FETCH", refusing_messages)
    run(server, archive)
    server.script.rules.clear()
    assert totals(archive).headers_only == 120
    inbox.messages.clear()
    done = run(server, archive)
    assert (done.exit_code, done.emptied, done.listed) == (0, (), 0)
    assert not list(archive.path.rglob("headers-*"))


KNOWN = ("sender", "sender_name", "subject", "message_id", "date", "date_offset", "is_reply", "list_id")


def test_headers_tell_of_messages_what_the_messages_tell(
    dovecot: Dovecot, dovecot_user: Login, archive: Archive
) -> None:
    mail = [path.read_bytes() for path in sorted(FIXTURES.rglob("*.eml"))]
    # One that begins with an empty line has no header as servers see it; our parser is kinder.
    mail = [each for each in mail if not each.startswith((b"\n", b"\r\n"))]
    assert len(mail) > 100
    dovecot.fill(dovecot_user, messages=mail)
    archive.admit("me", Owner(dovecot_user.host, dovecot_user.user))
    folder = archive.mailbox("me", Mailbox("INBOX"))
    folder.note_name()
    source = ImapSource(Server(dovecot_user.host, dovecot_user.port, dovecot_user.user, "none"), dovecot_user.password)
    source.connect()
    found = source.snapshot(folder.mailbox)
    folder.note_listing(found.state, found.listing)

    def fetched(part: Part) -> Iterator[tuple[MessageKey, Content]]:
        source.ask(folder.mailbox, list(found.listing), part)
        return source.answer(folder.mailbox)

    def rows() -> dict[str, dict[str, Any]]:
        table = open_collection(archive.path).update(engine="serial").rows
        return {row["key"]: row for row in table.to_pylist()}

    sizes = {info.key: info.size or 0 for info in found.listing.values()}
    folder.headers.store(fetched(Part.HEADER), sizes)
    headers = rows()
    folder.store(fetched(Part.WHOLE))
    source.close()
    whole = rows()
    assert {row["version"] for row in headers.values()} == {"header"}
    assert {row["version"] for row in whole.values()} == {""}
    assert len(headers) == len(whole) == len(mail)
    assert sum(row["message_id"] is not None for row in whole.values()) > 50
    for key, row in whole.items():
        assert {name: headers[key][name] for name in KNOWN} == {name: row[name] for name in KNOWN}, row["subject"]
        if row["message_id"]:
            assert headers[key]["fingerprint"] == row["fingerprint"]
