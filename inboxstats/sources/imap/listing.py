"""How a mailbox is listed: only what changed where the server can tell (CONDSTORE, QRESYNC: RFC 7162), else all of it.

All of it goes by windows of UIDs, which an expunge does not move. No line is over 64 KB in either direction, where
Dovecot stops (imaplib does at 1 MB), and no more than a window of answers stands in memory.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from imaplib import IMAP4
from itertools import repeat
from operator import add, ne
from typing import Any, Protocol, TypeVar

from imapclient import IMAPClient
from imapclient.datetime_util import parse_to_datetime
from imapclient.response_parser import parse_response

from inboxstats.archive import MailboxState, Snapshot
from inboxstats.archive.listing import LARGEST_UID, Listing, microseconds
from inboxstats.archive.parquet import UNKNOWN, Integers
from inboxstats.errors import MailboxRefusedError, ServerRefusalError, UnreadableAnswerError
from inboxstats.sources.imap import names

AT_ONCE = 5000
"""Messages a window: as many UIDs as a line of 64 KB holds for sure."""

SOME = 100
"""Messages that are told early at once: the first round trip of an answer brings about so many."""

MOST_RANGES = 2500
"""Ranges of UIDs that a line of 64 KB holds for sure."""

SEARCHED_AT_ONCE = 500
"""UIDs or numbers in one command: some servers read no line over 8 KB."""

MOST_CHANGED = 20 * AT_ONCE
"""Where more messages are new or have changed, all are listed by windows, which takes less memory."""

SAMPLE = 50
"""How many messages must be as they were, for others not to be asked for."""

LISTING_TRIES = 3
"""How often a listing begins anew because the mailbox is renumbered meanwhile."""

LARGEST_SIZE = 2**63 - 1
"""RFC 9051's number64."""

BYTES_A_MESSAGE = 20
"""What a message adds to the deadline of a command that may answer for all of them."""

_ALL = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
# Where a server fails over one of them, it is asked for less.
_WANTED = (_ALL, ("UID", "INTERNALDATE", "RFC822.SIZE"), ("UID", "RFC822.SIZE"))

_ITEM = re.compile(
    rb"(?:UID (?P<uid>\d+)|RFC822\.SIZE (?P<size>\d+)|FLAGS \((?P<flags>[^()]*)\)|MODSEQ \(\d+\)"
    rb'|X-GM-LABELS \((?P<labels>(?:[^()"]|"(?:[^"\\]|\\.)*")*)\)'
    rb'|INTERNALDATE (?:"(?P<date>[^"]*)"|NIL))(?: +|\)$)',
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rb'\* (\d{1,10}) FETCH \(UID (\d{1,10}) FLAGS \(([^()]*)\) INTERNALDATE "([^"]*)" RFC822\.SIZE (\d{1,18})\)\r\n'
)
"""How nearly all servers answer to `_ALL`."""

_DATE = re.compile(rb"([ \d]\d-\w{3}-\d{4}) (\d\d):(\d\d):(\d\d)( [+-]\d{4})")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Selected:
    """What EXAMINE said. `uidvalidity` is 0 where the server gave none that can be, the others ``None``."""

    uidvalidity: int
    exists: int
    uidnext: int | None = None
    highestmodseq: int | None = None
    qresync: bool = False

    def state(self, listing: Listing) -> MailboxState:
        """The state that belongs to a listing."""
        return MailboxState(self.uidvalidity or None, self.uidnext, len(listing), self.highestmodseq)


class Opened(Protocol):
    """A conversation with the mailbox open; `again` opens it anew, so that EXISTS is what it has now."""

    def __call__(
        self, *, again: bool = False, expected_bytes: int = 0
    ) -> AbstractContextManager[tuple[IMAPClient, Selected]]: ...


def usable_uidvalidity(answer: object) -> int | None:
    """A UIDVALIDITY as RFC 9051, section 2.3.1.1, wants it: 32 bits, not 0; else ``None``."""
    return answer if isinstance(answer, int) and 0 < answer < 2**32 else None


def whole(opened: Opened, early: Callable[[Listing], None] = lambda _: None) -> Snapshot:
    """Every message. `early` is given messages as they come, some at a time, maybe twice. Raises NetworkError."""
    for _ in range(LISTING_TRIES):
        found = _by_windows(opened, early)
        if found is not None:
            return found
    raise ServerRefusalError("The mailbox is renumbered again and again while it is listed. Run again later.")


def _by_windows(opened: Opened, early: Callable[[Listing], None]) -> Snapshot | None:
    """All messages, ``None`` where the mailbox was renumbered meanwhile."""
    with opened(again=True) as (client, selected):
        found = Listing(selected.uidvalidity)
        windows = _windows(client, selected.exists)
    for window in windows:
        rows = _described(opened, window, lambda some: early(_listing(selected.uidvalidity, some)))
        for uid in sorted(rows):
            rows[uid].add_to(found)
    last = found.uids[-1] if found else 0
    if found and (selected.uidnext is None or last + 1 < selected.uidnext):  # EXISTS may have told too few
        with opened() as (client, _):
            more, _ = _changes(client, f"{last + 1}:*", None, Listing(found.uidvalidity))
        found = found.updated(more)
    with opened() as (_, now):
        if now.uidvalidity != selected.uidvalidity:
            return None
    return Snapshot(selected.state(found), found)


@dataclass(frozen=True, slots=True)
class _Window:
    """UIDs from `first` to `last`, ``None`` for whatever is the last; `messages` are there, ``None`` is unknown."""

    first: int
    last: int | None
    messages: int | None

    def __str__(self) -> str:
        return f"{self.first}:{self.last or '*'}"

    def __contains__(self, uid: int) -> bool:
        return self.first <= uid <= (self.last or LARGEST_UID)


def _windows(client: IMAPClient, exists: int) -> list[_Window]:
    """The whole mailbox in windows of AT_ONCE messages. The UIDs at their ends are asked for, many at a time."""
    if exists <= AT_ONCE:
        return [_Window(1, None, exists)] if exists else []
    ends: list[int | str] = [*range(AT_ONCE, exists, AT_ONCE), "*"]
    some_of_them = (_searched(client, ",".join(map(str, some))) for some in _some(ends, SEARCHED_AT_ONCE))
    uids = sorted({uid for found in some_of_them for uid in found})
    if not uids:
        raise UnreadableAnswerError(f"none of {exists:,} messages has a UID")
    lengths: Sequence[int | None] = [AT_ONCE] * (len(ends) - 1) + [exists - (len(ends) - 1) * AT_ONCE]
    if len(uids) != len(ends):  # EXISTS told too many, or another client expunges
        lengths = [None] * len(uids)
    return [
        _Window(before + 1, uid, length) for before, uid, length in zip([0, *uids[:-1]], uids, lengths, strict=True)
    ]


def _described(opened: Opened, window: _Window, early: Callable[[Mapping[int, "_Facts"]], None]) -> dict[int, "_Facts"]:
    """The messages of a window by UID, with as many facts as the server tells; `early` has some as they come."""
    rows: dict[int, _Facts] = {}
    some: dict[int, _Facts] = {}
    for items in _WANTED:
        try:
            with opened(expected_bytes=AT_ONCE * BYTES_A_MESSAGE) as (client, _):
                asked = _all(client) if items is _ALL else items
                for facts in _fetched(client, "UID", "FETCH", str(window), _listed(asked)):
                    if facts.uid in window:
                        some[facts.uid] = rows[facts.uid] = facts.after(rows.get(facts.uid))
                    if len(rows) > 2 * AT_ONCE:
                        raise UnreadableAnswerError("more messages than there are")
                    if len(some) == SOME:
                        early(some)
                        some = {}
            break
        except MailboxRefusedError:
            raise
        except (ServerRefusalError, UnreadableAnswerError):
            rows.clear()
            some.clear()
    if len(rows) != window.messages:
        # One that the answer leaves out is listed all the same: whether it is gone, SEARCH tells.
        with opened() as (client, _):
            uids = _searched(client, f"UID {window}")
        rows = {uid: rows.get(uid) or _Facts(0, uid) for uid in uids if uid in window}
    return rows


def _listing(uidvalidity: int, rows: Mapping[int, "_Facts"]) -> Listing:
    found = Listing(uidvalidity)
    for uid in sorted(rows):
        rows[uid].add_to(found)
    return found


def changed(opened: Opened, known: Snapshot) -> Snapshot | None:
    """`known` brought up to date; ``None`` where the server cannot tell what changed, or contradicts itself."""
    before = known.state
    if not (known.listing and before.uidvalidity and before.highestmodseq and before.uidnext):
        return None
    if len(known.listing) != before.messages:
        return None
    try:
        return _changed(opened, known.listing, before) or _changed(opened, known.listing, before)
    except MailboxRefusedError:
        raise
    except (ServerRefusalError, UnreadableAnswerError):
        return None


def _changed(opened: Opened, known: Listing, before: MailboxState) -> Snapshot | None:
    assert before.uidnext is not None
    assert before.highestmodseq is not None
    with opened(again=True, expected_bytes=len(known) * BYTES_A_MESSAGE) as (client, now):
        if now.uidvalidity != before.uidvalidity or (now.uidnext or 0) < before.uidnext or not now.exists:
            return None
        assert now.uidnext is not None
        if now.exists > len(known) + MOST_CHANGED or (now.highestmodseq or 0) < before.highestmodseq:
            return None
        if not are_the_same(client, known):
            return None
        found, vanished = known, array("I")
        if now.highestmodseq != before.highestmodseq:
            since = f"CHANGEDSINCE {before.highestmodseq}"
            most_vanished = len(known) + now.uidnext - before.uidnext - now.exists
            # RFC 7162, section 3.2.10.2: a server that has forgotten names all UIDs that are not there.
            if now.qresync and most_vanished > 0 and _ranges(known.uids) + most_vanished <= MOST_RANGES:
                since += " VANISHED"
            changes, vanished = _changes(client, f"1:{before.uidnext - 1}", since, known)
            found = found.updated(changes)
        if now.uidnext > before.uidnext:
            # n:* always holds the last message, even below n: `_changes` leaves that out.
            new, _ = _changes(client, f"{before.uidnext}:*", None, Listing(known.uidvalidity))
            found = found.updated(new)
        if vanished:
            found = found.without(vanished)
        if len(found) > now.exists:
            there = _still_there(client, found.uids, now.exists)
            found = found if there is None else found.among(there)
    return Snapshot(now.state(found), found) if len(found) == now.exists else None


def are_the_same(client: IMAPClient, known: Listing) -> bool:
    """Whether messages have the size and date that they had. Else the mailbox was made anew, and its UIDs used again.

    HIGHESTMODSEQ alone does not tell: it begins anew, too.
    """
    if not known:
        return True
    step = 1 + len(known) // SAMPLE
    sample = known.uids[::step]
    answers = _fetched(client, "UID", "FETCH", ",".join(map(str, sample)), _listed(_WANTED[1]))
    now = {facts.uid: facts for facts in answers if facts.uid in sample}
    for place in range(0, len(known), step):
        before = _Facts.of(known, place)
        facts = before if before.uid not in now else now[before.uid].after(before)
        if facts.size != before.size != UNKNOWN or facts.instant != before.instant != UNKNOWN:
            return False
    return True


def _changes(client: IMAPClient, uids: str, since: str | None, known: Listing) -> tuple[Listing, Integers]:
    """The messages among `uids` that changed, and those of `known` that vanished."""
    rows: dict[int, _Facts] = {}
    vanished: set[int] = set()
    first = int(uids.partition(":")[0])
    modifier = () if since is None else (f"({since})",)
    for kind, parts in responses(client, ("FETCH", "VANISHED"), "UID", "FETCH", uids, _listed(_all(client)), *modifier):
        if kind == "VANISHED":
            vanished.update(_named(known.uids, parts[0].rpartition(b" ")[2]))
        elif (facts := _read(parts)) is not None and facts.uid >= first:
            rows[facts.uid] = facts.after(rows.get(facts.uid))
            if len(rows) > MOST_CHANGED:
                raise UnreadableAnswerError(f"more than {MOST_CHANGED:,} messages changed")
    found = Listing(known.uidvalidity)
    for uid in sorted(rows):
        place = known.place(uid)
        rows[uid].after(None if place is None else _Facts.of(known, place)).add_to(found)
    return found, array("I", sorted(vanished))


def _still_there(client: IMAPClient, known: Integers, exists: int) -> "Integers | None":
    """Which of these UIDs the server still has; ``None`` where it contradicts itself.

    The UIDs at the windows' ends tell in which windows some are gone: only those are asked for.
    """
    if client.has_capability("ESEARCH") and _ranges(known) + len(known) - exists <= MOST_RANGES:
        parts = [parts for _, parts in responses(client, ("ESEARCH",), "UID", "SEARCH", "RETURN (ALL)", "ALL")]
        named = [match[1] for line, *_ in parts if (match := re.search(rb"\bALL ([\d:,]+)", line, re.IGNORECASE))]
        return array("I", (uid for each in named for uid in _named(known, each)))
    ends = [*range(AT_ONCE, exists, AT_ONCE), exists]
    uids = [uid for some in _some(ends, SEARCHED_AT_ONCE) for uid in _searched(client, ",".join(map(str, some)))]
    if len(uids) != len(ends):
        return None
    found = array("I")
    begin = start = 0
    for end, uid in zip(ends, uids, strict=True):
        stop = bisect_right(known, uid)
        if stop - start == end - begin:
            found.extend(known[start:stop])
        else:
            found.extend(_searched(client, f"{begin + 1}:{end}"))
        begin, start = end, stop
    return found


def still_there(client: IMAPClient, uids: Iterable[int]) -> set[int]:
    """Which of these messages are still in the open mailbox."""
    found: set[int] = set()
    for some in _some(sorted(uids), SEARCHED_AT_ONCE):
        found.update(set(some).intersection(_searched(client, f"UID {','.join(map(str, some))}")))
    return found


def statuses(client: IMAPClient, mailboxes: Collection[bytes], items: str) -> dict[bytes, dict[bytes, Any]]:
    """STATUS of many mailboxes in few round trips (LIST-STATUS: RFC 5819), without those that the server left out.

    By names as they are on the wire; ones that would be taken for patterns are left out, too.
    """
    quoted = {name: b'"' + re.sub(rb'(["\\])', rb"\\\1", name) + b'"' for name in mailboxes if _is_plain(name)}
    found: dict[bytes, dict[bytes, Any]] = {}
    for some in _some(list(quoted.values()), SEARCHED_AT_ONCE // 10):
        command = ("LIST", '""', b"(" + b" ".join(some) + b")", f"RETURN (STATUS ({items}))")
        for _, parts in responses(client, ("STATUS",), *command):
            match parse_response(parts):
                case (bytes() | int() as name, tuple(facts)):
                    raw = name if isinstance(name, bytes) else str(name).encode()
                    found[raw] = dict(zip(facts[::2], facts[1::2], strict=True))
    return found


def _is_plain(name: bytes) -> bool:
    return name.isascii() and not re.search(rb"[\x00-\x1f\x7f*%]", name)


def responses(
    client: IMAPClient, kinds: Collection[str], name: str, *command: Any, plain: re.Pattern[bytes] | None = None
) -> Iterator[tuple[str, list[Any]]]:
    """The untagged responses of these kinds to a command, as they come, with the literals between their parts.

    A line that is `plain` comes as its match, with ``""`` for the kind, and past imaplib, which takes three times as
    long. imapclient would collect all first. Raises what imaplib raises.
    """
    imap = client._imap  # noqa: SLF001 -- there is no public way to read on
    for kind in kinds:
        imap.untagged_responses.pop(kind, None)  # what an earlier command left
    tag = imap._command(name, *command)  # noqa: SLF001 -- as above
    while (answer := imap.tagged_commands[tag]) is None:
        if plain is not None:
            line = imap.readline()
            if found := plain.fullmatch(line):
                yield "", [found]
                continue
            imap.unread(line)
        imap._get_response()  # noqa: SLF001 -- as above
        for kind in kinds:
            if parts := imap.untagged_responses.pop(kind, None):
                yield kind, parts
        imap._check_bye()  # noqa: SLF001 -- as above
    del imap.tagged_commands[tag]
    status, text = answer
    if status != "OK":
        raise IMAP4.error(f"{status} {text[0].decode('utf-8', 'replace')}")


def _searched(client: IMAPClient, criteria: str) -> list[int]:
    """The UIDs that a SEARCH finds, ascending."""
    lines = (parts[0] for _, parts in responses(client, ("SEARCH",), "UID", "SEARCH", criteria))
    return sorted({int(uid) for line in lines for uid in line.split() if uid.isdigit()})


def _fetched(client: IMAPClient, *command: str) -> Iterator["_Facts"]:
    for kind, parts in responses(client, ("FETCH",), *command, plain=_PLAIN):
        facts = _read(parts) if kind else _read_plain(parts[0])
        if facts is not None:
            yield facts


def _all(client: IMAPClient) -> tuple[str, ...]:
    return (*_ALL, "X-GM-LABELS") if client.has_capability(names.LABELS) else _ALL


def _listed(items: Iterable[str]) -> str:
    return f"({' '.join(items)})"


def _named(uids: Integers, sequence_set: bytes) -> Iterator[int]:
    """Those of ascending UIDs that a set such as ``1:3,7`` names; it may name billions."""
    for part in sequence_set.split(b","):
        first, _, last = part.partition(b":")
        low, high = sorted((int(first), int(last or first)))
        yield from uids[bisect_left(uids, low) : bisect_right(uids, high)]


def _ranges(uids: Integers) -> int:
    """How many ranges a set of all these UIDs has."""
    gaps: int = sum(map(ne, map(add, uids, repeat(1)), uids[1:]))
    return 1 + gaps


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a FETCH answer says of a message."""

    sequence: int
    uid: int
    instant: int = UNKNOWN
    size: int = UNKNOWN
    flags: frozenset[str] | None = None
    labels: frozenset[str] | None = None

    @classmethod
    def of(cls, listing: Listing, place: int) -> "_Facts":
        flags, labels = listing.meanings[listing.marked[place]]
        return cls(0, listing.uids[place], listing.instants[place], listing.sizes[place], flags, labels)

    def after(self, before: "_Facts | None") -> "_Facts":
        """With what an earlier answer said of the same message and this one does not."""
        if before is None:
            return self
        return _Facts(
            self.sequence,
            self.uid,
            before.instant if self.instant == UNKNOWN else self.instant,
            before.size if self.size == UNKNOWN else self.size,
            before.flags if self.flags is None else self.flags,
            before.labels if self.labels is None else self.labels,
        )

    def add_to(self, listing: Listing) -> None:
        listing.add(self.uid, self.instant, self.size, self.flags or frozenset(), self.labels or frozenset())


def _read_plain(found: re.Match[bytes]) -> _Facts | None:
    sequence, uid, flags, date, size = found.groups()
    if not 0 < int(uid) <= LARGEST_UID:
        return None
    return _Facts(int(sequence), int(uid), _instant(date), int(size), _flags(flags))


def _read(parts: list[Any]) -> _Facts | None:
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
    return _Facts(
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


def _some(values: Sequence[Value], count: int) -> Iterator[Sequence[Value]]:
    return (values[first : first + count] for first in range(0, len(values), count))
