"""A run of `inboxstats fetch` for one account: which mailboxes, what is new in them, and getting it.

Every step can be repeated at any time, and does only what is not done yet.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Protocol

from inboxstats.archive import Archive, MailboxFolder, MailboxState, Owner
from inboxstats.download import Connection, Downloaded, Failure, Pool, Wanted
from inboxstats.errors import (
    ExitCode,
    InboxstatsError,
    NetworkError,
    ServerRefusalError,
    ThrottledError,
    UnreadableAnswerError,
    UsageError,
)
from inboxstats.globs import matches
from inboxstats.mail import Mailbox, MessageInfo, MessageKey
from inboxstats.pace import pause

LISTING_TRIES = 3
"""How often a mailbox is listed because the connection drops; then what is planned is fetched, and the run ends."""

_LOG = logging.getLogger(__name__)


class Server(Connection, Protocol):
    """A `mail.Source` that can say cheaply whether a mailbox has changed: `sources.imap.ImapSource`.

    `sibling` is one more connection with the same login, which knows the mailboxes by the same names.
    """

    def mailboxes(self) -> Iterable[Mailbox]: ...
    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]: ...
    def status(self, mailbox: Mailbox) -> MailboxState: ...
    def sibling(self) -> Connection: ...


class Watcher(Protocol):
    """Is told how a run goes on, for a progress bar."""

    def listing(self, mailbox: str) -> None:
        """A mailbox is being listed."""

    def begin(self, messages: int, size: int) -> None:
        """So many messages and bytes are to be stored."""

    def stored(self, messages: int, size: int) -> None:
        """So many more are stored. Called from several threads."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a run for one account.

    listed, missing, missing_bytes -- messages on the server in the chosen mailboxes; those that were not in the
               archive when the run began
    gone    -- messages that were expunged during the run
    failed  -- messages that the server would not give
    emptied -- mailboxes that the server says are empty, with how many messages the archive keeps of each
    troubles -- mailboxes that could not be listed, with the reason
    """

    account: str
    mailboxes: tuple[str, ...]
    listed: int
    missing: int
    missing_bytes: int
    stored: int = 0
    bytes: int = 0
    gone: int = 0
    failed: tuple[Failure, ...] = ()
    left: int = 0
    emptied: tuple[tuple[str, int], ...] = ()
    troubles: tuple[tuple[str, str], ...] = ()
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
    wanted: list[Wanted] = field(default_factory=list)
    listed: int = 0
    emptied: list[tuple[str, int]] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    error: NetworkError | None = None


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
    wait: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Bring what is new in the chosen mailboxes of an account into the archive.

    The caller holds the archive's lock, and has checked that the account may own mail there. `source` is closed
    afterwards.

    mailboxes -- names or globs, see `chosen`
    since     -- leave out what the server received before that day (UTC)
    daily_bytes -- of bodies, after which the run ends; ``None`` is any amount
    dry_run   -- only say what there is to do, and write nothing

    Raises what keeps the run from beginning: UsageError, NetworkError, CredentialsError, TLSError, StorageError. What
    goes wrong later is told by the result.
    """
    budget = archive.budget(account, daily_bytes) if daily_bytes else None
    try:
        _begin(source, wait)
        if not dry_run:
            archive.admit(account, owner)
        names = chosen(source.mailboxes(), mailboxes)
        plan = _Plan()
        connections = [source, *(source.sibling() for _ in range(threads - 1))]
        with Pool(connections, progress=watcher.stored, budget=budget) as pool:
            for mailbox in names:
                watcher.listing(mailbox.name)
                folder = archive.mailbox(account, mailbox)
                if not _planned(plan, source, folder, since=since, dry_run=dry_run, wait=wait, pool=pool):
                    break
            missing = [info.size or 0 for wanted in plan.wanted for info in wanted.messages.values()]
            if missing and not dry_run:
                watcher.begin(len(missing), sum(missing))
            rests = isinstance(plan.error, ThrottledError)  # it would not like what follows either
            got = pool.run(() if dry_run or rests else plan.wanted)
        refused, gone = _confirm(source, plan.wanted, got)
    finally:
        source.close()
        if budget is not None:
            budget.note()
    return Fetched(
        account=account,
        mailboxes=tuple(mailbox.name for mailbox in names),
        listed=plan.listed,
        missing=len(missing),
        missing_bytes=sum(missing),
        stored=got.stored,
        bytes=got.bytes,
        gone=gone,
        failed=got.failed + refused,
        left=len(missing) if rests else got.left,
        emptied=tuple(plan.emptied),
        troubles=(*plan.troubles, *_lost(got)),
        error=got.error or plan.error,
    )


def _begin(source: Server, wait: Callable[[float], None]) -> None:
    """Log in; once more, where the server says after how short a time."""
    try:
        source.connect()
    except ThrottledError as problem:
        seconds = pause(problem, 0)
        if problem.wait is None or seconds is None:
            raise
        wait(seconds)
        source.connect()


def chosen(mailboxes: Iterable[Mailbox], patterns: Sequence[str]) -> list[Mailbox]:
    """The mailboxes that a name or a glob (`globs.matches`) stands for, in the server's order.

    Raises UsageError for a pattern that matches nothing.
    """
    there = list(mailboxes)
    for pattern in patterns:
        if not any(matches(box.name, pattern) for box in there):
            raise UsageError(f"The server has no mailbox {pattern!r}. {_suggestion(pattern, there)}")
    return [box for box in there if any(matches(box.name, pattern) for pattern in patterns)]


def _suggestion(pattern: str, there: Sequence[Mailbox]) -> str:
    names = [box.name for box in there]
    close = get_close_matches(pattern, names, n=3) or names[:10]
    more = f" and {len(names) - len(close)} more" if len(close) < len(names) else ""
    return f"There are: {', '.join(map(repr, close))}{more}." if close else "It has none at all."


def _planned(
    plan: _Plan,
    source: Server,
    folder: MailboxFolder,
    *,
    since: date | None,
    dry_run: bool,
    wait: Callable[[float], None],
    pool: Pool,
) -> bool:
    """List a mailbox, once more where the connection drops. False where the server is gone: then it is `plan.error`."""
    for attempt in range(LISTING_TRIES):
        try:
            _plan_mailbox(plan, source, folder, since=since, dry_run=dry_run, pool=pool)
        except (ServerRefusalError, UnreadableAnswerError) as problem:
            plan.troubles.append((folder.mailbox.name, str(problem)))
        except NetworkError as problem:
            plan.error = problem
            seconds = pause(problem, attempt)
            if seconds is None:
                return False
            wait(seconds)
            continue
        plan.error = None
        return True
    return False


def _lost(got: Downloaded) -> Iterator[tuple[str, str]]:
    for mailbox, (reason, messages) in got.refused.items():
        yield mailbox, f"{reason} {messages:,} of its messages are not fetched."


def _plan_mailbox(
    plan: _Plan,
    source: Server,
    folder: MailboxFolder,
    *,
    since: date | None,
    dry_run: bool,
    pool: Pool,
) -> None:
    """Find out what is missing of a mailbox; keep its listing. An unchanged mailbox costs one round trip."""
    if not dry_run:
        folder.note_name()
        folder.sweep()
    before = folder.state()
    began = time.monotonic()
    state = source.status(folder.mailbox)
    round_trip = time.monotonic() - began
    # Only HIGHESTMODSEQ tells that no flag has changed either (RFC 7162, section 3.1.2).
    unchanged = state == before and state.highestmodseq and state.uidvalidity
    known = folder.listed()
    if unchanged and len(known) == state.messages:
        _LOG.info("%s has not changed", folder.mailbox.name)
        listing: Mapping[MessageKey, MessageInfo] = known
    else:
        if since is None and not dry_run:
            pool.expect(folder.mailbox, (state.messages or 0) - len(known), round_trip=round_trip)
        listing = source.listing(folder.mailbox)
        if known and not listing:
            plan.emptied.append((folder.mailbox.name, len(known)))
            return
        if not dry_run:
            folder.note_listing(state, listing)
    plan.listed += len(listing)
    stored = folder.stored()
    missing = {key: info for key, info in listing.items() if key not in stored and _is_since(info, since)}
    _LOG.info("%s: %d messages, %d of them missing", folder.mailbox.name, len(listing), len(missing))
    if missing:
        plan.wanted.append(Wanted(folder, missing))


def _is_since(info: MessageInfo, since: date | None) -> bool:
    return since is None or info.internal_date is None or info.internal_date.date() >= since


def _confirm(source: Server, wanted: Sequence[Wanted], got: Downloaded) -> tuple[tuple[Failure, ...], int]:
    """Tell messages that were expunged meanwhile from those that the server holds back, by listing again."""
    refused: list[Failure] = []
    gone = 0
    for folder in (each.folder for each in wanted if each.folder.mailbox.name in got.absent):
        name = folder.mailbox.name
        absent: frozenset[MessageKey] = got.absent[name]
        try:
            if got.error is not None:
                raise got.error
            there = source.listing(folder.mailbox)
        except InboxstatsError as problem:
            refused += [Failure(name, key, f"the server left it out: {problem}") for key in sorted(absent)]
            continue
        refused += [Failure(name, key, "the server answered without its text") for key in sorted(absent & there.keys())]
        gone += len(absent - there.keys())
    return tuple(refused), gone
