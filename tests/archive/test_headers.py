"""Headers that stand in for messages whose text has not arrived."""

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelayer import failing, watched

from inboxstats.archive import Archive, MailboxFolder, MailboxState
from inboxstats.archive.headers import LONGEST
from inboxstats.archive.listing import Listing
from inboxstats.archive.verify import check
from inboxstats.errors import StorageError
from inboxstats.mail import HeaderLocation, Mailbox, MessageInfo, MessageKey, Pieces

WHEN = datetime(2026, 3, 2, tzinfo=UTC)


def key(uid: int, uidvalidity: int = 7) -> MessageKey:
    return MessageKey(f"{uidvalidity}-{uid}")


def header(uid: int) -> bytes:
    return f"From: ann{uid}@example.org\r\nMessage-ID: <{uid}@example.org>\r\n\r\n".encode()


def text(uid: int) -> bytes:
    return header(uid) + b"hello\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    """A mailbox of which three messages are listed, of 101, 102 and 103 bytes."""
    folder = Archive.create(tmp_path / "archive").mailbox("me", Mailbox("INBOX"))
    folder.note_name()
    note(folder, 1, 2, 3)
    return folder


def note(folder: MailboxFolder, *uids: int, uidvalidity: int = 7, larger: int = 0) -> None:
    infos = [MessageInfo(key(uid, uidvalidity), WHEN, frozenset(), 100 + uid + larger) for uid in uids]
    folder.note_listing(MailboxState(uidvalidity, 4, len(uids)), Listing.of(infos))


def store(folder: MailboxFolder, *uids: int, size: int = 100) -> None:
    folder.headers.store([(key(uid), header(uid)) for uid in uids], {key(uid): size + uid for uid in uids})


def files(folder: MailboxFolder) -> list[str]:
    return sorted(path.name for path in (folder.path / "7").glob("headers-*"))


def test_headers_are_found_again_with_the_size_of_their_message(folder: MailboxFolder) -> None:
    store(folder, 3, 1)
    found = folder.headers.locations()
    assert {name: (location.read(), location.message_size) for name, location in found.items()} == {
        key(1): (header(1), 101), key(3): (header(3), 103),
    }  # fmt: skip
    assert files(folder) == ["headers-1.z"]
    assert list(folder.headers.missing(folder.listed())) == [key(2)]


def test_headers_are_no_messages(folder: MailboxFolder) -> None:
    store(folder, 1, 2, 3)
    assert not folder.stored()
    assert not folder.locations()
    assert not folder.sweep()


def test_headers_go_once_all_their_messages_are_there(folder: MailboxFolder) -> None:
    store(folder, 1, 2)
    store(folder, 3)
    folder.store([(key(1), text(1)), (key(3), text(3))])
    folder.settle(folder.stored(), complete=False)
    assert files(folder) == ["headers-1.z"]
    folder.store([(key(2), text(2))])
    folder.settle(folder.stored(), complete=True)
    assert files(folder) == []


def test_a_header_whose_message_has_left_the_server_counts_no_more(folder: MailboxFolder) -> None:
    store(folder, 1, 2)
    note(folder, 2, 3)
    assert set(folder.headers.locations()) == {key(2)}
    note(folder, 3)
    folder.settle(folder.stored(), complete=False)
    assert files(folder) == []


def test_a_renumbered_mailbox_has_none_of_its_former_headers(folder: MailboxFolder) -> None:
    store(folder, 1, 2)
    note(folder, 1, 2, uidvalidity=8)
    assert not folder.headers.locations()
    assert len(folder.headers.missing(folder.listed())) == 2
    folder.settle(folder.stored(), complete=False)
    assert files(folder) == []


def test_a_header_counts_for_no_other_message_under_its_uid(folder: MailboxFolder) -> None:
    store(folder, 1, 2)
    note(folder, 1, 2, larger=1)
    assert not folder.headers.locations()


@pytest.mark.parametrize("size", [0, 200, None])
def test_a_size_that_the_server_does_not_say_is_unknown(folder: MailboxFolder, size: int | None) -> None:
    folder.note_listing(MailboxState(7, 2, 1), Listing.of([MessageInfo(key(1), WHEN, frozenset(), size)]))
    folder.headers.store([(key(1), header(1))], {key(1): size or 0})
    assert [location.message_size for location in folder.headers.locations().values()] == [size or None]


@pytest.mark.parametrize("damage", [b"", b"x", b"x\x9c", None])
def test_a_damaged_file_is_as_good_as_none_and_goes(folder: MailboxFolder, damage: bytes | None) -> None:
    store(folder, 1, 2, 3)
    (path,) = folder.path.glob("7/headers-*")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert not folder.headers.locations()
    assert len(folder.headers.missing(folder.listed())) == 3
    folder.settle(folder.stored(), complete=False)
    assert files(folder) == []


def test_any_flipped_bit_is_noticed(folder: MailboxFolder) -> None:
    store(folder, 1, 2, 3)
    (path,) = folder.path.glob("7/headers-*")
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        found = folder.headers.locations()
        assert {name: location.read() for name, location in found.items()} in (
            {},
            {key(uid): header(uid) for uid in (1, 2, 3)},  # a bit of zlib's that means nothing
        ), place


def test_what_came_before_a_failure_is_kept(folder: MailboxFolder) -> None:
    def broken() -> Iterator[tuple[MessageKey, bytes]]:
        yield key(1), header(1)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        folder.headers.store(broken(), {key(1): 101})
    assert set(folder.headers.locations()) == {key(1)}


def test_a_full_disk_leaves_no_half_file(folder: MailboxFolder) -> None:
    before = failing("write", ".part", errno.ENOSPC)
    with pytest.raises(StorageError, match="no space"), watched(folder.path, before):
        store(folder, 1, 2, 3)
    assert os.listdir(folder.path / "7") == []


def test_what_a_killed_run_left_half_written_is_swept(folder: MailboxFolder) -> None:
    store(folder, 1)
    left = folder.path / "7" / ".headers-2.z.part"
    left.write_bytes(b"half")
    assert check(folder, pool=None, dry_run=True).temporary == 1
    folder.sweep()
    assert not left.exists()
    assert files(folder) == ["headers-1.z"]


def test_verify_finds_nothing_strange_in_headers(folder: MailboxFolder) -> None:
    folder.store([(key(1), text(1))])
    store(folder, 2, 3)
    checked = check(folder, pool=None, dry_run=False)
    assert (checked.messages, checked.findings, checked.strange) == (1, [], [])
    assert files(folder) == ["headers-2.z"]


def test_of_a_monstrous_header_the_beginning_is_kept(folder: MailboxFolder) -> None:
    size = LONGEST + 1
    pieces = Pieces(size, iter((header(1).ljust(LONGEST, b"x"), b"x")))
    folder.headers.store([(key(1), pieces), (key(2), b"y" * size)], {key(1): 101, key(2): 102})
    assert [location.length for location in folder.headers.locations().values()] == [LONGEST, LONGEST]


def test_headers_without_end_come_to_several_files(folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inboxstats.archive.headers.MOST_BYTES", len(header(1)))
    store(folder, 1, 2, 3)
    assert files(folder) == ["headers-1.z", "headers-3.z"]
    assert [location.read() for location in folder.headers.locations().values()] == [header(1), header(2), header(3)]


def test_a_header_knows_where_its_message_will_be(folder: MailboxFolder) -> None:
    store(folder, 1)
    (location,) = folder.headers.locations().values()
    assert isinstance(location, HeaderLocation)
    folder.store([(key(1), text(1))])
    assert Path(location.text).read_bytes() == text(1)
