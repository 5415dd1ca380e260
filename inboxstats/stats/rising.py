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

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import ranked as by_rank
from inboxstats.stats.distinctive import encoded

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
    dated = data.with_text.dated
    now, before = _periods(dated["local"].to_numpy("datetime64[us]"))
    lengths, codes, vocabulary = encoded(dated["keywords"])
    messages, earlier = (
        np.bincount(codes[np.repeat(part, lengths)], minlength=len(vocabulary)) for part in (now, before)
    )
    growth = (messages + 0.5) / (now.sum() + 1) / ((earlier + 0.5) / (before.sum() + 1))
    table = pd.DataFrame(
        {
            "keyword": vocabulary.to_pandas().astype("str"),
            "messages": messages,
            "before": earlier,
            "growth": growth.round(2),
            "score": _log_likelihood(messages, now.sum(), earlier, before.sum()).round(2),
        }
    )
    rising = (messages >= FEWEST_USES) & (growth > 1) & (table["score"] >= SURE) & before.any()
    return by_rank(table[rising], by="score")


def _periods(times: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which messages are of the last 28 days, and which of those before."""
    ordered = np.sort(times)
    within = np.arange(1, len(ordered) + 1) - np.searchsorted(ordered, ordered - PERIOD, side="right")
    newest = ordered[within >= FEWEST_MESSAGES][-1:]
    if not len(newest):
        return np.zeros(len(times), bool), np.zeros(len(times), bool)
    now = (times > newest - PERIOD) & (times <= newest)
    return now, (times > newest - 2 * PERIOD) & (times <= newest - PERIOD)


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
