"""A report: the tables of a dataset, computed once, so that every format shows the same figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from inboxstats.dataset import Dataset, Totals, instants
from inboxstats.selection import Selection
from inboxstats.stats import STATISTICS, WHEN_PRESENT, Statistic

_LATE = np.timedelta64(30, "D")
"""After its Date header: no server takes that long to deliver, and one that mail was moved to always does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statistic found. `rows` is the length of the whole table, of which `table` may be the top."""

    statistic: Statistic
    table: pd.DataFrame
    rows: int

    @property
    def measure(self) -> str:
        """The column that counts: ``"messages"`` wherever messages are what is counted."""
        return "messages" if "messages" in self.table else str(self.table.select_dtypes("number").columns[0])

    @property
    def is_empty(self) -> bool:
        """Nothing was counted: there is no row, or each is zero."""
        return not self.table[self.measure].any()

    def is_number(self, column: str) -> bool:
        """Whether a column holds figures rather than text."""
        return is_numeric_dtype(self.table[column])

    def records(self) -> list[list[Any]]:
        """The table's rows as plain Python values, ``None`` where one is missing."""
        columns = (self.table[name] for name in self.table)
        plain = [column.astype(object).where(column.notna(), None).tolist() for column in columns]
        return [list(record) for record in zip(*plain, strict=True)]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says.

    generated  -- aware
    first, last -- when the earliest and the latest message were, in UTC; ``None`` where none has a time
    moved      -- most messages arrived more than 30 days after their Date header: by this clock, times mean little
    answers    -- in the order of the report
    unreadable -- file and reason of those that could not be read, as far as they are known by name
    """

    generated: datetime
    totals: Totals
    selection: Selection
    first: datetime | None
    last: datetime | None
    moved: bool
    answers: tuple[Answer, ...]
    unreadable: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> Answer:
        """The answer of the statistic of that name. Raises KeyError."""
        return {answer.statistic.name: answer for answer in self.answers}[name]


def build(data: Dataset, *, generated: datetime, top: int | None, unreadable: Sequence[tuple[str, str]] = ()) -> Report:
    """Computes every statistic. `top` cuts the ranked tables; ``None`` and 0 leave them whole."""
    return Report(
        generated=generated,
        totals=data.totals,
        selection=data.selection,
        first=None if data.first is None else data.first.to_pydatetime(),
        last=None if data.last is None else data.last.to_pydatetime(),
        moved=_moved(data),
        answers=(
            *(_answer(statistic, data, top) for statistic in STATISTICS),
            *(answer for answer in (_answer(statistic, data, top) for statistic in WHEN_PRESENT) if answer.rows),
        ),
        unreadable=tuple(unreadable),
    )


def _moved(data: Dataset) -> bool:
    if data.selection.clock != "received":
        return False
    late = data.messages["when"].dt.tz_localize(None).to_numpy() - instants(pa.array(data.messages["date"]))
    return 2 * int((late > _LATE).sum()) > int((~np.isnat(late)).sum())


def _answer(statistic: Statistic, data: Dataset, top: int | None) -> Answer:
    table = statistic.compute(data)
    return Answer(statistic, _first(table, top) if top and statistic.ranked else table, rows=len(table))


def _first(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """The rows of the first `top` senders, words or whatever the first column has: a row each, or some."""
    keys, _ = pd.factorize(table[table.columns[0]])
    return table[keys < top]
