"""A run of `inboxstats fetch` for one account: which mailboxes, what is new in them, and getting it.

Every step can be repeated at any time, and does only what is not done yet.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from difflib import get_close_matches
from typing import Protocol, TypeVar

from inboxstats.abreast import Stop
from inboxstats.archive import Archive, MailboxFolder, MailboxState, Owner, Snapshot, Stored
from inboxstats.archive.layout import next_generation
from inboxstats.archive.listing import Listing, microseconds
from inboxstats.archive.parquet import UNKNOWN
from inboxstats.download import Connection, Downloaded, Failure, Pool, Wanted
from inboxstats.errors import (
    ExitCode,
    InboxstatsError,
    NetworkError,
    ServerRefusalError,
    StorageError,
    ThrottledError,
    UnreadableAnswerError,
    UsageError,
)
from inboxstats.generations import Sampled, suspects, used_again
from inboxstats.globs import matches
from inboxstats.headers_first import HeadersFirst, Missing
from inboxstats.headers_first import Watcher as HeadersWatcher
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

_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Server(Connection, Sampled, Protocol):
    """A `mail.Source` that can say cheaply whether a mailbox has changed: `sources.imap.ImapSource`.

    `sibling` is one more connection with the same login, which knows the mailboxes by the same names.
    """

    def connect(self, before_login: Callable[[float], None] = ...) -> None: ...
    def mailboxes(self, *, expected: str | None = None) -> Iterable[Mailbox]: ...
    def has_labels(self) -> bool: ...
    def statuses(self, mailboxes: Sequence[Mailbox]) -> Mapping[str, MailboxState]: ...
    def status(self, mailbox: Mailbox) -> MailboxState: ...
    def snapshot(
        self, mailbox: Mailbox, known: Snapshot | None = None, *, early: Callable[[Listing], None] = ...
    ) -> Snapshot: ...
    def are_the_same(self, mailbox: Mailbox, sample: Listing) -> bool: ...
    def still_there(self, mailbox: Mailbox, keys: Collection[MessageKey]) -> Collection[MessageKey]: ...
    def sibling(self) -> Connection: ...


class Watcher(HeadersWatcher, Protocol):
    """Is told how a run goes on, for a progress bar."""

    def listing(self, mailbox: str) -> None:
        """A mailbox is being listed."""

    def begin(self, messages: int, size: int) -> None:
        """So many messages and bytes are to be stored."""

    def stored(self, messages: int, size: int) -> None:
        """So many more are stored. Called from several threads, maybe before `begin`."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a run for one account.

    listed, missing, missing_bytes -- messages on the server in the chosen mailboxes; those that were not in the
               archive when the run began
    headers -- headers that came before their messages; of a dry run, those that would
    gone    -- messages that were expunged during the run
    failed  -- messages that the server would not give
    emptied -- mailboxes that the server says are empty, with how many messages the archive keeps of each
    troubles -- mailboxes that could not be listed, or where something is wrong, with the reason
    warnings -- mailboxes of which the user should know something, though all of them is there
    """

    account: str
    mailboxes: tuple[str, ...]
    listed: int
    missing: int
    missing_bytes: int
    stored: int = 0
    bytes: int = 0
    headers: int = 0
    gone: int = 0
    failed: tuple[Failure, ...] = ()
    left: int = 0
    emptied: tuple[tuple[str, int], ...] = ()
    troubles: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    error: InboxstatsError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the run's exit status is: its error's, else PARTLY where anything is missing."""
        if self.error is not None:
            return self.error.exit_code
        all_emptied = bool(self.emptied) and self.listed == 0
        return ExitCode.PARTLY if self.failed or self.troubles or all_emptied else ExitCode.DONE


@dataclass(slots=True)
class _Plan:
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


def fetch(
    archive: Archive,
    account: str,
    owner: Owner,
    source: Server,
    *,
    mailboxes: Sequence[str],
    threads: int,
    watcher: Watcher,
    since: date | None = None,
    dry_run: bool = False,
    daily_bytes: int | None = None,
    rate: int | None = None,
    headers_first: bool | None = None,
    wait: Callable[[float], None] = time.sleep,
    stop: Stop | None = None,
) -> Fetched:
    """Bring what is new in the chosen mailboxes of an account into the archive.

    The caller holds the archive's lock, and has checked that the account may own mail there. `source` is closed
    afterwards.

    mailboxes -- names or globs, see `chosen`
    since     -- leave out what the server received before that day (UTC)
    daily_bytes -- after which the run ends; ``None`` is any amount
    rate      -- bytes a second that the source is capped to; ``None`` is any
    headers_first -- all headers before any message; ``None``: where the messages take long
    dry_run   -- only say what there is to do, and write nothing
    stop      -- ends the run from another thread

    Raises what keeps the run from beginning: UsageError, NetworkError, CredentialsError, TLSError, StorageError. What
    goes wrong later is told by the result.
    """
    budget = archive.budget(account, daily_bytes) if daily_bytes else None
    stop = stop or Stop()
    stop.wakes(source.abort)
    # Before the names of the mailboxes are known, which the siblings know with the first one.
    connections = [source, *(source.sibling() for _ in range(threads - 1))]
    is_first = not dry_run and since is None and account not in archive.accounts()
    try:
        with Pool(connections, progress=watcher.stored, budget=budget) as pool:
            stop.wakes(pool.stop)
            _begin(source, wait, before_login=pool.dial if is_first else lambda _: None)
            if not dry_run:
                archive.admit(account, owner)
            began = time.monotonic()
            there = list(source.mailboxes(expected=mailboxes[0] if len(mailboxes) == 1 else None))
            round_trip = time.monotonic() - began
            names = chosen(there, mailboxes)
            if not dry_run:
                _sweep_gone(archive, account, there)
            if any(map(is_all, names)) and source.has_labels():
                names = without_copies(names)
            plan = _Plan()
            statuses = _Statuses(source, names, round_trip=round_trip)
            for mailbox in names:
                stop.check()
                watcher.listing(mailbox.name)
                folder = archive.mailbox(account, mailbox)
                if not _planned(
                    plan,
                    source,
                    folder,
                    statuses,
                    since=since,
                    dry_run=dry_run,
                    wait=wait,
                    pool=pool,
                    headers_first=bool(headers_first),
                ):
                    break
            missing = sum(len(messages) for _, messages in plan.missing)
            wanted = [Wanted(folder, messages) for folder, messages in plan.missing]
            overture = HeadersFirst(plan.missing, watcher, is_wanted=headers_first, rate=rate, budget=budget)
            # A server that throttles would not like what follows either.
            fetches = not dry_run and not isinstance(plan.error, StorageError | ThrottledError)
            if missing and fetches:
                watcher.begin(missing, plan.missing_bytes)
            got = pool.run(wanted, overture) if fetches else pool.run(())
        if dry_run:
            got = replace(got, headers=overture.needed())
        elif not fetches:
            got = replace(got, left=missing)
        refused, gone = _confirm(source, wanted, got)
        unsettled = _settle(wanted, since=since) if fetches else None
    finally:
        source.close()
        if budget is not None:
            budget.note()
    return Fetched(
        account=account,
        mailboxes=tuple(mailbox.name for mailbox in names),
        listed=plan.listed,
        missing=missing,
        missing_bytes=plan.missing_bytes,
        stored=got.stored,
        bytes=got.bytes,
        headers=got.headers,
        gone=gone,
        failed=got.failed + refused,
        left=got.left,
        emptied=tuple(plan.emptied),
        troubles=(*plan.troubles, *_lost(got)),
        warnings=tuple(plan.warnings),
        error=got.error or plan.error or unsettled,
    )


def _begin(source: Server, wait: Callable[[float], None], *, before_login: Callable[[float], None]) -> None:
    """Log in; once more, where the server says after how short a time."""
    try:
        source.connect(before_login)
    except ThrottledError as problem:
        seconds = pause(problem, 0)
        if problem.wait is None or seconds is None:
            raise
        wait(seconds)
        source.connect()


def _sweep_gone(archive: Archive, account: str, there: Iterable[Mailbox]) -> None:
    """Make good what a dead run left in mailboxes that the server has no longer: no run comes to them again."""
    names = {mailbox.name for mailbox in there}
    for folder in archive.mailboxes(account) if account in archive.accounts() else ():
        if folder.mailbox.name not in names:
            folder.sweep()


def chosen(mailboxes: Iterable[Mailbox], patterns: Sequence[str]) -> list[Mailbox]:
    """The mailboxes that a name or a glob (`globs.matches`) stands for, in the server's order.

    Raises UsageError for a pattern that matches nothing.
    """
    there = list(mailboxes)
    for pattern in patterns:
        if not any(matches(box.name, pattern) for box in there):
            raise UsageError(f"The server has no mailbox {pattern!r}. {_suggestion(pattern, there)}")
    return [box for box in there if any(matches(box.name, pattern) for pattern in patterns)]


def is_all(mailbox: Mailbox) -> bool:
    r"""Whether a mailbox holds all the others' mail: ``\\All`` of RFC 6154."""
    return "\\all" in map(str.lower, mailbox.attributes)


def without_copies(mailboxes: Iterable[Mailbox]) -> list[Mailbox]:
    """Those of Gmail's mailboxes that hold each message once: the others are labels of what is in All Mail.

    All Mail has neither spam nor what is in the bin.
    """
    apart = {"\\all", "\\junk", "\\trash"}
    return [box for box in mailboxes if apart & set(map(str.lower, box.attributes))]


def _suggestion(pattern: str, there: Sequence[Mailbox]) -> str:
    names = [box.name for box in there]
    close = get_close_matches(pattern, names, n=3) or names[:10]
    more = f" and {len(names) - len(close)} more" if len(close) < len(names) else ""
    return f"There are: {', '.join(map(repr, close))}{more}." if close else "It has none at all."


def _planned(
    plan: _Plan,
    source: Server,
    folder: MailboxFolder,
    statuses: "_Statuses",
    *,
    since: date | None,
    dry_run: bool,
    headers_first: bool,
    wait: Callable[[float], None],
    pool: Pool,
) -> bool:
    """List a mailbox, once more where the connection drops. False where the run must end: see `plan.error`."""
    stored: Stored | None = None
    for attempt in range(LISTING_TRIES):
        try:
            if stored is None:  # once: at the next attempt threads may be writing there
                stored = _swept(folder, dry_run=dry_run)
            _plan_mailbox(
                plan,
                source,
                folder,
                stored,
                statuses,
                since=since,
                dry_run=dry_run,
                headers_first=headers_first,
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


class _Statuses:
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
        return self._told.get(mailbox.name) or self._timed(lambda: self._source.status(mailbox))

    def _timed(self, ask: Callable[[], Answer]) -> Answer:
        began = time.monotonic()
        answer = ask()
        self.round_trip = max(self.round_trip, time.monotonic() - began)
        return answer


def _lost(got: Downloaded) -> Iterator[tuple[str, str]]:
    for mailbox, (reason, messages) in got.refused.items():
        yield mailbox, f"{reason} {messages:,} of its messages are not fetched."


def _swept(folder: MailboxFolder, *, dry_run: bool) -> Stored:
    """What is on disk, after what a dead run left half done was made good."""
    if dry_run:
        return folder.stored()
    folder.note_name()
    return folder.sweep()


def _plan_mailbox(
    plan: _Plan,
    source: Server,
    folder: MailboxFolder,
    stored: Stored,
    statuses: _Statuses,
    *,
    since: date | None,
    dry_run: bool,
    headers_first: bool,
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
    found = None
    if unchanged and len(known) == state.messages:
        _LOG.info("%s has not changed, but the archive has", name)
        listing = known
    else:
        if since is None and not dry_run:
            pool.expect(folder.mailbox, (state.messages or 0) - len(known), round_trip=statuses.round_trip)
        before = folder.state()

        def early(some: Listing) -> None:
            # Else it takes the whole listing to know what is missing, or to which generation it belongs.
            if not (before or known or stored or dry_run or since or headers_first):
                pool.offer(Wanted(folder, some))

        found = source.snapshot(folder.mailbox, Snapshot(before, known) if before else None, early=early)
        if known and not found.listing:
            plan.emptied.append((name, len(known)))
            return
        listing = _in_generation(plan, source, folder, found, known, stored, dry_run=dry_run)
        if not found.state.uidvalidity:
            plan.warnings.append((name, NO_UIDVALIDITY))
    missing = listing.without(stored.uids(listing.uidvalidity))
    if since is not None:
        missing = missing.select(_since(missing, since))
    _LOG.info("%s: %d messages, %d of them missing", name, len(listing), len(missing))
    plan.add(folder, missing, of=len(listing))
    if dry_run:
        return
    # Last, so that what there is to do is told though the disk be full.
    if found is not None:
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
    plan: _Plan,
    source: Server,
    folder: MailboxFolder,
    found: Snapshot,
    known: Listing,
    stored: Stored,
    *,
    dry_run: bool,
) -> Listing:
    """The listing under the UIDVALIDITY that the archive has for it.

    That is the server's, or a later generation of it (`layout.next_generation`) where the server gave its UIDs to
    other messages: so nothing stored is taken for a message that it is not, or overwritten.
    """
    listing = found.listing.under(stored.generation(found.listing.uidvalidity))
    suspected = suspects(folder.state(), known, found.state, listing)
    others, compared = used_again(source, folder, stored, listing.uidvalidity, suspected)
    if not others:
        return listing
    reason = (
        f"the server uses UIDs again for other messages ({others:,} of {compared:,} compared) and keeps its "
        "UIDVALIDITY. All of it is fetched anew; what was stored stays."
    )
    plan.troubles.append((folder.mailbox.name, reason))
    listing = listing.under(next_generation(listing.uidvalidity))
    if not dry_run:
        folder.begin(listing.uidvalidity)
    return listing


def _confirm(source: Server, wanted: Sequence[Wanted], got: Downloaded) -> tuple[tuple[Failure, ...], int]:
    """Tell messages that were expunged meanwhile from those that the server holds back, by asking which are there."""
    refused: list[Failure] = []
    gone = 0
    for folder in (each.folder for each in wanted if each.folder.mailbox.name in got.absent):
        name = folder.mailbox.name
        absent: frozenset[MessageKey] = got.absent[name]
        try:
            if got.error is not None:
                raise got.error
            there = set(source.still_there(folder.mailbox, absent))
        except InboxstatsError as problem:
            refused += [Failure(name, key, f"the server left it out: {problem}") for key in sorted(absent)]
            continue
        refused += [Failure(name, key, "the server answered without its text") for key in sorted(there)]
        gone += len(absent - there)
    return tuple(refused), gone


def _settle(wanted: Sequence[Wanted], *, since: date | None) -> StorageError | None:
    """Note what is on disk now, so that a run without news need not find that out. Returns what kept it from that."""
    error = None
    for each in wanted:
        try:
            stored = each.folder.stored()
            each.folder.settle(stored, complete=since is None and all(key in stored for key in each.messages))
        except StorageError as problem:
            error = error or problem
    return error
