"""Which words are on the rise?

The 28 days up to the newest message are held against the 28 days before. Both are four weeks, so neither has a
week-end more. Mail that is dated ahead would be the newest for years: it is passed over until `FEWEST_MESSAGES` are
within 28 days.

How surely a word rises is the log-likelihood ratio G² of the two shares, from the four counts of messages with and
without the word, now and before (T. Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence",
Computational Linguistics 19, 1993, section 5):

    G² = 2 (sum of each count * ln(count / what it would be if the word were as frequent in both))
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from inboxstats import charts
from inboxstats.dataset import Dataset, Instants, Places, Words
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "rising"
title = "Rising in the newest 28 days"
ranked = True

PERIOD = np.timedelta64(28, "D")

FEWEST_MESSAGES = 10
"""In the 28 days up to the newest message."""

FEWEST_USES = 5
"""Messages of these days that hold a word."""

SURE = 10.83
"""G² that chance exceeds once in a thousand words: chi-squared of one degree of freedom at 0.001."""


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``keyword``, ``messages`` (in the 28 days), ``before`` (in those before), ``growth`` and ``score``.

    growth -- the share of messages that hold the word, as a multiple of what it was; half a message is added to either
              count, so that a new word has one, too
    score  -- G², the highest first. No row where nothing came in the 28 days before.
    """
    data = data.with_text
    now, before = _periods(data.messages["local"].to_numpy("datetime64[us]"))
    messages, earlier = (_uses(data.words, part) for part in (now, before))
    growth = (messages + 0.5) / (len(now) + 1) / ((earlier + 0.5) / (len(before) + 1))
    score = _log_likelihood(messages, len(now), earlier, len(before)).round(2)
    rising = np.flatnonzero((messages >= FEWEST_USES) & (growth > 1) & (score >= SURE) & (len(before) > 0))
    table = pd.DataFrame(
        {
            "keyword": data.words.vocabulary.take(pa.array(rising)).to_pandas().astype("str"),
            "messages": messages[rising],
            "before": earlier[rising],
            "growth": growth[rising].round(2),
            "score": score[rising],
        }
    )
    return by_rank(table, by="score")


def _uses(words: Words, messages: Places) -> npt.NDArray[np.int64]:
    """How many of some messages hold each word of the vocabulary."""
    return np.bincount(words.of(messages).codes, minlength=len(words.vocabulary))


def _periods(times: Instants) -> tuple[Places, Places]:
    """Which messages are of the last 28 days, and which of those before."""
    ordered = np.sort(times[~np.isnat(times)])
    within = np.arange(1, len(ordered) + 1) - np.searchsorted(ordered, ordered - PERIOD, side="right")
    newest = ordered[within >= FEWEST_MESSAGES][-1:]
    if not len(newest):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    now = (times > newest - PERIOD) & (times <= newest)
    before = (times > newest - 2 * PERIOD) & (times <= newest - PERIOD)
    return np.flatnonzero(now), np.flatnonzero(before)


def _log_likelihood(
    with_now: npt.NDArray[np.int64], now: int, with_before: npt.NDArray[np.int64], before: int
) -> npt.NDArray[np.float64]:
    share = (with_now + with_before) / max(now + before, 1)
    observed = np.array([with_now, now - with_now, with_before, before - with_before], dtype=np.float64)
    expected = np.array([now * share, now * (1 - share), before * share, before * (1 - share)])
    ratio = np.divide(observed, expected, out=np.ones_like(observed), where=observed > 0)  # 0 * ln 0 is 0
    likelihood: npt.NDArray[np.float64] = 2 * (observed * np.log(ratio)).sum(axis=0)
    return likelihood


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a word: how many messages of the 28 days hold it, and how many did before."""
    charts.ranking(axes, table["keyword"], table["messages"], before=table["before"])
