"""The sender of a message: the first mailbox that has an address in a From field (RFC 5322, sections 3.4 and 4.4).

Real From fields break the grammar in a few ways: commas that should be quoted, names that look like addresses,
quotes and comments that are never closed. A naive reader is wrong on one phishing mail in thirty.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from inboxstats.mail import Address
from inboxstats.parse import headers

# name <local@domain> without anything that needs care: seven fields in eight of real mail.
_PLAIN = re.compile(
    rb"(?P<name>[^\"\\<>(),:;@\[\]\x80-\xff]*|\"[^\"\\\x80-\xff]*\") ?"
    rb"<(?P<address>[!#-'*+\-./0-9=?A-Z^-~]+@[A-Za-z0-9.-]+)>"
)

_TOKEN = re.compile(
    rb"(?P<blank>\s+)"
    rb"|(?P<quoted>\"(?:[^\"\\]|\\.)*\")"
    rb"|(?P<literal>\[[^\[\]\\]{0,255}\])"
    rb"|(?P<atom>=\?[^?\s]{1,40}\?[BbQq]\?[^?\s]{0,250}\?=|[^\s\"<>,:;@()\[]+)"
    rb"|(?P<special>.)",
    re.DOTALL,
)
_COMMENT_PART = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")
_LONGEST = 8_192
"""Bytes of a From field that are read; the first mailbox of a longer one is before."""

_LONGEST_REMEMBERED = 200

Token = tuple[str, bytes]
"""What it is (a group's name in _TOKEN, or ``comment``), and its bytes."""

_OPEN, _CLOSE, _COMMA = ("special", b"<"), ("special", b">"), ("special", b",")


def sender(raw: bytes, label: str | None = None) -> Address | None:
    """The sender that the unfolded value of a From field names; `label` as in `headers.text`."""
    return _known(raw, label) if len(raw) < _LONGEST_REMEMBERED else _sender(raw, label)


def _sender(raw: bytes, label: str | None) -> Address | None:
    raw = raw[:_LONGEST].strip()
    plain = _PLAIN.fullmatch(raw)
    if plain:
        shown = plain["name"]
        if b"=?" in shown and not shown.startswith(b'"'):
            shown = b" ".join(shown.split())  # as of tokens; in UTF-16 it tells which blank it is
        return Address(_shown(shown, label=None), plain["address"].decode("ascii").lower())
    name: list[Token] = []
    for element in _elements(_tokens(raw)):
        before, address = _mailbox(element)
        name += before
        if address is not None:
            comments = [token for token in element if token[0] == "comment"]
            phrase = [token for token in name if token[0] != "comment"]
            return Address(_display_name(phrase, label) or _display_name(comments, label), address)
        name.append(_COMMA)  # it should have been quoted: what stands before it belongs to the name
    return None


_known = lru_cache(maxsize=4_096)(_sender)  # the same people write again and again


def _tokens(raw: bytes) -> list[Token]:
    """The tokens of a field; a quote or a parenthesis that is never closed is an ordinary character."""
    comments = quotes = True
    while True:
        tokens: list[Token] = []
        position = 0
        while position < len(raw):
            match = _TOKEN.match(raw, position)
            assert match is not None  # the last branch takes any byte
            kind, found = match.lastgroup or "", match[0]
            position = match.end()
            if quotes and found == b'"':
                quotes = False
                break
            if kind == "quoted" and not quotes:
                kind, found, position = "atom", b'"', match.start() + 1
            if comments and found == b"(":
                end = _end_of_comment(raw, match.start())
                if end is None:
                    comments = False
                    break
                kind, found, position = "comment", raw[match.start() : end], end
            tokens.append((kind, found))
        else:
            return tokens


def _end_of_comment(raw: bytes, start: int) -> int | None:
    depth = 0
    for part in _COMMENT_PART.finditer(raw, start):
        if part[0] == b"(":
            depth += 1
        elif part[0] == b")":
            depth -= 1
            if depth == 0:
                return part.end()
    return None


def _elements(tokens: list[Token]) -> Iterator[list[Token]]:
    """What stands between commas; a group's name (up to its colon) and its semicolon are left out."""
    element: list[Token] = []
    in_angle = False
    for token in tokens:
        special = token[1] if token[0] == "special" else b""
        if special in (b"<", b">"):
            in_angle = special == b"<"
        if special in (b",", b";") and not in_angle:
            yield element
            element = []
        elif special == b":" and not in_angle:
            element = []
        else:
            element.append(token)
    yield element


def _mailbox(element: list[Token]) -> tuple[list[Token], str | None]:
    """The tokens of the name, and the address: inside angle brackets where there are any, else all of the element."""
    if _OPEN not in element:
        address = _addr_spec(element)
        return ([] if address else element), address
    before: list[Token] = []
    inside: list[Token] | None = None
    for token in (*element, _CLOSE):
        if token in (_OPEN, _CLOSE):
            address = _addr_spec(inside) if inside is not None else None
            if address:
                return before, address
            inside = [] if token == _OPEN else None
        elif inside is None:
            before.append(token)
        else:
            inside.append(token)
    return before, None


def _addr_spec(tokens: list[Token]) -> str | None:
    """The ``local@domain`` that the tokens begin with, lower-cased; what follows it is passed over, and so is a route.

    White space and comments may stand around each dot and the ``@`` (RFC 5322, section 4.4), but two words with
    nothing else between them are no local part.
    """
    words: list[bytes] = []
    parted = False
    for position, (kind, found) in enumerate(tokens):
        if kind == "special" and found == b"@" and words:
            domain = _domain(tokens[position + 1 :])
            return _text(b"".join(words) + b"@" + domain) if domain else None
        if kind == "special":
            words = []  # a route, or ``mailto:``
        elif kind in ("blank", "comment"):
            parted = True
            continue
        elif parted and words and not (words[-1].endswith(b".") or found.startswith(b".")):
            return None
        else:
            words.append(found)
        parted = False
    return None


def _domain(tokens: list[Token]) -> bytes:
    words: list[bytes] = []
    parted = False
    for kind, found in tokens:
        if kind in ("blank", "comment"):
            parted = True
        elif kind == "special" or (parted and words and not (words[-1].endswith(b".") or found.startswith(b"."))):
            break
        else:
            words.append(found)
            parted = False
    return b"".join(words)


def _text(addr_spec: bytes) -> str:
    # UTF-8 is allowed in addresses (RFC 6532); what other 8-bit bytes mean no one can tell.
    return addr_spec.decode("utf-8", "replace").lower().translate(_CONTROLS)


def _display_name(tokens: list[Token], label: str | None) -> str:
    raw = b"".join(_unquoted(kind, found) for kind, found in tokens)
    return _shown(raw, label)


def _shown(name: bytes, label: str | None) -> str:
    return headers.text(name, label).strip(' ,"')


def _unquoted(kind: str, found: bytes) -> bytes:
    if kind in ("quoted", "comment"):
        return _ESCAPED.sub(rb"\1", found[1:-1])
    return b" " if kind == "blank" else found
