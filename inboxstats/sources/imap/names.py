"""Names as they stand on the wire: those of mailboxes, and Gmail's labels, which are written like them."""

import contextlib
import re
from functools import lru_cache
from typing import Any

from imapclient import imap_utf7

LABELS = "X-GM-EXT-1"
"""Gmail's capability to tell a message's labels."""

_LABEL = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^()" ]+)')
_LITERAL = re.compile(rb"\{\d+\}$")


def decoded(raw: bytes) -> str:
    """A mailbox name as text: modified UTF-7, else UTF-8 as some servers send it, else byte for byte."""
    if raw.isascii():
        with contextlib.suppress(UnicodeError, ValueError):
            text = str(imap_utf7.decode(raw))
            text.encode()  # half a surrogate pair is no text
            return text
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode()
    return raw.decode("latin-1")


@lru_cache(maxsize=1000)
def labels(text: bytes) -> frozenset[str]:
    r"""What X-GM-LABELS holds between its brackets: ``"\\Inbox" Work`` → ``{"\Inbox", "Work"}``."""
    found = (re.sub(rb"\\(.)", rb"\1", quoted) or atom for quoted, atom in _LABEL.findall(text))
    return frozenset(decoded(label) for label in found if label)


def with_literals(parts: list[Any]) -> bytes:
    """A response in one line, each literal as the quoted string that it could have been."""
    line = b""
    for part in parts:
        if isinstance(part, bytes):
            line += part
        else:
            before, content = part[0], part[1]
            line += _LITERAL.sub(b"", before) + b'"' + re.sub(rb'(["\\])', rb"\\\1", content) + b'"'
    return line
