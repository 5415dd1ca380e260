"""manifest.jsonl: an append-only line a stored message, so that damage can be told from what was received.

{"uidvalidity": 1700000000, "uid": 42, "size": 5120, "sha256": "9f86…", "stored": "2026-11-23T02:30:00Z"}
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from inboxstats.archive.files import BINARY, FILE_MODE, write_all

_BLOCK = 1_000_000
_ROW = re.compile(rb'^{"uidvalidity":(\d{1,19}),"uid":(\d{1,10}),[^\n]*}\n', re.MULTILINE)


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
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, FILE_MODE)
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


def entered(path: str) -> Iterator[tuple[int, int]]:
    """UIDVALIDITY and UID of every row: what `read` tells, in a tenth of the time. Raises OSError."""
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                for uidvalidity, uid in _ROW.findall(block + file.readline()):
                    yield int(uidvalidity), int(uid)
    except FileNotFoundError:
        return


def read(path: str) -> list[ManifestRow]:
    """All rows; lines that are torn or no row are passed over, as the files tell the truth. Raises OSError."""
    rows = []
    for line in _content(path).splitlines():
        try:
            rows.append(ManifestRow(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return rows


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
