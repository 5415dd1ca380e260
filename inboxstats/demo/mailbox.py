"""The demo's mailbox, made up: the same arguments give the same bytes on every machine.

What happens in it is told by story.py; this file delivers it: mailboxes, internal dates, flags.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from inboxstats.demo.cast import ME
from inboxstats.demo.compose import Letter, to_bytes
from inboxstats.demo.story import letters, occasions

UNREAD_SINCE = timedelta(days=4)
ONE_COPY_IN = 80
"""So many messages have one that is also kept in Archive: real mailboxes have such duplicates."""


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """A message as the server keeps it, and the letter that it was made of, which tells what a reader should see.

    `internal_date` is in UTC; `is_copy` marks one whose bytes also stand in another mailbox.
    """

    mailbox: str
    internal_date: datetime
    flags: frozenset[str]
    data: bytes
    letter: Letter
    is_copy: bool = False


def generate(*, messages: int = 2000, seed: int = 2026, last_day: date) -> list[DemoMessage]:
    """So many messages of the 18 months up to `last_day`, in the order of their arrival."""
    rng = Random(seed)  # noqa: S311 - a story, not a key
    copies = messages // ONE_COPY_IN
    written = list(letters(occasions(messages - copies, last_day, rng), rng))
    answered = {letter.references[-1] for letter in written if letter.sender == ME.address and letter.references}
    delivered = [_delivered(letter, answered, last_day, rng) for letter in written]
    archived = [replace(message, mailbox="Archive", is_copy=True) for message in rng.sample(delivered, copies)]
    return sorted([*delivered, *archived], key=lambda message: message.internal_date)


def _delivered(letter: Letter, answered: AbstractSet[str], last_day: date, rng: Random) -> DemoMessage:
    travel = timedelta(seconds=rng.randrange(20, 600) if letter.list_id else rng.randrange(1, 30))
    arrival = (letter.date + travel).astimezone(UTC)
    is_new = last_day - letter.date.date() < UNREAD_SINCE
    flags = _flags(letter, answered, is_new=is_new, rng=rng)
    return DemoMessage(_mailbox(letter), arrival, flags, to_bytes(letter, received=arrival), letter)


def _mailbox(letter: Letter) -> str:
    if letter.sender == ME.address:
        return "Sent"
    return "Lists" if letter.list_id and not letter.tool else "INBOX"


def _flags(letter: Letter, answered: AbstractSet[str], *, is_new: bool, rng: Random) -> frozenset[str]:
    flags = set()
    unread = 0.5 if is_new else 0.15 if letter.tool else 0.0
    if rng.random() >= unread:
        flags.add("\\Seen")
    if letter.message_id in answered:
        flags |= {"\\Seen", "\\Answered"}
    if rng.random() < 0.03:
        flags.add("\\Flagged")
    return frozenset(flags)
