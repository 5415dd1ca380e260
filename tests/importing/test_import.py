"""`inboxstats import` into an archive: each message once, whatever happened before, and beside what a server has."""

import errno
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import filelayer
import pytest
from invariants import everything
from scripted import ScriptedServer
from scripted_mailbox import box

from inboxstats.archive import Archive, Owner
from inboxstats.archive.layout import IMPORTED, message_key
from inboxstats.collection import open_collection
from inboxstats.dataset import select
from inboxstats.errors import ExitCode, UsageError
from inboxstats.fetch import fetch
from inboxstats.importing import Counts, Imported, check, import_mail
from inboxstats.schema import decoded
from inboxstats.selection import Selection
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.verify import verify

FROM = b"From ann@example.org Tue Feb 27 11:35:12 2018\n"


class Silent:
    """Watches nothing."""

    def begin(self, mailbox: str, messages: int = 0) -> None: ...
    def read(self, messages: int, size: int) -> None: ...
    def listing(self, mailbox: str) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...
    def checked(self, messages: int, size: int) -> None: ...


class Fetching(Silent):
    def begin(self, messages: int, size: int) -> None: ...  # type: ignore[override]


def message(number: int) -> bytes:
    return b"From: a%d@example.org\nMessage-ID: <%d@example.org>\nSubject: %d\n\nbody\n" % (number % 3, number, number)


def mbox(path: Path, numbers: Iterable[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(FROM + message(number) + b"\n" for number in numbers))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


def run(archive: Archive, *paths: Path, account: str = "me", dry_run: bool = False) -> Imported:
    check(list(paths), archive.path)
    with archive.lock():
        return import_mail(archive, account, paths, watcher=Silent(), dry_run=dry_run)


def contents(archive: Archive) -> list[bytes]:
    return sorted(path.read_bytes() for path in archive.path.rglob("*.eml"))


def rows(archive: Archive) -> list[dict[str, object]]:
    return [
        json.loads(line) for path in archive.path.rglob("manifest.jsonl") for line in path.read_bytes().splitlines()
    ]


def whole(archive: Archive) -> None:
    """Every file has its row and every row its file, and nothing is half written."""
    files = {int(path.stem): path.read_bytes() for path in archive.path.rglob("*.eml")}
    assert {row["uid"]: row["sha256"] for row in rows(archive)} == {
        uid: hashlib.sha256(data).hexdigest() for uid, data in files.items()
    }
    assert not list(archive.path.rglob("*.part"))


def test_a_second_run_stores_only_what_is_new_and_an_equal_one_writes_nothing(archive: Archive, tmp_path: Path) -> None:
    path = mbox(tmp_path / "Sent.mbox", range(200))
    assert run(archive, path).mailboxes == {"Sent": Counts(200, 200, sum(len(message(each)) for each in range(200)))}
    assert contents(archive) == sorted(map(message, range(200)))
    before = everything(archive.path)
    assert run(archive, path).mailboxes == {"Sent": Counts(200, 0, 0)}
    assert everything(archive.path) == before
    mbox(path, [300, *range(100, 200)])
    assert run(archive, path).mailboxes == {"Sent": Counts(101, 1, len(message(300)))}
    whole(archive)


def test_a_compressed_and_a_plain_mbox_of_one_name_are_one_mailbox(archive: Archive, tmp_path: Path) -> None:
    plain = mbox(tmp_path / "b" / "All mail.mbox", range(5))
    compressed = tmp_path / "a" / "All mail.mbox.gz"
    compressed.parent.mkdir()
    compressed.write_bytes(gzip.compress(plain.read_bytes()))
    done = run(archive, compressed, plain)
    assert {name: (each.messages, each.stored) for name, each in done.mailboxes.items()} == {"All mail": (10, 5)}


def test_a_changed_label_or_flag_is_noted_and_makes_no_second_message(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "All mail.mbox"
    for label in (b"Unread,Inbox", b"Opened,Work"):
        path.write_bytes(FROM + b"X-Gmail-Labels: " + label + b"\n" + message(1))
        run(archive, path)
    (folder,) = archive.mailboxes("me")
    (generation,) = folder.generations()
    (info,) = generation.listing.values()
    assert (info.key, info.flags, info.labels) == (message_key(IMPORTED, 1), {"\\Seen"}, {"Work"})
    assert info.internal_date == datetime(2018, 2, 27, 11, 35, 12, tzinfo=UTC)
    assert contents(archive) == [message(1)]


def test_maildirs_and_eml_files_come_byte_for_byte_with_their_flags_and_are_not_touched(
    archive: Archive, tmp_path: Path
) -> None:
    mail = tmp_path / "mail"
    texts = {
        "cur/1.a:2,FS": b"Subject: \xff\r\n\r\n>From x\r\n",
        "new/2.b": b"X-Keywords: mine\n\n",
        "cur/3.c:2,": b"",
        "loose/../x.eml": b"Status: R\n\n\0",
        "loose/.hidden/..eml.eml": b"dots",
    }
    for name in ("cur", "new", "tmp", "loose/.hidden"):
        (mail / name).mkdir(parents=True)
    for name, text in texts.items():
        (mail / name).write_bytes(text)
    before = everything(mail)
    done = run(archive, mail)
    assert (done.exit_code, done.unreadable) == (ExitCode.DONE, [])
    assert contents(archive) == sorted(texts.values())
    assert everything(mail) == before
    flags = {
        tuple(sorted(info.flags))
        for folder in archive.mailboxes("me")
        for info in folder.generations()[0].listing.values()
    }
    assert flags == {("\\Flagged", "\\Seen"), ()}


def test_what_cannot_be_read_is_named_and_the_rest_comes(archive: Archive, tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "a.eml").write_bytes(message(1))
    (mail / "b.eml").symlink_to(mail / "nowhere")
    os.mkfifo(mail / "c.eml")
    (mail / "d.mbox").write_bytes(b"no mbox")
    (mail / "e.mbox").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    takeout = Path(shutil.make_archive(str(tmp_path / "takeout"), "zip", mail, "a.eml"))
    done = run(archive, tmp_path / "empty", takeout, mail, mbox(tmp_path / "f.mbox", [2]))
    assert done.exit_code == ExitCode.PARTLY
    assert [(os.path.basename(each.place), each.reason.partition(":")[0]) for each in done.unreadable] == [
        ("empty", "no mail"),
        ("takeout.zip", "many files in one; unpack it first, and give the folder that comes out"),
        ("b.eml", "No such file or directory"),
        ("c.eml", "not a regular file"),
        ("d.mbox", "no mbox"),
    ]
    assert contents(archive) == sorted([message(1), message(2)])


def test_hostile_names_stay_within_the_archive(archive: Archive, tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    for name in ("..mbox.mbox", "CON.mbox", "a\nb.mbox", os.fsdecode(b"\xff.mbox"), "%2e%2e.mbox", "x" * 240 + ".mbox"):
        mbox(mail / name, [1])
    assert run(archive, mail).exit_code == ExitCode.DONE
    assert len(contents(archive)) == 6
    assert {path.parent.parent.parent.parent for path in archive.path.rglob("*.eml")} == {archive.path / "me"}
    names = {folder.mailbox.name for folder in archive.mailboxes("me")}
    assert names == {"..mbox", "CON", "a\nb", "\\xff", "%2e%2e", "x" * 240}


def stops(number: int) -> filelayer.Before:
    """The program is gone at an operation, as far as one process can be; what it would do in leaving fails, too."""
    seen = 0

    def before(_: filelayer.Operation) -> None:
        nonlocal seen
        seen += 1
        if seen >= number:
            raise KeyboardInterrupt

    return before


def test_a_run_that_stops_at_any_file_operation_is_completed_by_the_next(tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", range(3))
    number, finished = 0, False
    while not finished:
        number += 1
        archive = Archive.create(tmp_path / f"archive-{number}", fsync=False)
        with filelayer.watched(archive.path, stops(number)):
            try:
                run(archive, path)
                finished = True
            except KeyboardInterrupt:
                pass
        archive = Archive.open(archive.path, fsync=False)
        assert run(archive, path).exit_code == ExitCode.DONE
        assert contents(archive) == sorted(map(message, range(3))), number
        whole(archive)
        (generation,) = archive.mailboxes("me")[0].generations()
        assert len(generation.listing) == 3
    assert number > 15, "the file layer does not see what the program does"


@pytest.mark.parametrize("ending", [".2.eml.part", "manifest.jsonl", ".listing.parquet.part", ".mailbox.json.part"])
def test_a_full_disk_ends_the_run_with_what_is_complete_and_the_rest_comes_later(
    archive: Archive, tmp_path: Path, ending: str
) -> None:
    path = mbox(tmp_path / "a.mbox", range(3))
    with filelayer.watched(archive.path, filelayer.failing("write", ending, errno.ENOSPC, first=1)):
        done = run(archive, path)
    assert done.exit_code == ExitCode.STORAGE
    assert "no space is left on the disk" in str(done.error)
    if ending == ".2.eml.part":
        assert contents(archive) == [message(0)]
        assert done.mailboxes["a"].stored == 1
        whole(archive)
    assert run(archive, path).exit_code == ExitCode.DONE
    assert contents(archive) == sorted(map(message, range(3)))
    whole(archive)


def fetched(archive: Archive, server: ScriptedServer) -> int:
    source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
    owner = Owner("127.0.0.1", "user")
    with archive.lock():
        archive.check_owner("me", owner, may_join=True)
        done = fetch(archive, "me", owner, source, mailboxes=["*"], threads=1, watcher=Fetching(), wait=lambda _: None)
    assert done.exit_code == ExitCode.DONE, done
    return done.stored


def counted(archive: Archive) -> tuple[int, int]:
    """Files and messages, as a report has them."""
    totals = select(decoded(open_collection(archive.path).update(engine="serial").rows), Selection()).totals
    return totals.files, totals.messages


@pytest.mark.parametrize("order", ["import first", "fetch first"])
def test_a_server_and_an_import_share_a_mailbox_and_what_both_have_counts_once(
    archive: Archive, tmp_path: Path, order: str
) -> None:
    path = mbox(tmp_path / "INBOX.mbox", range(5))
    on_server = [message(number).replace(b"\n", b"\r\n") for number in range(3, 10)]
    with ScriptedServer({"INBOX": box(*on_server)}) as server:
        if order == "import first":
            run(archive, path)
            assert fetched(archive, server) == 7
        else:
            assert fetched(archive, server) == 7
            run(archive, path)
        assert archive.owners == {"me": Owner("127.0.0.1", "user")}
        assert counted(archive) == (12, 10)
        assert fetched(archive, server) == 0
        assert run(archive, path).mailboxes["INBOX"].stored == 0
        (folder,) = archive.mailboxes("me")
        assert len(folder.listed()) == 7
        assert sorted(len(each.listing) for each in folder.generations()) == [5, 7]
    whole_of = verify(archive, "me", watcher=Silent(), read_data=True)
    assert (whole_of.exit_code, whole_of.mailboxes[0].messages) == (ExitCode.DONE, 12)


def test_an_imported_message_is_no_message_of_a_server_without_uidvalidity(archive: Archive, tmp_path: Path) -> None:
    run(archive, mbox(tmp_path / "INBOX.mbox", range(2)))
    (folder,) = archive.mailboxes("me")
    assert folder.stored().generation(0) == 0


def test_the_first_login_has_the_account_and_another_one_is_refused(archive: Archive, tmp_path: Path) -> None:
    run(archive, mbox(tmp_path / "a.mbox", [1]))
    ann, bob = Owner("imap.example.org", "ann"), Owner("imap.example.org", "bob")
    archive.check_owner("me", ann, may_join=False)
    archive.admit("me", ann)
    run(archive, mbox(tmp_path / "a.mbox", [2]))
    with pytest.raises(UsageError, match=r"is ann at .*, not bob"):
        archive.check_owner("me", bob, may_join=True)


def test_an_import_makes_a_damaged_message_good_under_its_old_name(archive: Archive, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", range(3))
    run(archive, path)
    (eml,) = archive.path.rglob("2.eml")
    eml.write_bytes(b"x" * len(message(1)))
    found = verify(archive, "me", watcher=Silent(), read_data=True)
    assert [(each.key, each.on_server) for each in found.findings] == [(message_key(IMPORTED, 2), False)]
    assert run(archive, path).mailboxes["a"].stored == 1
    assert eml.read_bytes() == message(1)
    assert verify(archive, "me", watcher=Silent(), read_data=True).exit_code == ExitCode.DONE


def test_a_dry_run_counts_and_makes_nothing(tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", [1, 2, 2])
    nowhere = Archive(tmp_path / "archive", owners={})
    done = import_mail(nowhere, "me", [path], watcher=Silent(), dry_run=True)
    assert (done.mailboxes["a"].messages, done.mailboxes["a"].stored) == (3, 2)
    assert not nowhere.path.exists()


@pytest.mark.parametrize("name", ["nowhere", "archive", "."])
def test_a_path_that_is_missing_or_is_the_archive_or_holds_it_is_refused(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError):
        check([tmp_path / name], archive.path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_whatever_the_size_of_the_file(archive: Archive, tmp_path: Path) -> None:
    """60 MB: 10,000 messages of 4 kB and one of 20 MB; the program itself takes about 30 MB."""
    path = tmp_path / "large.mbox"
    with open(path, "wb") as file:
        for number in range(10_000):
            file.write(FROM + message(number) + b"x" * 77 * 52 + b"\n\n")
        file.write(FROM + message(10_000) + (b"y" * 76 + b"\n") * 270_000)
    command = [sys.executable, "-c", PROGRAM, str(path), str(archive.path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout)
    assert told["stored"] == len(list(archive.path.rglob("*.eml"))) == 10_001
    assert told["peak"] < 60_000_000


PROGRAM = """
import json, sys
from pathlib import Path
from inboxstats.archive import Archive
from inboxstats.importing import import_mail

class Silent:
    def begin(self, mailbox): ...
    def read(self, messages, size): ...

done = import_mail(Archive.open(Path(sys.argv[2]), fsync=False), "me", [Path(sys.argv[1])], watcher=Silent())
high = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(json.dumps({"stored": done.mailboxes["large"].stored, "peak": int(high.split()[1]) * 1024}))
"""
