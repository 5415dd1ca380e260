"""Which messages are likely in the wrong place? `inboxstats classify apply` has said where they belong."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "misfiled"
title = "Likely misfiled"
ranked = True

LEAST_LIKELIHOOD = 0.8
"""Of fewer votes nothing is made: docs/classify.md says how often they come true."""


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``file``, ``sender`` (``""`` where unknown), ``filed``, ``likely`` and ``percent`` of the votes.

    A row a message whose class as filed is another one than the forest gave it with 80 % of its votes at least.
    """
    messages = data.messages
    is_elsewhere = (messages["filed"] != messages["likely"]).fillna(False).astype(bool)
    found = messages[is_elsewhere & (messages["likelihood"] >= LEAST_LIKELIHOOD).fillna(False).astype(bool)]
    table = pd.DataFrame(
        {
            "file": found["file"].astype("str").array,
            "sender": found["sender"].fillna("").astype("str").array,
            "filed": found["filed"].astype("str").array,
            "likely": found["likely"].astype("str").array,
            "percent": np.floor(100 * found["likelihood"].to_numpy(np.float64)).astype(np.int64),
        }
    )
    return table.sort_values(["percent", "file"], ascending=[False, True], ignore_index=True)


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a pair of places, the most frequent on top."""
    pairs = table.groupby(["filed", "likely"]).size().sort_values(ascending=False, kind="stable")
    labels = pd.Series([f"{filed} → {likely}" for filed, likely in pairs.index])
    charts.ranking(axes, labels, pairs.reset_index(drop=True))
