"""Which words have begun to rise?

Those that rise now by the rule of `stats.rising` (28 days against the 28 before) and did not at the last digest. Words
of my own mail do not count.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from inboxstats.dataset import Dataset
from inboxstats.digest.period import Period, is_mine, until
from inboxstats.stats import rising


@dataclass(frozen=True, slots=True)
class RisingWord:
    """A word, and how many messages have it in the 28 days and in those before."""

    word: str
    messages: int
    before: int


def newly_rising(data: Dataset, period: Period, mine: frozenset[str]) -> tuple[RisingWord, ...]:
    """The surest first."""
    if not period.covers(data.messages).any():
        return ()
    then = {word.word for word in _rising(data, period.earliest, mine)}
    return tuple(word for word in _rising(data, period.until, mine) if word.word not in then)


def _rising(data: Dataset, moment: datetime, mine: frozenset[str]) -> list[RisingWord]:
    messages = data.messages[until(data, moment) & ~is_mine(data.messages, mine)]
    table = rising.compute(replace(data, messages=messages))
    columns = (table[name].tolist() for name in ("keyword", "messages", "before"))
    return [RisingWord(*row) for row in zip(*columns, strict=True)]
