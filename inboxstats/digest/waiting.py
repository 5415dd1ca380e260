"""Which mail waits for an answer of mine?

A message of the last 14 days waits where all of this holds:

- it is to me: one of my addresses stands in To (not only in Cc), beside four others at most;
- a person wrote it: not I, no list (List-Id, Precedence), nothing that can be unsubscribed from, nothing automatic
  (Auto-Submitted), and no address such as noreply@ or mailer-daemon@;
- it is not answered: no message of mine has its Message-ID in In-Reply-To or References, and the server has not marked
  it \\Answered, as mail programs do.

The first can only be known where sent mail is in the archive, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from inboxstats.dataset import Dataset
from inboxstats.digest.letters import Letter
from inboxstats.digest.period import Mask, Period, is_mine, until, written

DAYS = timedelta(days=14)

MOST_RECIPIENTS = 5
"""Addresses in To: what goes to more is no question to one."""

_MACHINE = re.compile(
    r"(^|[._+-])(no|do[._-]?not)[._-]?reply([._+-]|$)"
    r"|^(mailer-daemon|postmaster|bounces?|notifications?|notify|newsletter|news|alerts?|automated|system)([._+-]|$)"
)
_LEFT_ASIDE = frozenset({"\\Answered", "\\Deleted", "\\Draft", "$Junk", "Junk"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits. `is_new`: it came since the last digest."""

    address: str
    name: str | None
    subject: str | None
    when: datetime
    is_new: bool


def files_to_read(data: Dataset, period: Period, mine: frozenset[str]) -> list[str]:
    """The files whose headers `waiting` needs: those that may wait, and those that I sent."""
    recent = _recent(data, period)
    return [str(file) for file in recent["file"][is_mine(recent, mine) | _may_wait(recent)]]


def waiting(data: Dataset, letters: Mapping[str, Letter], period: Period, mine: frozenset[str]) -> tuple[Waiting, ...]:
    """The newest first."""
    recent = _recent(data, period)
    mine_here = is_mine(recent, mine)
    sent = [letters[file] for file in recent["file"][mine_here] if file in letters]
    answered = frozenset().union(*(letter.answers for letter in sent))
    candidates = recent.assign(new=period.covers(recent))[~mine_here & _may_wait(recent)]
    columns = (candidates[name].tolist() for name in ("file", "sender", "sender_name", "subject", "when", "new"))
    found = [
        Waiting(str(sender), written(name), written(subject), when.to_pydatetime(), bool(new))
        for file, sender, name, subject, when, new in zip(*columns, strict=True)
        if (letter := letters.get(file)) is not None
        and _is_to(letter, mine)
        and not letter.automatic
        and letter.identifier not in answered
    ]
    return tuple(sorted(found, key=lambda each: each.when, reverse=True))


def knows_sent(data: Dataset, period: Period, mine: frozenset[str]) -> bool:
    """Whether there is mail of mine by which an answer could be known."""
    return bool(is_mine(_recent(data, period), mine).any())


def _recent(data: Dataset, period: Period) -> pd.DataFrame:
    return data.messages[until(data, period.until) & ~until(data, period.until - DAYS)]


def _may_wait(messages: pd.DataFrame) -> Mask:
    """What the table alone cannot rule out."""
    done = [not _LEFT_ASIDE.isdisjoint(flags or ()) for flags in pa.array(messages["flags"]).to_pylist()]
    senders = pa.array(messages["sender"]).to_pylist()
    machine = [sender is None or bool(_MACHINE.search(sender.rpartition("@")[0])) for sender in senders]
    bulk = messages["list_id"].notna() | messages["has_list_unsubscribe"]
    mask: Mask = ~(np.array(done, bool) | np.array(machine, bool) | bulk.to_numpy(bool))
    return mask


def _is_to(letter: Letter, mine: frozenset[str]) -> bool:
    return bool(letter.to & mine) and len(letter.to) <= MOST_RECIPIENTS
