"""The archive as a whole: made, opened, locked, owned."""

import multiprocessing
import os
import signal
import stat
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from inboxstats.archive import A_MOMENT, Archive, Owner, _held, is_archive
from inboxstats.errors import ArchiveBusyError, ArchiveDamagedError, StorageError, UsageError
from inboxstats.mail import Mailbox

ANN, BOB = Owner("imap.example.org", "ann@example.org"), Owner("imap.example.org", "bob@example.org")


def test_a_new_archive_is_private_and_can_be_opened(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a" / "b")
    assert is_archive(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b" / "archive.toml").stat().st_mode) == 0o600
    assert Archive.open(tmp_path / "a" / "b").owners == {}


def test_owners_are_remembered_whatever_their_names_hold(tmp_path: Path) -> None:
    names = ('we"ird\\näme.\n', "📧 work", "del\x7f", "")
    archive = Archive.create(tmp_path / "a")
    owners = {name: Owner("imap.example.org", f"{name}@example.org") for name in names}
    for name, owner in owners.items():
        archive.admit(name, owner)
    assert Archive.open(tmp_path / "a").owners == owners


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds other files and is no archive"):
        Archive.create(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_no_archive_is_opened_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no archive"):
        Archive.open(tmp_path)


def test_a_file_in_the_place_of_the_archive_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("")
    with pytest.raises(StorageError, match=r"is a file, not a folder\. Choose another place"):
        Archive.create(tmp_path / "archive", fsync=False)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a")
    (tmp_path / "a" / "archive.toml").write_text("format = 2\n")
    with pytest.raises(ArchiveDamagedError, match="format 2, this program knows up to 1") as caught:
        Archive.open(tmp_path / "a")
    assert caught.value.exit_code == 8


@pytest.mark.parametrize("damage", ["", "format", 'format = "x"', "format = 1\n[accounts.a]\nhost = 'h'", "\x00"])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: str) -> None:
    Archive.create(tmp_path / "a")
    (tmp_path / "a" / "archive.toml").write_text(damage)
    with pytest.raises(ArchiveDamagedError, match="cannot be read"):
        Archive.open(tmp_path / "a")


def test_another_owner_of_the_same_account_is_refused(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    archive.admit("work", ANN)
    with pytest.raises(UsageError, match=r"is ann@example.org at imap.example.org, not bob@example.org"):
        archive.check_owner("work", BOB, may_join=True)
    archive.check_owner("work", ANN, may_join=False)


def test_a_second_account_joins_only_when_it_may(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    archive.check_owner("ann", ANN, may_join=False)
    archive.admit("ann", ANN)
    archive.check_owner("bob", BOB, may_join=True)
    with pytest.raises(UsageError, match="belongs to ann"):
        archive.check_owner("bob", BOB, may_join=False)


def test_the_same_mail_under_another_name_is_refused(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    archive.admit("ann@example.org", ANN)
    with pytest.raises(UsageError, match=r'already, as the account .*\[accounts\."ann@example\.org"\]'):
        archive.check_owner("work", ANN, may_join=True)


def test_mailboxes_come_back_with_their_names(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    archive.admit("ann", ANN)
    for name in ("INBOX", "Entwürfe/2026", "x" * 300):
        archive.mailbox("ann", Mailbox(name, "/", frozenset({"\\Sent"}))).note_name()
    found = [folder.mailbox for folder in archive.mailboxes("ann")]
    assert found == [Mailbox(name, "/", frozenset({"\\Sent"})) for name in ("Entwürfe/2026", "INBOX", "x" * 300)]
    assert archive.accounts() == ["ann"]


def test_a_lost_mailbox_json_costs_no_name_that_the_folder_tells(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    archive.admit("ann", ANN)
    folder = archive.mailbox("ann", Mailbox("Entwürfe"))
    folder.note_name()
    (folder.path / "mailbox.json").unlink()
    assert [folder.mailbox.name for folder in archive.mailboxes("ann")] == ["Entwürfe"]


def test_twins_but_for_case_keep_apart_on_a_disk_that_folds_case(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    upper = archive.mailbox("ann", Mailbox("Work"))
    upper.note_name()
    (upper.path.parent / "work").symlink_to(upper.path)  # what such a disk shows
    lower = archive.mailbox("ann", Mailbox("work"))
    assert lower.path != upper.path
    assert lower.path.name.startswith("work%~")


def test_a_run_that_waited_sees_who_joined_meanwhile(tmp_path: Path) -> None:
    first, second = Archive.create(tmp_path / "a"), Archive.create(tmp_path / "a")
    with first.lock():
        first.admit("ann", ANN)
    with second.lock(wait=True):
        second.admit("bob", BOB)
    assert Archive.open(tmp_path / "a").owners == {"ann": ANN, "bob": BOB}


def test_what_a_run_left_that_died_while_creating_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".archive.toml.part").write_bytes(b"form")
    assert Archive.create(tmp_path / "a").owners == {}


def test_a_second_run_leaves_at_once(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    with archive.lock(), pytest.raises(ArchiveBusyError, match="Another run holds"), archive.lock():
        raise AssertionError
    with archive.lock():
        pass


def test_who_only_looks_whether_it_is_held_stands_in_nobodys_way(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    assert not archive.is_held()
    with archive.lock():
        assert archive.is_held()
    looking, done = threading.Event(), threading.Event()

    def look() -> None:
        with _held(tmp_path / "a", wait=True):  # as is_held does, but as slowly as on a busy machine
            looking.set()
            done.wait(A_MOMENT / 3)

    looker = threading.Thread(target=look)
    looker.start()
    assert looking.wait(30)
    with archive.lock():
        looker.join()


def _hold(path: Path, holding: Event) -> None:
    with Archive.open(path).lock():
        holding.set()
        signal.pause()


def test_a_dead_runs_lock_is_free(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    context = multiprocessing.get_context("spawn")
    holding = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "a", holding))
    holder.start()
    assert holding.wait(30)
    with pytest.raises(ArchiveBusyError), archive.lock():
        raise AssertionError
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with archive.lock():
        pass


def test_a_place_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a part of the path is a file"):
        Archive.create(tmp_path / "file" / "archive")
