"""A night: fetch all accounts, report, digest, housekeeping. Whatever fails does not stop the rest.

How mail is fetched and a digest sent is given by the caller; the clock and the pauses are, too.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inboxstats import digest
from inboxstats.collection import Collection, open_collection
from inboxstats.digest import Findings, Period
from inboxstats.errors import ExitCode, InboxstatsError, StorageError
from inboxstats.nightly.record import AccountRun, Record, Run, read_record, record_path, troubles, write_record
from inboxstats.parse import Limits
from inboxstats.report import folder
from inboxstats.report.make import make as make_report
from inboxstats.report.wording import count
from inboxstats.selection import Selection

PAUSES = (60.0, 300.0, 900.0)
"""Seconds before an account is tried again whose server could not be reached; the last one again and again."""

FIRST_PERIOD = timedelta(days=1)
"""What the first digest tells of, and that of an account which is new."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Night:
    """What a night is to do.

    accounts -- by name, in this order
    mine     -- my addresses, lower case
    keep     -- how many reports stay; ``None`` is all
    retries  -- how often an account is tried again whose server cannot be reached
    """

    archive: Path
    accounts: tuple[str, ...]
    mine: frozenset[str]
    timezone: str
    out: Path
    formats: tuple[str, ...]
    keep: int | None = None
    limits: Limits = field(default_factory=Limits)
    retries: int = 0


Fetch = Callable[[Sequence[str]], Iterable[AccountRun]]
"""Fetches the accounts of these names, in any order or at once."""

Send = Callable[[Findings], str]
"""Sends a digest where it is wanted, and says what became of it, see `record.Run`. Raises InboxstatsError."""


def run(
    night: Night,
    *,
    fetch: Fetch,
    send: Send,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Run, Findings | None]:
    """Do it, and note it, also where it is interrupted. The caller holds the archive's lock.

    The run's exit code is the worst of all its parts. Raises what nobody expects.
    """
    path = record_path(night.archive)
    record = read_record(path, night.archive)
    before = record.last
    started = now()
    # Noted at once, so that a first digest which cannot be sent is not lost for the second. A digest of the future was
    # made by a wrong clock: what has come since would never be told of.
    past = {name: until for name, until in record.digested.items() if until <= started}
    record = replace(record, digested=dict.fromkeys(night.accounts, started - FIRST_PERIOD) | past)
    progress = _Progress(path, record.begin(Run(started)))
    _LOG.info("The night begins: %d accounts", len(night.accounts))
    try:
        progress.note(accounts=_fetch_all(night, fetch, wait))
        told = _report_and_tell(night, progress, before, send, until=started)
        _tidy(night, progress)
    except BaseException as ending:
        code = getattr(ending, "exit_code", getattr(ending, "code", ExitCode.BUG))
        progress.note(finished=now(), exit_code=int(code))
        _LOG.error("The night ended early: %s, exit code %d", type(ending).__name__, code)
        raise
    progress.note(finished=now(), exit_code=progress.worst)
    _LOG.info("The night is over: exit code %d", progress.worst)
    return progress.run, told


def note_refusal(archive: Path, problem: InboxstatsError, began: datetime) -> None:
    """What kept a night from its beginning is the run of that night: `status` shows it, and `status --tell` tells it.

    Nothing is noted twice: a night that began has noted its end itself.
    """
    path = record_path(archive)
    record = read_record(path, archive)
    if record.last is not None and record.last.started >= began.replace(microsecond=0):
        return
    refused = Run(began, datetime.now(UTC), problem.exit_code, troubles=(str(problem),))
    try:
        write_record(path, record.begin(refused))
    except StorageError as another:
        _LOG.error("%s", another)


class _Progress:
    """The record on the disk, which follows the run step by step.

    A record that cannot be written is a trouble like others: on a full disk the digest can still be sent.
    """

    def __init__(self, path: Path, record: Record) -> None:
        self._path = path
        self.record = record
        self._codes = [0]
        self._save()

    @property
    def run(self) -> Run:
        return self.record.runs[-1]

    @property
    def worst(self) -> int:
        """The exit code so far."""
        return max([*self._codes, *(each.exit_code for each in self.run.accounts)])

    def note(self, **changes: object) -> None:
        self.record = self.record.update(replace(self.run, **changes))  # type: ignore[arg-type]  # any field
        self._save()

    def fail(self, problem: str, code: ExitCode) -> None:
        """One step went wrong, the others go on."""
        _LOG.error("%s", problem)
        self._codes.append(code)
        self.note(troubles=(*self.run.troubles, problem))

    def digested(self, until: datetime) -> None:
        """Mail of the accounts that could be fetched is told of; of the others, what they bring later is new then."""
        good = {each.account: until for each in self.run.accounts if each.error is None}
        self.record = replace(self.record, digested={**self.record.digested, **good})
        self._save()

    def _save(self) -> None:
        try:
            write_record(self._path, self.record)
        except StorageError as problem:
            if str(problem) not in self.run.troubles:
                _LOG.error("%s", problem)
                self._codes.append(problem.exit_code)
                self.record = self.record.update(replace(self.run, troubles=(*self.run.troubles, str(problem))))


def _fetch_all(night: Night, fetch: Fetch, wait: Callable[[float], None]) -> tuple[AccountRun, ...]:
    """Every account once; those whose server cannot be reached again, after all others, as often as is wanted."""
    done = _fetched(night.accounts, fetch)
    for attempt in range(night.retries):
        again = [name for name, each in done.items() if each.exit_code == ExitCode.NETWORK]
        if not again:
            break
        pause = PAUSES[min(attempt, len(PAUSES) - 1)]
        _LOG.warning("%d accounts cannot be reached; tried again in %.0f s", len(again), pause)
        wait(pause)
        for name, each in _fetched(again, fetch).items():
            earlier = done[name]
            done[name] = replace(each, stored=each.stored + earlier.stored, bytes=each.bytes + earlier.bytes)
    return tuple(done[name] for name in night.accounts)


def _fetched(names: Sequence[str], fetch: Fetch) -> dict[str, AccountRun]:
    done = {}
    for each in fetch(names):
        done[each.account] = each
        counts = (each.stored, each.bytes, each.exit_code)
        _LOG.info("Account %s: %d new messages, %d bytes, exit code %d", each.account, *counts)
        for trouble in (*((each.error,) if each.error else ()), *each.troubles):
            _LOG.warning("Account %s: %s", each.account, trouble)
    return done


def _report_and_tell(night: Night, progress: _Progress, before: Run | None, send: Send, *, until: datetime) -> Findings:
    collection = None
    try:
        collection = open_collection(night.archive, night.limits)
        _report(night, progress, collection, before, until)
    except InboxstatsError as problem:
        progress.fail(f"No report: {problem}", problem.exit_code)
    try:
        told = _findings(night, progress, collection, before, until)
    except InboxstatsError as problem:  # such as a full disk, which somebody has to hear of
        progress.fail(f"No counts in the digest: {problem}", problem.exit_code)
        collection = None
        told = _findings(night, progress, None, before, until)
    try:
        progress.note(digest=send(told))
    except InboxstatsError as problem:
        progress.fail(f"The digest could not be sent: {problem}", problem.exit_code)
        progress.note(digest="failed")
        return told
    if collection is not None:
        progress.digested(until)
    return told


def _report(night: Night, progress: _Progress, collection: Collection, before: Run | None, generated: datetime) -> None:
    report = make_report(collection, Selection(timezone=night.timezone), generated=generated, top=20)
    progress.note(unreadable=report.totals.unreadable)
    made = folder.write(report, night.out, night.formats)
    progress.note(report=str(made))
    known = before.unreadable if before is not None else None
    if report.totals.unreadable > (known or 0):  # those that were told of stay, and are no news
        files, them = count(report.totals.unreadable, "file"), "it" if report.totals.unreadable == 1 else "them"
        progress.fail(f"{files} cannot be read; `inboxstats report` names {them}.", ExitCode.PARTLY)


def _findings(
    night: Night, progress: _Progress, collection: Collection | None, before: Run | None, until: datetime
) -> Findings:
    period = _period(progress.run, progress.record.digested, until)
    wrong = tuple(troubles(progress.run, before))
    if collection is None:
        return digest.nothing(period, night.timezone, wrong)
    return digest.make(collection, period, night.mine, timezone=night.timezone, troubles=wrong)


def _period(run: Run, digested: Mapping[str, datetime], until: datetime) -> Period:
    """What is new tonight: each message is told of once, in the night in which all mail of its account has come.

    Days are compared once all accounts are whole: what is missing would look like a silence.
    """
    whole = {each.account: each.error is None for each in run.accounts}
    accounts = {name: digested[name] if is_whole else until for name, is_whole in whole.items()}
    return Period(min(digested[name] for name in whole) if all(whole.values()) else until, until, accounts)


def _tidy(night: Night, progress: _Progress) -> None:
    """Reports beyond `keep` go; the message table's parts are made one by the report itself where they are many."""
    if night.keep is None:
        return
    try:
        progress.note(removed_reports=len(folder.prune(night.out, night.keep)))
    except InboxstatsError as problem:
        progress.fail(f"Old reports could not be removed: {problem}", problem.exit_code)
