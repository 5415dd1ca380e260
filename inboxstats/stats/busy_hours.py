"""In which hours of the week does mail come?"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "busy_hours"
title = "Hours of the week"
ranked = False


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``weekday`` (1 is Monday), ``hour`` (0 to 23) and ``messages``: 168 rows."""
    local = data.messages["local"].dropna().dt
    return pd.DataFrame(
        {
            "weekday": np.repeat(np.arange(1, 8), 24),
            "hour": np.tile(np.arange(24), 7),
            "messages": np.bincount(local.day_of_week * 24 + local.hour, minlength=7 * 24),
        }
    )


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A cell an hour: a row a day, the deeper the colour the more messages."""
    grid = table["messages"].to_numpy().reshape(7, 24)
    charts.heat_map(axes, grid, rows=charts.WEEKDAYS, columns=[f"{hour:02d}" for hour in range(24)])
