"""At which hour of the day does mail come?"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "hours"
title = "Hours of the day"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``hour`` and ``messages``: 24 rows, 0 to 23, by the reader's clock."""
    hours = data.messages["local"].dropna().dt.hour
    return pd.DataFrame({"hour": np.arange(24), "messages": np.bincount(hours, minlength=24)})


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A column an hour."""
    charts.columns(axes, [f"{hour:02d}" for hour in table["hour"]], table["messages"])
