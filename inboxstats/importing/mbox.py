"""An mbox, compressed or not, as a stream of messages: in one pass, with a message at a time in hand.

`sources.mbox` says where messages stand in a file; what is compressed or quoted stands nowhere as it was received.
"""

import gzip
import re
import zlib
from collections.abc import Generator, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from inboxstats.importing.facts import HEAD, Marks, arrived, without_bookkeeping
from inboxstats.importing.letters import BLOCK, Letter, Spool, Unreadable
from inboxstats.sources.mbox import FROM_LINE

Quoting = Literal["mboxrd", "mboxo", "none"]
"""How the writer kept a line of text from reading like a separator, see `unquoted`."""

Stream = BinaryIO | gzip.GzipFile

_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1

_LONGEST_LINE = _AT_ONCE = 65_536
_BLANK = (b"\n", b"\r\n")
_QUOTED = re.compile(rb">+From ")


def opened(path: Path) -> Stream:
    """The mbox in a file, uncompressed. Raises OSError."""
    with open(path, "rb") as file:
        is_compressed = file.read(2) == _GZIP
    return gzip.open(path) if is_compressed else open(path, "rb", buffering=BLOCK)


def begins_as_mbox(path: Path) -> bool:
    """Whether a file, once uncompressed, begins with a separator. Raises OSError."""
    try:
        with opened(path) as file:
            return FROM_LINE.match(file.read(400)) is not None
    except (EOFError, zlib.error):
        return False


def letters(path: Path, folder: Path, quoting: Quoting) -> Generator[Letter | Unreadable]:
    """The messages in an mbox; at last, where it breaks off or cannot be read, that.

    folder -- where a large message waits while it is read. Raises StorageError where that disk is full.
    """
    try:
        with opened(path) as file, Spool(folder) as spool:
            yield from _separated(file, spool, quoting)
    except EOFError:
        yield Unreadable(str(path), "the compressed file breaks off. What came before is imported")
    except (OSError, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield Unreadable(str(path), f"{reason}. What came before is imported")


def _separated(file: Stream, spool: Spool, quoting: Quoting) -> Iterator[Letter]:
    draft: _Draft | None = None
    held = b""  # a blank line, which belongs to the separator behind it, if there is one
    at_start, behind_blank = True, True
    for line in iter(partial(file.readline, _LONGEST_LINE), b""):
        if at_start and behind_blank and line.startswith(b"From ") and FROM_LINE.match(line):
            if draft is not None:
                yield draft.finished()
            spool.renew()
            draft, held, behind_blank = _Draft(line, spool), b"", False
            continue
        if draft is not None:
            if held:
                draft.write(held)
            behind_blank = at_start and line in _BLANK
            held = line if behind_blank else b""
            if not behind_blank:
                draft.write(unquoted(line, quoting) if at_start and line.startswith(b">") else line)
        at_start = line.endswith(b"\n")
    if draft is not None:
        yield draft.finished()


def unquoted(line: bytes, quoting: Quoting) -> bytes:
    """A line as it was before it was put into the mbox.

    mboxrd puts a ``>`` before each ``From `` and before what already has some, and can be undone exactly; mboxo only
    before a plain ``From ``.
    """
    match = _QUOTED.match(line)
    if match is None or quoting == "none" or (quoting == "mboxo" and not line.startswith(b">From ")):
        return line
    return line[1:]


class _Draft:
    """A message that is being read."""

    def __init__(self, separator: bytes, spool: Spool) -> None:
        self._separator = separator
        self._spool = spool
        self._pending = bytearray()
        self._in_head = True
        self._internal_date: datetime | None = None
        self._marks: Marks = frozenset(), frozenset()

    def write(self, line: bytes) -> None:
        self._pending += line
        if self._in_head:
            if line in _BLANK or len(self._pending) > HEAD:
                self._end_head()
        elif len(self._pending) > _AT_ONCE:
            self._flush()

    def finished(self) -> Letter:
        if self._in_head:
            self._end_head()
        self._flush()
        spool, (flags, labels) = self._spool, self._marks
        return Letter(spool.content(), spool.size, spool.digest(), self._internal_date, flags, labels)

    def _end_head(self) -> None:
        head, self._marks = without_bookkeeping(bytes(self._pending))
        self._internal_date = arrived(head, separator=self._separator)
        self._pending = bytearray(head)
        self._in_head = False

    def _flush(self) -> None:
        self._spool.write(bytes(self._pending))
        self._pending.clear()
