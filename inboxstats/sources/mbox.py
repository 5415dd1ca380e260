"""mbox files: messages one after the other, each behind a line that begins with ``From `` (RFC 4155).

A message's bytes are taken as they stand, with the ``>From `` of mboxrd: only a writer knows which were quoted.
"""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from inboxstats.errors import storage_errors
from inboxstats.mail import Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import plain_listing, read_messages

# It has a time of day and a year, "10:00:00 +0100 2026": a sentence that begins with "From " and that its writer forgot
# to quote mostly has not.
FROM_LINE = re.compile(rb"From [^\r\n]{0,200}\d\d:\d\d[^\r\n]{0,20} \d{4}[^\r\n]{0,100}\r?\n")

_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_ZIP = b"PK\x03\x04"  # APPNOTE.TXT of PKWARE, section 4.3.7
_TAR, _TAR_AT = b"ustar", 257  # POSIX.1, pax: the header block
_ENOUGH = 512

_BLOCK = 1 << 20
_LONGEST_LINE = 400
"""Bytes that FROM_LINE takes, or more."""
_BEFORE = 4
"""Bytes that tell whether a line stands behind a blank one."""


class Mbox:
    """mbox files, each a mailbox under the name given."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def mailboxes(self) -> list[Mailbox]:
        return [Mailbox(name) for name in sorted(self._paths)]

    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
        return plain_listing(self, mailbox)

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        return read_messages(self, mailbox, keys)

    def locations(self, mailbox: Mailbox) -> Mapping[MessageKey, Location]:
        """By offset and a hash of the content, as a program that removes a message moves those behind it."""
        path = self._paths[mailbox.name]
        with storage_errors("read", path), open(path, "rb", buffering=_BLOCK) as file:
            return {
                MessageKey(f"{start}-{_digest(file, start, end)}"): Location(str(path), start, end - start)
                for start, end in list(_spans(file))
            }


def is_mbox(path: Path) -> bool:
    """Whether a file begins as an mbox does. Raises OSError."""
    with open(path, "rb") as file:
        return FROM_LINE.match(file.read(400)) is not None


def packed_kind(path: Path) -> Literal["mbox", "files"] | None:
    """Whether a file is a compressed mbox, or many files in one (.zip, .tar, .tgz), or neither. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(_ENOUGH)
    is_compressed = start.startswith(_GZIP)
    if is_compressed:
        try:
            with gzip.open(path) as file:
                start = file.read(_ENOUGH)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return None
    if start.startswith(_ZIP) or start[_TAR_AT:].startswith(_TAR):
        return "files"
    return "mbox" if is_compressed and FROM_LINE.match(start) else None


def _spans(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without its separator and the blank line before the next one."""
    size = os.fstat(file.fileno()).st_size
    start: int | None = None
    for begin, end, before in _separators(file, size):
        if begin and not before[-3:].replace(b"\r", b"").endswith(b"\n\n"):
            continue
        if start is not None:
            yield start, begin - _blank_line(before, begin - start)
        start = end
    if start is not None:
        yield start, size - _blank_line(_read(file, max(0, size - _BEFORE), _BEFORE), size - start)


def _separators(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Where a line begins and ends that may be one, and the bytes before it.

    Read in blocks, and not mapped: a mail program may shorten the file meanwhile, and that would end this program.
    """
    for position in range(0, size, _BLOCK):
        first = max(0, position - _BEFORE)
        block = _read(file, first, position - first + _BLOCK + _LONGEST_LINE)
        for line in FROM_LINE.finditer(block, position - first):
            if first + line.start() >= position + _BLOCK:
                break  # of the next block
            yield first + line.start(), first + line.end(), block[max(0, line.start() - _BEFORE) : line.start()]


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _blank_line(before: bytes, length: int) -> int:
    """How many bytes of a message of some length, of which `before` are the last, are the blank line behind it."""
    for blank in (b"\r\n\r\n", b"\n\n"):
        if len(blank) <= length and before.endswith(blank):
            return len(blank) // 2
    return 0


def _digest(file: BinaryIO, start: int, end: int) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for position in range(start, end, _BLOCK):
        digest.update(_read(file, position, min(_BLOCK, end - position)))
    return digest.hexdigest()
