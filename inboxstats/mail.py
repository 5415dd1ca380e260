"""The domain types, in the terms of RFC 9051 (IMAP) and RFC 5322 (messages). Standard library only.

Read this file first: the rest of the program uses its words.
"""

import errno
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import NewType, Protocol

# O_NONBLOCK keeps a pipe from being waited for; Windows has neither that nor O_CLOEXEC, and wants O_BINARY.
_READING: int = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"))

MessageKey = NewType("MessageKey", str)
"""Names a message within its mailbox for good; opaque, and safe as a file name.

Over IMAP it is ``"UIDVALIDITY-UID"``, as in ``"1700000000-42"``: a UID alone means nothing once the
server has renumbered its mailbox (RFC 9051, section 2.3.1.1).
"""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as its source names it; `name` is decoded text, never a path.

    `delimiter` is ``None`` where the source has no hierarchy. `attributes` are IMAP's, such as
    ``{"\\HasNoChildren", "\\Sent"}``.
    """

    name: str
    delimiter: str | None = None
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What a source's listing tells of a message without its content.

    `internal_date` is when the server received it (aware), `size` is in bytes (RFC822.SIZE);
    ``None`` where the source does not know.
    """

    key: MessageKey
    internal_date: datetime | None = None
    flags: frozenset[str] = frozenset()
    size: int | None = None
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox of RFC 5322, section 3.4: `addr_spec` is ``local@domain``, lower-cased."""

    display_name: str
    addr_spec: str

    @property
    def domain(self) -> str:
        """What follows the last ``@``, without a trailing dot."""
        return self.addr_spec.rpartition("@")[2].rstrip(".")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A leaf part that is sent as a file. `size` is in bytes after decoding; `inline` ones are shown in the text."""

    file_name: str | None
    media_type: str
    size: int
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What a reader sees of a message. ``None`` is unknown; text is decoded and may hold anything but lone surrogates.

    date      -- the Date header with its own offset; ``None`` when absent, unreadable or implausible
    received  -- the date of the top Received header
    is_reply  -- In-Reply-To or References is there (a Reply-To header proves nothing)
    list_id   -- what the List-Id header holds between its angle brackets, else its text; ``""`` where the header
                 is there but empty
    words     -- the keywords, each once, in the order of their first appearance; without stop words
    phrases   -- pairs of words that stand side by side in the subject and the opening, ``"annual report"``, each once
    language  -- ISO 639-1 code of the text
    fingerprint -- equal for two copies of one message: made of Message-ID, From and Date, or of all the bytes where
                 there is no Message-ID
    defects   -- what was wrong with the bytes, in words; such a field is ``None`` or best effort
    """

    size: int
    fingerprint: str
    sender: Address | None = None
    subject: str | None = None
    message_id: str | None = None
    date: datetime | None = None
    received: datetime | None = None
    is_reply: bool = False
    list_id: str | None = None
    has_list_unsubscribe: bool = False
    attachments: tuple[Attachment, ...] = ()
    language: str | None = None
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    defects: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Pieces:
    """The bytes of a message too large to be held at once: `size` of them, in pieces that can be taken once."""

    size: int
    pieces: Iterator[bytes]


Content = bytes | Pieces
"""A message's bytes."""


class Part(Enum):
    """What is asked of a message: all of it, or those fields of its header that a report counts by."""

    WHOLE = "whole"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a message's bytes stand on this machine: `length` bytes of `path` from `start`, or to its end.

    `version` changes when the bytes may have changed; ``""`` where a file is never rewritten.
    """

    path: str
    start: int = 0
    length: int | None = None
    version: str = ""

    def __reduce__(self) -> tuple[type["Location"], tuple[object, ...]]:
        """Processes send them to one another, and dataclasses' own way takes three times as long."""
        return Location, (self.path, self.start, self.length, self.version)

    def read(self, most: int | None = None) -> bytes:
        """The message's bytes, or the first `most` of them.

        Raises OSError, also for what is no regular file: a pipe or a terminal would be waited for without end.
        """
        # Without a buffer, and without Python's file object: opening, reading and closing takes half the time.
        descriptor = os.open(self.path, _READING)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", self.path)
            length = status.st_size - self.start if self.length is None else self.length
            length = max(0, length if most is None else min(length, most))
            if self.start:
                os.lseek(descriptor, self.start, os.SEEK_SET)
            data = os.read(descriptor, length)
            if len(data) == length:
                return data
            pieces = [data]
            while pieces[-1]:  # a read gives 2 GB at most; the file may be shorter than it was
                length -= len(pieces[-1])
                pieces.append(os.read(descriptor, length))
            return b"".join(pieces)
        finally:
            os.close(descriptor)

    def size(self) -> int:
        """How many bytes the message has, without reading them. Raises OSError."""
        return os.stat(self.path).st_size - self.start if self.length is None else self.length


HEADER_ALONE = "header"
"""The `version` of a message of which only the header has arrived: with its text it has another, and is parsed anew."""


@dataclass(frozen=True, slots=True)
class HeaderLocation(Location):
    """Where the header of a message stands whose text has not arrived: `length` bytes from `start` of what is packed.

    message_size -- of the whole message, in bytes, as the server says; ``None`` is unknown
    text         -- the file that the message will be; with it the header goes
    """

    message_size: int | None = None
    text: str = ""

    def __reduce__(self) -> tuple[type[Location], tuple[object, ...]]:
        """As above."""
        return HeaderLocation, (self.path, self.start, self.length, self.version, self.message_size, self.text)

    def read(self, most: int | None = None) -> bytes:
        """The header, with the empty line at its end. Raises OSError; zlib.error where the file is damaged."""
        content = _unpacked(self.path, os.stat(self.path).st_mtime_ns)
        assert self.length is not None
        return content[self.start : self.start + self.length][:most]


@lru_cache(maxsize=2)
def _unpacked(path: str, _changed: int) -> bytes:
    """Headers that stand together, of which most are read one after the other."""
    return zlib.decompress(Location(path).read())


class Source(Protocol):
    """Where mail comes from. One thread uses it at a time. Errors are those of `inboxstats.errors`."""

    def mailboxes(self) -> Iterable[Mailbox]:
        """Every mailbox that can hold messages."""
        ...

    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
        """All messages of a mailbox, in the source's order."""
        ...

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        """The messages asked for, byte for byte, in any order; those that are gone are left out."""
        ...


class LocalSource(Source, Protocol):
    """A source on this machine's disk, whose messages a worker process can read for itself."""

    def locations(self, mailbox: Mailbox) -> Mapping[MessageKey, Location]:
        """Where each message of a mailbox stands."""
        ...
