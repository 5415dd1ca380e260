"""What the sender of a message wrote in it: its text without quotations, signatures, footers, disclaimers and code.

Works on lines, in one pass. Which words of the rest are keywords is for words.py.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from inboxstats.parse.charset import decode
from inboxstats.parse.html import html_text
from inboxstats.parse.own import own_text

LONGEST_PART = 256 * 1024
"""Bytes of a text part that are decoded for its words: the markup of long newsletters is this long."""
LONGEST_TEXT = 32 * 1024
"""Characters of a part that are read for its words: fifteen pages."""
MOST_READ = 1024 * 1024
"""Bytes of all text parts of a message that are decoded for its words."""

# A paragraph that holds one of the phrases is boilerplate. One of the words behind the phrase is then among its text's
# keywords: most texts have none of these words, and nothing is looked for.
_DISCLAIMERS = {
    "intended recipient": "recipient recipients intended",
    "intended solely": "intended",
    "intended only for": "intended",
    "confidential and": "confidential",
    "confidentiality notice": "confidentiality",
    "contain confidential": "confidential confidentiality",
    "confidential information": "confidential",
    "mail in error": "error",
    "message in error": "error",
    "richtige adressat": "adressat adressaten adressatin",
    "destinataire": "destinataire destinataires",
    "confidentiel": "confidentiel confidentielle confidentiels confidentielles",
    "uso esclusivo del destina": "esclusivo",
    "exclusivamente": "exclusivamente",
    "destinatario de este": "destinatario",
    "virus-free": "virus",
    "for virus": "virus viruses",
    "to unsubscribe": "unsubscribe",
    "unsubscribe from": "unsubscribe",
    "unsubscribe here": "unsubscribe",
    "désinscri": "désinscrire désinscription désinscriptions désinscrivez désinscris désinscrit",
    "disiscriv": "disiscriversi disiscrivere disiscriviti disiscriverti disiscrivermi disiscrivi",
}
_INFLECTED_DISCLAIMERS = {"fr": ("désinscri",), "it": ("disiscriv",)}
"""Those whose words have more forms than these, by the language in which they are always looked for."""
_DISCLAIMERS_OF = {
    word: tuple(mark for mark, words in _DISCLAIMERS.items() if word in words.split())
    for word in " ".join(_DISCLAIMERS.values()).split()
}
DISCLAIMER_WORDS = frozenset(_DISCLAIMERS_OF)
DISCLAIMER_MARKS = tuple(_DISCLAIMERS)
"""All that a disclaimer is known by."""

Part = tuple[str, bytes, str | None]
"""Media type, octets, charset."""


def read_parts(parts: Iterable[Part]) -> list[Part]:
    """As much of the text parts of a message, as `mime.texts` gives them, as is read for its words."""
    read: list[Part] = []
    left = MOST_READ
    for media_type, octets, charset in parts:
        octets = octets[: min(left, LONGEST_PART)]
        read.append((media_type, octets, charset))
        left -= len(octets)
        if left <= 0:
            break
    return read


def shown_texts(parts: Iterable[Part]) -> list[str]:
    """What a reader sees of each part."""
    return [_shown(*part) for part in parts]


def written_text(shown: Iterable[str]) -> str:
    """The sender's own text in the texts of a message."""
    return "\n\n".join(map(own_text, shown))


def _shown(media_type: str, octets: bytes, charset: str | None) -> str:
    text = decode(octets, charset)
    if media_type == "text/html" or (text[:64].lstrip()[:1] == "<" and "</" in text):  # some senders call it plain
        text = html_text(text)
    text = text[:LONGEST_TEXT]
    return text.replace("\r\n", "\n") if "\r" in text else text


def disclaimer_marks(words: Iterable[str], language: str | None) -> Sequence[str]:
    """What disclaimers a text may have, by the DISCLAIMER_WORDS among its keywords: nearly always none."""
    marks = _INFLECTED_DISCLAIMERS.get(language or "", ())
    return (*marks, *chain.from_iterable(map(_DISCLAIMERS_OF.__getitem__, words))) if words else marks


def without_disclaimers(text: str, marks: Iterable[str]) -> str:
    """A text without its paragraphs on who may read it, and on how to leave the list; the text itself without any."""
    lowered = text.lower()
    marks = [mark for mark in marks if mark in lowered]
    if not marks:
        return text
    return "\n\n".join([block for block in text.split("\n\n") if not _has(marks, block.lower())])


def _has(marks: Sequence[str], text: str) -> bool:
    return any(mark in text for mark in marks)
