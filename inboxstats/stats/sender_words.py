"""Which words set a sender apart?

Those of the busiest senders, by class-based TF-IDF against all other mail: see `distinctive`. A sender's own name and
address, in each signature, are none.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats import senders
from inboxstats.stats.distinctive import distinctive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "sender_words"
title = "Distinctive words of senders"
ranked = True

MOST_SENDERS = 20
"""The rest are one class, "all others": scores do not change with each newsletter that comes once."""


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``address``, ``keyword``, ``messages`` of that sender that hold it, and ``score``.

    The busiest sender first, each sender's most distinctive word first.
    """
    data = data.with_text
    busiest = pd.Index(senders.compute(data)["address"].head(MOST_SENDERS), dtype=object)
    groups = busiest.get_indexer(pd.Index(data.messages["sender"].astype(object)))
    table = distinctive(data.words, groups, names=set(_names(data.messages, busiest)))
    table.insert(0, "address", busiest.take(table.pop("group")).astype("str"))
    return table


def _names(messages: pd.DataFrame, busiest: "pd.Index[str]") -> Iterator[tuple[int, str]]:
    """The words of each sender's address and of the display names used with it."""
    theirs = messages.loc[messages["sender"].isin(busiest), ["sender", "sender_name"]].drop_duplicates()
    groups = busiest.get_indexer(pd.Index(theirs["sender"].astype(object))).tolist()
    for group, address, name in zip(groups, theirs["sender"], theirs["sender_name"].fillna(""), strict=True):
        for word in re.findall(r"[^\W_]+", f"{address} {name}".lower()):
            yield group, word


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a sender: the most distinctive word, and how many messages hold it."""
    first = table.drop_duplicates("address")
    charts.ranking(axes, first["keyword"] + " · " + first["address"], first["messages"])
