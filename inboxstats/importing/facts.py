"""What a message's header and its place in an mbox say about when it came, its flags and its labels.

Programs that keep mail in an mbox have no other place for flags than the header, and change it there whenever a flag
changes. Those fields are theirs, not the message's: they are taken off, so that the message stays the same.
"""

import csv
import re
from datetime import UTC, datetime

from inboxstats.parse.date import parse_date, parse_received
from inboxstats.parse.headers import read_section, start_of_message, text

HEAD = 1_000_000
"""Bytes of a header that are looked at."""

# Gmail's Takeout; mutt, Dovecot and the c-client of Alpine and UW; Thunderbird.
_BOOKKEEPING = re.compile(
    rb"^(X-Gmail-Labels|Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|X-Mozilla-Status2?|X-Mozilla-Keys)[ \t]*:"
    rb"((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)",
    re.IGNORECASE | re.MULTILINE,
)
# RFC 4155 has asctime's form, in UTC. Takeout and others have an offset before the year or behind it.
_FROM_DATE = re.compile(
    rb"([A-Z][a-z][a-z]) {1,2}(\d{1,2}) (\d\d:\d\d(?::\d\d)?) (?:([A-Z]{1,5}|[+-]\d{4}) )?(\d{4})(?: ([+-]\d{4}))?"
)
_STATUS = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "D": "\\Deleted", "T": "\\Draft"}
_MOZILLA = {0x1: "\\Seen", 0x2: "\\Answered", 0x4: "\\Flagged", 0x8: "\\Deleted", 0x1000: "$Forwarded"}
_KEYWORD = re.compile(r"[!#$&'+,./0-9:;<=>?@A-Z\[^_`a-z|}~-]{1,100}")  # an atom of RFC 9051, section 9

# As X-GM-LABELS over IMAP names them. Takeout writes the states of a message among its labels.
_GMAIL_LABELS = {
    "Inbox": "\\Inbox", "Sent": "\\Sent", "Drafts": "\\Draft", "Important": "\\Important", "Starred": "\\Starred",
}  # fmt: skip
_GMAIL_FLAGS = {"Opened": "\\Seen", "Starred": "\\Flagged", "Drafts": "\\Draft"}
_GMAIL_STATES = {"Opened", "Unread", "Archived"}

Marks = tuple[frozenset[str], frozenset[str]]
"""Flags and labels."""


def arrived(head: bytes, *, separator: bytes = b"", written: float | None = None) -> datetime | None:
    """When a message came: its top Received header; else its mbox's ``From `` line.

    Where there is neither, nor a Date, it is when its file was `written` (POSIX time): a copy of a Maildir is as old
    as the day of copying, so any date in the message is better. ``None`` leaves it to the Date header.
    """
    fields = read_section(head, start_of_message(head), len(head), limit=HEAD).fields
    if found := parse_received(fields.get(b"received", b"")) or _from_date(separator):
        return found
    if written is None or parse_date(fields.get(b"date", b"")):
        return None
    try:
        return datetime.fromtimestamp(written, UTC)
    except (ValueError, OverflowError, OSError):  # a file system may hold any number
        return None


def _from_date(separator: bytes) -> datetime | None:
    if match := _FROM_DATE.search(separator):
        month, day, clock, zone, year, offset = match.groups()
        return parse_date(b" ".join((day, month, year, clock, zone or offset or b"+0000")))
    return None


def without_bookkeeping(head: bytes) -> tuple[bytes, Marks]:
    """A header with its blank line, without the fields of mail programs; and the flags and labels in them."""
    flags: set[str] = set()
    labels: set[str] = set()
    for name, value in _BOOKKEEPING.findall(head):
        words = text(b" ".join(value.split()))
        match name.lower():
            case b"x-gmail-labels":
                found = _gmail_labels(words)
                flags.update(_GMAIL_FLAGS[each] for each in found if each in _GMAIL_FLAGS)
                labels.update(_GMAIL_LABELS.get(each, each) for each in found if each not in _GMAIL_STATES)
            case b"status" | b"x-status":
                flags.update(_STATUS[letter] for letter in words if letter in _STATUS)
            case b"x-mozilla-status":
                bits = int(words, 16) if re.fullmatch("[0-9a-fA-F]{1,8}", words) else 0
                flags.update(flag for bit, flag in _MOZILLA.items() if bits & bit)
            case b"x-keywords" | b"x-mozilla-keys":
                flags.update(filter(_KEYWORD.fullmatch, words.split()))
    return _BOOKKEEPING.sub(b"", head), (frozenset(flags), frozenset(labels))


def _gmail_labels(words: str) -> list[str]:
    """``Inbox,"a, b"`` → ``["Inbox", "a, b"]``."""
    try:
        (row,) = csv.reader([words.replace("\0", "")], skipinitialspace=True)
    except (csv.Error, ValueError):
        row = words.split(",")
    return [label for each in row if (label := each.strip())]
