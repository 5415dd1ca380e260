"""HTML as a reader sees it: the text alone, a line a block, in one pass over the tags.

Not done with a browser's parser: HTML's rules for misnested tags take quadratic time (lexbor: 9 s for 50 kB of
``<b><p>``), and a mail can be made of nothing else.
"""

import html
import re

from inboxstats.parse.core import Pages
from inboxstats.parse.uncompiled_pages import BREAK, INNER_QUOTE, OPEN, QUOTE, QUOTE_END, UNKNOWN

_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd label mark nobr o:p q s samp small span"
    " strike strong sub sup tt u var wbr".split()
)
# Nothing in these is text of the page.
_HIDDEN = frozenset("iframe math noembed noframes script select style svg template textarea title".split())
_QUOTED = ("cite", "gmail_quote", "border-left")
_OF_QUOTES = {"blockquote": UNKNOWN, "/blockquote": QUOTE_END}
_LONG_REFERENCE = re.compile(r"&#x?[0-9a-f]{8,};?", re.IGNORECASE)


def html_text(page: str) -> str:
    """The text of a page, without what is hidden or quoted."""
    return _PAGES.text(page)


def _gap(written: str) -> str:
    """What a tag is, as far as it shows in what stands before its first blank: ``/TD`` is a break, ``b`` nothing."""
    if not (written[:1].isalpha() or written[:1] in ("/", "!", "?")) or written.startswith("!--"):
        return UNKNOWN
    name = _name(written)
    if name in _HIDDEN:
        return name
    if name in _OF_QUOTES:
        return _OF_QUOTES[name]
    return "" if name.strip("/") in _INLINE or name[:1] in ("!", "?") else BREAK


def _look(tag: str, is_closed: bool) -> str:
    """What a tag is of which its beginning does not tell."""
    name = _name(tag if is_closed else tag[:-1])
    if not is_closed and name[:1].isalpha():
        return OPEN  # there is a "<" in it
    if name == "blockquote":
        return QUOTE if _has_quote_mark(tag) else INNER_QUOTE
    return name if name in _HIDDEN else _OF_QUOTES.get(name, UNKNOWN)


def _name(tag: str) -> str:
    words = tag.split(None, 1)
    return words[0].lower() if words else ""


def _has_quote_mark(tag: str) -> bool:
    lowered = tag.lower()
    return any(mark in lowered for mark in _QUOTED)


def _unescaped(text: str) -> str:
    # html.unescape() raises ValueError for a number of more than 4,300 digits.
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text))


_PAGES = Pages(_gap, _look, _unescaped)
