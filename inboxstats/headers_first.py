"""Whether the headers of what is missing come before its text, so that a report need not wait for ten years of mail.

The fields that a report counts by are a fiftieth of the bytes, or less. They come first where the user says so, and
otherwise where the rest would take longer than LONG: by a cap on bandwidth, by what is left of the day's budget, or by
the speed that the download shows in its first seconds.
"""

import math
from collections.abc import Sequence
from typing import Protocol

from inboxstats.archive import DailyBudget, MailboxFolder
from inboxstats.archive.listing import Listing
from inboxstats.download import Wanted
from inboxstats.mail import Part

LONG = 120.0
"""Seconds: who would wait longer for all of the mail gets headers first."""

Missing = tuple[MailboxFolder, Listing]
"""A mailbox and the messages that are missing of it."""


class Watcher(Protocol):
    """Is told how headers come, for a progress bar. Called from several threads, one at a time."""

    def headers(self, messages: int, seconds: float | None) -> None:
        """The headers of so many come now, as all of the text would take so long: ``math.inf`` is more than a day.

        ``None`` where the user asked for them.
        """

    def header_stored(self) -> None:
        """One more is here."""

    def headers_done(self) -> None:
        """What comes now is text."""


class HeadersFirst:
    """A `download.Overture`.

    is_wanted -- what the user says; ``None``: as it takes
    rate      -- at most so many bytes a second; ``None`` is any
    budget    -- of the day; ``None`` is any
    """

    def __init__(
        self,
        missing: Sequence[Missing],
        watcher: Watcher,
        *,
        is_wanted: bool | None,
        rate: int | None,
        budget: DailyBudget | None,
    ) -> None:
        self._missing = missing
        self._watcher = watcher
        self._is_wanted = is_wanted
        self._rate = rate
        self._left = None if budget is None else max(0, budget.limit - budget.used)
        self._size = sum(messages.total_size() for _, messages in missing)

    def needed(self) -> int:
        """How many headers would come first, by what is known before anything came. Raises StorageError."""
        return sum(len(each.messages) for each in self._headers(self._seconds()))

    def at_once(self) -> Sequence[Wanted]:
        return self._told(self._seconds())

    def after(self, size: int, seconds: float) -> Sequence[Wanted]:
        self._missing = [
            (folder, messages.without(folder.stored().uids(messages.uidvalidity))) for folder, messages in self._missing
        ]
        return self._told((self._size - size) * seconds / size)

    def stored(self) -> None:
        self._watcher.header_stored()

    def is_over(self) -> None:
        self._watcher.headers_done()

    def _seconds(self) -> float | None:
        """How long the text will take as far as that is known."""
        if self._is_wanted is not None:
            return None
        if self._left is not None and self._size > self._left:
            return math.inf
        return self._size / self._rate if self._rate else 0.0

    def _told(self, seconds: float | None) -> Sequence[Wanted]:
        headers = self._headers(seconds)
        if headers:
            self._watcher.headers(sum(len(each.messages) for each in headers), seconds)
        return headers

    def _headers(self, seconds: float | None) -> list[Wanted]:
        if self._is_wanted is False or (seconds is not None and seconds <= LONG):
            return []
        found = [Wanted(folder, folder.headers.missing(messages), Part.HEADER) for folder, messages in self._missing]
        return [each for each in found if each.messages]
