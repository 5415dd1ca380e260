"""What every source on this machine does alike. A new one brings its arguments alone."""

import mailbox as stdlib
from collections.abc import Callable
from pathlib import Path

import pytest

from inboxstats.archive import Archive, Owner
from inboxstats.archive.layout import message_key
from inboxstats.mail import LocalSource, Mailbox, MessageKey
from inboxstats.sources.archived import ArchivedAccount
from inboxstats.sources.eml import EmlTree
from inboxstats.sources.maildir import Maildir
from inboxstats.sources.mbox import Mbox

MESSAGES = [
    b"From: ann@example.com\nSubject: one\n\nHello.\n",
    b"From: bob@example.com\nSubject: two\n\nFirst.\n\nFrom here on, no separator.\n",
    b"Subject: three\n\n",
]


def archived(folder: Path) -> LocalSource:
    archive = Archive.create(folder / "archive", fsync=False)
    archive.admit("ann", Owner("h", "ann"))
    inbox = archive.mailbox("ann", Mailbox("INBOX"))
    inbox.note_name()
    inbox.store([(message_key(7, uid), data) for uid, data in enumerate(MESSAGES, start=1)])
    return ArchivedAccount(archive, "ann")


def eml(folder: Path) -> LocalSource:
    (folder / "INBOX").mkdir()
    for number, data in enumerate(MESSAGES):
        (folder / "INBOX" / f"{number}.eml").write_bytes(data)
    (folder / "INBOX" / "notes.txt").write_bytes(b"no message")
    return EmlTree(folder)


def maildir(folder: Path) -> LocalSource:
    box = stdlib.Maildir(folder / "mail")
    for data in MESSAGES:
        box.add(data)
    return Maildir(folder / "mail")


def mbox(folder: Path) -> LocalSource:
    separated = (b"From ann@example.com Mon Nov 23 10:00:00 2026\n" + data + b"\n" for data in MESSAGES)
    (folder / "INBOX").write_bytes(b"".join(separated))
    return Mbox({"INBOX": folder / "INBOX"})


@pytest.fixture(params=[archived, eml, maildir, mbox], ids=lambda make: make.__name__)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> LocalSource:
    make: Callable[[Path], LocalSource] = request.param
    return make(tmp_path)


def test_the_mailbox_is_named(source: LocalSource) -> None:
    assert [mailbox.name for mailbox in source.mailboxes()] == ["INBOX"]


def test_each_message_is_listed_once_under_a_key_that_is_a_safe_file_name(source: LocalSource) -> None:
    (inbox,) = source.mailboxes()
    listing = source.listing(inbox)
    assert len(listing) == len(MESSAGES)
    assert all(info.key == key and "/" not in key and not key.startswith(".") for key, info in listing.items())


def test_messages_come_byte_for_byte(source: LocalSource) -> None:
    (inbox,) = source.mailboxes()
    keys = list(source.listing(inbox))
    assert sorted(data for _, data in source.fetch(inbox, keys)) == sorted(MESSAGES)
    assert [key for key, _ in source.fetch(inbox, keys[:1])] == keys[:1]


def test_a_worker_reads_the_same_bytes_at_the_location(source: LocalSource) -> None:
    (inbox,) = source.mailboxes()
    locations = source.locations(inbox)
    assert {key: location.read() for key, location in locations.items()} == dict(source.fetch(inbox, list(locations)))


def test_a_message_that_is_gone_is_left_out(source: LocalSource) -> None:
    (inbox,) = source.mailboxes()
    assert list(source.fetch(inbox, [MessageKey("9-9")])) == []


def test_the_keys_stay_the_same(source: LocalSource) -> None:
    (inbox,) = source.mailboxes()
    assert source.locations(inbox) == source.locations(inbox)


def test_reading_changes_nothing(source: LocalSource, tmp_path: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        found = (path for path in tmp_path.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = everything()
    for inbox in source.mailboxes():
        list(source.fetch(inbox, list(source.listing(inbox))))
    assert everything() == before
