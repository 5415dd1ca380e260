"""What someone would write in an afternoon with the standard library alone: the yardstick for our parser.

Reads a message with `email` (policy compat32), strips HTML with `html.parser`, finds words with `re`. It guards
nothing: what one message raises costs that message. benchmarks/plain.py makes a whole script of it.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser

from inboxstats.mail import Location

_WORD = re.compile(r"[^\W\d_]{3,}")
_STOP_WORDS = frozenset(
    "the and for that this with you from have not are was but your will can has all our one they would there their"
    " what about which when them been some were more out other than into only also any may its who how his her".split()
)

Row = tuple[str, str, datetime | None, list[tuple[str, str, int]], list[str]]
"""Sender, subject, date, attachments (name, type, size), and each keyword once."""


class _Text(HTMLParser):
    """The text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def row(data: bytes) -> Row | None:
    """A message's row; ``None`` where something raises."""
    try:
        message = message_from_bytes(data)
        sender = parseaddr(_decoded(message["From"]))[1].lower()
        date = parsedate_to_datetime(message["Date"]) if message["Date"] else None
        texts: list[str] = []
        attachments: list[tuple[str, str, int]] = []
        for part in message.walk():
            if part.is_multipart():
                continue
            name = part.get_filename()
            if name or part.get_content_disposition() == "attachment":
                attachments.append((name or "", part.get_content_type(), len(_octets(part))))
            elif part.get_content_type() == "text/plain":
                texts.append(_text(part))
            elif part.get_content_type() == "text/html":
                page = _Text()
                page.feed(_text(part))
                texts.append(" ".join(page.pieces))
        subject = _decoded(message["Subject"])
        words = {word for text in (subject, *texts) for word in _WORD.findall(text.lower())} - _STOP_WORDS
        return sender, subject, date, attachments, list(words)
    except Exception:  # noqa: BLE001 - as such scripts do
        return None


def rows(locations: Sequence[Location]) -> list[Row | None]:
    """The rows of messages, in order; ``None`` where something raises. Raises OSError."""
    return [row(location.read()) for location in locations]


def _decoded(value: object) -> str:
    return str(make_header(decode_header(str(value)))) if value else ""


def _octets(part: "Message[str, str]") -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: "Message[str, str]") -> str:
    try:
        return _octets(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return _octets(part).decode("utf-8", "replace")
