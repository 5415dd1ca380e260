"""A mailbox whose size is known is listed in one go: FETCH follows EXAMINE before that one is answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import Fault, ScriptedServer, bye, drop, reply, untagged
from scripted_mailbox import Box, box
from scripted_session import Session
from test_fetch import Silent

from inboxstats.archive import Archive, Owner, Snapshot
from inboxstats.archive.layout import message_key
from inboxstats.errors import MailboxRefusedError, NetworkError, ThrottledError
from inboxstats.fetch import Fetched, fetch
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Server, listing

INBOX, WORK = Mailbox("INBOX"), Mailbox("Work")
MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * number}\r\n".encode() for number in range(1, 21)]
SECONDS = 20.0
LISTING = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "AT_ONCE", 7)


@pytest.fixture
def inbox() -> Box:
    return Box(box(*MESSAGES[:5]).messages, 7)


@pytest.fixture
def server(inbox: Box) -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": inbox, "Work": Box(box(*MESSAGES[5:7]).messages, 8)}) as running:
        yield running


@pytest.fixture
def source(server: ScriptedServer) -> Iterator[ImapSource]:
    opened = ImapSource(Server("127.0.0.1", server.port, "me", "none"), "secret")
    yield opened
    opened.close()


def uids(snapshot: Snapshot) -> list[int]:
    return snapshot.listing.uids.tolist()


def commands(server: ScriptedServer) -> list[str]:
    return [line for line in server.log if line.startswith(("EXAMINE", "UID", "STATUS"))]


def following(server: ScriptedServer) -> list[str]:
    """Answers EXAMINE once the next command is there, which is noted."""
    came: list[str] = []

    def fault(session: Session, tag: str, line: str) -> None:
        session.connection.settimeout(SECONDS)
        came.append(session.rfile.peek(1).split(b" ", 1)[1].decode().strip())
        session.answer(tag, line)

    server.on("EXAMINE", fault)
    return came


def test_a_mailbox_is_listed_in_one_round_trip(server: ScriptedServer, source: ImapSource) -> None:
    server.script.extensions = ("CONDSTORE", "ENABLE", "QRESYNC")
    came = following(server)
    found = source.snapshot(INBOX, expected=5)
    assert came == [LISTING]
    assert commands(server) == ['EXAMINE "INBOX"', LISTING]
    assert (uids(found), found.listing.uidvalidity) == ([1, 2, 3, 4, 5], 7)
    assert [(each.size, each.flags) for each in found.listing.values()] == [
        (len(message), {"\\Seen"}) for message in MESSAGES[:5]
    ]
    assert found.state == source.status(INBOX)


def test_labels_are_asked_for_too(server: ScriptedServer, source: ImapSource) -> None:
    server.script.extensions = ("X-GM-EXT-1",)
    came = following(server)
    assert uids(source.snapshot(INBOX, expected=5)) == [1, 2, 3, 4, 5]
    assert came == ["UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE X-GM-LABELS)"]


@pytest.mark.parametrize("expected", [None, 0, 8])
def test_of_a_mailbox_of_unknown_size_or_a_large_one_nothing_is_asked_before_it_is_open(
    server: ScriptedServer, source: ImapSource, expected: int | None
) -> None:
    came: list[bytes] = []

    def fault(session: Session, tag: str, line: str) -> None:
        session.connection.settimeout(0.2)
        try:
            came.append(session.rfile.peek(1))
        except TimeoutError:
            session.connection.settimeout(None)
            session.rfile = session.connection.makefile("rb")  # one that timed out reads no more
        session.answer(tag, line)

    server.on("EXAMINE", fault)
    assert uids(source.snapshot(INBOX, expected=expected)) == [1, 2, 3, 4, 5]
    assert came == []


@pytest.mark.parametrize("there", [0, 4, 6, 7, 8, 20])
def test_a_mailbox_that_has_another_size_meanwhile_is_listed_as_it_is(
    inbox: Box, source: ImapSource, there: int
) -> None:
    inbox.messages = box(*MESSAGES[:there]).messages
    found = source.snapshot(INBOX, expected=5)
    assert uids(found) == list(range(1, there + 1))
    assert found.state.messages == there
    assert source.status(INBOX).messages == there
    assert uids(source.snapshot(WORK, expected=2)) == [1, 2]
    assert uids(source.snapshot(INBOX)) == list(range(1, there + 1))
    if keys := [message_key(7, uid) for uid in range(1, there + 1)]:
        assert [body for _, body in source.fetch(INBOX, keys)] == MESSAGES[:there]


@pytest.mark.parametrize("exists", [0, 3, 9])
def test_a_server_that_tells_another_size_than_it_has_is_believed_in_neither(
    server: ScriptedServer, source: ImapSource, exists: int
) -> None:
    def lying(session: Session, tag: str, _line: str) -> None:
        session._box = session.script.mailboxes[b"INBOX"]
        session.send(f"* {exists} EXISTS")
        session.send("* OK [UIDVALIDITY 7] valid")
        session.send(f"{tag} OK done")

    server.on("EXAMINE", lying)
    assert uids(source.snapshot(INBOX, expected=5)) == ([1, 2, 3, 4, 5] if exists else [])
    assert [body for _, body in source.fetch(INBOX, [message_key(7, 1)])] == MESSAGES[:1]
    assert source.status(INBOX).messages == 5
    server.script.rules.clear()
    assert uids(source.snapshot(INBOX, expected=5)) == [1, 2, 3, 4, 5]


def test_a_listing_bears_the_uidvalidity_that_examine_tells(
    server: ScriptedServer, inbox: Box, source: ImapSource
) -> None:
    def renumbered(session: Session, tag: str, line: str) -> None:
        inbox.uid_validity = 9
        session.answer(tag, line)

    assert source.status(INBOX).uidvalidity == 7
    server.on("EXAMINE", renumbered, nth=1)
    told: list[int] = []
    found = source.snapshot(INBOX, expected=5, early=lambda some: told.append(some.uidvalidity))
    assert (found.listing.uidvalidity, found.state.uidvalidity) == (9, 9)
    assert set(told) <= {9}


@pytest.mark.parametrize("answer", ["NO [NONEXISTENT] it was just deleted", "BAD what?"])
def test_a_mailbox_that_is_refused_is_told_and_hinders_no_other(
    server: ScriptedServer, source: ImapSource, answer: str
) -> None:
    server.on("EXAMINE", reply(answer), nth=1)
    with pytest.raises(MailboxRefusedError):
        source.snapshot(INBOX, expected=5)
    assert uids(source.snapshot(WORK, expected=2)) == [1, 2]


def test_a_server_that_wants_to_be_left_alone_is_heard(server: ScriptedServer, source: ImapSource) -> None:
    server.on("EXAMINE", reply("NO [LIMIT] later"), nth=1)
    with pytest.raises(ThrottledError):
        source.snapshot(INBOX, expected=5)


@pytest.mark.parametrize("answer", ["NO not so fast", "BAD no mailbox is open"])
def test_a_server_that_refuses_to_be_asked_so_early_is_asked_again(
    server: ScriptedServer, source: ImapSource, answer: str
) -> None:
    server.on("UID FETCH", reply(answer), nth=1)
    found = source.snapshot(INBOX, expected=5)
    assert [(each.size, each.flags) for each in found.listing.values()] == [
        (len(message), {"\\Seen"}) for message in MESSAGES[:5]
    ]
    assert commands(server) == ['EXAMINE "INBOX"', LISTING] * 2


def interleaved(lines: int) -> Fault:
    """So many lines of the next command's answer come before that to EXAMINE."""

    def fault(session: Session, tag: str, line: str) -> None:
        messages = list(session.script.mailboxes[b"INBOX"].messages.items())
        for number, (uid, message) in enumerate(messages[:lines], 1):
            session.send(f"* {number} FETCH (UID {uid} FLAGS (\\Seen) RFC822.SIZE {len(message.data)})")
        session.answer(tag, line)

    return fault


@pytest.mark.parametrize("lines", [1, 5])
def test_what_comes_before_the_mailbox_is_open_is_listed_from_what_comes_after(
    server: ScriptedServer, source: ImapSource, lines: int
) -> None:
    server.on("EXAMINE", interleaved(lines))
    assert uids(source.snapshot(INBOX, expected=5)) == [1, 2, 3, 4, 5]


def test_a_server_that_answers_the_second_command_first_is_understood(
    server: ScriptedServer, source: ImapSource
) -> None:
    def second_first(session: Session, tag: str, line: str) -> None:
        session.connection.settimeout(SECONDS)
        next_tag = session.rfile.peek(1).split(b" ", 1)[0].decode()
        session.rfile.readline()
        session.send(f"{next_tag} BAD no mailbox is open")
        session.answer(tag, line)

    server.on("EXAMINE", second_first, nth=1)
    assert uids(source.snapshot(INBOX, expected=5)) == [1, 2, 3, 4, 5]


def test_an_answer_in_vain_stands_in_no_memory(server: ScriptedServer, source: ImapSource) -> None:
    kept: list[int] = []

    def long_answer(session: Session, tag: str, line: str) -> None:
        for number in range(1, 2_001):
            session.send(f"* {number} FETCH (UID {number} FLAGS () RFC822.SIZE 1)")
        session.answer(tag, line)

    source.connect()
    client = source._connection._client
    assert client is not None
    append = client._imap._append_untagged

    def noted(kind: str, data: bytes) -> None:
        append(kind, data)
        kept.append(len(client._imap.untagged_responses.get("FETCH", ())))

    client._imap._append_untagged = noted
    server.on("UID FETCH 1:*", long_answer, nth=1)
    server.on("EXAMINE", untagged(b"* 0 EXISTS"), nth=1)
    server.script.mailboxes[b"INBOX"].messages.clear()
    assert uids(source.snapshot(INBOX, expected=5)) == []
    assert len(kept) > 2_000
    assert max(kept) == 1


# --- whole runs ---


def run(server: ScriptedServer, archive: Archive) -> Fetched:
    return fetch(
        archive, "me", Owner("127.0.0.1", "me"),
        ImapSource(Server("127.0.0.1", server.port, "me", "none"), "secret"),
        mailboxes=("INBOX",), threads=1, watcher=Silent(), wait=lambda _: None,
    )  # fmt: skip


def stored(archive: Archive) -> dict[str, bytes]:
    return {key: where.read() for key, where in archive.mailbox("me", INBOX).locations().items()}


WHOLE = {f"7-{uid}": MESSAGES[uid - 1] for uid in range(1, 6)}


def test_a_first_download_asks_for_the_listing_with_the_mailbox_and_a_later_run_does_not(
    server: ScriptedServer, tmp_path: Path
) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    came = following(server)
    assert run(server, archive).stored == 5
    assert came == [LISTING]
    server.script.rules.clear()
    server.log.clear()
    assert run(server, archive).exit_code == 0
    assert [line.split()[0] for line in commands(server)[:2]] == ["STATUS", "EXAMINE"]
    assert stored(archive) == WHOLE


@pytest.mark.parametrize("how", [drop(), bye("no pipelining here")])
def test_a_server_that_bears_no_command_behind_another_is_asked_one_by_one(
    server: ScriptedServer, tmp_path: Path, how: Fault
) -> None:
    followed: list[bool] = []

    def fault(session: Session, tag: str, line: str) -> None:
        session.connection.settimeout(0.3)
        try:
            followed.append(b"FLAGS" in session.rfile.peek(1))
        except TimeoutError:
            followed.append(False)
            session.rfile = session.connection.makefile("rb")  # one that timed out reads no more
        session.connection.settimeout(None)
        (how if followed[-1] else Session.answer)(session, tag, line)

    server.on("EXAMINE", fault)
    archive = Archive.create(tmp_path / "archive", fsync=False)
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (5, 0)
    assert followed == [True, False]
    assert stored(archive) == WHOLE


@pytest.mark.parametrize("command", ["EXAMINE", "UID FETCH 1:* (UID FLAGS"])
@pytest.mark.parametrize("after", [0, 1, 60, 130, 200, 400])
def test_a_connection_that_ends_within_either_answer_costs_nothing(
    server: ScriptedServer, tmp_path: Path, command: str, after: int
) -> None:
    server.on(command, drop(after=after), nth=1)
    archive = Archive.create(tmp_path / "archive", fsync=False)
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (5, 0)
    assert stored(archive) == WHOLE


def test_a_mailbox_that_no_longer_answers_is_told(server: ScriptedServer, source: ImapSource) -> None:
    server.on("UID FETCH", bye("closing time"))
    with pytest.raises(NetworkError, match="closing time"):
        source.snapshot(INBOX, expected=5)
