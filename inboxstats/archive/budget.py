"""How many bytes of mail an account has brought on one day (UTC): ARCHIVE/ACCOUNT/.budget.json.

    {"day": "2026-11-24", "bytes": 1999843210}

A provider that locks out who takes too much a day counts all runs of the day together, and so does this.
"""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inboxstats.archive.files import write_state
from inboxstats.errors import NetworkError
from inboxstats.turns import waiting

NAME = ".budget.json"
"""Hidden, as no mailbox's folder is."""

NOTED_BYTES = 20_000_000
"""After so many bytes the file is written anew: what a kill -9 may leave uncounted."""

_LOG = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class DailyBudget:
    """So many bytes a day. Several threads may share it."""

    def __init__(self, folder: Path, limit: int, *, fsync: bool, now: Callable[[], datetime] = _now) -> None:
        self.limit = limit
        self._path = folder / NAME
        self._fsync = fsync
        self._now = now
        self._lock = threading.Lock()
        self._day, self.used = _read(self._path)
        self._noted = self.used
        with self._lock:
            self._turn_the_page()

    def allows(self, size: int, *, promised: int) -> bool:
        """Whether so many bytes fit into this day, behind those that were asked for; the first of a day always do."""
        with self._lock:
            self._turn_the_page()
            before = self.used + promised
            return not before or before + size <= self.limit

    def count(self, size: int) -> None:
        """So many bytes came. Raises StorageError."""
        with self._lock:
            self._turn_the_page()
            self.used += size
            is_due = self.used - self._noted >= NOTED_BYTES
        if is_due:
            self.note()

    def note(self) -> None:
        """Write down what came. Raises StorageError."""
        # The turn is given away first: an fsync under the lock would wait for it to come back, while the thread that
        # has it waits for the lock.
        with waiting(), self._lock:
            if self.used != self._noted:
                self._write()

    def spent(self) -> NetworkError:
        """The sentence that ends a run."""
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return NetworkError(
            f"{self.used / 1e6:,.1f} MB came today, and more than {self.limit / 1e6:,.0f} MB a day might lock you out. "
            f"Run again after {midnight.astimezone():%Y-%m-%d %H:%M} (midnight UTC), or set daily_megabytes in "
            "config.toml."
        )

    def _turn_the_page(self) -> None:
        today = f"{self._now():%Y-%m-%d}"
        # A day that is still to come is a clock that was wrong.
        if self._day != today:
            self._day, self.used, self._noted = today, 0, 0

    def _write(self) -> None:
        if self._path.parent.is_dir():
            data = json.dumps({"day": self._day, "bytes": self.used}).encode() + b"\n"
            write_state(self._path, data, fsync=self._fsync)
            self._noted = self.used


def _read(path: Path) -> tuple[str, int]:
    try:
        record = json.loads(path.read_bytes())
        day, used = str(record["day"]), int(record["bytes"])
    except FileNotFoundError:
        return "", 0
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as problem:
        _LOG.warning("%s cannot be read (%s): what came today before this run is not counted", path, problem)
        return "", 0
    return day, max(0, used)
