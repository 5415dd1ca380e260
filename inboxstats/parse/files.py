"""What a worker process does: reads message files and gives plain rows, which travel better than objects do.

(Plain rows cost 3 % of the time as pickles; Arrow tables from each worker cost 66 %.)
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from inboxstats.mail import HeaderLocation, Location
from inboxstats.parse import Limits, Read, read_all
from inboxstats.parse.words import SEPARATOR

_DEFAULT_LIMITS = Limits()


class Row(NamedTuple):
    """A parsed message as the message table stores it.

    `date` and `received` are microseconds since the beginning of 1970, in UTC, which take a quarter of the time of
    datetimes to travel, their making included; `date_offset` is in minutes east of UTC.
    `keywords`, `phrases` and `defects` are joined by SEPARATOR, which stands in none of them.
    Of a message whose header alone has arrived, `attachments`, `language`, `keywords` and `phrases` are ``None``, and
    `size` is what the server says of it, if it does.
    """

    size: int | None
    fingerprint: str
    sender: str | None
    sender_name: str | None
    subject: str | None
    message_id: str | None
    date: int | None
    date_offset: int | None
    received: int | None
    is_reply: bool
    list_id: str | None
    has_list_unsubscribe: bool
    attachments: list[dict[str, str | int | bool | None]] | None
    language: str | None
    keywords: str | None
    phrases: str | None
    defects: str


class Unreadable(NamedTuple):
    """Why a file gave no message."""

    reason: str


AT_ONCE = 1024 * 1024
"""Bytes of messages that are parsed together: what is read of the next one stays in the processor's caches."""


def read_rows(locations: Sequence[Location], limits: Limits = _DEFAULT_LIMITS) -> list[Row | Unreadable]:
    """A row or a reason for each location, in order. Raises nothing that a file can cause."""
    rows: list[Row | Unreadable] = []
    together: list[_Bytes | Unreadable] = []
    size = 0
    for location in locations:
        found = _read(location, limits)
        together.append(found)
        size += len(found.data) if isinstance(found, _Bytes) else 0
        if size > AT_ONCE:
            rows += _rows(together, limits)
            together.clear()
            size = 0
    return rows + _rows(together, limits)


class _Bytes(NamedTuple):
    """As many of a message's bytes as the parser takes; `size` are all, as far as is known.

    header_alone -- nothing else of it has arrived
    """

    data: bytes
    size: int | None
    header_alone: bool = False


def _read(location: Location, limits: Limits) -> _Bytes | Unreadable:
    most = limits.message_bytes + 1  # one more than the parser takes, so that it notes what it leaves out
    try:
        if isinstance(location, HeaderLocation):
            return _read_header(location, limits)
        data = location.read(most)
        return _Bytes(data, len(data) if len(data) < most else location.size())
    except OSError as problem:
        return Unreadable(problem.strerror or str(problem))
    except MemoryError:
        return Unreadable("too little memory for it")


def _read_header(location: HeaderLocation, limits: Limits) -> _Bytes | Unreadable:
    """Raises OSError."""
    try:
        data = location.read()
    except FileNotFoundError:  # the text has arrived meanwhile
        return _read(Location(location.text), limits)
    except zlib.error as problem:
        return Unreadable(f"damaged headers, which the next fetch gets again: {problem}")
    # The size in the body's place: without a Message-ID, two messages of equal headers are told apart by it.
    return _Bytes(b"%b%d" % (data, location.message_size or 0), location.message_size, header_alone=True)


def _rows(together: Sequence[_Bytes | Unreadable], limits: Limits) -> list[Row | Unreadable]:
    try:
        read = iter(read_all([found.data for found in together if isinstance(found, _Bytes)], limits))
    except MemoryError:
        if len(together) > 1:
            return [row for found in together for row in _rows([found], limits)]
        return [Unreadable("too little memory for it")]
    return [found if isinstance(found, Unreadable) else _row(found, next(read)) for found in together]


def _row(found: _Bytes, read: Read) -> Row:
    row = row_of(read)
    if found.header_alone:
        return row._replace(size=found.size, attachments=None, language=None, keywords=None, phrases=None)
    return row if row.size == found.size else row._replace(size=found.size)


def row_of(read: Read) -> Row:
    """A message as a row."""
    sender, date = read.sender, read.date
    offset = date.utcoffset() if date else None
    return Row(  # by position: with names it takes a microsecond more, of a hundred for the whole message
        read.size,
        read.fingerprint,
        sender.addr_spec if sender else None,
        (sender.display_name or None) if sender else None,
        read.subject,
        read.message_id,
        _microseconds(date),
        None if offset is None else int(offset.total_seconds() // 60),
        _microseconds(read.received),
        read.is_reply,
        read.list_id,
        read.has_list_unsubscribe,
        [
            {"file_name": part.file_name, "media_type": part.media_type, "size": part.size, "inline": part.inline}
            for part in read.attachments
        ],
        read.keywords.language,
        read.keywords.joined_words,
        read.keywords.joined_phrases,
        SEPARATOR.join(read.defects),
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * 1_000_000  # mail knows no parts of seconds
