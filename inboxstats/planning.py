"""What is new in a mailbox: found out at the cost of as few round trips as can be, while connections are made."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import Protocol, TypeVar

from inboxstats.archive import MailboxFolder, MailboxState, Snapshot, Stored
from inboxstats.archive.layout import next_generation
from inboxstats.archive.listing import Listing, microseconds
from inboxstats.archive.parquet import UNKNOWN
from inboxstats.download import Connection, Pool, Wanted
from inboxstats.errors import NetworkError, ServerRefusalError, StorageError, UnreadableAnswerError
from inboxstats.generations import Sampled, suspects, used_again
from inboxstats.headers_first import Missing
from inboxstats.mail import Mailbox, MessageKey
from inboxstats.pace import pause

LISTING_TRIES = 3
"""How often a mailbox is listed because the connection drops; then what is planned is fetched, and the run ends."""

FEW_CHANGES = 10
"""Up to this HIGHESTMODSEQ a mailbox may have just been made anew, with other messages and all numbers as before."""

NO_UIDVALIDITY = (
    "the server gives it no usable UIDVALIDITY, so that it is listed anew each time, and other messages under the same "
    "UIDs may pass for those that are stored."
)

UNTOLD = (
    "its messages are not as they were when it was last listed, and the server does not tell whether they are others "
    "under the same UIDs: what is stored stays, and only what is new is fetched. Run again."
)

LOST_ROWS = (
    "manifest.jsonl had lost lines; the messages that had none are entered as they are now. Whether that is how they "
    "came, nobody knows: hold their sizes against the server's by `inboxstats verify --online`."
)

_LOG = logging.getLogger("inboxstats.fetch")  # a user sees the run, not its rooms

Answer = TypeVar("Answer")


class Server(Connection, Sampled, Protocol):
    """A `mail.Source` that can say cheaply whether a mailbox has changed: `sources.imap.ImapSource`.

    `sibling` is one more connection with the same login, which knows the mailboxes by the same names.
    """

    @property
    def login_seconds(self) -> float | None: ...
    def mailboxes(self, *, expected: str | None = None) -> Iterable[Mailbox]: ...
    def has_labels(self) -> bool: ...
    def statuses(self, mailboxes: Sequence[Mailbox]) -> Mapping[str, MailboxState]: ...
    def status(self, mailbox: Mailbox) -> MailboxState: ...
    def snapshot(
        self,
        mailbox: Mailbox,
        known: Snapshot | None = None,
        *,
        early: Callable[[Listing], None] = ...,
        expected: int | None = None,
    ) -> Snapshot: ...
    def are_the_same(self, mailbox: Mailbox, sample: Listing) -> bool: ...
    def still_there(self, mailbox: Mailbox, keys: Collection[MessageKey]) -> Collection[MessageKey]: ...
    def sibling(self) -> Connection: ...


@dataclass(slots=True)
class Plan:
    """What there is to do, and what its user should know; `error` is what ended the planning."""

    missing: list[Missing] = field(default_factory=list)
    listed: int = 0
    emptied: list[tuple[str, int]] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    missing_bytes: int = 0
    error: NetworkError | StorageError | None = None

    def add(self, folder: MailboxFolder, missing: Listing, *, of: int) -> None:
        """A mailbox of so many messages, some of which are missing."""
        self.listed += of
        if missing:
            self.missing.append((folder, missing))
            self.missing_bytes += missing.total_size()


class Statuses:
    """What STATUS says of mailboxes: of all at once where the server can, else one by one.

    round_trip -- how many seconds an answer took: at least what is given, as a status may have come along with it
    """

    def __init__(self, source: Server, mailboxes: Sequence[Mailbox], *, round_trip: float) -> None:
        self._source = source
        self.round_trip = round_trip
        self._told: Mapping[str, MailboxState] = {}
        with suppress(NetworkError):  # each is then asked for by itself, and more than once
            self._told = self._timed(lambda: source.statuses(mailboxes))

    def of(self, mailbox: Mailbox) -> MailboxState:
        """What the server says of a mailbox now. Raises NetworkError."""
        return self._told.get(mailbox.name) or self._timed(lambda: self._source.status(mailbox))

    def _timed(self, ask: Callable[[], Answer]) -> Answer:
        began = time.monotonic()
        answer = ask()
        self.round_trip = max(self.round_trip, time.monotonic() - began)
        return answer


def planned(
    plan: Plan,
    source: Server,
    folder: MailboxFolder,
    statuses: Statuses,
    *,
    since: date | None,
    dry_run: bool,
    early: bool,
    wait: Callable[[float], None],
    pool: Pool,
) -> bool:
    """List a mailbox, once more where the connection drops. False where the run must end: see `plan.error`.

    `early` lets the pool ask for messages while the others are still being listed.
    """
    stored: Stored | None = None
    for attempt in range(LISTING_TRIES):
        try:
            if stored is None:  # once: at the next attempt threads may be writing there
                stored = _swept(folder, dry_run=dry_run)
                if folder.has_lost_rows:
                    plan.warnings.append((folder.mailbox.name, LOST_ROWS))
            _plan_mailbox(
                plan,
                source,
                folder,
                stored,
                statuses,
                since=since,
                dry_run=dry_run,
                early=early,
                is_again=attempt > 0,
                pool=pool,
            )
        except (ServerRefusalError, UnreadableAnswerError) as problem:
            plan.troubles.append((folder.mailbox.name, str(problem)))
        except NetworkError as problem:
            plan.error = problem
            seconds = pause(problem, attempt)
            if seconds is None:
                return False
            wait(seconds)
            continue
        except StorageError as problem:
            plan.error = problem
            return False
        plan.error = None
        return True
    return False


def _swept(folder: MailboxFolder, *, dry_run: bool) -> Stored:
    """What is on disk, after what a dead run left half done was made good."""
    if dry_run:
        return folder.stored()
    folder.note_name()
    return folder.sweep()


def _plan_mailbox(
    plan: Plan,
    source: Server,
    folder: MailboxFolder,
    stored: Stored,
    statuses: Statuses,
    *,
    since: date | None,
    dry_run: bool,
    early: bool,
    is_again: bool,
    pool: Pool,
) -> None:
    """Find out what is missing of a mailbox; keep its listing.

    An unchanged mailbox costs one round trip, or none of its own, and a look at the names of its files.
    """
    name = folder.mailbox.name
    state = statuses.of(folder.mailbox)
    unchanged = _is_unchanged(source, folder, state)
    if unchanged and state.messages is not None and folder.is_complete(stored):
        _LOG.info("%s has not changed", name)
        plan.listed += state.messages
        return
    known = folder.listed()
    found, is_certain = None, True
    if unchanged and len(known) == state.messages:
        _LOG.info("%s has not changed, but the archive has", name)
        listing = known
    else:
        if since is None and not dry_run:
            pool.expect(folder.mailbox, (state.messages or 0) - len(known), round_trip=statuses.round_trip)
        before = folder.state()

        def offer(some: Listing) -> None:
            # Else it takes the whole listing to know what is missing, or to which generation it belongs.
            if early and not (before or known or stored or dry_run or since):
                pool.offer(Wanted(folder, some))

        found = source.snapshot(
            folder.mailbox,
            Snapshot(before, known) if before else None,
            early=offer,
            # A server that drops the connection may not bear to be asked before it has answered.
            expected=None if before or is_again else state.messages,
        )
        kept = len(known) - len(known.without(stored.uids(known.uidvalidity)))
        if kept and not found.listing:
            plan.emptied.append((name, kept))
            if not dry_run:
                folder.headers.discard(stored)  # they come anew, should the messages come back
            return
        listing, is_certain = _in_generation(plan, source, folder, found, known, stored, dry_run=dry_run)
        if not found.state.uidvalidity:
            plan.warnings.append((name, NO_UIDVALIDITY))
    missing = listing.without(stored.uids(listing.uidvalidity))
    if since is not None:
        missing = missing.select(_since(missing, since))
    _LOG.info("%s: %d messages, %d of them missing", name, len(listing), len(missing))
    plan.add(folder, missing, of=len(listing))
    if dry_run:
        return
    # Last, so that what there is to do is told though the disk be full. Where it is not certain whose it is, the one
    # before stays, for the next run to compare with.
    if found is not None and is_certain:
        folder.note_listing(found.state, listing)
    if not missing:
        folder.settle(stored, complete=since is None)


def _is_unchanged(source: Server, folder: MailboxFolder, state: MailboxState) -> bool:
    """Whether the mailbox is as it was when it was last listed."""
    # Only HIGHESTMODSEQ tells that no flag has changed either (RFC 7162, section 3.1.2).
    if state != folder.state() or not state.uidvalidity or not state.highestmodseq:
        return False
    if state.highestmodseq > FEW_CHANGES or not state.messages:
        return True
    sample = folder.sample()
    return bool(sample) and source.are_the_same(folder.mailbox, sample)


def _since(listing: Listing, since: date) -> Iterator[int]:
    """The places of messages that the server received on that day (UTC) or later, or nobody knows when."""
    first = microseconds(datetime.combine(since, time_of_day.min, UTC))
    return (place for place, instant in enumerate(listing.instants) if instant >= first or instant == UNKNOWN)


def _in_generation(
    plan: Plan,
    source: Server,
    folder: MailboxFolder,
    found: Snapshot,
    known: Listing,
    stored: Stored,
    *,
    dry_run: bool,
) -> tuple[Listing, bool]:
    """The listing under the UIDVALIDITY that the archive has for it, and whether that is certain.

    That is the server's, or a later generation of it (`layout.next_generation`) where the server gave its UIDs to
    other messages: so nothing stored is taken for a message that it is not, or overwritten.
    """
    listing = found.listing.under(stored.generation(found.listing.uidvalidity))
    suspected = suspects(folder.state(), known, found.state, listing)
    answer = used_again(source, folder, stored, listing.uidvalidity, suspected)
    if answer is None:
        plan.troubles.append((folder.mailbox.name, UNTOLD))
        return listing, False
    others, compared = answer
    if not others:
        return listing, True
    reason = (
        f"the server uses UIDs again for other messages ({others:,} of {compared:,} compared) and keeps its "
        "UIDVALIDITY. All of it is fetched anew; what was stored stays."
    )
    plan.troubles.append((folder.mailbox.name, reason))
    listing = listing.under(next_generation(listing.uidvalidity))
    if not dry_run:
        folder.begin(listing.uidvalidity)
    return listing, True
