"""Text to keywords: its language, its words without stop words and debris, and the pairs that stand side by side.

The text is lower-cased, translated and split, all of it in C; Python looks at a word only when it meets it for the
first time.
"""

import re
import unicodedata
from functools import cache, lru_cache
from operator import add
from typing import NamedTuple

from inboxstats.parse.languages import detect, stop_words

SHORTEST_WORD = 3
LONGEST_WORD = 40
MOST_WORDS = 5_000
"""Keywords of one message; of a longer text, those of its beginning."""
OPENING = 128
"""Words of a message, its subject's first, whose pairs are its phrases: what follows repeats them, or tells details."""

_WORDS_TO_TELL_THE_LANGUAGE = 64
_CHARACTERS_TO_TELL_THE_LANGUAGE = 1_000

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
_MARK = b" \x01 "

_CHARSETS = ("latin-1", "cp1252", "cp1251", "cp1250")
"""Of single bytes, in each of which a lower-case letter is one byte, too; the first is the fastest."""
_SOFT_HYPHEN = b"\xad"
"""In all of these charsets; no other of their characters is invisible."""

_INVISIBLE = re.compile(r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+")
_PUNCTUATION = re.compile(
    r"[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u2018\u201a-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\ufd3e\ufd3f\ufe10-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40"
    r"\uff5b-\uff65\ue000-\uf8ff\ufff0-\uffff\u060c\u061b\u061f\u0964\u0965]+"
)
# The first bytes in UTF-8 of punctuation beyond ASCII, of what is invisible, of accents and of Chinese.
_PUNCTUATION_LEADS = bytes([0xC2, 0xCC, 0xCD, 0xD8, 0xE0, *range(0xE2, 0xEA), 0xEF])
_OGHAM_SPACE = "\u1680".encode()  # the only blank beyond ASCII that is neither
# Most text beyond ASCII has no other punctuation than this, and replacing it takes a tenth of the time of patterns.
_TYPOGRAPHIC = (
    (b"\xe2\x80", [("\u2019".encode(), b"'"), *((mark.encode(), _BREAK) for mark in "–—‘“”„•…")]),
    (b"\xc2", [("\u00a0".encode(), b" "), *((mark.encode(), _BREAK) for mark in "«»°·§©®")]),
    (b"\xc3", [(mark.encode(), _BREAK) for mark in "×÷"]),
)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_KANA = re.compile(r"[\u3041-\u309f]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff]")
_LONGEST_HAN = 4

_NO_LETTER = re.compile(r"[^\w'\u0300-\u0eff\u1000-\u109f]+")  # emoji, mostly; vowel signs of Indic scripts stay
_MODEL = re.compile(r"[^\W\d_]{3,}\d{1,5}")  # mac80211, iso9660: a name, however many digits it has
_HEXADECIMAL = re.compile(r"[0-9a-f]{6,}")
_REPLY_MARKS = re.compile(
    r" ?(?:(?:re|fwd?|aw|wg|antw|sv|vs|vb|tr|rif|rv|res|enc|odp|pd|ynt|ilt|ref|回复|回覆|答复|转发|轉寄)"
    r" ?(?:\[\d{1,3}\]|\(\d{1,3}\))? ?[:\uff1a]|\[[^\[\]]{1,80}\])",
    re.IGNORECASE,
)


class Keywords(NamedTuple):
    """As in `mail.Message`."""

    language: str | None = None
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


class Tokens(NamedTuple):
    """Lower-cased words: the OPENING, with a mark where a phrase cannot go on, and the rest without marks.

    beginning -- as much of the text as tells its script
    """

    beginning: str
    opening: list[str]
    rest: list[str]


NO_TOKENS = Tokens("", [], [])


def keywords(subject: str, text: str) -> Keywords:
    """The keywords of a message, by its decoded subject and its sender's own text."""
    cut = tokens(subject, text)
    return chosen(cut, language_of(cut))


def tokens(subject: str, text: str) -> Tokens:
    """The text, below the subject without its marks, in words."""
    whole = f"{bare_subject(subject)} \x01 {text}"
    return Tokens(whole[:_CHARACTERS_TO_TELL_THE_LANGUAGE], *_tokens(whole))


def language_of(cut: Tokens) -> str | None:
    """The language of a text."""
    return detect(cut.beginning, cut.opening[:_WORDS_TO_TELL_THE_LANGUAGE])


def chosen(cut: Tokens, language: str | None) -> Keywords:
    """The words of a text that are keywords in its language, and its phrases."""
    known = _vocabulary(language).__getitem__
    found = list(map(known, cut.opening))
    pairs = zip(found, found[1:], strict=False)  # noqa: RUF007 - pairwise() takes a quarter longer
    phrases = dict.fromkeys([f"{first} {second}" for first, second in pairs if first and second])
    found += map(known, cut.rest)
    words = dict.fromkeys(filter(None, found))
    return Keywords(language, tuple(words)[:MOST_WORDS], tuple(phrases))


def bare_subject(subject: str) -> str:
    """A subject without ``Re:``, ``Fwd:`` and the tags of lists, ``[PATCH v2]``."""
    position = 0
    while mark := _REPLY_MARKS.match(subject, position):
        position = mark.end()
    return subject[position:].strip()


def _tokens(text: str) -> tuple[list[str], list[str]]:
    opening = _marked(text).split(None, OPENING)
    rest = opening.pop().replace("\x01", "").split() if len(opening) > OPENING else []
    return opening, rest


def _marked(text: str) -> str:
    """The text in lower case, with marks around its breaks, and blanks in the place of what joins words."""
    # Byte for byte it is done in C, at once; Latin and Cyrillic letters can be had as single bytes, too.
    if text.isascii():
        return text.encode().translate(_TRANSLATION).replace(_BREAK, _MARK).decode()
    for charset, table in _single_bytes():
        try:
            octets = text.encode(charset)
        except UnicodeEncodeError:
            continue
        return octets.translate(table, _SOFT_HYPHEN).replace(_BREAK, _MARK).decode(charset)
    lowered = text.lower()
    octets = lowered.encode("utf-8", "replace")
    for lead, replacements in _TYPOGRAPHIC:
        if lead in octets:
            for written, meant in replacements:
                octets = octets.replace(written, meant)
    if len(octets.translate(None, _PUNCTUATION_LEADS)) != len(octets):
        octets = _spaced(lowered).encode("utf-8", "replace")
    return octets.translate(_TRANSLATION).replace(_OGHAM_SPACE, b"").replace(_BREAK, _MARK).decode()


@cache
def _single_bytes() -> tuple[tuple[str, bytes], ...]:
    """For each charset of single bytes what `_marked` makes of each of them."""
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


@lru_cache(maxsize=64)
def _vocabulary(language: str | None) -> "_Vocabulary":
    return _Vocabulary(stop_words(language))


class _Vocabulary(dict[str, str]):
    """Each token that was met, and the keyword that it is, or ``""``.

    All languages' are emptied when they get too large for a worker together.
    """

    _LARGEST = 200_000
    _LONGEST = 64
    _met = 0

    def __init__(self, stops: frozenset[str]) -> None:
        super().__init__()
        self._stops = stops

    def __missing__(self, token: str) -> str:
        word = keyword(token, self._stops)
        if word == token:
            word = token  # not an equal one, which the processor would have to fetch as well
        if len(token) <= self._LONGEST:
            if _Vocabulary._met >= self._LARGEST:
                _Vocabulary._met = 0
                _vocabulary.cache_clear()
                self.clear()
            _Vocabulary._met += 1
            self[token] = word
        return word


def keyword(token: str, stops: frozenset[str]) -> str:
    """The keyword in a lower-cased token, or ``""``: stop words, numbers, identifiers and checksums are none."""
    if token.isascii() and token.isalpha():  # most are; the rest of the function would say the same
        is_word = token not in stops and SHORTEST_WORD <= len(token) <= LONGEST_WORD
        return token if is_word and token != token[0] * len(token) else ""
    word = token.strip("'") if token.isascii() else _NO_LETTER.sub("", token).strip("'")
    if word in stops or "_" in word:
        return ""
    if "'" in word:
        # l'avion, rock'n'roll, Ann's: the longest part carries the meaning; in don't and we'll none does.
        word = max(word.split("'"), key=len)
        if word in stops:
            return ""
    if not word[:1].isalpha() or len(word) > LONGEST_WORD:
        return ""
    if len(word) < (SHORTEST_WORD if word < "\u0e00" else 2) or len(set(word)) == 1:
        return ""
    if not word.isalpha() and _is_debris(word):
        return ""
    if len(word) > 12 and _UNSPACED.match(word):
        return ""  # a sentence, in a script without blanks
    return word


def _is_debris(word: str) -> bool:
    digits = sum(map(str.isdigit, word))
    if digits * 2 > len(word) and _MODEL.fullmatch(word) is None:
        return True
    return _HEXADECIMAL.fullmatch(word) is not None
