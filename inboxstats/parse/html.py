"""HTML as a reader sees it: the text alone, a line a block, in one pass over the tags.

Not done with a browser's parser: HTML's rules for misnested tags take quadratic time (lexbor: 9 s for 50 kB of
``<b><p>``), and a mail can be made of nothing else.
"""

import html
import re

_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd label mark nobr o:p q s samp small span"
    " strike strong sub sup tt u var wbr".split()
)
# Nothing in these is text of the page.
_HIDDEN = frozenset("iframe math noembed noframes script select style svg template textarea title".split())
_QUOTED = ("cite", "gmail_quote", "border-left")
_LONG_REFERENCE = re.compile(r"&#x?[0-9a-f]{8,};?", re.IGNORECASE)

QUOTE_MARK = "\n>\n"
"""Stands where a quotation was left out, in the way of plain text."""


_ENDS = {"!--": "-->", "<": ">"}


class _Gaps(dict[str, str | None]):
    """What stands in the text for a tag by what stands before its first blank: ``/TD`` is a new line, ``b`` nothing.

    ``None`` is for what needs a closer look: comments, hidden elements, quotations, and ``<`` that begins no tag.
    """

    _LARGEST = 1_000
    _LONGEST = 100

    def __missing__(self, written: str) -> str | None:
        gap = _gap(written)
        if len(written) < self._LONGEST:
            if len(self) >= self._LARGEST:
                self.clear()
            self[written] = gap
        return gap


def _gap(written: str) -> str | None:
    if not (written[:1].isalpha() or written[:1] in ("/", "!", "?")) or written.startswith("!--"):
        return None
    name = _name(written)
    if name in _HIDDEN or name == "blockquote":
        return None
    return "" if name.strip("/") in _INLINE or name[:1] in ("!", "?") else "\n"


def _name(tag: str) -> str:
    words = tag.split(None, 1)
    return words[0].lower() if words else ""


_GAPS = _Gaps()


def html_text(page: str) -> str:
    """The text of a page, without what is hidden or quoted."""
    first, *pieces = page.split("<")
    shown = [first]
    hidden, quotes = "", 0
    for piece in pieces:
        if hidden:
            hidden, rest = _still_hidden(hidden, piece)
            shown.append("" if quotes else rest)
            continue
        end = piece.find(">")
        gap = _GAPS[piece[:end].partition(" ")[0]] if end > 0 else None
        if gap is not None and not quotes:
            shown += gap, piece[end + 1 :]
            continue
        name = _name(piece[:end])
        if piece.startswith("!--"):
            hidden, rest = _still_hidden("!--", piece)
            shown.append("" if quotes else rest)
        elif end < 0 and name[:1].isalpha():
            hidden = "<"  # a tag with a "<" in it
        elif name in _HIDDEN:
            hidden = name
        elif name == "blockquote" and (quotes or _has_quote_mark(piece[:end])):
            shown.append("" if quotes else QUOTE_MARK)
            quotes += 1
        elif quotes:
            quotes -= name == "/blockquote"
            shown.append("" if quotes else piece[end + 1 :])
        else:
            shown.append(f"\n{piece[end + 1 :]}" if name == "blockquote" else f"<{piece}")
    return _unescaped("".join(shown))


def _has_quote_mark(tag: str) -> bool:
    lowered = tag.lower()
    return any(mark in lowered for mark in _QUOTED)


def _still_hidden(element: str, piece: str) -> tuple[str, str]:
    """The hidden element that goes on behind a piece, and the text of the piece that is not in it."""
    if element in _ENDS:
        end = piece.find(_ENDS[element])
        return (element, "") if end < 0 else ("", piece[end + len(_ENDS[element]) :])
    tag, closed, rest = piece.partition(">")
    name = tag[: len(element) + 1].lower()
    return ("", f"\n{rest}") if closed and name == f"/{element}" else (element, "")


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    # html.unescape() raises ValueError for a number of more than 4,300 digits.
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text))
