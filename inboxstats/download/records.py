"""What a download is given and what comes of it."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from inboxstats.archive import MailboxFolder
from inboxstats.archive.listing import Listing
from inboxstats.errors import InboxstatsError
from inboxstats.mail import Content, Mailbox, MessageInfo, MessageKey, Part


class Connection(Protocol):
    """What a thread needs of a source: see `sources.imap.ImapSource`. `answer` waits as `turns.waiting` does."""

    def connect(self) -> None: ...
    def prepare(self, mailbox: Mailbox) -> None: ...
    def ask(self, mailbox: Mailbox, keys: Sequence[MessageKey], part: Part, *, expected_bytes: int = 0) -> bool: ...
    def answer(self, mailbox: Mailbox) -> Iterator[tuple[MessageKey, Content]]: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Budget(Protocol):
    """How much may come, such as `archive.DailyBudget`: bytes of messages and headers."""

    def allows(self, size: int, *, promised: int) -> bool: ...
    def count(self, size: int) -> None: ...
    def spent(self) -> InboxstatsError: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """The messages of a mailbox that are to be stored in its folder, or their headers."""

    folder: MailboxFolder
    messages: Mapping[MessageKey, MessageInfo]
    part: Part = Part.WHOLE

    def without(self, taken: AbstractSet[MessageKey]) -> "Wanted":
        """All but those that are taken. A million messages need no copy of them."""
        return Wanted(self.folder, _Others(self.messages, taken))

    def sized(self) -> Iterator[tuple[MessageKey, int]]:
        """Each message with its size in bytes, 0 for an unknown one."""
        return _sized(self.messages)


def _sized(messages: Mapping[MessageKey, MessageInfo]) -> Iterator[tuple[MessageKey, int]]:
    if isinstance(messages, Listing | _Others):
        return messages.sized()
    return ((key, info.size or 0) for key, info in messages.items())


class Overture(Protocol):
    """What comes before messages: see `headers_first.HeadersFirst`. Called from any thread, one at a time."""

    def at_once(self) -> Sequence[Wanted]:
        """The headers to begin with."""

    def after(self, size: int, seconds: float) -> Sequence[Wanted]:
        """The headers to go on with, now that so many bytes of messages took so many seconds.

        Asked once, where there were none at once.
        """

    def stored(self) -> None:
        """A header is stored."""

    def is_over(self) -> None:
        """All headers are there, or not to be had."""


class _Others(Mapping[MessageKey, MessageInfo]):
    """A mapping but for some of its keys."""

    def __init__(self, every: Mapping[MessageKey, MessageInfo], taken: AbstractSet[MessageKey]) -> None:
        self._every = every
        self._taken = frozenset(key for key in taken if key in every)

    def __len__(self) -> int:
        return len(self._every) - len(self._taken)

    def __iter__(self) -> Iterator[MessageKey]:
        return (key for key in self._every if key not in self._taken)

    def __getitem__(self, key: MessageKey) -> MessageInfo:
        if key in self._taken:
            raise KeyError(key)
        return self._every[key]

    def sized(self) -> Iterator[tuple[MessageKey, int]]:
        """Without a search for each key."""
        return ((key, size) for key, size in _sized(self._every) if key not in self._taken)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be fetched; the next run tries again."""

    mailbox: str
    key: MessageKey
    reason: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What came of a download.

    stored, bytes -- messages now in the archive, and their size
    headers -- headers now in the archive, of messages that were still to come
    failed -- messages that the server would not give
    refused -- by mailbox, why none of its messages could be had any more, and how many that costs
    absent -- by mailbox, messages that an answer left out: expunged, or to be tried again
    error -- what ended the download early; `left` messages were then not asked for
    """

    stored: int
    bytes: int
    failed: tuple[Failure, ...]
    absent: Mapping[str, frozenset[MessageKey]]
    refused: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    left: int = 0
    headers: int = 0
    error: InboxstatsError | None = None
