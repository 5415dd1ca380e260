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
from inboxstats.stats.counting import added
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
    data = data.with_text
    words = _count(data.messages["keywords"])
    phrases = _more_than_their_parts(_count_phrases(data, words["keyword"]), words, len(data.messages))
    table = by_rank(pa.concat_tables([words, phrases]).to_pandas(), by="messages")
    return table.assign(share=(table["messages"] / max(len(data.messages), 1)).round(4))


def _count(lists: "pd.Series[list[str]]") -> pa.Table:
    # Flattened and counted by Arrow: six million words take 0.1 s, pandas' explode takes many times that.
    keywords, messages = pc.value_counts(pc.list_flatten(pa.array(lists)).drop_null()).flatten()
    return pa.table({"keyword": keywords.cast(pa.string()), "messages": messages})


def _count_phrases(data: Dataset, words: pa.ChunkedArray) -> pa.Table:
    """Columns ``first`` and ``second``, row numbers of `words`, and ``messages``: phrases of PHRASE_MESSAGES or more.

    As pairs of numbers: of five million phrases most are met once, and as texts they would take four times the memory.
    """
    numbers = messages = np.empty(0, np.int64)
    for phrases in data.phrases():
        found = pc.index_in(pc.list_flatten(pc.split_pattern(phrases, " ", max_splits=1)), value_set=words)
        first, second = found.to_numpy().reshape(-1, 2).T  # none is null: a phrase is of its message's words
        pairs, times = np.unique(first.astype(np.int64) * len(words) + second, return_counts=True)
        numbers, messages = added(np.concatenate([numbers, pairs]), np.concatenate([messages, times]))
    often = messages >= PHRASE_MESSAGES
    first, second = np.divmod(numbers[often], max(len(words), 1))
    return pa.table({"first": first, "second": second, "messages": messages[often]})


def _more_than_their_parts(phrases: pa.Table, words: pa.Table, messages: int) -> pa.Table:
    """Columns ``keyword`` and ``messages``."""
    together = phrases["messages"].to_numpy() / messages
    first, second = (words["messages"].take(phrases[name]).to_numpy() / messages for name in ("first", "second"))
    # Multiplied out: a phrase of all messages has no rarity to divide by.
    phrases = phrases.filter(pa.array(np.log(together / (first * second)) >= PHRASE_NPMI * -np.log(together)))
    texts = (words["keyword"].take(phrases[name]) for name in ("first", "second"))
    return pa.table({"keyword": pc.binary_join_element_wise(*texts, " "), "messages": phrases["messages"]})


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a word or phrase, the most frequent on top."""
    charts.ranking(axes, table["keyword"], table["messages"])
