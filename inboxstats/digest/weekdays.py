"""On which days came unusually much or little, of all or of one sender?

A day is held against the same weekday of the eight weeks before, as far as the archive goes back; with fewer than four
such days nothing is said. Let `usual` be the median of their counts:

    spike    at least 10 messages (5 of one sender), more than on any of those days, and at least twice `usual`
    silence  of all mail: `usual` is at least 5, fewer than on any of those days, and at most half of `usual`;
             of a sender: nothing, though each of those days had something

Days are whole days on the reader's wall clock; my own mail does not count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from inboxstats.dataset import Dataset
from inboxstats.digest.period import Period, is_mine

WEEKS = 8
FEWEST_WEEKS = 4
MOST_DAYS = 7
"""The latest days that are looked at, after a time without a digest."""

SPIKE, SENDER_SPIKE = 10, 5
SILENCE = 5


@dataclass(frozen=True, slots=True)
class UnusualDay:
    """A day unlike the same weekday before; `sender` is an address, ``None`` for all mail."""

    day: date
    kind: Literal["spike", "silence"]
    messages: int
    usual: float
    sender: str | None = None


def unusual_days(data: Dataset, period: Period, mine: frozenset[str]) -> tuple[UnusualDay, ...]:
    """All mail before single senders, then by day, then by how far from usual."""
    dated = data.dated
    dated = dated[~is_mine(dated, mine)]
    if dated.empty:
        return ()
    days = dated["local"].to_numpy("datetime64[D]")
    table = pd.DataFrame({"day": days, "sender": dated["sender"].to_numpy(object)})
    whole = _whole_days(period, ZoneInfo(data.selection.timezone))
    found = [
        unusual
        for day in whole
        if (weeks := _weeks_before(day, first=days.min().item()))
        for unusual in (*_of_all(table, day, weeks), *_of_senders(table, day, weeks))
    ]
    return tuple(sorted(found, key=lambda each: (each.sender is not None, each.day, -abs(each.messages - each.usual))))


def _whole_days(period: Period, zone: ZoneInfo) -> list[date]:
    """The days that ended in the period."""
    first = period.since.astimezone(zone).date()
    last = period.until.astimezone(zone).date()
    days = [first + timedelta(days=number) for number in range((last - first).days)]
    ends = [datetime.combine(day + timedelta(days=1), datetime.min.time(), zone) for day in days]
    return [day for day, end in zip(days, ends, strict=True) if period.since < end <= period.until][-MOST_DAYS:]


def _weeks_before(day: date, *, first: date) -> list[date]:
    """The same weekday before, without the archive's first day, which need not be whole; none where they are few."""
    days = [day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    days = [each for each in days if each > first]
    return days if len(days) >= FEWEST_WEEKS else []


def _of_all(table: pd.DataFrame, day: date, weeks: Sequence[date]) -> Iterator[UnusualDay]:
    counts = table["day"].value_counts()
    messages, before = _count(counts, day), [_count(counts, each) for each in weeks]
    usual = median(before)
    if _is_spike(messages, before, least=SPIKE):
        yield UnusualDay(day, "spike", messages, usual)
    if usual >= SILENCE and messages < min(before) and 2 * messages <= usual:
        yield UnusualDay(day, "silence", messages, usual)


def _of_senders(table: pd.DataFrame, day: date, weeks: Sequence[date]) -> Iterator[UnusualDay]:
    rows = table[table["day"].isin([np.datetime64(each) for each in (day, *weeks)])]
    for sender, counts in rows.groupby("sender")["day"].value_counts().groupby(level=0):
        by_day = counts.droplevel(0)
        messages, before = _count(by_day, day), [_count(by_day, each) for each in weeks]
        if _is_spike(messages, before, least=SENDER_SPIKE):
            yield UnusualDay(day, "spike", messages, median(before), str(sender))
        if not messages and min(before):
            yield UnusualDay(day, "silence", 0, median(before), str(sender))


def _is_spike(messages: int, before: Sequence[int], *, least: int) -> bool:
    return messages >= least and messages > max(before) and messages >= 2 * median(before)


def _count(counts: "pd.Series[int]", day: date) -> int:
    return int(counts.get(pd.Timestamp(day), 0))
