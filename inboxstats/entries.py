"""The message files that a table is made of, as their source names them. Standard library only."""

from dataclasses import dataclass
from typing import NamedTuple

from inboxstats.mail import Location, MessageKey

IDENTITY = ("account", "mailbox", "key", "version")
"""The columns by which a row of the table is known to be a file's."""

LISTED_BY = ("account", "mailbox", "key")
"""The columns by which a row is known to be of a message that a server's listing tells of."""


class Entry(NamedTuple):  # made in half of a dataclass's time: each report makes one for every message
    """A message file that there is. Account, mailbox, key and the location's version identify its row.

    `file` names it for a person: its path below the collection's root.
    """

    account: str | None
    mailbox: str
    key: MessageKey
    location: Location
    file: str

    @property
    def identity(self) -> str:
        """The values of `IDENTITY` as one text."""
        return "\0".join((self.account or "", self.mailbox, self.key, self.location.version))


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that gives no message, and why."""

    entry: Entry
    reason: str
