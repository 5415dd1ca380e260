"""On which day of the week does mail come?"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "weekdays"
title = "Days of the week"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``weekday`` and ``messages``: 7 rows, 1 is Monday (ISO 8601)."""
    weekdays = data.messages["local"].dropna().dt.day_of_week
    return pd.DataFrame({"weekday": np.arange(1, 8), "messages": np.bincount(weekdays, minlength=7)})


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A column a day, Monday first."""
    charts.columns(axes, charts.WEEKDAYS, table["messages"])
