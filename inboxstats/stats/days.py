"""How much mail is there each day?"""

from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import periods

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "days"
title = "Messages by day"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``day`` (``"2026-11-23"``) and ``messages``: the days that have any, ascending."""
    days, messages = periods(data.messages["local"], "D")
    return pd.DataFrame({"day": pd.Series(days, dtype="str"), "messages": messages})


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A column a day, an area when there are many."""
    charts.over_time(axes, table["day"], table["messages"], unit="D")
