"""A text made ready for counting: lower-cased, its words between blanks, and marks where a phrase cannot go on."""

import re
import unicodedata
from functools import cache
from operator import add

from inboxstats.parse.core import APART, PAIRED, Characters

# Between two words of a phrase may stand a blank, a hyphen or emphasis; anything else ends the phrase.
_JOINS = b' -*#~`"'
_IN_WORDS = b"'_"
_TRANSLATION = bytes(
    ord(chr(code).lower())
    if code < 128 and (chr(code).isalnum() or code in _IN_WORDS or code == 1)
    else code
    if code >= 128
    else ord(" ")
    if code in _JOINS or code < 32
    else ord("\x01")
    for code in range(256)
)
_BREAK = b"\x01"

_CHARSETS = ("latin-1", "cp1252", "cp1251", "cp1250")
"""Of single bytes, in each of which a lower-case letter is one byte, too; the first is the fastest."""
_SOFT_HYPHEN = b"\xad"
"""In all of these charsets; no other of their characters is invisible."""

_INVISIBLE = re.compile(r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+")
_PUNCTUATION = re.compile(
    r"[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u2018\u201a-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\ufd3e\ufd3f\ufe10-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40"
    r"\uff5b-\uff65\ue000-\uf8ff\ufff0-\uffff\u060c\u061b\u061f\u0964\u0965]"
)
# The first bytes in UTF-8 of punctuation beyond ASCII, of what is invisible, of accents and of Chinese.
_PUNCTUATION_LEADS = bytes([0xC2, 0xCC, 0xCD, 0xD8, 0xE0, *range(0xE2, 0xEA), 0xEE, 0xEF])
_OGHAM_SPACE = "\u1680".encode()  # the only blank beyond ASCII that is neither
# Most text beyond ASCII has no other punctuation than this, and replacing it takes a tenth of the time of patterns.
_TYPOGRAPHIC = (
    (b"\xe2\x80", [("\u2019".encode(), b"'"), *((mark.encode(), _BREAK) for mark in "–—‘“”„•…")]),
    (b"\xc2", [("\u00a0".encode(), b" "), *((mark.encode(), _BREAK) for mark in "«»°·§©®")]),
    (b"\xc3", [(mark.encode(), _BREAK) for mark in "×÷"]),
)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_KANA = re.compile(r"[\u3041-\u309f]+")
_LONGEST_HAN = 4
_IN_CONTEXT = re.compile(r"[\u03a3\u1100-\u11ff\u1680]")
"""A last sigma is another letter; the parts of Hangul syllables are composed; the blank is one within Chinese alone."""


def marked(text: str) -> bytes:
    """The text in lower case and UTF-8, with an octet 1 for what ends a phrase and a blank for what joins its words."""
    if text.isascii():
        return text.encode().translate(_TRANSLATION)
    translated = _characters().translated(text)
    return _by_octets(text) if translated is None else translated


@cache
def _characters() -> Characters:
    return Characters(_meaning, _TRANSLATION[:128])


def _meaning(character: str) -> str | None:
    """What `marked` makes of a character beyond ASCII; ``None`` where that depends on those around it."""
    lowered = character.lower()
    if len(lowered) != 1 or _IN_CONTEXT.match(character) or unicodedata.category(lowered)[0] == "M":
        return None  # marks first: some are among the kana, and join the one before them
    if not unicodedata.is_normalized("NFC", lowered):
        return None
    if _HAN.match(lowered):
        return PAIRED
    return APART if _KANA.match(lowered) else _spaced(lowered)


def _by_octets(text: str) -> bytes:
    """The same, octet for octet; Latin and Cyrillic letters can be had as single ones, too."""
    for charset, table in _single_bytes():
        try:
            octets = text.encode(charset)
        except UnicodeEncodeError:
            continue
        return octets.translate(table, _SOFT_HYPHEN).decode(charset).encode()
    lowered = text.lower()
    octets = lowered.encode("utf-8", "replace")
    for lead, replacements in _TYPOGRAPHIC:
        if lead in octets:
            for written, meant in replacements:
                octets = octets.replace(written, meant)
    if len(octets.translate(None, _PUNCTUATION_LEADS)) != len(octets):
        octets = _spaced(lowered).encode("utf-8", "replace")
    return octets.translate(_TRANSLATION).replace(_OGHAM_SPACE, b"")


@cache
def _single_bytes() -> tuple[tuple[str, bytes], ...]:
    """For each charset of single bytes what `marked` makes of each of them."""
    return tuple((charset, bytes(_meant(code, charset) for code in range(256))) for charset in _CHARSETS)


def _meant(code: int, charset: str) -> int:
    try:
        character = bytes([code]).decode(charset)
    except UnicodeDecodeError:  # the charset has nothing there
        return code
    if code < 128:
        return _TRANSLATION[code]
    return (_spaced(character.lower()) or character).encode(charset)[0]


def _spaced(text: str) -> str:
    """Text beyond Latin letters, with its punctuation as breaks and with blanks where its script has none."""
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text).replace("\u2019", "'").replace("\u00a0", " "))
    text = _PUNCTUATION.sub("\x01", text)
    return _HAN.sub(_han_words, _KANA.sub(" \x01 ", text)) if _HAN.search(text) else text


def _han_words(run: "re.Match[str]") -> str:
    """Chinese puts no blanks between words: a long run becomes its pairs of characters, as search engines do it."""
    characters = run[0]
    if len(characters) <= _LONGEST_HAN:
        return f" {characters} "
    return f" {' '.join(map(add, characters, characters[1:]))} "
