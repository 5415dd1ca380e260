"""How all of a mailbox is listed: by windows of UIDs, which an expunge does not move.

No line is over 64 KB in either direction, where Dovecot stops (imaplib does at 1 MB), and no more than a window of
answers stands in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from imapclient import IMAPClient

from inboxstats.archive import Snapshot
from inboxstats.archive.listing import LARGEST_UID, Listing
from inboxstats.errors import MailboxRefusedError, ServerRefusalError, UnreadableAnswerError
from inboxstats.sources.imap.changes import changes
from inboxstats.sources.imap.facts import ALL, WANTED, Facts, all_items, fetched, listed
from inboxstats.sources.imap.opened import AT_ONCE, BYTES_A_MESSAGE, SEARCHED_AT_ONCE, Command, Opened, some_of
from inboxstats.sources.imap.pipeline import sequence_set
from inboxstats.sources.imap.responses import searched

SOME = 100
"""Messages that are told early at once: the first round trip of an answer brings about so many."""

LISTING_TRIES = 3
"""How often a listing begins anew because the mailbox is renumbered meanwhile."""


def whole(
    opened: Opened, early: Callable[[Listing], None] = lambda _: None, *, expected: int | None = None
) -> Snapshot:
    """Every message. `early` is given messages as they come, some at a time, maybe twice. Raises NetworkError.

    `expected` is how many there are, as far as that is known: where a window holds them, they are asked for before the
    server has opened the mailbox.
    """
    is_ahead = expected is not None and 0 < expected <= AT_ONCE
    for _ in range(LISTING_TRIES):
        found = _by_windows(opened, early, is_ahead=is_ahead)
        if found is not None:
            return found
    raise ServerRefusalError("The mailbox is renumbered again and again while it is listed. Run again later.")


def _by_windows(opened: Opened, early: Callable[[Listing], None], *, is_ahead: bool) -> Snapshot | None:
    """All messages, ``None`` where the mailbox was renumbered meanwhile."""
    with opened(again=True, ahead=_first_command if is_ahead else None) as (client, selected):
        found = Listing(selected.uidvalidity)
        if is_ahead and not 0 < selected.exists <= AT_ONCE:
            client._imap.forget_ahead()  # noqa: SLF001 -- the Channel
        windows = _windows(client, selected.exists)
    for window in windows:
        rows = _described(opened, window, lambda some: early(_listing(selected.uidvalidity, some)))
        for uid in sorted(rows):
            rows[uid].add_to(found)
    last = found.uids[-1] if found else 0
    if found and (selected.uidnext is None or last + 1 < selected.uidnext):  # EXISTS may have told too few
        with opened() as (client, _):
            more, _ = changes(client, f"{last + 1}:*", None, Listing(found.uidvalidity))
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


def _command(client: IMAPClient, window: _Window, items: Sequence[str]) -> Command:
    return ("UID", "FETCH", str(window), listed(all_items(client) if items is ALL else items))


def _first_command(client: IMAPClient) -> Command:
    """By which a mailbox is listed that one window holds."""
    return _command(client, _Window(1, None, None), WANTED[0])


def _windows(client: IMAPClient, exists: int) -> list[_Window]:
    """The whole mailbox in windows of AT_ONCE messages. The UIDs at their ends are asked for, many at a time."""
    if exists <= AT_ONCE:
        return [_Window(1, None, exists)] if exists else []
    ends: list[int | str] = [*range(AT_ONCE, exists, AT_ONCE), "*"]
    some_of_them = (searched(client, ",".join(map(str, some))) for some in some_of(ends, SEARCHED_AT_ONCE))
    uids = sorted({uid for found in some_of_them for uid in found})
    if not uids:
        raise UnreadableAnswerError(f"none of {exists:,} messages has a UID")
    lengths: Sequence[int | None] = [AT_ONCE] * (len(ends) - 1) + [exists - (len(ends) - 1) * AT_ONCE]
    if len(uids) != len(ends):  # EXISTS told too many, or another client expunges
        lengths = [None] * len(uids)
    return [
        _Window(before + 1, uid, length) for before, uid, length in zip([0, *uids[:-1]], uids, lengths, strict=True)
    ]


def _described(opened: Opened, window: _Window, early: Callable[[Mapping[int, Facts]], None]) -> dict[int, Facts]:
    """The messages of a window by UID, with as many facts as the server tells; `early` has some as they come."""
    rows: dict[int, Facts] = {}
    some: dict[int, Facts] = {}
    for items in WANTED:
        try:
            with opened(expected_bytes=AT_ONCE * BYTES_A_MESSAGE) as (client, _):
                for facts in fetched(client, *_command(client, window, items)):
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
            uids = searched(client, f"UID {window}")
        rows |= _left_out(opened, [uid for uid in uids if uid in window and uid not in rows])
        rows = {uid: rows.get(uid) or Facts(0, uid) for uid in uids if uid in window}
    return rows


def _left_out(opened: Opened, uids: Sequence[int]) -> dict[int, Facts]:
    """What the server tells of some messages that it left out, where it is asked for these alone."""
    found: dict[int, Facts] = {}
    if uids:
        some = set(uids[:SEARCHED_AT_ONCE])
        with suppress(ServerRefusalError, UnreadableAnswerError), opened() as (client, _):
            answers = fetched(client, "UID", "FETCH", sequence_set(some).decode(), listed(all_items(client)))
            found.update((facts.uid, facts) for facts in answers if facts.uid in some)
    return found


def _listing(uidvalidity: int, rows: Mapping[int, Facts]) -> Listing:
    found = Listing(uidvalidity)
    for uid in sorted(rows):
        rows[uid].add_to(found)
    return found
