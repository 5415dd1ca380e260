"""What changed in a mailbox since it was listed, where the server can tell (CONDSTORE, QRESYNC: RFC 7162)."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import add, ne

from imapclient import IMAPClient

from inboxstats.archive import MailboxState, Snapshot
from inboxstats.archive.listing import Listing
from inboxstats.archive.parquet import UNKNOWN, Integers
from inboxstats.errors import MailboxRefusedError, ServerRefusalError, UnreadableAnswerError
from inboxstats.sources.imap.facts import WITHOUT_FLAGS, Facts, all_items, fetched, listed, read
from inboxstats.sources.imap.opened import AT_ONCE, BYTES_A_MESSAGE, SEARCHED_AT_ONCE, Opened, some_of
from inboxstats.sources.imap.responses import responses, searched

MOST_RANGES = 2500
"""Ranges of UIDs that a line of 64 KB holds for sure."""

MOST_CHANGED = 20 * AT_ONCE
"""Where more messages are new or have changed, all are listed by windows, which takes less memory."""

SAMPLE = 50
"""How many messages must be as they were, for others not to be asked for."""


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
            more, vanished = changes(client, f"1:{before.uidnext - 1}", since, known)
            found = found.updated(more)
        if now.uidnext > before.uidnext:
            # n:* always holds the last message, even below n: `_changes` leaves that out.
            new, _ = changes(client, f"{before.uidnext}:*", None, Listing(known.uidvalidity))
            if _is_left_out(client, new, range(before.uidnext, now.uidnext)):
                return None
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
    answers = fetched(client, "UID", "FETCH", ",".join(map(str, sample)), listed(WITHOUT_FLAGS))
    now = {facts.uid: facts for facts in answers if facts.uid in sample}
    for place in range(0, len(known), step):
        before = Facts.of(known, place)
        facts = before if before.uid not in now else now[before.uid].after(before)
        if facts.size != before.size != UNKNOWN or facts.instant != before.instant != UNKNOWN:
            return False
    return True


def changes(client: IMAPClient, uids: str, since: str | None, known: Listing) -> tuple[Listing, Integers]:
    """The messages among `uids` that changed, and those of `known` that vanished."""
    rows: dict[int, Facts] = {}
    vanished: set[int] = set()
    first = int(uids.partition(":")[0])
    modifier = () if since is None else (f"({since})",)
    for kind, parts in responses(
        client, ("FETCH", "VANISHED"), "UID", "FETCH", uids, listed(all_items(client)), *modifier
    ):
        if kind == "VANISHED":
            vanished.update(_named(known.uids, parts[0].rpartition(b" ")[2]))
        elif (facts := read(parts)) is not None and facts.uid >= first:
            rows[facts.uid] = facts.after(rows.get(facts.uid))
            if len(rows) > MOST_CHANGED:
                raise UnreadableAnswerError(f"more than {MOST_CHANGED:,} messages changed")
    found = Listing(known.uidvalidity)
    for uid in sorted(rows):
        place = known.place(uid)
        rows[uid].after(None if place is None else Facts.of(known, place)).add_to(found)
    return found, array("I", sorted(vanished))


def _is_left_out(client: IMAPClient, new: Listing, uids: range) -> bool:
    """Whether the server has a message of these UIDs that is not in `new`.

    Where as many were expunged, their number alone would not tell; and no later run would ask for it.
    """
    told = {uid for uid in new.uids if uid in uids}
    if len(told) == len(uids):
        return False
    windows = (uids[first : first + AT_ONCE] for first in range(0, len(uids), AT_ONCE))
    return len(uids) > MOST_CHANGED or any(
        not told.issuperset(searched(client, f"UID {window[0]}:{window[-1]}")) for window in windows
    )


def _still_there(client: IMAPClient, known: Integers, exists: int) -> "Integers | None":
    """Which of these UIDs the server still has; ``None`` where it contradicts itself.

    The UIDs at the windows' ends tell in which windows some are gone: only those are asked for.
    """
    if client.has_capability("ESEARCH") and _ranges(known) + len(known) - exists <= MOST_RANGES:
        parts = [parts for _, parts in responses(client, ("ESEARCH",), "UID", "SEARCH", "RETURN (ALL)", "ALL")]
        named = [match[1] for line, *_ in parts if (match := re.search(rb"\bALL ([\d:,]+)", line, re.IGNORECASE))]
        return array("I", (uid for each in named for uid in _named(known, each)))
    ends = [*range(AT_ONCE, exists, AT_ONCE), exists]
    uids = [uid for some in some_of(ends, SEARCHED_AT_ONCE) for uid in searched(client, ",".join(map(str, some)))]
    if len(uids) != len(ends):
        return None
    found = array("I")
    begin = start = 0
    for end, uid in zip(ends, uids, strict=True):
        stop = bisect_right(known, uid)
        if stop - start == end - begin:
            found.extend(known[start:stop])
        else:
            found.extend(searched(client, f"{begin + 1}:{end}"))
        begin, start = end, stop
    return found


def still_there(client: IMAPClient, uids: Iterable[int]) -> set[int]:
    """Which of these messages are still in the open mailbox."""
    found: set[int] = set()
    for some in some_of(sorted(uids), SEARCHED_AT_ONCE):
        found.update(set(some).intersection(searched(client, f"UID {','.join(map(str, some))}")))
    return found


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
