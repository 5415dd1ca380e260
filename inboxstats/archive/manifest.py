"""manifest.jsonl: an append-only line a stored message, so that damage can be told from what was received.

{"uidvalidity": 1700000000, "uid": 42, "size": 5120, "sha256": "9f86…", "stored": "2026-11-23T02:30:00Z"}
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from inboxstats.archive.files import FILE_MODE, write_all


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A stored message: its size in bytes, its SHA-256 in hex, and when it was stored (UTC, ISO 8601)."""

    uidvalidity: int
    uid: int
    size: int
    sha256: str
    stored: str


def describe(uidvalidity: int, uid: int, data: bytes, *, now: datetime) -> ManifestRow:
    """The row of a message that was just written."""
    stored = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ManifestRow(uidvalidity, uid, len(data), hashlib.sha256(data).hexdigest(), stored)


def append(path: str, rows: Iterable[ManifestRow], *, fsync: bool) -> None:
    """Add lines; a torn last line, of a run that died while writing it, is cut off first. Raises OSError."""
    lines = "".join(json.dumps(asdict(row), separators=(",", ":")) + "\n" for row in rows).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        os.lseek(descriptor, _whole_length(descriptor), os.SEEK_SET)
        os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
        write_all(descriptor, lines)
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_length(descriptor: int) -> int:
    """How many bytes the complete lines take: up to the last line feed."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    while end:
        start = max(0, end - 65_536)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def count(path: str) -> int:
    """How many complete lines there are; 0 where there is no manifest. Raises OSError."""
    try:
        with open(path, "rb", buffering=0) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0


def read(path: str) -> list[ManifestRow]:
    """All rows; lines that are torn or no row are passed over, as the files tell the truth. Raises OSError."""
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(ManifestRow(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return rows
