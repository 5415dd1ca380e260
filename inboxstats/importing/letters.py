"""A message on its way from a user's file into the archive, and what the file says of it beside its text."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inboxstats.errors import storage_errors
from inboxstats.importing.facts import arrived
from inboxstats.mail import Content, Location, Pieces

IN_MEMORY = 4_000_000
"""A larger message waits in a file until it is stored, so that memory stays flat."""

BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole message. `content` can be taken once, before the next message is asked for.

    digest -- SHA-256 of the content
    internal_date, flags, labels -- as in `mail.MessageInfo`
    """

    content: Content
    size: int
    digest: bytes
    internal_date: datetime | None = None
    flags: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something of the user's that gives no message, and why."""

    place: str
    reason: str


class Spool(AbstractContextManager["Spool"]):
    """Takes the bytes of a message as they come. `folder` is where large ones wait; nothing is left there.

    Raises StorageError where that disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begin()

    def _begin(self) -> None:
        self._file = tempfile.SpooledTemporaryFile[bytes](IN_MEMORY, dir=str(self._folder))
        self._digest = hashlib.sha256()
        self.size = 0

    def renew(self) -> None:
        """Be empty again, for the next message."""
        self._file.close()
        self._begin()

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)
        with storage_errors("write to", self._folder):
            self._file.write(data)

    def digest(self) -> bytes:
        return self._digest.digest()

    def content(self) -> Content:
        """All that was written, once, and before the spool is left. Raises StorageError."""
        with storage_errors("read from", self._folder):
            self._file.seek(0)
            return Pieces(self.size, self._pieces()) if self.size > IN_MEMORY else self._file.read()

    def _pieces(self) -> Iterator[bytes]:
        with storage_errors("read from", self._folder):
            while piece := self._file.read(BLOCK):
                yield piece


def letter_of_file(path: str, spool: Spool, *, flags: frozenset[str], is_delivered: bool) -> Letter:
    """A file that is one message, byte for byte. Raises OSError where it cannot be read, StorageError as `Spool`.

    `is_delivered`: the file was written when the message came, as in a Maildir.
    """
    location = Location(path)
    status = os.stat(path)
    head = b""
    for start in range(0, max(1, status.st_size), BLOCK):
        piece = Location(path, start, min(BLOCK, status.st_size - start)).read() if start else location.read(BLOCK)
        head = head or piece
        spool.write(piece)
    when = arrived(head, written=status.st_mtime if is_delivered else None)
    return Letter(spool.content(), spool.size, spool.digest(), when, flags)
