"""A mailbox's folder: messages, manifest, and what the server last said."""

import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inboxstats.archive import MailboxFolder, MailboxState, files, manifest
from inboxstats.archive.layout import message_key
from inboxstats.errors import NetworkError, StorageError
from inboxstats.mail import Mailbox, MessageInfo, MessageKey, Pieces

INBOX = Mailbox("INBOX", "/", frozenset({"\\HasNoChildren"}))


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    inbox = MailboxFolder(tmp_path / "INBOX", INBOX, fsync=False)
    inbox.note_name()
    return inbox


def listing(*uids: int, uidvalidity: int = 7, flags: str = "") -> dict[MessageKey, MessageInfo]:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    infos = [MessageInfo(message_key(uidvalidity, uid), day, frozenset(flags.split()), 100) for uid in uids]
    return {info.key: info for info in infos}


def state(uidnext: int = 10, messages: int = 3) -> MailboxState:
    return MailboxState(uidvalidity=7, uidnext=uidnext, messages=messages, highestmodseq=5)


def test_a_message_is_stored_under_its_uid_with_a_row_that_proves_it(folder: MailboxFolder) -> None:
    assert folder.store([(MessageKey("7-1002"), b"hello")]) == ["7-1002"]
    path = folder.path / "7" / "000001" / "1002.eml"
    assert path.read_bytes() == b"hello"
    (row,) = manifest.read(str(folder.path / "manifest.jsonl"))
    assert (row.uidvalidity, row.uid, row.size) == (7, 1002, 5)
    assert row.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert folder.stored() == {"7-1002"}
    assert folder.locations()[MessageKey("7-1002")].read() == b"hello"


def test_what_came_before_a_broken_connection_is_stored_and_entered(folder: MailboxFolder) -> None:
    def breaks() -> Iterator[tuple[MessageKey, bytes]]:
        yield MessageKey("7-1"), b"one"
        raise NetworkError("gone")

    with pytest.raises(NetworkError):
        folder.store(breaks())
    assert folder.stored() == {"7-1"}
    assert [row.uid for row in manifest.read(str(folder.path / "manifest.jsonl"))] == [1]


def test_a_message_in_pieces_is_stored_like_any_other(folder: MailboxFolder) -> None:
    assert folder.store([(MessageKey("7-1"), Pieces(6, iter([b"one", b"", b"two"])))]) == ["7-1"]
    assert folder.locations()[MessageKey("7-1")].read() == b"onetwo"
    (row,) = manifest.read(str(folder.path / "manifest.jsonl"))
    assert (row.size, row.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())


def test_a_message_whose_pieces_break_off_leaves_nothing(folder: MailboxFolder) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise NetworkError("gone")

    with pytest.raises(NetworkError):
        folder.store([(MessageKey("7-1"), b"whole"), (MessageKey("7-2"), Pieces(6, pieces()))])
    assert folder.stored() == {"7-1"}
    assert os.listdir(folder.path / "7" / "000000") == ["1.eml"]
    assert [row.uid for row in manifest.read(str(folder.path / "manifest.jsonl"))] == [1]


def test_a_full_disk_stores_what_fits_and_names_path_and_bytes(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.write_all

    def full_for_large_ones(descriptor: int, data: bytes) -> None:
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor, data)

    monkeypatch.setattr(files, "write_all", full_for_large_ones)
    with pytest.raises(StorageError, match=r"the 5,000 bytes of .*2\.eml: no space is left"):
        folder.store([(MessageKey("7-1"), b"small"), (MessageKey("7-2"), b"x" * 5000)])
    assert folder.stored() == {"7-1"}
    assert not list(folder.path.rglob("*.part"))


def test_a_sweep_removes_half_a_file_and_enters_a_whole_one(folder: MailboxFolder) -> None:
    folder.store([(MessageKey("7-1"), b"one")])
    bucket = folder.path / "7" / "000000"
    (bucket / ".2.eml.part").write_bytes(b"hal")
    (bucket / "3.eml").write_bytes(b"three")
    folder.sweep()
    assert sorted(os.listdir(bucket)) == ["1.eml", "3.eml"]
    rows = manifest.read(str(folder.path / "manifest.jsonl"))
    assert [(row.uid, row.sha256) for row in rows][1] == (3, hashlib.sha256(b"three").hexdigest())
    folder.sweep()
    assert len(manifest.read(str(folder.path / "manifest.jsonl"))) == 2


def test_a_sweep_enters_a_file_even_where_another_one_has_two_rows(folder: MailboxFolder) -> None:
    folder.store([(MessageKey("7-1"), b"one")])
    folder.store([(MessageKey("7-1"), b"one")])
    (folder.path / "7" / "000000" / "2.eml").write_bytes(b"two")
    folder.sweep()
    assert [row.uid for row in manifest.read(str(folder.path / "manifest.jsonl"))] == [1, 1, 2]


def test_a_listing_comes_back_and_marks_what_is_gone(folder: MailboxFolder) -> None:
    folder.note_listing(state(), listing(1, 2, 3, flags="\\Seen"))
    assert folder.listed() == listing(1, 2, 3, flags="\\Seen")
    folder.note_listing(state(), listing(2, 3))
    assert folder.listed() == listing(2, 3)
    table = folder.listing_table()
    assert table is not None
    assert table.select(["key", "gone"]).to_pylist() == [
        {"key": "7-1", "gone": True},
        {"key": "7-2", "gone": False},
        {"key": "7-3", "gone": False},
    ]


def test_after_renumbering_the_old_generation_is_gone(folder: MailboxFolder) -> None:
    folder.note_listing(state(), listing(1))
    folder.note_listing(state(), listing(1, uidvalidity=8))
    assert set(folder.listed()) == {"8-1"}


def test_the_same_listing_again_writes_nothing(folder: MailboxFolder) -> None:
    folder.note_listing(state(), listing(1, 2))
    before = {path.name: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    folder.note_listing(state(), listing(1, 2))
    assert {path.name: path.stat().st_mtime_ns for path in folder.path.iterdir()} == before


def test_the_state_comes_back(folder: MailboxFolder) -> None:
    assert folder.state() is None
    folder.note_listing(state(uidnext=11), listing(1))
    assert folder.state() == state(uidnext=11)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"status": 3}', b'{"status": {"x": 1}}'])
def test_a_damaged_state_is_asked_for_again(folder: MailboxFolder, damage: bytes) -> None:
    folder.note_listing(state(), listing(1))
    (folder.path / "mailbox.json").write_bytes(damage)
    assert folder.state() is None


def test_a_damaged_listing_is_made_again(folder: MailboxFolder) -> None:
    folder.note_listing(state(), listing(1, 2))
    (folder.path / "listing.parquet").write_bytes(b"PAR1 no more")
    assert folder.listed() == {}
    folder.note_listing(state(), listing(1, 2))
    assert set(folder.listed()) == {"7-1", "7-2"}
