"""A run of `inboxstats fetch` for one account: which mailboxes, what is new in them, and getting it.

Every step can be repeated at any time, and does only what is not done yet.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from inboxstats.abreast import Stop
from inboxstats.archive import Archive, MailboxFolder, Owner
from inboxstats.choosing import chosen, is_all, without_copies
from inboxstats.download import Downloaded, Failure, Pool, Wanted
from inboxstats.errors import (
    ExitCode,
    InboxstatsError,
    NetworkError,
    ServerRefusalError,
    StorageError,
    ThrottledError,
    UnreadableAnswerError,
)
from inboxstats.headers_first import HeadersFirst
from inboxstats.headers_first import Watcher as HeadersWatcher
from inboxstats.mail import Mailbox, MessageKey
from inboxstats.pace import pause
from inboxstats.planning import Plan, Server, Statuses, planned


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
    # What is asked for before all is listed would come before any header, and under a cap that may take half an hour.
    early = headers_first is False or not (headers_first or rate)
    try:
        _begin(source, wait)
        if not dry_run:
            archive.admit(account, owner)
        before = archive.mailboxes(account) if account in archive.accounts() else []
        connections = [source, *(source.sibling() for _ in range(threads - 1))]
        with Pool(connections, progress=watcher.stored, budget=budget) as pool:
            stop.wakes(pool.stop)
            # A first download needs all of them, most likely; no other run costs a login that may be in vain.
            if not (before or dry_run or since) and source.login_seconds is not None:
                pool.dial(round_trip=source.login_seconds)
            began = time.monotonic()
            there = _mailboxes(source, wait, expected=mailboxes[0] if len(mailboxes) == 1 else None)
            round_trip = time.monotonic() - began
            names = chosen(there, mailboxes)
            plan = Plan()
            if not dry_run:
                plan.warnings += _sweep_gone(before, there)
            if any(map(is_all, names)) and source.has_labels():
                names = without_copies(names)
            statuses = Statuses(source, names, round_trip=round_trip)
            for mailbox in names:
                stop.check()
                watcher.listing(mailbox.name)
                folder = archive.mailbox(account, mailbox)
                if not planned(
                    plan,
                    source,
                    folder,
                    statuses,
                    since=since,
                    dry_run=dry_run,
                    wait=wait,
                    pool=pool,
                    early=early,
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


def _mailboxes(source: Server, wait: Callable[[float], None], *, expected: str | None) -> list[Mailbox]:
    """All that there are; once more, where the server wants to be left alone for a while or drops the connection."""
    try:
        return list(source.mailboxes(expected=expected))
    except (ServerRefusalError, UnreadableAnswerError):
        raise
    except NetworkError as problem:
        seconds = pause(problem, 0)
        if seconds is None:
            raise
        wait(seconds)
    return list(source.mailboxes())


def _sweep_gone(folders: Iterable[MailboxFolder], there: Iterable[Mailbox]) -> list[tuple[str, str]]:
    """Make good what a dead run left in mailboxes that the server has no longer: no run comes to them again.

    Returns of which of them the user should know something, as in `Fetched.warnings`.
    """
    names = {mailbox.name for mailbox in there}
    warnings = []
    for folder in folders:
        if folder.mailbox.name not in names:
            lost = folder.headers.discard(folder.sweep())
            if lost:
                messages = f"{lost:,} {'message' if lost == 1 else 'messages'}"
                reason = f"the server no longer has it; the headers of {messages} that never came are removed."
                warnings.append((folder.mailbox.name, reason))
    return warnings


def _lost(got: Downloaded) -> Iterator[tuple[str, str]]:
    for mailbox, (reason, messages) in got.refused.items():
        yield mailbox, f"{reason} {messages:,} of its messages {'is' if messages == 1 else 'are'} not fetched."


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
