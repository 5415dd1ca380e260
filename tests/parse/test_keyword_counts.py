"""Our counts against those of scikit-learn's CountVectorizer, over the very texts that we counted.

It tells words by one regular expression of its own. Chinese, Japanese and the like put no blanks between words and are
left out. For all other texts the two differ by one rule: we look inside a word with an apostrophe (Ann's, l'avion).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from corpora import Corpora
from factories import dataset, row
from sklearn.feature_extraction.text import CountVectorizer

from inboxstats.parse import message, parse
from inboxstats.parse.languages import stop_words
from inboxstats.parse.words import Keywords, Tokens, bare_subject, keywords, tokens
from inboxstats.stats.keywords import compute

FIXTURES = Path(__file__).parents[2] / "fixtures"

A_WORD = r"(?u)(?<![\w'’])[^\W\d_]\w{2,39}(?![\w'’])"
"""A letter, then two to 39 letters or digits, and no apostrophe beside it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was looked at in a message, and the keywords that we found in it."""

    text: str
    language: str | None
    words: tuple[str, ...]


def counted(messages: Iterable[bytes], monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    """What became of the messages in Latin letters, as `parse` reads them."""
    found: list[Counted] = []

    def counting(subject: str, text: str) -> Keywords:
        result = keywords(subject, text)
        found.append(Counted(f"{bare_subject(subject)}\n{text}", result.language, result.words))
        return result

    def noting(subject: str, text: str) -> Tokens:
        counting(subject, text)
        return tokens(subject, text)

    monkeypatch.setattr(message, "tokens", noting)
    monkeypatch.setattr(message, "keywords", counting)  # of what is looked at again, without its disclaimers
    for data in messages:
        parse(data)
    return [each for each in found if each.text.isascii() or all(map(is_plain, {*each.text.lower()}))]


def is_plain(character: str) -> bool:
    """No letter of another script, where other rules hold; nothing that may or may not stand inside a word.

    That is what is invisible (Cf), combining (M) or superscript (No).
    """
    category = unicodedata.category(character)
    if category.startswith("L"):
        return "LATIN" in unicodedata.name(character) and character < "\u0e00"
    return category not in ("Cf", "No") and not category.startswith("M")


def theirs(messages: Iterable[Counted]) -> Iterator[tuple[Counted, set[str]]]:
    """Each message with the words that CountVectorizer has, but for those that a rule makes debris."""
    for language, group in groupby(sorted(messages, key=lambda each: each.language or ""), lambda each: each.language):
        texts = list(group)
        stops = [word for word in stop_words(language) if re.fullmatch(A_WORD, word)]
        vectorizer = CountVectorizer(binary=True, token_pattern=A_WORD, stop_words=stops)
        uses = vectorizer.fit_transform([f"{each.text}\nat_least_one_word atleastoneword" for each in texts])
        for each, words in zip(texts, vectorizer.inverse_transform(uses), strict=True):
            yield each, {word for word in words.tolist() if not is_debris(word)} - {"atleastoneword"}


def is_debris(word: str) -> bool:
    """Identifiers, mostly digits unless a name stands before them, checksums, one letter again and again."""
    digits = re.sub(r"\D", "", word)
    return (
        "_" in word
        or len({*word}) == 1
        or (2 * len(digits) > len(word) and not re.fullmatch(r"[^\W\d_]{3,}\d{1,5}", word))
        or (digits != "" and re.fullmatch("[0-9a-f]{6,}", word) is not None)
    )


def stands_by_an_apostrophe(word: str, text: str) -> bool:
    return re.search(rf"['’]{re.escape(word)}(?!\w)|(?<!\w){re.escape(word)}['’]", text.lower()) is not None


def check(messages: list[Counted]) -> tuple[int, int]:
    """Compares each message, then the counts of the report; how many words were equal, and how many exceptions."""
    expected: Counter[str] = Counter()
    exceptions: Counter[str] = Counter()
    for each, words in theirs(messages):
        assert words <= {*each.words}
        ours_alone = {*each.words} - words
        assert [word for word in ours_alone if not stands_by_an_apostrophe(word, each.text)] == []
        expected.update(words)
        exceptions.update(ours_alone)
    rows = (row(number, keywords=each.words) for number, each in enumerate(messages))
    table = compute(dataset(*rows))
    assert dict(zip(table["keyword"], table["messages"], strict=True)) == expected + exceptions
    return expected.total(), exceptions.total()


def test_the_counts_over_our_fixtures_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = counted((path.read_bytes() for path in sorted(FIXTURES.glob("*/*.eml"))), monkeypatch)
    assert len(messages) >= 165
    words, exceptions = check(messages)
    assert words >= 330
    assert exceptions <= 3  # of them "quoted" and "l’avion"


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.corpora)])
def test_the_counts_over_real_mail_are_those_of_scikit_learn(
    every: int, corpora: Corpora, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = counted(corpora.messages(every=every).values(), monkeypatch)
    assert len(messages) >= 10_000 // every  # of 10,900
    words, exceptions = check(messages)
    assert words >= 400_000 // every
    assert exceptions < words / 100
