"""Which messages a report is asked about. Standard library only: a command is understood before pandas is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from inboxstats.globs import matches

Clock = Literal["received", "date"]
Duplicates = Literal["merge", "keep"]

SENDER_ZONE = "sender"
"""The time zone that stands for each sender's own offset."""

COUNTED = (
    *("file", "account", "mailbox", "size", "fingerprint", "sender", "sender_name", "date", "date_offset", "received"),
    *("is_reply", "list_id", "has_list_unsubscribe", "attachments", "language", "keywords"),
)
"""The columns of the message table that `select` and the statistics read: the others need not be loaded for them."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages count, and by which time.

    since, until -- days in `timezone`, both inclusive; a message without a time is in no period, and of copies the
             first one's time counts, so that the months of a year add up to it
    accounts, mailboxes -- globs, see `globs.matches`; none means all. A message is in the mailbox where it is stored,
             and in those that its labels name
    clock -- ``received``: the internal date, else the top Received header, else Date; ``date``: the Date header alone
    timezone -- an IANA name, or ``sender`` for the offset of each message's own Date header (UTC where it has none)
    duplicates -- ``merge`` counts equal fingerprints once, ``keep`` counts each file
    """

    since: date | None = None
    until: date | None = None
    accounts: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    clock: Clock = "received"
    timezone: str = "UTC"
    duplicates: Duplicates = "merge"

    def covers(self, account: str | None, mailbox: str) -> bool:
        """Whether mail of that account and mailbox is wanted, whatever its time."""
        return matches_any(account, self.accounts) and matches_any(mailbox, self.mailboxes)


def label_name(label: str) -> str:
    r"""A label as a mailbox of that name: Gmail's own ``\Inbox`` is INBOX, ``\Sent`` is Sent."""
    return "INBOX" if label == "\\Inbox" else label.removeprefix("\\")


def matches_any(name: str | None, globs: Sequence[str]) -> bool:
    """Whether a name is wanted: by one of the globs, or because there are none."""
    return not globs or (name is not None and any(matches(name, glob) for glob in globs))
