"""Gmail as a scripted server that tells labels (X-GM-EXT-1): each message once, counted by its labels."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scripted import ScriptedServer
from scripted_mailbox import Box, Stored, box
from scripted_session import Session

from inboxstats.archive import Archive, Owner
from inboxstats.choosing import without_copies
from inboxstats.collection import open_collection
from inboxstats.dataset import select
from inboxstats.errors import ExitCode, UsageError
from inboxstats.fetch import Fetched, fetch
from inboxstats.mail import Mailbox
from inboxstats.report.make import make
from inboxstats.selection import Selection
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.sources.imap.names import labels

INBOX, WORK, BOTH, SENT, SPAM = (
    f"From: a@example.org\r\nMessage-ID: <{name}@example.org>\r\nSubject: {name}\r\n\r\nHello\r\n".encode()
    for name in ("inbox", "work", "both", "sent", "spam")
)
ALL = "[Gmail]/All Mail"


class Silent:
    """Watches nothing."""

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...


def special(kind: str, *stored: Stored) -> Box:
    return Box(dict(enumerate(stored, start=1)), attributes=rf"\HasNoChildren {kind}")


@pytest.fixture
def gmail() -> Iterator[ScriptedServer]:
    boxes = {
        "INBOX": box(INBOX, BOTH),
        "Work/Pl&AOQ-ne": box(WORK, BOTH),
        ALL: special(
            r"\All",
            Stored(INBOX, labels=r'"\\Inbox" "\\Important"'),
            Stored(WORK, labels='"Work/Pl&AOQ-ne"'),
            Stored(BOTH, labels=r'"\\Inbox" "Work/Pl&AOQ-ne" "a \"quoted\" (one)"'),
            Stored(SENT, labels=r'"\\Sent"'),
        ),
        "[Gmail]/Sent Mail": special(r"\Sent", Stored(SENT)),
        "[Gmail]/Spam": special(r"\Junk", Stored(SPAM)),
        "[Gmail]/Trash": special(r"\Trash"),
    }
    with ScriptedServer(boxes) as server:
        server.script.extensions = ("X-GM-EXT-1", "CONDSTORE", "ENABLE")
        yield server


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


def run(server: ScriptedServer, archive: Archive, *mailboxes: str) -> Fetched:
    source = ImapSource(Server("127.0.0.1", server.port, "me", "none"), "secret")
    owner = Owner("127.0.0.1", "me")
    done = fetch(archive, "me", owner, source, mailboxes=mailboxes, threads=2, watcher=Silent(), wait=lambda _: None)
    assert done.exit_code == ExitCode.DONE, done
    return done


def labels_of(archive: Archive) -> dict[int, set[str]]:
    (folder,) = (each for each in archive.mailboxes("me") if each.mailbox.name == ALL)
    listed = folder.listed()
    return {uid: set(listed.info(place).labels) for place, uid in enumerate(listed.uids)}


def test_all_mail_comes_once_with_its_labels_and_spam_and_trash_beside_it(
    gmail: ScriptedServer, archive: Archive
) -> None:
    done = run(gmail, archive, "*")
    assert done.mailboxes == (ALL, "[Gmail]/Spam", "[Gmail]/Trash")
    assert done.stored == len(list(archive.path.rglob("*.eml"))) == 5
    assert labels_of(archive) == {
        1: {"\\Inbox", "\\Important"},
        2: {"Work/Pläne"},
        3: {"\\Inbox", "Work/Pläne", 'a "quoted" (one)'},
        4: {"\\Sent"},
    }
    assert run(gmail, archive, "*").stored == 0


def test_a_label_that_is_asked_for_by_its_name_comes_as_a_mailbox(gmail: ScriptedServer, archive: Archive) -> None:
    assert run(gmail, archive, "INBOX", "Work/*").mailboxes == ("INBOX", "Work/Pläne")


def test_a_server_without_labels_gives_every_mailbox_though_one_of_them_has_all(
    gmail: ScriptedServer, archive: Archive
) -> None:
    gmail.script.extensions = ()
    assert len(run(gmail, archive, "*").mailboxes) == 6
    assert not [line for line in gmail.log if "X-GM-LABELS" in line]


def test_a_label_that_is_given_or_taken_later_is_noted(gmail: ScriptedServer, archive: Archive) -> None:
    run(gmail, archive, "*")
    messages = gmail.script.mailboxes[ALL.encode()].messages
    messages[2] = Stored(WORK, labels="Done")
    messages[4] = Stored(SENT, labels="")
    assert run(gmail, archive, "*").stored == 0
    after = labels_of(archive)
    assert (after[1], after[2], after[4]) == ({"\\Inbox", "\\Important"}, {"Done"}, set())


def test_a_label_that_comes_as_a_literal_is_read_like_any_other(gmail: ScriptedServer, archive: Archive) -> None:
    gmail.script.mailboxes[ALL.encode()].messages[2] = Stored(WORK, labels='{8}\r\nsay "hi" Work')
    run(gmail, archive, "*")
    assert labels_of(archive)[2] == {'say "hi"', "Work"}


def test_a_server_that_fails_over_labels_is_asked_without_them(gmail: ScriptedServer, archive: Archive) -> None:
    def refuse(session: Session, tag: str, line: str) -> None:
        if "X-GM-LABELS" in line:
            session.send(f"{tag} BAD Could not parse command")
        else:
            session.answer(tag, line)

    gmail.on("UID FETCH", refuse)
    assert run(gmail, archive, "*").stored == 5
    assert labels_of(archive)[1] == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", set()),
        (rb'"\\Inbox" \\Sent plain', {"\\Inbox", "\\\\Sent", "plain"}),
        (b'"&ZeVnLIqe-" 42', {"日本語", "42"}),
        (b'"unclosed', {"unclosed"}),
        (b'"" " "', {" "}),
    ],
)
def test_labels_are_read_as_they_stand_on_the_wire(text: bytes, found: set[str]) -> None:
    assert labels(text) == found


@pytest.mark.parametrize(
    ("globs", "messages"),
    [
        (("INBOX",), {"inbox", "both"}),
        (("inbox",), {"inbox", "both"}),
        (("Work/*",), {"work", "both"}),
        (("Sent",), {"sent"}),
        (("[Gmail]/All Mail",), {"inbox", "work", "both", "sent"}),
        (("[Gmail]/Spam", "Important"), {"spam", "inbox"}),
    ],
)
def test_a_report_on_a_mailbox_counts_what_has_its_label(
    gmail: ScriptedServer, archive: Archive, globs: tuple[str, ...], messages: set[str]
) -> None:
    run(gmail, archive, "*")
    rows = open_collection(archive.path).update(engine="serial").rows
    found = select(rows, Selection(mailboxes=globs)).messages
    assert set(found["subject"]) == messages


def test_a_report_on_a_label_that_nothing_has_is_refused_with_those_that_there_are(
    gmail: ScriptedServer, archive: Archive
) -> None:
    run(gmail, archive, "*")
    collection = open_collection(archive.path)
    now = datetime(2026, 11, 28, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"matches no mailbox.*'Sent'"):
        make(collection, Selection(mailboxes=("Wrok",)), engine="serial", generated=now)
    assert make(collection, Selection(mailboxes=("Sent",)), engine="serial", generated=now).totals.messages == 1


def test_all_mail_is_known_by_its_attribute_not_by_its_name() -> None:
    boxes = [
        Mailbox("Alle", "/", frozenset({"\\All"})),
        Mailbox("X", "/"),
        Mailbox("Müll", "/", frozenset({"\\trash"})),
    ]
    assert [each.name for each in without_copies(boxes)] == ["Alle", "Müll"]
