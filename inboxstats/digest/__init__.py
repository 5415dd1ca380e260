"""What changed since the last digest: findings of a dataset, worded once for the terminal, the mail and the push.

    make(collection, …) → Findings     sections(findings) → Section…     mail.compose, push.counts

The findings are functions of the dataset, of headers, and of a period: nothing here reads a clock.
"""

from dataclasses import dataclass

from inboxstats.collection import Collection
from inboxstats.dataset import Dataset, select
from inboxstats.digest.letters import Letter, read_letters
from inboxstats.digest.mailboxes import without_aside
from inboxstats.digest.period import Period, is_mine
from inboxstats.digest.senders import NewSender, new_senders
from inboxstats.digest.waiting import Waiting, files_to_read, knows_sent, waiting
from inboxstats.digest.weekdays import UnusualDay, unusual_days
from inboxstats.digest.words import RisingWord, newly_rising
from inboxstats.selection import Selection
from inboxstats.workers import Engine

__all__ = ["COLUMNS", "Findings", "Period", "UnusualDay", "Waiting", "findings", "make", "nothing"]

COLUMNS = (
    *("file", "account", "mailbox", "size", "fingerprint", "sender", "sender_name", "subject", "date", "date_offset"),
    *("received", "list_id", "has_list_unsubscribe", "attachments", "keywords"),
)
"""Of the message table: the others need not be loaded."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a digest says.

    messages    -- how many are new; my own do not count
    troubles    -- what went wrong in the night, a sentence each
    sent_known  -- mail of mine is in the archive, so that answers are known
    """

    period: Period
    timezone: str
    messages: int
    senders: tuple[NewSender, ...]
    days: tuple[UnusualDay, ...]
    words: tuple[RisingWord, ...]
    waiting: tuple[Waiting, ...]
    sent_known: bool
    troubles: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Nobody need be told: what waits was told when it came."""
        told = self.senders or self.days or self.words or self.troubles
        return not told and not any(each.is_new for each in self.waiting)


def make(
    collection: Collection,
    period: Period,
    mine: frozenset[str],
    *,
    timezone: str,
    troubles: tuple[str, ...] = (),
    engine: Engine = "processes",
) -> Findings:
    """The findings on a collection, its message table brought up to date first. Raises StorageError."""
    rows = collection.update(engine=engine, columns=COLUMNS).rows
    data = select(without_aside(rows, collection), Selection(timezone=timezone))
    files = files_to_read(data, period, mine)
    wanted = set(files)
    locations = {entry.file: entry.location for entry in collection.entries() if entry.file in wanted} if files else {}
    return findings(data, read_letters(locations, files), period, mine, troubles=troubles)


def nothing(period: Period, timezone: str, troubles: tuple[str, ...]) -> Findings:
    """The findings where no mail can be read: what went wrong alone."""
    return Findings(period, timezone, 0, (), (), (), (), sent_known=True, troubles=troubles)


def findings(
    data: Dataset,
    letters: dict[str, Letter],
    period: Period,
    mine: frozenset[str],
    *,
    troubles: tuple[str, ...] = (),
) -> Findings:
    """The findings on a dataset with the columns COLUMNS and those of the listing. `mine` are my addresses."""
    return Findings(
        period=period,
        timezone=data.selection.timezone,
        messages=int((period.covers(data.messages) & ~is_mine(data.messages, mine)).sum()),
        senders=new_senders(data, period, mine),
        days=unusual_days(data, period, mine),
        words=newly_rising(data, period, mine),
        waiting=waiting(data, letters, period, mine),
        sent_known=knows_sent(data, period, mine),
        troubles=troubles,
    )
