"""Whether a listing is of the messages that the archive has, or of others to which the server gave the same UIDs.

RFC 9051, section 2.3.1.1, wants a new UIDVALIDITY then. A server that counts it in seconds may keep the old one.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Protocol

from inboxstats.archive import MailboxFolder, MailboxState, Stored
from inboxstats.archive.layout import message_key, message_path
from inboxstats.archive.listing import Listing, differing
from inboxstats.errors import ServerRefusalError, UnreadableAnswerError
from inboxstats.mail import Location, Mailbox, MessageKey

SAMPLE = 20
"""Messages whose Message-IDs are compared, where there is a suspicion."""

_HEAD = 200_000
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)


class Sampled(Protocol):
    """A source that can give a message's Message-ID without its text: `sources.imap.ImapSource`."""

    def message_ids(self, mailbox: Mailbox, keys: Collection[MessageKey]) -> Mapping[MessageKey, bytes]: ...


def suspects(before: MailboxState | None, known: Listing, now: MailboxState, listing: Listing) -> Sequence[int]:
    """UIDs that may be used again: of another size or date than before; all of them, where UIDNEXT went down."""
    if known.uidvalidity != listing.uidvalidity:
        return ()
    if found := [listing.uids[place] for place in differing(known, listing)]:
        return found
    went_down = before and before.uidnext and now.uidnext and now.uidnext < before.uidnext
    return listing.uids if went_down else ()


def used_again(
    source: Sampled, folder: MailboxFolder, stored: Stored, uidvalidity: int, uids: Sequence[int]
) -> tuple[int, int] | None:
    """How many of these UIDs, in a sample, stand for another message than in the archive; and the size of the sample.

    ``None`` where the server tells of none of them. Raises NetworkError, StorageError.
    """
    sample = list(islice(_stored_ones(stored, uidvalidity, uids), SAMPLE))
    if not sample:
        return 0, 0
    answers = _message_ids(source, folder.mailbox, sample)
    if not answers:
        return None
    return sum(message_id(head) != _stored_message_id(folder, key) for key, head in answers.items()), len(answers)


def _message_ids(source: Sampled, mailbox: Mailbox, sample: Sequence[MessageKey]) -> Mapping[MessageKey, bytes]:
    """Those that the server tells; where it fails over some of the messages, those of the others."""
    try:
        return source.message_ids(mailbox, sample)
    except (ServerRefusalError, UnreadableAnswerError):
        found: dict[MessageKey, bytes] = {}
        for key in sample:
            with suppress(ServerRefusalError, UnreadableAnswerError):
                found.update(source.message_ids(mailbox, [key]))
        return found


def _stored_ones(stored: Stored, uidvalidity: int, uids: Sequence[int]) -> Iterator[MessageKey]:
    keys = (message_key(uidvalidity, uid) for uid in uids[:: 1 + len(uids) // (10 * SAMPLE)])
    return (key for key in keys if key in stored)


def _stored_message_id(folder: MailboxFolder, key: MessageKey) -> bytes | None:
    return message_id(Location(str(Path(folder.path, *message_path(key)))).read(_HEAD))


def message_id(message: bytes) -> bytes | None:
    """What the first Message-ID header holds, without white space; ``None`` where there is none."""
    end = _BLANK_LINE.search(message)
    found = _MESSAGE_ID.search(message, 0, end.start() if end else len(message))
    return b"".join(found[1].split()) if found else None
