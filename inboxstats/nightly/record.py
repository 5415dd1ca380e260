"""The record of the nights, for `status` and for the next digest: one small JSON file an archive, replaced atomically.

    {"schema_version": 1, "archive": "/…", "digested": {"work": "…Z"},
     "runs": [{"started": "…Z", "finished": "…Z" | null, "exit_code": 0 | null, "accounts": [{…}], …}, …]}

A run without an end was killed, or goes on at this moment: the archive's lock tells which.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import platformdirs

from inboxstats.archive.files import make_folder, write_state
from inboxstats.errors import ExitCode, storage_errors

SCHEMA_VERSION = 1

MOST_RUNS = 100
"""The latest that are kept."""

CLOCK_STEP = timedelta(minutes=5)
"""By how much a run may seem to end in the future, as a clock is set right now and then."""


@dataclass(frozen=True, slots=True)
class AccountRun:
    """What came of an account. `error` is a sentence; `troubles` are those of single mailboxes and messages."""

    account: str
    exit_code: int
    stored: int = 0
    bytes: int = 0
    error: str | None = None
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A night. Times are aware.

    finished, exit_code -- ``None`` of a run that goes on, or was killed
    report     -- its folder; ``None`` where none was made
    unreadable -- files of the archive that give no message
    digest     -- ``"sent"``, ``"nothing"`` (to say), ``"off"`` (nobody wants one), ``"failed"``; ``None`` before it
    troubles   -- what went wrong beside the accounts, a sentence each
    """

    started: datetime
    finished: datetime | None = None
    exit_code: int | None = None
    accounts: tuple[AccountRun, ...] = ()
    report: str | None = None
    unreadable: int | None = None
    removed_reports: int = 0
    digest: str | None = None
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """All that is remembered of an archive's nights.

    digested  -- up to when the last digest told of each account's mail
    runs      -- the latest last
    """

    archive: Path
    digested: Mapping[str, datetime] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()

    @property
    def last(self) -> Run | None:
        """The latest run."""
        return self.runs[-1] if self.runs else None

    def begin(self, run: Run) -> "Record":
        """The record with one run more."""
        return replace(self, runs=(*self.runs, run)[-MOST_RUNS:])

    def update(self, run: Run) -> "Record":
        """The record with the latest run as it is now."""
        return replace(self, runs=(*self.runs[:-1], run))

    def last_success(self, account: str | None = None) -> datetime | None:
        """When the latest run ended that all went well in, or of one account."""
        for run in reversed(self.runs):
            if run.finished is not None and _is_good(run, account):
                return run.finished
        return None

    def is_fresh(self, now: datetime, max_age: timedelta, accounts: tuple[str, ...]) -> bool:
        """Whether a run of the last `max_age` went well as a whole, and for each account.

        One of the future was noted by a wrong clock: it would hide for years that none happens any more.
        """
        ends = [self.last_success(), *map(self.last_success, accounts)]
        return all(end is not None and -CLOCK_STEP <= now - end <= max_age for end in ends)


def _is_good(run: Run, account: str | None) -> bool:
    if account is None:
        return run.exit_code == 0
    return any(each.account == account and each.exit_code == 0 for each in run.accounts)


def record_path(archive: Path) -> Path:
    """Where an archive's record is: in the platform's folder for state."""
    digest = hashlib.sha256(os.fsencode(archive.resolve())).hexdigest()[:16]
    return platformdirs.user_state_path("inboxstats") / f"nightly-{digest}.json"


def read_record(path: Path, archive: Path) -> Record:
    """The record; an empty one where there is none, or none that can be read: it holds nothing that mail needs."""
    try:
        told = json.loads(path.read_bytes())
        if told["schema_version"] != SCHEMA_VERSION:
            return Record(archive)
        digested = {str(name): _moment(text) for name, text in told["digested"].items()}
        return Record(archive, digested, tuple(map(_run, told["runs"])))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Record(archive)


def write_record(path: Path, record: Record) -> None:
    """Replace the record, whole or not at all; for its user alone. Raises StorageError."""
    told = {
        "schema_version": SCHEMA_VERSION,
        "archive": str(record.archive),
        "digested": {name: _text(moment) for name, moment in record.digested.items()},
        "runs": [plain(run) for run in record.runs],
    }
    with storage_errors("write", path):
        make_folder(str(path.parent), fsync=False)
    write_state(path, (json.dumps(told, indent=1) + "\n").encode(), fsync=True)


def plain(run: Run) -> dict[str, Any]:
    """A run as JSON has it."""
    finished = None if run.finished is None else _text(run.finished)
    return asdict(run) | {"started": _text(run.started), "finished": finished}


def troubles(run: Run, before: Run | None = None) -> list[str]:
    """What went wrong in a run, a sentence each; that the one before was killed, too."""
    found = []
    if before is not None and before.finished is None:
        found.append(
            f"The run of {before.started:%Y-%m-%d %H:%M} UTC was killed before its end; this one made up for it."
        )
    for each in run.accounts:
        found += [f"{each.account}: {text}" for text in (*([each.error] if each.error else []), *each.troubles)]
    return [*found, *run.troubles]


def _run(told: dict[str, Any]) -> Run:
    finished = told["finished"]
    changed = {
        "started": _moment(told["started"]),
        "finished": None if finished is None else _moment(finished),
        "exit_code": None if told["exit_code"] is None else int(ExitCode(told["exit_code"])),
        "accounts": tuple(map(_account, told["accounts"])),
        "report": None if told["report"] is None else str(told["report"]),
        "troubles": tuple(map(str, told["troubles"])),
    }
    return Run(**(told | changed))


def _account(told: dict[str, Any]) -> AccountRun:
    changed = {
        "account": str(told["account"]),
        "exit_code": int(ExitCode(told["exit_code"])),
        "stored": int(told["stored"]),
        "troubles": tuple(map(str, told["troubles"])),
    }
    return AccountRun(**(told | changed))


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    if not 1 < moment.year < 9999:
        raise ValueError(f"{text} is no time everywhere on earth")
    return moment
