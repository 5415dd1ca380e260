"""What someone would write in an afternoon with the standard library alone: the yardstick of benchmarks/parse.py.

    python benchmarks/plain.py DIR [--processes N]

Reads every .eml file below DIR with `email` (policy compat32) in processes, strips HTML with `html.parser`, finds words
with `re`, counts with Counter, and prints senders, hours, weekdays and keywords as JSON. It guards nothing: what one
message raises costs that message.
"""

import argparse
import json
import os
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path

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


def rows(paths: list[str]) -> list[Row | None]:
    """The rows of some files."""
    return [row(Path(path).read_bytes()) for path in paths]


def main() -> None:
    """The whole script."""
    parser = argparse.ArgumentParser(description="Counts mail with the standard library alone.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.rglob("*.eml"))
    batches = [paths[start : start + 100] for start in range(0, len(paths), 100)]
    senders: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    weekdays: Counter[int] = Counter()
    keywords: Counter[str] = Counter()
    with ProcessPoolExecutor(options.processes) as pool:
        for found in pool.map(rows, batches):
            for sender, _, date, _, words in filter(None, found):
                senders[sender] += 1
                keywords.update(words)
                if date:
                    hours[date.hour] += 1
                    weekdays[date.isoweekday()] += 1
    counters = {"senders": senders, "hours": hours, "weekdays": weekdays, "keywords": keywords}
    print(json.dumps({name: counter.most_common(100) for name, counter in counters.items()}, indent=1))


if __name__ == "__main__":
    main()
