"""The program stopped dead at each of its file operations: row 15 of the fault matrix, and the order on the disk.

Killing does not test fsync, as the kernel keeps what it was given; so the order of the calls is tested for itself.
Kills at random moments, against a real server: tests/soak.py.
"""

import errno
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from scripted import ScriptedServer
from scripted_mailbox import box

from inboxstats.archive.files import TEMPORARY

from .rig import SECRET, Rig, named

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 2_000}\r\n".encode() for number in range(1, 5)]
ALONE = {"CHUNK_MESSAGES": 1, "CHUNK_HEADERS": 1}
"""A message a FETCH, so that several threads have something to do."""

HEADERS = "--headers-first"

STOPPED = 137


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    boxes = {"INBOX": box(*MESSAGES[:3]), "Work": box(MESSAGES[3])}
    with ScriptedServer(boxes, password=SECRET) as running:
        yield running


@pytest.mark.parametrize(("threads", "headers"), [(1, "--no-headers-first"), (4, "--no-headers-first"), (2, HEADERS)])
def test_15_a_stop_at_any_file_operation_leaves_nothing_partial_and_loses_nothing(
    rig: Rig, server: ScriptedServer, threads: int, headers: str
) -> None:
    options = ("--all", "--threads", str(threads), headers)
    present = rig.witness.knows(named(server))
    for number in count(1):
        archive = rig.archive = rig.witness.archive = rig.root / f"archive-{number}"
        rig.witness.forget()
        stopped = rig.start(
            server.port, *options, settings=ALONE, watch=str(archive), stop_at=number, syncs=False
        ).wait()
        if archive.exists():
            rig.witness.look()
        if stopped.code == 0:
            print(f"{number - 1} file operations")
            break
        assert stopped.code == STOPPED, stopped
        done = rig.start(server.port, *options, syncs=False).wait()
        assert done.code == 0, f"after a stop at operation {number}: {done}"
        rig.witness.look_whole(present)
    assert number > 60, "the file layer does not see what the program does"
    rig.changes_nothing(server, *options)


def test_15_half_a_file_of_a_message_that_is_gone_since_is_swept(rig: Rig, server: ScriptedServer) -> None:
    half: list[Path] = []
    for number in range(1, 150):
        archive = rig.archive = rig.witness.archive = rig.root / f"archive-{number}"
        rig.start(server.port, "--threads", "1", watch=str(archive), stop_at=number, syncs=False).wait()
        half = [path for path in archive.rglob(f"*.eml{TEMPORARY}") if path.stat().st_size]
        if half:
            break
    assert half
    server.script.mailboxes[b"INBOX"].messages.pop(int(half[0].name.split(".")[1]))
    rig.completes(server)
    assert not half[0].exists()


def operations(journal: Path) -> list[tuple[str, str]]:
    """Name and path of each; a file under its temporary name is called by its own."""
    lines = (line.partition(" ") for line in journal.read_text().splitlines())
    return [(name, path.removesuffix(TEMPORARY).replace("/.", "/")) for name, _, path in lines]


def in_order(found: list[tuple[str, str]], *wanted: tuple[str, str]) -> bool:
    """Whether they come one after the other, with others between."""
    rest = iter(found)
    return all(any(name == each[0] and path.endswith(each[1]) for name, path in rest) for each in wanted)


@pytest.mark.parametrize("threads", [1, 4])
def test_15_a_message_is_written_then_synced_then_renamed_then_its_folder_synced_then_entered(
    rig: Rig, server: ScriptedServer, threads: int
) -> None:
    journal = rig.root / "journal"
    done = rig.fetch(server, "--threads", str(threads), settings=ALONE, watch=str(rig.archive), journal=str(journal))
    assert done.code == 0, done
    found = operations(journal)
    for uid in (1, 2, 3):
        file = f"/INBOX/1/000000/{uid}.eml"
        assert in_order(
            found, ("write", file), ("fsync", file), ("replace", file), ("fsync", "/INBOX/1/000000"),
            ("write", "/INBOX/manifest.jsonl"), ("fsync", "/INBOX/manifest.jsonl"),
        )  # fmt: skip
        own = [name for name, path in found if path.endswith(file)]
        assert own.index("fsync") > max(number for number, name in enumerate(own) if name == "write")
        assert own[-1] == "replace"
    # Nothing stands in a folder whose own name is not on the disk.
    made = [(number, path) for number, (name, path) in enumerate(found) if name == "mkdir"]
    assert made
    for number, path in made:
        if path != str(rig.archive):
            assert ("fsync", str(Path(path).parent)) in found[number:]


def test_15_what_a_stopped_run_left_unsynced_is_synced_before_the_next_run_enters_it(
    rig: Rig, server: ScriptedServer
) -> None:
    failing = ("fsync", "/INBOX/1/000000", errno.EIO, 1)
    assert rig.fetch(server, "--threads", "1", watch=str(rig.archive), fail=failing).code == 6
    journal = rig.root / "journal"
    rig.fetch(server, watch=str(rig.archive), journal=str(journal))
    found = operations(journal)
    first = next(number for number, (_, path) in enumerate(found) if path.endswith("manifest.jsonl"))
    assert ("fsync", "/INBOX/1/000000") in [(name, path[-len("/INBOX/1/000000") :]) for name, path in found[:first]]


def test_15_headers_are_written_synced_renamed_and_their_folder_synced_before_any_message_is_written(
    rig: Rig, server: ScriptedServer
) -> None:
    journal = rig.root / "journal"
    done = rig.fetch(server, HEADERS, "--threads", "1", watch=str(rig.archive), journal=str(journal))
    assert done.code == 0, done
    headers = "/INBOX/1/headers-1.z"
    assert in_order(
        operations(journal), ("write", headers), ("fsync", headers), ("replace", headers), ("fsync", "/INBOX/1"),
        ("write", "/INBOX/1/000000/1.eml"), ("unlink", headers),
    )  # fmt: skip
