"""Local times that daylight saving skips or doubles, and the next ones that it leaves alone.

Schedulers differ in what they do with such a time: run late, twice, or not at all. So none is ever given one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

YEAR = 366
"""Days that are looked ahead: two changes, wherever there are any."""

HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Change:
    """A day on which a local time is not there, or is there twice."""

    day: date
    kind: Literal["skipped", "doubled"]


def changes(at: time, zone: tzinfo, first: date, days: int = YEAR) -> Iterator[Change]:
    """The days from `first` on which `at` is skipped or doubled in a zone."""
    for number in range(days):
        day = first + timedelta(days=number)
        if kind := _kind(datetime.combine(day, at, zone)):
            yield Change(day, kind)


def _kind(local: datetime) -> Literal["skipped", "doubled"] | None:
    """PEP 495: offsets differ by the fold; only a time that exists comes back from UTC as it was."""
    if local.utcoffset() == local.replace(fold=1).utcoffset():
        return None
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return "doubled" if back.replace(tzinfo=None) == local.replace(tzinfo=None) else "skipped"


def safe_time(at: time, zone: tzinfo, first: date) -> time:
    """`at`, or the first time half an hour or more later that comes exactly once on each day of the year."""
    moved = at
    while any(changes(moved, zone, first)):
        moved = (datetime.combine(first, moved) + HALF_HOUR).time()
        if moved == at:  # no zone is like that
            return at
    return moved


def next_time(at: time, zone: tzinfo, now: datetime) -> datetime:
    """When `at` comes next after `now` (aware), in UTC."""
    today = now.astimezone(zone).date()
    coming = (datetime.combine(today + timedelta(days=number), at, zone).astimezone(UTC) for number in range(3))
    return next(moment for moment in coming if moment > now)


def is_same(one: tzinfo, other: tzinfo, year: int) -> bool:
    """Whether two zones, whatever their names, have the same time all the year."""
    days = (datetime(year, 1, 1, 12) + timedelta(days=number) for number in range(YEAR))  # noqa: DTZ001 -- a zone follows
    return all(day.replace(tzinfo=one).utcoffset() == day.replace(tzinfo=other).utcoffset() for day in days)
