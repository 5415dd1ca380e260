"""A mailbox is opened and asked for messages in one go: FETCH follows EXAMINE before that one is answered."""

from collections.abc import Iterator

import pytest
from scripted import ScriptedServer, reply, untagged
from scripted_mailbox import Box, box
from scripted_session import Session

from inboxstats.archive.layout import message_key
from inboxstats.errors import MailboxRefusedError
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Server

INBOX, WORK = Mailbox("INBOX"), Mailbox("Work")
MESSAGES = [f"Subject: {number}\r\n\r\ntext\r\n".encode() for number in range(1, 6)]
SECONDS = 20.0


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    boxes = {"INBOX": Box(box(*MESSAGES[:3]).messages, 7), "Work": Box(box(*MESSAGES[3:]).messages, 8)}
    with ScriptedServer(boxes) as running:
        yield running


@pytest.fixture
def source(server: ScriptedServer) -> Iterator[ImapSource]:
    opened = ImapSource(Server("127.0.0.1", server.port, "me", "none"), "secret")
    yield opened
    opened.close()


class Following:
    """Answers EXAMINE once the next command is there, and notes that it was."""

    def __init__(self, server: ScriptedServer) -> None:
        self.came: list[bytes] = []
        server.on("EXAMINE", self._answer)

    def _answer(self, session: Session, tag: str, line: str) -> None:
        session.connection.settimeout(SECONDS)
        self.came.append(session.rfile.peek(1).split(b" ", 1)[1])
        session.answer(tag, line)


def fetched(source: ImapSource, mailbox: Mailbox, uid_validity: int, *uids: int) -> list[bytes]:
    return [body for _, body in source.fetch(mailbox, [message_key(uid_validity, uid) for uid in uids])]


@pytest.mark.parametrize("is_prepared", [False, True])
def test_messages_are_asked_for_before_examine_is_answered(
    server: ScriptedServer, source: ImapSource, *, is_prepared: bool
) -> None:
    following = Following(server)
    if is_prepared:
        source.prepare(INBOX)
    assert fetched(source, INBOX, 7, 1, 3) == [MESSAGES[0], MESSAGES[2]]
    assert fetched(source, INBOX, 7, 2) == [MESSAGES[1]]  # it is open now
    assert fetched(source, WORK, 8, 1, 2) == MESSAGES[3:]
    assert [each.split(b" (")[0] for each in following.came] == [b"UID FETCH 1,3", b"UID FETCH 1:2"]


def test_what_a_mailbox_that_was_prepared_in_vain_says_is_said_of_no_other(source: ImapSource) -> None:
    source.prepare(WORK)
    assert fetched(source, INBOX, 7, 1) == MESSAGES[:1]
    source.prepare(WORK)
    assert source.extent(INBOX).messages == 3
    assert fetched(source, WORK, 8, 1) == MESSAGES[3:4]
    source.prepare(INBOX)
    source.prepare(WORK)
    assert fetched(source, WORK, 8, 2) == MESSAGES[4:]
    assert len(source.listing(INBOX)) == 3


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_renumbered_mailbox_gives_no_message_and_another_one_does(source: ImapSource, *, is_prepared: bool) -> None:
    if is_prepared:
        source.prepare(INBOX)
    with pytest.raises(MailboxRefusedError, match="was renumbered"):
        fetched(source, INBOX, 6, 1, 2)
    assert fetched(source, INBOX, 7, 1, 2) == MESSAGES[:2]


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_mailbox_that_is_refused_gives_no_message_and_another_one_does(
    server: ScriptedServer, source: ImapSource, *, is_prepared: bool
) -> None:
    server.on("EXAMINE", reply("NO not that one"), nth=1)
    if is_prepared:
        source.prepare(INBOX)
    with pytest.raises(MailboxRefusedError, match="not that one"):
        fetched(source, INBOX, 7, 1, 2)
    assert fetched(source, WORK, 8, 1) == MESSAGES[3:4]


@pytest.mark.parametrize("exists", [0, 1, 99])
def test_how_much_the_mailbox_before_has_is_said_of_no_other(
    server: ScriptedServer, source: ImapSource, exists: int
) -> None:
    assert len(source.listing(INBOX)) == 3
    server.on("EXAMINE", untagged(b"* %d EXISTS" % exists, b"* OK [CLOSED] the one before"))
    assert len(source.listing(WORK)) == 2


def test_a_mailbox_that_is_refused_in_vain_hinders_no_other(server: ScriptedServer, source: ImapSource) -> None:
    server.on("EXAMINE", reply("BAD never heard of it"), nth=1)
    source.prepare(WORK)
    assert fetched(source, INBOX, 7, 1) == MESSAGES[:1]
