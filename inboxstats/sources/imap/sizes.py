"""How many bytes are in a mailbox, from the sizes of its messages, or of some of them where there are many."""

from dataclasses import dataclass

from imapclient import IMAPClient

from inboxstats.archive.parquet import UNKNOWN
from inboxstats.sources.imap.facts import fetched
from inboxstats.sources.imap.opened import AT_ONCE, SEARCHED_AT_ONCE


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is in a mailbox: messages, and their bytes, where the server tells.

    is_estimate -- the bytes are those of a sample, taken for all
    """

    messages: int | None
    size: int | None
    is_estimate: bool = False


def measured(client: IMAPClient, exists: int) -> Extent:
    """The mailbox that is open. Raises what imaplib raises."""
    if not exists:
        return Extent(0, 0)
    is_sample = exists > AT_ONCE
    numbers = ",".join(map(str, _spread(exists))) if is_sample else f"1:{exists}"
    # By number, and once each: an answer that nobody asked for changes nothing.
    answers = {each.sequence: each.size for each in fetched(client, "FETCH", numbers, "(UID RFC822.SIZE)")}
    sizes = [size for size in answers.values() if size != UNKNOWN]
    if not sizes:
        return Extent(exists, None)
    return Extent(exists, round(sum(sizes) / len(sizes) * exists), is_estimate=len(sizes) < exists)


def _spread(exists: int) -> list[int]:
    """Numbers of messages, from the first to the last, as many as a command takes."""
    last = SEARCHED_AT_ONCE - 1
    return [1 + place * (exists - 1) // last for place in range(SEARCHED_AT_ONCE)]
