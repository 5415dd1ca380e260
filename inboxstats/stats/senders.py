"""Who writes?"""

from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import iso_days
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "senders"
title = "Senders"
ranked = True


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``address``, ``name``, ``messages`` and ``last``, the day of the last message that has a date.

    `name` is the display name used most often, of equals the first in the alphabet. ``None`` where there is neither.
    """
    senders = data.messages.groupby("sender")["local"].agg(messages="size", last="max")
    table = pd.DataFrame(
        {
            "address": senders.index.astype("str"),
            "name": _names(data.messages).reindex(senders.index).astype("str").array,
            "messages": senders["messages"].to_numpy(),
            "last": iso_days(senders["last"]).array,
        }
    )
    return by_rank(table, by="messages")


def _names(messages: pd.DataFrame) -> "pd.Series[str]":
    named = messages[messages["sender_name"].str.strip().fillna("") != ""]
    uses = named.groupby(["sender", "sender_name"]).size().reset_index(name="uses")
    best = uses.sort_values(["sender", "uses", "sender_name"], ascending=[True, False, True])
    return best.drop_duplicates("sender").set_index("sender")["sender_name"]


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar an address, the most frequent on top."""
    charts.ranking(axes, table["address"], table["messages"])
