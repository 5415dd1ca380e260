"""What `_compiled` does, in Python: its contract, and what stands in for it where nothing could be compiled.

What a token or a character means is for the callers to say, once for each.
"""

from collections.abc import Callable
from struct import Struct

from inboxstats.parse.uncompiled_lines import Lines
from inboxstats.parse.uncompiled_pages import Pages
from inboxstats.parse.uncompiled_parts import (
    Fields,
    base64_letters,
    end_of_section,
    from_base64,
    from_quoted_printable,
    next_delimiter,
    with_lf,
)

__all__ = [
    "APART", "CONTRACT", "PAIRED", "Characters", "Fields", "Lines", "Pages", "Vocabulary", "base64_letters",
    "end_of_section", "from_base64", "from_quoted_printable", "next_delimiter", "with_lf",
]  # fmt: skip

CONTRACT = 8
"""As in compiled.h, where it says when it goes up."""

_MARK, _BETWEEN_BLANKS = b"\x01", b" \x01 "
_MARK_AS_TEXT = _MARK.decode()
_MOST_OPENING = 256
_MOST_CANDIDATES = 64
_LONG = 16
"""Characters that most tokens have less of."""


class Vocabulary:
    """Each token that was met, and the keyword that it is, or ``""``.

    Its length tells how much it keeps: how many tokens, or how many keywords where these are more.

    Texts are in UTF-8: tokens between blanks; an octet 1 where a phrase cannot go on is one, too, and no keyword.

    keyword_of -- says which keyword a token is that was not met yet
    stops      -- where given, a token of letters alone, all below U+0800, is its own keyword, unless it is one of
                  these, shorter than `shortest` or longer than `longest`, or one letter again and again; others are
                  asked for
    told       -- keywords of which it is told that they are there
    """

    def __init__(
        self,
        keyword_of: Callable[[str], str],
        stops: frozenset[str] | None = None,
        shortest: int = 0,
        longest: int = 0,
        told: frozenset[str] = frozenset(),
    ) -> None:
        """Raises ValueError where a length is below 0."""
        if min(shortest, longest) < 0:
            raise ValueError("shortest and longest are no less than 0")
        self._told = told
        self._ballots: dict[str, int] = {}
        self._known = _Known(keyword_of, stops, shortest, longest)

    def __len__(self) -> int:
        return len(self._known)

    def close(self, ballots: dict[str, bytes], candidates: int) -> None:
        """From now on a token that was not met is no keyword, and is not kept; what is one can vote. Whether one of
        more than 64 characters was met may be forgotten.

        ballots -- what a keyword gives to each of up to 64 candidates, an octet each; who has none gives nothing
        Raises ValueError, also where it is closed already.
        """
        if self._ballots or not 1 <= candidates <= _MOST_CANDIDATES:
            raise ValueError(f"it is closed once, with 1 to {_MOST_CANDIDATES} candidates")
        if any(len(ballot) != candidates for ballot in ballots.values()):
            raise ValueError("a ballot has an octet for each candidate")
        self._known.is_closed = True
        self._sums = Struct(f"<{candidates}H")
        # Its octets are the digits of one number, of two octets each, so that adding adds up all of them at once.
        self._ballots = {
            word: int.from_bytes(self._sums.pack(*ballots.get(word, bytes(candidates))), "little")
            for word in {"", *self._known.values()}
        }

    def chosen(self, marked: bytes, opening: int, most: int) -> tuple[str, str, set[str]]:
        """The first `most` keywords of a text, each once; the pairs of those that are side by side in its opening, with
        a blank between the two; and those that are told. A line end parts one from the next.

        opening -- how many tokens it is long, up to 256; behind it nothing counts marks
        Raises ValueError.
        """
        if not 0 <= opening <= _MOST_OPENING or most < 0:
            raise ValueError(f"opening is 0 to {_MOST_OPENING}, and most no less than 0")
        known = self._known.__getitem__
        first, rest = _tokens(marked, opening)
        found = list(map(known, first))
        pairs = zip(found, found[1:], strict=False)  # noqa: RUF007 - pairwise() takes a quarter longer
        phrases = dict.fromkeys([f"{one} {other}" for one, other in pairs if one and other])
        found += map(known, rest)
        words = list(dict.fromkeys(filter(None, found)))[:most]
        return "\n".join(words), "\n".join(phrases), set(self._told.intersection(words))

    def elected(self, marked: bytes, most: int) -> tuple[int, int, int]:
        """The candidate whom the first `most` tokens of a text, up to 256, give the most, the first one of several; how
        much that is; and how many different keywords among them are told.

        Raises ValueError, also where it is not closed.
        """
        if not 0 <= most <= _MOST_OPENING:
            raise ValueError(f"most is 0 to {_MOST_OPENING}")
        if not self._ballots:
            raise ValueError("nobody votes before it is closed")
        tokens, rest = _tokens(marked[: most * _LONG], most)
        if not rest:  # then the last one may be cut
            tokens, _ = _tokens(marked, most)
        voters = list(map(self._known.__getitem__, tokens))
        total = sum(map(self._ballots.__getitem__, voters))
        sums = self._sums.unpack(total.to_bytes(self._sums.size, "little"))
        given = max(sums)
        return sums.index(given), given, len(self._told.intersection(voters))


def _tokens(marked: bytes, opening: int) -> tuple[list[str], list[str]]:
    first = marked.replace(_MARK, _BETWEEN_BLANKS).decode(errors="ignore").split(None, opening)
    rest = first.pop().replace(_MARK_AS_TEXT, "").split() if len(first) > opening else []
    return first, rest


class _Known(dict[str, str]):
    _LONGEST = 64

    def __init__(
        self, keyword_of: Callable[[str], str], stops: frozenset[str] | None, shortest: int, longest: int
    ) -> None:
        super().__init__()
        self._keyword_of = keyword_of
        self._stops, self._shortest, self._longest = stops, shortest, longest
        self.is_closed = False

    def __missing__(self, token: str) -> str:
        if self.is_closed or token == _MARK_AS_TEXT:
            return ""
        if self._stops is not None and token.isalpha() and max(token) < "\u0800":
            is_word = token not in self._stops and self._shortest <= len(token) <= self._longest
            word = token if is_word and token != token[0] * len(token) else ""
        else:
            word = self._keyword_of(token)
            if word == token:
                word = token  # not an equal one, which the processor would have to fetch as well
        if len(token) <= self._LONGEST:
            self[token] = word
        return word


PAIRED = "\x02"
APART = "\x03"


class Characters:
    """What stands for each character of a text that is made ready.

    meaning_of -- says it of one character beyond ASCII: another one, or ``""``; ``None`` where its context decides;
                  PAIRED for one that stands without blanks in a row of such, which is cut into its pairs if it is
                  longer than four; APART for one whose rows are breaks, in a text with any that is PAIRED
    of_ascii   -- what stands for each octet below 128
    """

    def __init__(self, meaning_of: Callable[[str], str | None], of_ascii: bytes) -> None:
        """Nothing is kept: see `translated`."""

    def translated(self, text: str) -> bytes | None:  # noqa: ARG002 -- the other one reads it
        """The text in UTF-8 with these in its characters' places; ``None`` where they do not say all of it.

        In Python alone that is always so: what the caller then does takes less time than a look at each character.
        """
        return None
