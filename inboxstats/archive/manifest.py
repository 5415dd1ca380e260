"""manifest.jsonl: an append-only line a stored message, so that damage can be told from what was received.

{"uidvalidity": 1700000000, "uid": 42, "size": 5120, "sha256": "9f86…", "stored": "2026-11-23T02:30:00Z"}
{"uidvalidity": 1700000000, "uid": 42, "set_aside": "2026-11-24T08:00:00Z", "reason": "…", "name": "42.eml.damaged"}

Of two lines on one message the later one holds: a message that was set aside and fetched again has three.
"""

import hashlib
import json
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from inboxstats.archive.files import BINARY, FILE_MODE, write_all
from inboxstats.archive.layout import BUCKET_SIZE

# RFC 9051 numbers with 32 bits; what some servers make of that has 64.
_ROW = re.compile(
    rb'{"uidvalidity":(\d{1,40}),"uid":(\d{1,18}),"size":(\d{1,18}),"sha256":"([0-9a-f]{64})","stored":"([ -!#-~]*)"}\n'
)
_SET_ASIDE = re.compile(rb'{"uidvalidity":\d{1,40},"uid":\d{1,18},"set_aside":"[^\n]*}\n')
_PACKED = struct.Struct("=QQ32s")
PACKED_SIZE = _PACKED.size

_BLOCK = 1_000_000
_ENTRY = re.compile(
    rb'^{"uidvalidity":(\d{1,40}),"uid":(\d{1,18}),'
    rb'(?:"size":\d{1,18},"sha256":"[0-9a-f]{64}","stored":"[ -!#-~]*"|("set_aside"):"[^\n]*)}\n',
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A stored message: its size in bytes, its SHA-256 in hex, and when it was stored (UTC, ISO 8601)."""

    uidvalidity: int
    uid: int
    size: int
    sha256: str
    stored: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A message that is not in its place any more: when (UTC), why, and the name that its file has now.

    ``None`` where there was no file.
    """

    uidvalidity: int
    uid: int
    set_aside: str
    reason: str
    name: str | None


@dataclass(slots=True)
class Latest:
    """What the manifest says in the end, in 48 bytes a message.

    buckets   -- by UIDVALIDITY and bucket, packed: see `stored_in`
    set_aside -- messages whose last line says so
    unreadable -- lines that are no row; `is_torn`: the last one broke off, as when a run dies while writing it
    """

    buckets: dict[tuple[int, int], bytearray] = field(default_factory=dict)
    set_aside: dict[tuple[int, int], SetAside] = field(default_factory=dict)
    unreadable: int = 0
    is_torn: bool = False

    def stored_in(self, uidvalidity: int, bucket: int) -> dict[int, tuple[int, bytes]]:
        """Size and SHA-256 by UID of what should be in a bucket."""
        packed = self.buckets.get((uidvalidity, bucket), b"")
        rows = {uid: (size, digest) for uid, size, digest in _PACKED.iter_unpack(packed)}
        return {uid: row for uid, row in rows.items() if (uidvalidity, uid) not in self.set_aside}


def describe(uidvalidity: int, uid: int, data: bytes, *, now: datetime) -> ManifestRow:
    """The row of a message that was just written."""
    return ManifestRow(uidvalidity, uid, len(data), hashlib.sha256(data).hexdigest(), timestamp(now))


def timestamp(when: datetime) -> str:
    """A moment as the manifest writes it."""
    return when.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def append(path: str, rows: Iterable[ManifestRow | SetAside], *, fsync: bool) -> None:
    """Add lines; a torn last line, of a run that died while writing it, is cut off first. Raises OSError."""
    lines = "".join(map(_line, rows)).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, FILE_MODE)
    try:
        _cut_torn_line(descriptor)
        write_all(descriptor, lines)
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(row: ManifestRow | SetAside) -> str:
    if isinstance(row, SetAside):
        return json.dumps(asdict(row), separators=(",", ":")) + "\n"
    # All of it is digits, hex digits and a timestamp; the json module takes ten times as long.
    return (
        f'{{"uidvalidity":{row.uidvalidity},"uid":{row.uid},"size":{row.size},'
        f'"sha256":"{row.sha256}","stored":"{row.stored}"}}\n'
    )


def _cut_torn_line(descriptor: int) -> None:
    """Leaves the position at the end."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    if not end:
        return
    os.lseek(descriptor, end - 1, os.SEEK_SET)
    if os.read(descriptor, 1) != b"\n":
        whole = _whole_length(descriptor)
        os.ftruncate(descriptor, whole)
        os.lseek(descriptor, whole, os.SEEK_SET)


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
    """UIDVALIDITY and UID of every row: what `read` tells, in a tenth of the time. Raises OSError.

    What was set aside since is no row any more; a line that cannot be read to its end is none, either.
    """
    aside: set[tuple[bytes, bytes]] = set()
    if any(b'"set_aside"' in block for block in _blocks(path)):  # nearly never
        for uidvalidity, uid, is_aside in _entries(path):
            (aside.add if is_aside else aside.discard)((uidvalidity, uid))
    for uidvalidity, uid, is_aside in _entries(path):
        if not is_aside and (uidvalidity, uid) not in aside:
            yield int(uidvalidity), int(uid)


def _entries(path: str) -> Iterator[tuple[bytes, bytes, bytes]]:
    return (entry for block in _blocks(path) for entry in _ENTRY.findall(block))


def checksum(path: str) -> int:
    """CRC-32 of all lines; 0 where there is no manifest. Raises OSError."""
    found = 0
    for block in _blocks(path):
        found = zlib.crc32(block, found)
    return found


def begins_as(path: str, before: int) -> bool:
    """Whether all lines are still there of which `checksum` was `before`, with or without others behind them.

    Raises OSError.
    """
    found = 0
    lines = (line for block in _blocks(path) for line in block.splitlines(keepends=True))
    return found == before or any((found := zlib.crc32(line, found)) == before for line in lines)


def _blocks(path: str) -> Iterator[bytes]:
    """The lines, many at a time."""
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                yield block + file.readline()
    except FileNotFoundError:
        return


def latest_rows(lines: Iterable[bytes]) -> Latest:
    """What the lines of a manifest, with their ends, say in the end."""
    latest = Latest()
    for line in lines:
        row = parsed(line)
        match row:
            case ManifestRow():
                bucket = latest.buckets.setdefault((row.uidvalidity, row.uid // BUCKET_SIZE), bytearray())
                bucket += _PACKED.pack(row.uid, row.size, bytes.fromhex(row.sha256))
                latest.set_aside.pop((row.uidvalidity, row.uid), None)
            case SetAside():
                latest.set_aside[row.uidvalidity, row.uid] = row
            case None if line.endswith(b"\n"):
                latest.unreadable += 1
            case None:
                latest.is_torn = True
    return latest


def parsed(line: bytes) -> ManifestRow | SetAside | None:
    """A line with its end as the row that it is; ``None`` for one that is torn or no row."""
    if match := _ROW.fullmatch(line):
        uidvalidity, uid, size, sha256, stored = match.groups()
        return ManifestRow(int(uidvalidity), int(uid), int(size), sha256.decode(), stored.decode())
    if match := _SET_ASIDE.fullmatch(line):
        try:
            return SetAside(**json.loads(line))
        except (ValueError, TypeError):
            return None
    return None


def rows(path: str) -> Iterator[ManifestRow]:
    """The rows of all messages that were ever stored, one after the other. Raises OSError."""
    for block in _blocks(path):
        for line in block.splitlines(keepends=True):
            if isinstance(row := parsed(line), ManifestRow):
                yield row


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
