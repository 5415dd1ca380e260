"""An archive that a disk, a crash or a hand has changed, held against its manifest."""

import errno
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inboxstats.archive import Archive, MailboxFolder, MailboxState, Owner, manifest, verify
from inboxstats.archive.verify import Checked, Kind, check, readers
from inboxstats.mail import Mailbox, MessageInfo, MessageKey

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BODIES = {uid: f"Subject: {uid}\r\n\r\n{'x' * 100 * uid}\r\n".encode() for uid in (1, 2, 3, 999, 1000, 2500)}


def key(uid: int) -> MessageKey:
    return MessageKey(f"7-{uid}")


def note(folder: MailboxFolder, *uids: int) -> None:
    """What the server has."""
    listing = {key(uid): MessageInfo(key(uid), NOW, frozenset(), len(BODIES[uid])) for uid in uids}
    folder.note_listing(MailboxState(7, 2501, len(uids), None), listing)


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("me", Owner("h", "u"))
    made = archive.mailbox("me", Mailbox("INBOX"))
    made.note_name()
    made.store((key(uid), data) for uid, data in BODIES.items())
    note(made, *BODIES)
    return made


def eml(folder: MailboxFolder, uid: int) -> Path:
    return folder.path / "7" / f"{uid // 1000:06d}" / f"{uid}.eml"


def look(folder: MailboxFolder, *, read_data: bool = True, dry_run: bool = False) -> Checked:
    if not read_data:
        return check(folder, pool=None, dry_run=dry_run)
    with readers() as pool:
        return check(folder, pool=pool, dry_run=dry_run)


def everything(folder: MailboxFolder) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.path.rglob("*")}


def refetch(folder: MailboxFolder) -> list[int]:
    """What the next fetch does: sweep, then store what is listed and not there."""
    folder.sweep()
    wanted = sorted(folder.listed().keys() - folder.stored(), key=lambda each: int(each[2:]))
    folder.store((each, BODIES[int(each[2:])]) for each in wanted)
    return [int(each[2:]) for each in wanted]


@pytest.mark.parametrize("read_data", [True, False])
def test_a_whole_archive_is_whole_and_not_written_to(folder: MailboxFolder, read_data: bool) -> None:
    before = everything(folder)
    done = look(folder, read_data=read_data)
    assert (done.messages, done.bytes, done.findings) == (6, sum(map(len, BODIES.values())), [])
    assert (done.entered, done.kept_aside, done.temporary, done.is_torn, done.strange) == (0, 0, 0, False, [])
    assert everything(folder) == before


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def a_link(path: Path) -> None:
    path.rename(path.with_suffix(".txt"))
    path.symlink_to(path.with_suffix(".txt"))


def a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    truncated: "bytes, 316 were stored",
    emptied: "0 bytes, 316 were stored",
    grown: "317 bytes, 316 were stored",
    a_folder: "is a folder",
    a_link: "is no regular file",
    a_dangling_link: "is no regular file",
    a_pipe: "is no regular file",
}


@pytest.mark.parametrize("read_data", [True, False])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_set_aside_and_fetched_again(
    folder: MailboxFolder, damage: Callable[[Path], None], read_data: bool
) -> None:
    path = eml(folder, 3)
    damage(path)
    broken = path.lstat()
    done = look(folder, read_data=read_data)
    (finding,) = done.findings
    assert (finding.kind, finding.key, finding.path) == (Kind.DAMAGED, "7-3", str(path))
    assert finding.reason.endswith(DAMAGES[damage])
    assert (finding.aside, finding.on_server) == (f"{path}.damaged", True)
    kept = Path(f"{path}.damaged").lstat()
    assert (kept.st_ino, kept.st_mode, kept.st_size) == (broken.st_ino, broken.st_mode, broken.st_size)
    assert not os.path.lexists(path)
    assert done.messages == 5
    assert refetch(folder) == [3]
    assert path.read_bytes() == BODIES[3]
    again = look(folder)
    assert (again.messages, again.findings, again.kept_aside) == (6, [], 0)


@pytest.mark.parametrize("uid", BODIES)
def test_a_flipped_bit_is_found_by_reading_alone(folder: MailboxFolder, uid: int) -> None:
    path = eml(folder, uid)
    data = bytearray(path.read_bytes())
    place = random.Random(uid).randrange(len(data))
    data[place] ^= 1 << uid % 8
    path.write_bytes(data)
    assert look(folder, read_data=False).findings == []
    (finding,) = look(folder).findings
    assert (finding.key, finding.reason) == (key(uid), "the content is not what was stored (SHA-256)")
    assert Path(f"{path}.damaged").read_bytes() == data
    assert refetch(folder) == [uid]
    assert look(folder).findings == []


def test_a_dry_run_names_and_changes_nothing(folder: MailboxFolder) -> None:
    truncated(eml(folder, 1))
    eml(folder, 2).unlink()
    (folder.path / "listing.parquet").write_bytes(b"PAR1")
    path = folder.path / "manifest.jsonl"
    path.write_bytes(path.read_bytes() + b'nonsense\n{"uidvali')
    before = everything(folder)
    done = look(folder, dry_run=True)
    assert [(each.kind.value, each.key, each.aside) for each in done.findings] == [
        ("record", None, None), ("record", None, None), ("damaged", "7-1", None), ("missing", "7-2", None)
    ]  # fmt: skip
    assert everything(folder) == before


def test_a_missing_file_is_named_and_fetched_again(folder: MailboxFolder) -> None:
    eml(folder, 1000).unlink()
    (finding,) = look(folder, read_data=False).findings
    assert (finding.kind, finding.key, finding.on_server) == (Kind.MISSING, "7-1000", True)
    (waiting,) = look(folder).findings
    assert (waiting.kind, waiting.key) == (Kind.MISSING, "7-1000")
    assert waiting.reason.startswith("is not fetched again since 20")
    assert refetch(folder) == [1000]
    assert look(folder).findings == []


def test_a_whole_generation_that_is_missing_is_named(folder: MailboxFolder) -> None:
    (folder.path / "7").rename(folder.path.parent / "elsewhere")
    assert len(look(folder).findings) == 6


def test_what_the_server_no_longer_has_is_set_aside_and_kept(folder: MailboxFolder) -> None:
    note(folder, *(BODIES.keys() - {2, 3}))
    truncated(eml(folder, 2))
    eml(folder, 3).unlink()
    first = look(folder)
    assert {each.key: each.on_server for each in first.findings} == {"7-2": False, "7-3": False}
    assert Path(f"{eml(folder, 2)}.damaged").exists()
    assert refetch(folder) == []
    second = look(folder)
    assert (second.findings, second.kept_aside, second.messages) == ([], 2, 4)


def test_a_second_damage_has_a_name_of_its_own(folder: MailboxFolder) -> None:
    path = eml(folder, 3)
    for name in ("3.eml.damaged", "3.eml.damaged-2"):
        truncated(path)
        (finding,) = look(folder).findings
        assert finding.aside == str(path.with_name(name))
        refetch(folder)
    assert path.with_name("3.eml.damaged").exists()
    assert look(folder).findings == []


def test_no_reader_takes_what_is_set_aside_for_a_message(folder: MailboxFolder) -> None:
    truncated(eml(folder, 3))
    look(folder)
    assert folder.stored() == {key(uid) for uid in BODIES if uid != 3}
    assert folder.locations().keys() == folder.stored()


def test_a_file_that_a_killed_run_left_without_a_row_is_no_damage(folder: MailboxFolder) -> None:
    path = folder.path / "manifest.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    assert look(folder, dry_run=True).entered == 2
    done = look(folder)
    assert (done.messages, done.entered, done.findings) == (4, 2, [])
    again = look(folder)
    assert (again.messages, again.entered) == (6, 0)


@pytest.mark.parametrize("left", [0, 4, None], ids=["none", "four of six", "no manifest"])
def test_a_manifest_that_has_lost_lines_is_named_once(folder: MailboxFolder, left: int | None) -> None:
    folder.settle(folder.stored(), complete=True)
    path = folder.path / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    if left is not None:
        path.write_bytes(b"".join(lines[:left]))
    for done in look(folder, dry_run=True), look(folder):
        assert [(each.kind, each.path) for each in done.findings] == [(Kind.RECORD, str(path))]
        assert done.entered == 6 - (left or 0)
    again = look(folder)
    assert (again.messages, again.entered, again.findings) == (6, 0, [])


def test_a_manifest_that_has_lost_lines_is_noticed_by_the_next_fetch(folder: MailboxFolder) -> None:
    folder.settle(folder.stored(), complete=True)
    folder.sweep()
    assert not folder.has_lost_rows
    path = folder.path / "manifest.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[2:]))
    folder.sweep()
    assert folder.has_lost_rows
    assert sorted(manifest.entered(str(path))) == [(7, uid) for uid in BODIES]


def test_lines_that_came_since_are_no_lost_ones(folder: MailboxFolder) -> None:
    folder.settle(folder.stored(), complete=True)
    folder.store([(key(2501), b"Subject: new\r\n\r\n")])
    path = folder.path / "manifest.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    done = look(folder)
    assert (done.is_torn, done.entered, done.findings) == (True, 1, [])
    folder.sweep()
    assert not folder.has_lost_rows


def test_a_refetch_that_was_killed_before_its_row_is_entered(folder: MailboxFolder) -> None:
    truncated(eml(folder, 3))
    look(folder)
    eml(folder, 3).write_bytes(BODIES[3])
    assert (7, 3) not in manifest.entered(str(folder.path / "manifest.jsonl"))
    done = look(folder)
    assert (done.entered, done.findings) == (1, [])
    assert look(folder).messages == 6
    assert (7, 3) in manifest.entered(str(folder.path / "manifest.jsonl"))


def test_an_empty_file_without_a_row_is_not_entered_where_the_server_has_more(folder: MailboxFolder) -> None:
    path = folder.path / "manifest.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    emptied(eml(folder, 2500))
    (finding,) = look(folder).findings
    assert finding.reason == f"0 bytes, {len(BODIES[2500]):,} on the server"
    assert refetch(folder) == [2500]
    assert look(folder).findings == []


@pytest.mark.parametrize("name", ["7/000000/042.eml", "7/000001/1.eml", "7/000000/5000.eml", "7/0/4.eml"])
def test_a_message_in_a_wrong_place_is_set_aside(folder: MailboxFolder, name: str) -> None:
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"Subject: moved\r\n\r\n")
    (finding,) = look(folder, read_data=False).findings
    assert (finding.path, finding.aside) == (str(path), f"{path}.damaged")
    assert "stands where no message" in finding.reason
    done = look(folder)
    assert (done.findings, done.messages) == ([], 6)


def test_temporary_and_foreign_files_are_noted_and_left(folder: MailboxFolder) -> None:
    left = [eml(folder, 1).with_name(".4.eml.part"), folder.path / ".listing.parquet.part"]
    foreign = [eml(folder, 1).with_name("notes.txt"), eml(folder, 1).with_name("x.eml"), folder.path / "7" / "README"]
    for path in (*left, *foreign):
        path.write_bytes(b"x")
    done = look(folder)
    assert (done.temporary, sorted(done.strange), done.findings) == (2, sorted(map(str, foreign)), [])
    assert all(path.exists() for path in (*left, *foreign))


def test_a_torn_last_line_is_noted_and_cut_off(folder: MailboxFolder) -> None:
    path = folder.path / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    done = look(folder)
    assert (done.is_torn, done.entered, done.findings) == (True, 1, [])
    again = look(folder)
    assert (again.is_torn, again.messages, again.entered) == (False, 6, 0)


def test_unreadable_lines_set_the_manifest_aside_and_their_messages_are_entered_anew(folder: MailboxFolder) -> None:
    path = folder.path / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], b"\0" * 40 + b"\n", lines[2].replace(b"uid", b"u\xefd", 1), *lines[3:]])
    path.write_bytes(damaged)
    done = look(folder)
    assert [(each.kind, each.reason) for each in done.findings] == [(Kind.RECORD, "2 lines cannot be read")]
    assert (done.messages, done.entered) == (4, 2)
    assert Path(f"{path}.damaged").read_bytes() == damaged
    again = look(folder)
    assert (again.messages, again.entered, again.findings) == (6, 0, [])


def test_whichever_bit_of_the_manifest_flips_no_message_is_lost(folder: MailboxFolder) -> None:
    path = folder.path / "manifest.jsonl"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        look(folder)
        refetch(folder)
        after = look(folder)
        assert [each for each in after.findings if each.key in folder.listed()] == [], place
        assert {uid: eml(folder, uid).read_bytes() for uid in BODIES} == BODIES, place
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["listing.parquet", "mailbox.json"])
@pytest.mark.parametrize("harm", [lambda data: data[: len(data) // 2], lambda _: b"", lambda data: b"\0" * len(data)])
def test_a_broken_record_is_named_set_aside_and_made_again(
    folder: MailboxFolder, name: str, harm: Callable[[bytes], bytes]
) -> None:
    path = folder.path / name
    path.write_bytes(harm(path.read_bytes()))
    (finding,) = look(folder, read_data=False).findings
    assert (finding.kind, finding.path, finding.aside) == (Kind.RECORD, str(path), f"{path}.damaged")
    assert not path.exists()
    folder.note_name()
    note(folder, *BODIES)
    assert path.exists()
    assert look(folder).findings == []


def test_whichever_bit_of_the_listing_flips_it_is_found(folder: MailboxFolder) -> None:
    path = folder.path / "listing.parquet"
    whole = path.read_bytes()
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        (finding,) = look(folder, read_data=False, dry_run=True).findings
        assert (finding.kind, finding.path) == (Kind.RECORD, str(path)), place
        assert len(folder.listed()) == 0, place


def test_what_may_not_be_read_is_no_damage(folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root reads everything, so the file layer refuses.
    monkeypatch.setattr(
        verify, "_unlike",
        lambda path, _: OSError(errno.EACCES, "Permission denied") if path.endswith("/2.eml") else None,
    )  # fmt: skip
    done = look(folder)
    assert (done.denied, done.findings, done.messages) == ([(str(eml(folder, 2)), "Permission denied")], [], 5)
    assert eml(folder, 2).exists()


def test_what_the_disk_has_lost_is_damage(folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        verify, "_unlike", lambda path, _: OSError(errno.EIO, "Input/output error") if path.endswith("/2.eml") else None
    )
    (finding,) = look(folder).findings
    assert (finding.key, finding.reason) == ("7-2", "Input/output error")


def test_a_large_file_is_read_in_pieces(folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "WHOLE", 10)
    assert look(folder).findings == []
    path = eml(folder, 2500)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert [each.key for each in look(folder).findings] == ["7-2500"]


def test_progress_counts_every_message_once(folder: MailboxFolder) -> None:
    eml(folder, 1).unlink()
    expected: list[int] = []
    done: list[tuple[int, int]] = []
    check(folder, pool=None, dry_run=True, expect=expected.append, progress=lambda *each: done.append(each))
    assert expected == [6]
    assert sum(messages for messages, _ in done) == 6
    assert sum(size for _, size in done) == sum(map(len, BODIES.values())) - len(BODIES[1])
