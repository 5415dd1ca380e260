"""Text to keywords: its language, its words without stop words and debris, and the pairs that stand side by side.

A word is looked up among those that were met; what is below looks at it only when it is met for the first time.
"""

import re
from collections.abc import Set as AbstractSet
from functools import partial
from typing import NamedTuple

from inboxstats.parse.core import Vocabulary
from inboxstats.parse.languages import detect, stop_words
from inboxstats.parse.marking import marked
from inboxstats.parse.text import DISCLAIMER_WORDS

SHORTEST_WORD = 3
LONGEST_WORD = 40
MOST_WORDS = 5_000
"""Keywords of one message; of a longer text, those of its beginning."""
OPENING = 128
"""Words of a message, its subject's first, whose pairs are its phrases: what follows repeats them, or tells details."""

_CHARACTERS_TO_TELL_THE_LANGUAGE = 1_000

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff]")
_NO_LETTER = re.compile(r"[^\w'\u0300-\u0eff\u1000-\u109f]+")  # emoji, mostly; vowel signs of Indic scripts stay
_MODEL = re.compile(r"[^\W\d_]{3,}\d{1,5}")  # mac80211, iso9660: a name, however many digits it has
_HEXADECIMAL = re.compile(r"[0-9a-f]{6,}")
_REPLY_MARKS = re.compile(
    r" ?(?:(?:re|fwd?|aw|wg|antw|sv|vs|vb|tr|rif|rv|res|enc|odp|pd|ynt|ilt|ref|回复|回覆|答复|转发|轉寄)"
    r" ?(?:\[\d{1,3}\]|\(\d{1,3}\))? ?[:\uff1a]|\[[^\[\]]{1,80}\])",
    re.IGNORECASE,
)


SEPARATOR = "\n"
"""Stands in no keyword and no phrase."""


class Keywords(NamedTuple):
    """As in `mail.Message`, but joined by SEPARATOR: one text travels in a tenth of the time of its words.

    disclaiming -- the keywords that disclaimers are made of
    """

    language: str | None = None
    joined_words: str = ""
    joined_phrases: str = ""
    disclaiming: AbstractSet[str] = frozenset()

    @property
    def words(self) -> tuple[str, ...]:
        """Each once, in the order of their first appearance."""
        return tuple(self.joined_words.split(SEPARATOR)) if self.joined_words else ()

    @property
    def phrases(self) -> tuple[str, ...]:
        """Each once, in that order."""
        return tuple(self.joined_phrases.split(SEPARATOR)) if self.joined_phrases else ()


class Tokens(NamedTuple):
    """A text as `marked` makes it, and as much of its beginning as tells its script."""

    beginning: str
    marked: bytes


NO_TOKENS = Tokens("", b"")


def keywords(subject: str, text: str) -> Keywords:
    """The keywords of a message, by its decoded subject and its sender's own text."""
    cut = tokens(subject, text)
    return chosen(cut, language_of(cut))


def tokens(subject: str, text: str) -> Tokens:
    """The text, below the subject without its marks, in words."""
    whole = f"{bare_subject(subject)} \x01 {text}"
    return Tokens(whole[:_CHARACTERS_TO_TELL_THE_LANGUAGE], marked(whole))


def language_of(cut: Tokens) -> str | None:
    """The language of a text."""
    return detect(*cut)


def chosen(cut: Tokens, language: str | None) -> Keywords:
    """The words of a text that are keywords in its language, and its phrases."""
    return Keywords(language, *_VOCABULARIES.chosen(cut.marked, language))


def bare_subject(subject: str) -> str:
    """A subject without ``Re:``, ``Fwd:`` and the tags of lists, ``[PATCH v2]``."""
    position = 0
    while mark := _REPLY_MARKS.match(subject, position):
        position = mark.end()
    return subject[position:].strip()


class _Vocabularies:
    """One for each language; all begun anew when they get too large for a worker together."""

    _MOST_TOKENS = 200_000

    def __init__(self) -> None:
        self._of: dict[str | None, Vocabulary] = {}
        self._tokens = 0

    def chosen(self, marked: bytes, language: str | None) -> tuple[str, str, set[str]]:
        known = self._of.get(language)
        if known is None:
            stops = stop_words(language)
            rule = partial(keyword, stops=stops)
            known = self._of[language] = Vocabulary(rule, stops, SHORTEST_WORD, LONGEST_WORD, DISCLAIMER_WORDS)
        before = len(known)
        try:
            return known.chosen(marked, OPENING, MOST_WORDS)
        finally:  # where memory is too short for a text, what was met in it counts all the more
            self._tokens += len(known) - before
            if self._tokens > self._MOST_TOKENS:
                self._tokens = 0
                self._of.clear()


_VOCABULARIES = _Vocabularies()


def keyword(token: str, stops: frozenset[str]) -> str:
    """The keyword in a lower-cased token, or ``""``: stop words, numbers, identifiers and checksums are none."""
    word = token if token.isalpha() else _NO_LETTER.sub("", token).strip("'")
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
