"""The fastest reader made of libraries that we know of: a trial's recipe, as far as it is told. For parse.py.

fast-mail-parser (lazy) reads a message, selectolax (lexbor) a page. A text is lowered, encoded, translated and split; a
regular expression looks at what is no plain word, once for each. It does less than we do: quotations, signatures,
footers and stop words stay, and there are no languages, no phrases and no fingerprint.
"""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import fast_mail_parser
from selectolax.lexbor import LexborHTMLParser


class Row(NamedTuple):
    """A message; `attachments` are names, media types and sizes as they were sent."""

    size: int
    sender: str
    name: str | None
    subject: str
    date: datetime | None
    attachments: tuple[tuple[str, str, int], ...]
    keywords: str


_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789'"
_TRANSLATION = bytes(code if code >= 128 or code in _LETTERS else ord(" ") for code in range(256))
_ODD = re.compile(r"[^\W\d_]{3,40}")


class _Keywords(dict[bytes, str]):
    """The keyword of each token that was met, or nothing."""

    def __missing__(self, token: bytes) -> str:
        text = token.decode(errors="replace")
        if text.isascii() and text.isalpha():
            word = text if 3 <= len(text) <= 40 else ""
        else:
            word = " ".join(_ODD.findall(text))
        self[token] = word
        return word


_KEYWORDS = _Keywords()


def rows(paths: Sequence[str]) -> list[Row | None]:
    """The rows of some files."""
    return [_row(path) for path in paths]


def _row(path: str) -> Row | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        data = os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    try:
        mail = fast_mail_parser.parse_email(data, mode="lazy")
    except fast_mail_parser.ParseError:
        return None
    sender = mail.from_
    if sender is None:
        return None
    text = "\n".join([mail.subject, *(mail.text_plain or map(_page_text, mail.text_html))])
    tokens = text.lower().encode(errors="replace").translate(_TRANSLATION).split()
    words = filter(None, map(_KEYWORDS.__getitem__, dict.fromkeys(tokens)))
    attachments = tuple((part.filename, part.mimetype, part.encoded_size) for part in mail.attachments)
    return Row(
        len(data),
        sender.address.lower(),
        sender.display_name,
        mail.subject,
        mail.date_parsed,
        attachments,
        "\n".join(words),
    )


def _page_text(page: str) -> str:
    tree = LexborHTMLParser(page)
    tree.strip_tags(["script", "style", "head"])
    return tree.text(separator=" ")
