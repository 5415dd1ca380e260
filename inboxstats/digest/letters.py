"""What a message's header tells of a correspondence: to whom it is, what it answers, whether a machine wrote it.

The message table has none of this, and a digest wants it of two weeks of mail alone: so it is read from the files.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses

from inboxstats.mail import Location

MOST_BYTES = 256 * 1024
"""Of a file that are read; a header is rarely longer, and what stands behind is not missed."""

_IDENTIFIER = re.compile(r"<([^<>\s]{1,998})>")
_MOST_IDENTIFIERS = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """A header. Identifiers are without angle brackets, addresses in lower case.

    to        -- those of To, each once; Cc does not count
    answers   -- the messages that it replies to: In-Reply-To and References (RFC 5322, section 3.6.4)
    automatic -- a machine wrote it (Auto-Submitted, RFC 3834) or it went to many (Precedence, List-Id)
    """

    identifier: str | None
    to: frozenset[str]
    answers: frozenset[str]
    automatic: bool


def read_letter(data: bytes) -> Letter:
    """The header of a message; total: an unreadable field is as one that is absent."""
    try:
        header = BytesHeaderParser().parsebytes(data)
    except (MessageError, ValueError, LookupError):
        return Letter(None, frozenset(), frozenset(), automatic=False)
    identifiers = _IDENTIFIER.findall(_text(header, "Message-ID"))
    answered = " ".join((_text(header, "In-Reply-To"), _text(header, "References")))
    return Letter(
        identifier=identifiers[0] if identifiers else None,
        to=frozenset(address.lower() for _, address in getaddresses(_texts(header, "To")) if "@" in address),
        answers=frozenset(_IDENTIFIER.findall(answered)[-_MOST_IDENTIFIERS:]),
        automatic=_is_automatic(header),
    )


def read_letters(locations: Mapping[str, Location], files: Iterable[str]) -> dict[str, Letter]:
    """The headers of some files, by file; those that cannot be read any more are left out."""
    found = {}
    for file in files:
        if (location := locations.get(file)) is None:
            continue
        try:
            found[file] = read_letter(location.read(MOST_BYTES))
        except OSError:
            continue
    return found


def _is_automatic(header: Message) -> bool:
    submitted = _text(header, "Auto-Submitted").partition(";")[0].strip().lower()
    precedence = _text(header, "Precedence").strip().lower()
    return submitted not in ("", "no") or precedence in ("bulk", "list", "junk") or "List-Id" in header


def _text(header: Message, name: str) -> str:
    return next(iter(_texts(header, name)), "")


def _texts(header: Message, name: str) -> list[str]:
    """Raw fields hold surrogates, and a Header object where they do."""
    return [str(value)[:MOST_BYTES] for value in header.get_all(name, [])]
