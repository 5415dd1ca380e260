"""How much mail is there in each month?"""

from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import periods

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "months"
title = "Messages by month"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``month`` (``"2026-11"``) and ``messages``: the months that have any, ascending."""
    months, messages = periods(data.messages["local"], "M")
    return pd.DataFrame({"month": pd.Series(months, dtype="str"), "messages": messages})


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A column a month, an area when there are many."""
    charts.over_time(axes, table["month"], table["messages"], unit="M")
