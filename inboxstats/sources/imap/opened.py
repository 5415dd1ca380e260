"""A mailbox that is open, for those who list it: no line over 64 KB goes either way, where Dovecot stops."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from imapclient import IMAPClient

from inboxstats.archive import MailboxState
from inboxstats.archive.listing import Listing

AT_ONCE = 5000
"""Messages a window: as many UIDs as a line of 64 KB holds for sure."""

SEARCHED_AT_ONCE = 500
"""UIDs or numbers in one command: some servers read no line over 8 KB."""

BYTES_A_MESSAGE = 20
"""What a message adds to the deadline of a command that may answer for all of them."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Selected:
    """What EXAMINE said. `uidvalidity` is 0 where the server gave none that can be, the others ``None``."""

    uidvalidity: int
    exists: int
    uidnext: int | None = None
    highestmodseq: int | None = None
    qresync: bool = False

    def state(self, listing: Listing) -> MailboxState:
        """The state that belongs to a listing."""
        return MailboxState(self.uidvalidity or None, self.uidnext, len(listing), self.highestmodseq)


Command = tuple[str, ...]
"""Its name and its arguments, as imaplib takes them."""


class Opened(Protocol):
    """A conversation with the mailbox open; `again` opens it anew, so that EXISTS is what it has now.

    `ahead` is the command that is sent behind EXAMINE before that one is answered. It must be the next that is given,
    or else `Channel.forget_ahead`.
    """

    def __call__(
        self, *, again: bool = False, ahead: Callable[[IMAPClient], Command] | None = None, expected_bytes: int = 0
    ) -> AbstractContextManager[tuple[IMAPClient, Selected]]: ...


def some_of(values: Sequence[Value], count: int) -> Iterator[Sequence[Value]]:
    """Values, so many at a time."""
    return (values[first : first + count] for first in range(0, len(values), count))
