"""The statistics, one a file, in the order of the report.

To add one: a module here with what `Statistic` asks for, and its name in STATISTICS.
"""

from typing import TYPE_CHECKING, Protocol

import pandas as pd

from inboxstats.dataset import Dataset
from inboxstats.stats import (
    attachments,
    busy_hours,
    days,
    domains,
    hours,
    keywords,
    lists,
    misfiled,
    month_words,
    months,
    rising,
    sender_words,
    senders,
    weekdays,
)

if TYPE_CHECKING:  # matplotlib is heavy, and a JSON report draws nothing
    from matplotlib.axes import Axes


class Statistic(Protocol):
    """One question about a mailbox. A module satisfies it."""

    name: str
    """The key in report.json and the name of the CSV file."""
    title: str
    """The heading that a reader sees."""
    ranked: bool
    """Rows are best first and without a natural end: `--top` cuts them."""

    def compute(self, data: Dataset) -> pd.DataFrame:
        """The table that a reader would want on paper; column names are those of report.json."""
        ...

    def draw(self, table: pd.DataFrame, axes: "Axes") -> None:
        """Shows the table, and nothing that it does not hold."""
        ...


STATISTICS: tuple[Statistic, ...] = (
    months,
    days,
    senders,
    domains,
    hours,
    weekdays,
    busy_hours,
    keywords,
    rising,
    sender_words,
    month_words,
    attachments,
    lists,
)

WHEN_PRESENT: tuple[Statistic, ...] = (misfiled,)
"""Behind the others, where they have something to show: they stand on what not every mailbox has."""
