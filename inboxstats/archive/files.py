"""The file operations that must survive a crash: whole files or none, in an order that a power cut cannot break.

    write under a temporary name, fsync, rename, fsync of the folder, then the manifest

Every OSError becomes a StorageError that names the path and what to do.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from inboxstats.errors import storage_errors
from inboxstats.turns import waiting

TEMPORARY = ".part"
"""How a file ends while it is being written; the next run sweeps what a dead one left."""

FILE_MODE, FOLDER_MODE = 0o600, 0o700

LONG = 0.0002
"""Seconds from which on an fsync is worth giving one's turn away for."""

BINARY: int = getattr(os, "O_BINARY", 0)
"""Keeps Windows from turning LF into CRLF."""


def make_folder(path: str, *, fsync: bool) -> None:
    """Create a folder and those above it, private to the user, and make that last."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_folder(parent, fsync=fsync)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
    if fsync:
        fsync_folder(parent or ".")


def write_whole(path: str, data: bytes | Iterable[bytes], *, fsync: bool) -> None:
    """Write a file so that under its name it is complete or absent. The caller syncs the folder.

    Raises OSError, and what the pieces raise where `data` comes in pieces.
    """
    folder, name = os.path.split(path)
    write_into(folder, name, data, fsync=fsync)


def write_into(folder: str, name: str, data: bytes | Iterable[bytes], *, fsync: bool) -> None:
    """`write_whole` for whoever has folder and name apart: with many small files, taking paths apart is felt."""
    temporary = f"{folder}{os.sep}.{name}{TEMPORARY}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, FILE_MODE)
        try:
            for piece in (data,) if isinstance(data, bytes) else data:
                write_all(descriptor, piece)
            if fsync:
                _sync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, f"{folder}{os.sep}{name}")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Sync:
    """fsync, during which other threads have their turn: ten at once take a disk little longer than one.

    Where the last one took no time, as in memory, there is nothing to be had from that.
    """

    def __init__(self) -> None:
        self._took = LONG

    def __call__(self, descriptor: int) -> None:
        with waiting() if self._took >= LONG else contextlib.nullcontext():
            began = time.monotonic()
            os.fsync(descriptor)
            self._took = time.monotonic() - began


_sync = _Sync()


def write_all(descriptor: int, data: bytes) -> None:
    """os.write may take a part only; this goes on until the disk has all. Raises OSError."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def write_state(path: Path, data: bytes, *, fsync: bool) -> None:
    """Replace a small file of the archive's own records, durably. Raises StorageError."""
    with storage_errors("write", path):
        write_whole(str(path), data, fsync=fsync)
        if fsync:
            fsync_folder(str(path.parent))


def fsync_folder(path: str) -> None:
    """Make the names in a folder last. Windows can neither open nor sync one. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
