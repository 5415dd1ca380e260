"""Which mailing lists and newsletters write?"""

from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import iso_days
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "lists"
title = "Mailing lists"
ranked = True


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``list``, ``messages`` and ``last``, the day of the last message that has a date.

    A list is a List-Id in lower case, since RFC 2919 compares them so. Messages whose List-Id is there but empty are
    the row ``""``, so that the rows add up to the total ``with_list_id``.
    """
    lists = data.messages.groupby(data.messages["list_id"].str.lower())["local"]
    counts = lists.agg(messages="size", last="max")
    table = pd.DataFrame(
        {
            "list": counts.index.astype("str"),
            "messages": counts["messages"].to_numpy(),
            "last": iso_days(counts["last"]).array,
        }
    )
    return by_rank(table, by="messages")


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a list, the most frequent on top."""
    charts.ranking(axes, table["list"], table["messages"])
