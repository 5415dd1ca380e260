"""What is the mail about?

A word counts once a message. A phrase of two words is listed where it is more than its parts, by normalised pointwise
mutual information (G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", 2009):

    npmi = ln(p(xy) / (p(x) p(y))) / -ln p(xy)

with p the share of messages that hold the phrase or the word. It is 1 where neither word comes without the other, 0
where the two meet as often as chance has it. A listed phrase takes nothing away from its words' own counts.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats import charts
from inboxstats.dataset import Dataset, Words
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
    words = _count(data.words)
    often = words.filter(pc.greater_equal(words["messages"], PHRASE_MESSAGES))
    phrases = _more_than_their_parts(_count_phrases(data, often), often, len(data.messages))
    table = by_rank(pa.concat_tables([words, phrases]).to_pandas(), by="messages")
    return table.assign(share=(table["messages"] / max(len(data.messages), 1)).round(4))


def _count(words: Words) -> pa.Table:
    messages = np.bincount(words.codes, minlength=len(words.vocabulary))
    used = np.flatnonzero(messages)
    return pa.table({"keyword": words.vocabulary.take(pa.array(used)), "messages": messages[used]})


def _count_phrases(data: Dataset, words: pa.Table) -> pa.Table:
    """Columns ``first`` and ``second``, row numbers of `words`, and ``messages``: phrases of PHRASE_MESSAGES or more.

    words -- those of as many messages

    Phrases whose words are too far from equally frequent are left out: p(xy) is p(x) at most, so that npmi reaches its
    bound only where p(y) <= p(x) ** PHRASE_NPMI.
    """
    messages = words["messages"].to_numpy()
    # A little more than the bound: a float must not leave out what is exactly on it.
    most = len(data.messages) * (messages / len(data.messages)) ** PHRASE_NPMI * (1 + 1e-9)
    pairs = [np.empty(0, np.int64)]
    for phrases in data.phrases():
        rows = pc.fill_null(pc.index_in(phrases.dictionary, value_set=words["keyword"]), -1).to_numpy()
        first, second = rows[phrases.indices.to_numpy()].reshape(-1, 2).T
        both = (first >= 0) & (second >= 0)
        first, second = first[both], second[both]
        possible = (messages[first] <= most[second]) & (messages[second] <= most[first])
        pairs.append(first[possible].astype(np.int64) * len(words) + second[possible])
    found, times = np.unique(_met_often(np.concatenate(pairs)), return_counts=True)
    often = times >= PHRASE_MESSAGES
    first, second = np.divmod(found[often], max(len(words), 1))
    return pa.table({"first": first, "second": second, "messages": times[often]})


def _met_often(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """All that are there PHRASE_MESSAGES times, and a few others: most are there once, and sorting them takes long."""
    ends = numbers & ((1 << len(numbers).bit_length()) - 1)
    often: npt.NDArray[np.int64] = numbers[np.bincount(ends)[ends] >= PHRASE_MESSAGES]
    return often


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
