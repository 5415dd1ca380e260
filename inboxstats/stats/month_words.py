"""Which words set a month apart?

By class-based TF-IDF against all other months: see `distinctive`. A month's own name, in each date that is quoted, is
none.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.distinctive import distinctive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "month_words"
title = "Distinctive words of months"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``month`` (``"2026-11"``), ``keyword``, ``messages`` of that month that hold it, and ``score``.

    Months ascending, each month's most distinctive word first.
    """
    data = data.with_text
    local = data.messages["local"].to_numpy("datetime64[us]")
    dated = np.flatnonzero(~np.isnat(local))
    months, groups = np.unique(local[dated].astype("datetime64[M]"), return_inverse=True)
    names = {(at, f"{month:{form}}".lower()) for at, month in enumerate(months.tolist()) for form in ("%b", "%B")}
    table = distinctive(data.words.of(dated), groups, names=names)
    table.insert(0, "month", pd.Series(np.datetime_as_string(months[table.pop("group")]), dtype="str"))
    return table


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a month, the last ones: the most distinctive word, and how many messages hold it."""
    first = table.drop_duplicates("month").tail(charts.MOST_BARS)
    charts.ranking(axes, first["month"] + " " + first["keyword"], first["messages"])
