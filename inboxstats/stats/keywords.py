"""What is the mail about?

A word counts once a message. A phrase of two words is listed where it is more than its parts, by normalised pointwise
mutual information (G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", 2009):

    npmi = ln(p(xy) / (p(x) p(y))) / -ln p(xy)

with p the share of messages that hold the phrase or the word. It is 1 where neither word comes without the other, 0
where the two meet as often as chance has it. A listed phrase takes nothing away from its words' own counts.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "keywords"
title = "Keywords"
ranked = True

PHRASE_MESSAGES = 5
"""A phrase in fewer messages is a coincidence as likely as not; npmi overrates what is rare."""

PHRASE_NPMI = 0.5
"""From here on a phrase is closer to "always together" than to "by chance"."""


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``keyword`` (a word, or two with a space between), ``messages`` and ``share`` of all messages, 0 to 1."""
    words = _count(data.messages["keywords"])
    phrases = _count(data.messages["phrases"])
    phrases = _more_than_their_parts(phrases[phrases["messages"] >= PHRASE_MESSAGES], words, len(data.messages))
    table = by_rank(pd.concat([words, phrases]), by="messages")
    return table.assign(share=(table["messages"] / max(len(data.messages), 1)).round(4))


def _count(lists: "pd.Series[list[str]]") -> pd.DataFrame:
    # Flattened and counted by Arrow: six million words take 0.1 s, pandas' explode takes many times that.
    counts = pc.value_counts(pc.list_flatten(pa.array(lists)).drop_null())
    keywords, messages = counts.flatten()
    return pd.DataFrame({"keyword": keywords.to_pandas(), "messages": messages.to_pandas()})


def _more_than_their_parts(phrases: pd.DataFrame, words: pd.DataFrame, messages: int) -> pd.DataFrame:
    uses = words.set_index("keyword")["messages"]
    parts = [phrase.split(" ", 1) for phrase in phrases["keyword"]]
    together = phrases["messages"].to_numpy() / messages
    # A long message's list of words may be cut, so a word can have fewer messages than its phrase.
    alone = (uses.reindex([part[at] for part in parts]).fillna(0).to_numpy() / messages for at in (0, 1))
    first, second = (np.maximum(word, together) for word in alone)
    # Multiplied out: a phrase of all messages has no rarity to divide by.
    listed: pd.DataFrame = phrases[np.log(together / (first * second)) >= PHRASE_NPMI * -np.log(together)]
    return listed


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a word or phrase, the most frequent on top."""
    charts.ranking(axes, table["keyword"], table["messages"])
