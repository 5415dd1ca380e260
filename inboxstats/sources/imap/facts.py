"""What a FETCH answer says of a message without its text, read as servers write it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from imapclient import IMAPClient
from imapclient.datetime_util import parse_to_datetime

from inboxstats.archive.listing import LARGEST_UID, Listing, microseconds
from inboxstats.archive.parquet import UNKNOWN
from inboxstats.sources.imap import names
from inboxstats.sources.imap.responses import responses

LARGEST_SIZE = 2**63 - 1
"""RFC 9051's number64."""

ALL = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
WITHOUT_FLAGS = ("UID", "INTERNALDATE", "RFC822.SIZE")
WANTED = (ALL, ALL, WITHOUT_FLAGS, ("UID", "RFC822.SIZE"))
"""Where a server fails over one of them, it is asked for less; once more before, as flags are asked for once only."""

_ITEM = re.compile(
    rb"(?:UID (?P<uid>\d+)|RFC822\.SIZE (?P<size>\d+)|FLAGS \((?P<flags>[^()]*)\)|MODSEQ \(\d+\)"
    rb'|X-GM-LABELS \((?P<labels>(?:[^()"]|"(?:[^"\\]|\\.)*")*)\)'
    rb'|INTERNALDATE (?:"(?P<date>[^"]*)"|NIL))(?: +|\)$)',
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rb'\* (\d{1,10}) FETCH \(UID (\d{1,10}) FLAGS \(([^()]*)\) INTERNALDATE "([^"]*)" RFC822\.SIZE (\d{1,18})\)\r\n'
)
"""How nearly all servers answer to `ALL`."""

_DATE = re.compile(rb"([ \d]\d-\w{3}-\d{4}) (\d\d):(\d\d):(\d\d)( [+-]\d{4})")


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer says; ``None`` and UNKNOWN where it says nothing."""

    sequence: int
    uid: int
    instant: int = UNKNOWN
    size: int = UNKNOWN
    flags: frozenset[str] | None = None
    labels: frozenset[str] | None = None

    @classmethod
    def of(cls, listing: Listing, place: int) -> "Facts":
        flags, labels = listing.meanings[listing.marked[place]]
        return cls(0, listing.uids[place], listing.instants[place], listing.sizes[place], flags, labels)

    def after(self, before: "Facts | None") -> "Facts":
        """With what an earlier answer said of the same message and this one does not."""
        if before is None:
            return self
        return Facts(
            self.sequence,
            self.uid,
            before.instant if self.instant == UNKNOWN else self.instant,
            before.size if self.size == UNKNOWN else self.size,
            before.flags if self.flags is None else self.flags,
            before.labels if self.labels is None else self.labels,
        )

    def add_to(self, listing: Listing) -> None:
        listing.add(self.uid, self.instant, self.size, self.flags or frozenset(), self.labels or frozenset())


def fetched(client: IMAPClient, *command: str) -> Iterator[Facts]:
    """The facts in the answers to a command, as they come. Raises what imaplib raises."""
    for kind, parts in responses(client, ("FETCH",), *command, plain=_PLAIN):
        facts = read(parts) if kind else _read_plain(parts[0])
        if facts is not None:
            yield facts


def all_items(client: IMAPClient) -> tuple[str, ...]:
    """All that is wanted of a message, and that this server can tell."""
    return (*ALL, "X-GM-LABELS") if client.has_capability(names.LABELS) else ALL


def listed(items: Iterable[str]) -> str:
    """Items as FETCH takes them."""
    return f"({' '.join(items)})"


def _read_plain(found: re.Match[bytes]) -> Facts | None:
    sequence, uid, flags, date, size = found.groups()
    if not 0 < int(uid) <= LARGEST_UID:
        return None
    return Facts(int(sequence), int(uid), _instant(date), int(size), _flags(flags))


def read(parts: list[Any]) -> Facts | None:
    """A FETCH answer's facts; ``None`` for one without a UID, which nobody asked for.

    What cannot be read costs that fact: a strange flag, a date that is none.
    """
    line = parts[0] if len(parts) == 1 else names.with_literals(parts)
    sequence, _, rest = line.partition(b" (")
    place = 0
    found: dict[str, bytes] = {}
    while match := _ITEM.match(rest, place):
        if match.lastgroup is not None:
            found[match.lastgroup] = match[match.lastgroup]
        place = match.end()
    if place < len(rest) and "uid" not in found and (last := re.search(rb"[ )]UID (\d+)", rest[place:])):
        found["uid"] = last[1]
    uid, size = int(found.get("uid", 0)), int(found.get("size", UNKNOWN))
    if not (0 < uid <= LARGEST_UID and sequence.isdigit()):
        return None
    return Facts(
        int(sequence),
        uid,
        _instant(found["date"]) if "date" in found else UNKNOWN,
        size if size <= LARGEST_SIZE else UNKNOWN,
        _flags(found["flags"]) if "flags" in found else None,
        names.labels(found["labels"]) if "labels" in found else None,
    )


@lru_cache(maxsize=1000)
def _flags(text: bytes) -> frozenset[str]:
    # \Recent tells of the session, not of the message, and is gone from RFC 9051.
    return frozenset(flag.decode("utf-8", "replace") for flag in text.split()) - {"\\Recent"}


def _instant(text: bytes) -> int:
    """An internal date in microseconds; UNKNOWN for one that cannot be: some servers make up 1601 or 9999."""
    # A mailbox has few days: reading each date by itself would take five times as long.
    found = _DATE.fullmatch(text)
    if found is None:
        return _moment(text)
    midnight = _moment(found[1] + b" 00:00:00" + found[5])
    hours, minutes, seconds = int(found[2]), int(found[3]), int(found[4])
    if midnight == UNKNOWN or hours > 23 or minutes > 59 or seconds > 60:
        return UNKNOWN
    return midnight + 1_000_000 * (seconds + 60 * (minutes + 60 * hours))


@lru_cache(maxsize=20_000)
def _moment(text: bytes) -> int:
    try:
        date = parse_to_datetime(text, normalise=False)
        return microseconds(date) if date.tzinfo is not None and 1970 <= date.year <= 2199 else UNKNOWN
    except ValueError:
        return UNKNOWN
