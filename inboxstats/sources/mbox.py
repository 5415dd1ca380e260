"""mbox files: messages one after the other, each behind a line that begins with ``From `` (RFC 4155).

A message's bytes are taken as they stand, with the ``>From `` of mboxrd: only a writer knows which were quoted.
"""

import gzip
import hashlib
import mmap
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from inboxstats.archive.files import storage_errors
from inboxstats.mail import Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import plain_listing, read_messages

# It has a time of day and a year, "10:00:00 +0100 2026": a sentence that begins with "From " and that its writer forgot
# to quote mostly has not.
FROM_LINE = re.compile(rb"From [^\r\n]{0,200}\d\d:\d\d[^\r\n]{0,20} \d{4}[^\r\n]{0,100}\r?\n")

_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_ZIP = b"PK\x03\x04"  # APPNOTE.TXT of PKWARE, section 4.3.7
_TAR, _TAR_AT = b"ustar", 257  # POSIX.1, pax: the header block
_ENOUGH = 512


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
        with storage_errors("read", path), open(path, "rb") as file:
            if not path.stat().st_size:
                return {}
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return {
                    MessageKey(f"{start}-{_digest(content, start, end)}"): Location(str(path), start, end - start)
                    for start, end in _spans(content)
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


def _spans(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without its separator and the blank line before the next one."""
    start: int | None = None
    for separator in FROM_LINE.finditer(content):
        if not _behind_blank_line(content, separator.start()):
            continue
        if start is not None:
            yield start, _without_blank_line(content, start, separator.start())
        start = separator.end()
    if start is not None:
        yield start, _without_blank_line(content, start, len(content))


def _behind_blank_line(content: mmap.mmap, start: int) -> bool:
    return start == 0 or content[max(0, start - 3) : start].replace(b"\r", b"").endswith(b"\n\n")


def _without_blank_line(content: mmap.mmap, start: int, end: int) -> int:
    for blank in (b"\r\n\r\n", b"\n\n"):
        if content[max(start, end - len(blank)) : end] == blank:
            return end - len(blank) // 2
    return end


def _digest(content: mmap.mmap, start: int, end: int) -> str:
    with memoryview(content) as view, view[start:end] as part:
        return hashlib.blake2b(part, digest_size=8).hexdigest()
