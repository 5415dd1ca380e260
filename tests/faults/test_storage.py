"""The disk, the lock and the archive's own files: rows 17 to 22, 39, 41 and 42 of the fault matrix."""

import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from invariants import everything
from proxy import Proxy, Stall
from scripted import ScriptedServer
from scripted_mailbox import box

from inboxstats.archive.files import TEMPORARY

from .rig import SECRET, Rig, named, said, stored

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 20_000}\r\n".encode() for number in range(1, 61)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": box(*MESSAGES), "Work": box(*MESSAGES[:3])}, password=SECRET) as running:
        yield running


@pytest.fixture
def small_disk(rig: Rig) -> Iterator[Path]:
    """A file system of 700 kB, of which the messages need 1.2 MB."""
    disk = rig.root / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def temporary_files(archive: Path) -> list[Path]:
    return [path for path in archive.rglob("*") if path.name.endswith(TEMPORARY)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_17_a_full_disk_is_said_and_the_rest_comes_when_there_is_room(
    rig: Rig, server: ScriptedServer, small_disk: Path
) -> None:
    rig.archive = rig.witness.archive = small_disk / "archive"
    done = rig.fetch(server)
    said(done, 6, "no space is left on the disk", str(rig.archive))
    assert not temporary_files(rig.archive)
    assert 0 < len(stored(rig)) < 60
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    rig.completes(server)


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_17_a_disk_that_is_full_at_any_step_loses_no_message_that_was_complete(
    rig: Rig, server: ScriptedServer, name: str
) -> None:
    ending = "/7.eml" if name == "replace" else f".7.eml{TEMPORARY}"
    done = rig.fetch(server, watch=str(rig.archive), fail=(name, ending, errno.ENOSPC, 1))
    said(done, 6, f"write the {len(MESSAGES[6]):,} bytes of {rig.archive}", "/7.eml: no space is left on the disk")
    assert not temporary_files(rig.archive)
    assert 7 not in stored(rig)
    rig.completes(server)


@pytest.mark.parametrize(
    ("name", "nth"), [("mailbox.json", 1), ("mailbox.json", 2), ("mailbox.json", 3), ("listing.parquet", 1)]
)
def test_17_a_disk_too_full_for_the_archives_own_records_is_told_with_what_there_is_to_do(
    rig: Rig, server: ScriptedServer, name: str, nth: int
) -> None:
    done = rig.fetch(server, "--json", watch=str(rig.archive), fail=("open", f".{name}{TEMPORARY}", errno.ENOSPC, nth))
    said_in_json = json.loads(done.out)["accounts"][0]
    assert (done.code, said_in_json["exit_code"]) == (6, 6), done
    assert f"{name}: no space is left on the disk" in said_in_json["error"]
    if (name, nth) == ("mailbox.json", 1):  # before the mailbox is listed
        assert (said_in_json["listed"], said_in_json["missing_bytes"]) == (0, 0)
    else:
        assert (said_in_json["listed"], said_in_json["missing"]) == (60, 60)
        assert said_in_json["missing_bytes"] == sum(map(len, MESSAGES))
        assert said_in_json["stored"] + said_in_json["left"] == 60
    assert not temporary_files(rig.archive)
    rig.completes(server)


def test_17_a_limit_of_file_sizes_is_said(rig: Rig, server: ScriptedServer) -> None:
    done = rig.fetch(server, limits={"RLIMIT_FSIZE": 15_000})
    said(done, 6, "would be larger than this system allows", "ulimit -f")
    assert not temporary_files(rig.archive)
    rig.completes(server)


def test_18_a_folder_that_may_not_be_written_is_said_before_any_login(rig: Rig, server: ScriptedServer) -> None:
    rig.root.chmod(0o555)
    done = rig.fetch(server, nobody=True)
    said(done, 6, "permission denied", str(rig.archive), "choose another place")
    assert server.log == []
    rig.root.chmod(0o755)
    rig.completes(server)


def test_18_an_archive_that_may_not_be_written_is_said_before_any_login(rig: Rig, server: ScriptedServer) -> None:
    rig.completes(server)
    server.log.clear()
    rig.archive.chmod(0o755)
    for path in rig.archive.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)
    rig.archive.chmod(0o555)
    said(rig.fetch(server, nobody=True), 6, "permission denied", str(rig.archive))
    assert server.log == []


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("write", f".7.eml{TEMPORARY}"),
        ("fsync", f".7.eml{TEMPORARY}"),
        ("fsync", "/000000"),
        ("write", "manifest.jsonl"),
    ],
    ids=["write", "fsync", "folder", "row"],
)
def test_19_a_message_that_is_not_known_to_be_on_the_disk_is_not_entered(
    rig: Rig, server: ScriptedServer, name: str, ending: str
) -> None:
    done = rig.fetch(server, watch=str(rig.archive), fail=(name, ending, errno.EIO, 1))
    said(done, 6, os.strerror(errno.EIO))
    rows = [path.read_text() for path in rig.archive.rglob("manifest.jsonl")]
    assert not any('"uid":7,' in each for each in rows)
    rig.completes(server)


def test_20_too_few_file_descriptors_are_said(rig: Rig, server: ScriptedServer) -> None:
    rig.fetch(server, "-m", "Work")
    seen = []
    for most in range(6, 14):  # enough to start with; the archive, its lock, a connection and a file need more
        done = rig.fetch(server, limits={"RLIMIT_NOFILE": most})
        seen.append(done.code)
        if done.code:
            said(done, 6, "too many files are open", "ulimit -n", "fewer --threads")
    assert set(seen) == {0, 6}
    rig.completes(server)


def test_21_of_many_runs_at_once_one_goes_on_and_the_others_leave_at_once(rig: Rig, server: ScriptedServer) -> None:
    with Proxy(server.port) as proxy:
        proxy.always = Stall(at=b"BODY[] {")
        first = rig.start(proxy.port)
        wait_until(lambda: b"BODY[] {" in proxy.received)
        others = [rig.start(server.port) for _ in range(9)]
        began = time.monotonic()
        for other in others:
            said(other.wait(), 7, "Another run holds the archive", "--wait")
        assert time.monotonic() - began < 10
        waiting = rig.start(server.port, "--wait")
        first.send_signal(signal.SIGTERM)
        assert first.wait().code == 143
        rig.witness.knows(named(server))
        done = waiting.wait()
    assert (done.code, len(stored(rig))) == (0, 60)
    rig.completes(server)


def test_22_the_lock_of_a_run_that_was_killed_is_free(rig: Rig, server: ScriptedServer) -> None:
    with Proxy(server.port) as proxy:
        proxy.always = Stall(at=b"BODY[] {")
        holder = rig.start(proxy.port)
        wait_until(lambda: b"BODY[] {" in proxy.received)
        said(rig.fetch(server), 7, "Another run holds")
        holder.send_signal(signal.SIGKILL)
        assert holder.wait().code == -signal.SIGKILL
    rig.completes(server)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x80
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [halved, emptied, garbled])
@pytest.mark.parametrize("name", ["mailbox.json", "listing.parquet", "manifest.jsonl"])
def test_39_a_damaged_state_file_is_made_again(
    rig: Rig, server: ScriptedServer, name: str, damage: Callable[[Path], None]
) -> None:
    rig.fetch(server)
    (path,) = rig.archive.rglob(name)
    damage(path)
    server.log.clear()
    done = rig.start(server.port).wait()
    assert done.code == 0
    # What stood in its lines cannot be made again; of one line less nothing is said, as a killed run may have left it.
    assert ("manifest.jsonl had lost lines" in done.err) == (name == "manifest.jsonl" and damage is not garbled)
    assert len(done.err.splitlines()) <= 1
    assert not any("BODY" in line for line in server.log)
    rig.changes_nothing(server)
    rig.completes(server, "--all")


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (halved, ("archive.toml cannot be read", "backup")),
        (emptied, ("archive.toml cannot be read", "backup")),
        (lambda path: path.write_text("format = 99\n"), ("format 99", "Install a newer inboxstats")),
    ],
    ids=["halved", "emptied", "newer"],
)
def test_39_an_archive_that_cannot_be_understood_is_refused_and_left_as_it_is(
    rig: Rig, server: ScriptedServer, damage: Callable[[Path], None], parts: tuple[str, ...]
) -> None:
    rig.fetch(server)
    damage(rig.archive / "archive.toml")
    before = everything(rig.archive)
    server.log.clear()
    said(rig.fetch(server), 8, *parts)
    assert everything(rig.archive) == before
    assert server.log == []


def test_41_the_archive_of_another_account_is_refused_before_any_login(rig: Rig, server: ScriptedServer) -> None:
    rig.fetch(server)
    before = everything(rig.archive)
    server.log.clear()
    rig.user = "stranger"
    rig.password(SECRET)
    said(rig.fetch(server), 2, "belongs to me@127.0.0.1", "--archive")
    assert server.log == []
    assert everything(rig.archive) == before


def test_42_a_clock_that_jumps_by_years_passes_no_message_over_and_ends_no_wait(
    rig: Rig, server: ScriptedServer
) -> None:
    done = rig.fetch(server, "--all", clock="wild")
    assert done.code == 0, done
    assert len(stored(rig)) == 60
    with Proxy(server.port) as proxy:
        proxy.always = Stall(at=b"BODY[] {")
        server.script.mailboxes[b"INBOX"].messages |= box(*MESSAGES, first_uid=61).messages
        patience = {"READ_TIMEOUT": 1.0, "HOPELESS": 0}
        began = time.monotonic()
        assert rig.fetch(server, port=proxy.port, clock="wild", settings=patience).code == 5
        assert 1 < time.monotonic() - began < 20
    rig.completes(server, "--all")


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
