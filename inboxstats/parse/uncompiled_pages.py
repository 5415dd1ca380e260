"""Pages in HTML, in Python: the part of `uncompiled` that would make it too long."""

from collections.abc import Callable

QUOTE_MARK = "\n>\n"
"""Stands where a quotation was left out, in the way of plain text."""

# What is said of a tag, if not what stands in its place, or the name of an element.
BREAK = "\n"
QUOTE = ">"
INNER_QUOTE = ")"
QUOTE_END = "/"
OPEN = "<"
UNKNOWN = "?"

_ENDS = {"!--": "-->", OPEN: ">"}


class Pages:
    """Pages as texts, without what is hidden or quoted.

    gap_of     -- says what a tag is by what it begins with, up to its first blank: ``""`` for what nothing stands for;
                  BREAK; QUOTE_END, which outside of a quotation is a BREAK; the name of an element that is hidden, of
                  two to fifteen small letters of ASCII; UNKNOWN where it does not tell, as of a comment
    look_at    -- says it of all of such a tag, and of whether there is its ``>``. It may also be QUOTE; INNER_QUOTE,
                  which outside of a quotation is a BREAK; OPEN where the tag goes on behind a ``<``; UNKNOWN for text
    meaning_of -- says what a reference to a character stands for, or a text with several: up to twice as many octets
    """

    def __init__(
        self, gap_of: Callable[[str], str], look_at: Callable[[str, bool], str], meaning_of: Callable[[str], str]
    ) -> None:
        self._gap_of, self._look_at, self._meaning_of = gap_of, look_at, meaning_of
        self._gaps = _Gaps(gap_of)

    def text(self, page: str) -> str:
        """The text of a page, which has no half of a surrogate pair."""
        first, *pieces = page.split("<")
        shown = [first]
        gaps = self._gaps
        hidden, quotes = "", 0
        for piece in pieces:
            if hidden:
                hidden, rest = _still_hidden(hidden, piece)
                shown.append("" if quotes else rest)
                continue
            end = piece.find(">")
            gap = gaps[piece[:end].partition(" ")[0]] if end > 0 else None
            if gap is not None and not quotes:
                shown += gap, piece[end + 1 :]
                continue
            said = self._said(piece, end, in_quote=quotes > 0)
            if said == "!--":
                hidden, rest = _still_hidden(said, piece)
                shown.append("" if quotes else rest)
            elif len(said) > 1 or said == OPEN:
                hidden = said
            elif said == QUOTE or (said == INNER_QUOTE and quotes):
                shown.append("" if quotes else QUOTE_MARK)
                quotes += 1
            elif quotes:
                quotes -= said == QUOTE_END
                shown.append("" if quotes else piece[end + 1 :])
            else:
                shown.append(f"<{piece}" if said == UNKNOWN else f"{said and BREAK}{piece[end + 1 :]}")
        text = "".join(shown)
        return self._meaning_of(text) if "&" in text else text

    def _said(self, piece: str, end: int, *, in_quote: bool) -> str:
        """What a tag is that needs a closer look, or is in a quotation."""
        written = piece[: max(end, 0)].partition(" ")[0]
        said = self._gap_of(written) if written else UNKNOWN
        if said == UNKNOWN and piece.startswith("!--"):
            return "!--"
        if said == UNKNOWN:
            said = self._look_at(piece[:end] if end >= 0 else piece, end >= 0)
            return UNKNOWN if said == QUOTE_END and not in_quote else said
        return said


class _Gaps(dict[str, str | None]):
    """What stands for a tag by what is before its first blank; ``None`` for what needs a closer look."""

    _LARGEST = 1_000
    _LONGEST = 100

    def __init__(self, gap_of: Callable[[str], str]) -> None:
        super().__init__()
        self._gap_of = gap_of

    def __missing__(self, written: str) -> str | None:
        said = self._gap_of(written) if written else UNKNOWN
        gap = BREAK if said == QUOTE_END else said if said in ("", BREAK) else None
        if len(written) < self._LONGEST:
            if len(self) >= self._LARGEST:
                self.clear()
            self[written] = gap
        return gap


def _still_hidden(element: str, piece: str) -> tuple[str, str]:
    """The hidden element that goes on behind a piece, and the text of the piece that is not in it."""
    if element in _ENDS:
        end = piece.find(_ENDS[element])
        return (element, "") if end < 0 else ("", piece[end + len(_ENDS[element]) :])
    tag, closed, rest = piece.partition(">")
    name = tag[: len(element) + 1]
    return ("", f"\n{rest}") if closed and name.lower() == f"/{element}" and name.isascii() else (element, "")
