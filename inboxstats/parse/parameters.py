"""Structured MIME fields: Content-Type and Content-Disposition with their parameters (RFC 2045, RFC 2183, RFC 2231)."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from inboxstats.parse import headers
from inboxstats.parse.charset import decode

# The blank or semicolon before a name is all that parts two parameters in mail that forgets the semicolon.
_PARAMETER = re.compile(
    rb"(?<=[;\s])(?P<name>[^\s=;\"(),/]{1,100})[ \t]{0,20}=[ \t]{0,20}"
    rb"(?:\"(?P<quoted>[^\"\\]*(?:\\.[^\"\\]*)*)\"?|(?P<plain>[^;\"]*))",
    re.DOTALL,
)
# What most fields that are not remembered look like, such as those with a boundary: two fifths of the time.
_USUAL = re.compile(rb"\s*([a-z0-9/.+-]+);\s*([a-z]{1,100})=\"([^\"\\]*)\"\s*\Z")
_VALUE = re.compile(rb"\s*([^\s;=(]*)")
_PIECE = re.compile(rb"(?P<name>[^*]+)(?:\*(?P<number>\d{1,3}))?(?P<extended>\*)?")
_LONGEST_REMEMBERED = 100
_MOST_REMEMBERED = 1_024
_LONGEST_FILE_NAME = 255
_ESCAPED = re.compile(rb"\\([\"\\])")
_TOKEN = re.compile(rb"[^\s;\"'()]*")
_MEDIA_TYPE = re.compile(r"\s*([!#-'*+\-.0-9A-Z^-~]{1,127})\s?/\s?([!#-'*+\-.0-9A-Z^-~]{1,127})", re.IGNORECASE)

# Folders of either kind, what a terminal obeys, and what turns the reading direction so that "gpj.exe" reads "exe.jpg".
_UNSAFE = dict.fromkeys(
    [*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


class Structured(NamedTuple):
    """``attachment; filename=a.txt`` as ``Structured("attachment", {b"filename": b"a.txt"})``.

    `value` is the first word, lower-cased. Of two parameters with one name the first counts. `pieces` are those of
    RFC 2231, each ``(name, number, extended, value)``, as in ``(b"filename", 0, True, b"utf-8''r%C3%A9sum")``.
    """

    value: str
    parameters: dict[bytes, bytes]
    pieces: tuple[tuple[bytes, int, bool, bytes], ...] = ()

    def token(self, name: bytes) -> str | None:
        """A parameter whose value is one word, such as charset."""
        found = _TOKEN.match(self.parameters.get(name, b"").strip(b" \t\"'"))
        return found[0].decode("ascii", "replace") or None if found else None

    def text(self, name: bytes) -> str | None:
        """A parameter that people read, such as filename: RFC 2231 before RFC 2047; ``None`` where absent or empty."""
        if self.pieces:
            pieces = sorted(piece[1:] for piece in self.pieces if piece[0] == name)
            if pieces:
                return _joined(pieces) or None
        return headers.text(self.parameters[name]) or None if name in self.parameters else None


_Found = TypeVar("_Found")


class _Known(dict[bytes, _Found]):
    def __init__(self, read: Callable[[bytes], _Found]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, raw: bytes) -> _Found:
        found = self._read(raw)
        if len(raw) < _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[raw] = found
        return found


def _remembering(read: Callable[[bytes], _Found]) -> Callable[[bytes], _Found]:
    """The same, without reading again what mail says again and again; what is long is said once, mostly."""
    return _Known(read).__getitem__


@_remembering
def structured(raw: bytes) -> Structured:
    """The field's value and parameters, as far as they can be read."""
    usual = _USUAL.match(raw)
    if usual:
        value, name, quoted = usual.groups()
        return Structured(value.decode(), {name: quoted})
    first = _VALUE.match(raw)
    value = first[1].lower().decode("ascii", "replace") if first else ""
    if b"=" not in raw:
        return Structured(value, {})
    parameters: dict[bytes, bytes] = {}
    pieces: list[tuple[bytes, int, bool, bytes]] = []
    for match in _PARAMETER.finditer(b";" + raw):
        name, quoted, plain = match.groups()
        name = name.lower()
        found = plain.strip() if quoted is None else _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        piece = _PIECE.fullmatch(name) if b"*" in name else None
        if piece:
            pieces.append((piece["name"], int(piece["number"] or 0), piece["extended"] is not None, found))
        else:
            parameters.setdefault(name, found)
    return Structured(value, parameters, tuple(pieces))


def boundary(raw: bytes) -> bytes:
    """The boundary that a multipart's Content-Type states; ``b""`` for none. Each is new: none is kept."""
    usual = _USUAL.match(raw)
    if usual and usual[2] == b"boundary":
        return usual[3]
    return structured(raw).parameters.get(b"boundary", b"")


@_remembering
def charset(raw: bytes) -> str | None:
    """The charset that a Content-Type states, if it does."""
    return structured(raw).token(b"charset") if b"charset" in raw.lower() else None


@_remembering
def may_name(raw: bytes) -> bool:
    """Whether there can be a name in it, of whatever spelling; most fields are not looked at any closer."""
    return b"name" in raw.lower()


@_remembering
def transfer_encoding(raw: bytes) -> bytes:
    """The encoding that a Content-Transfer-Encoding states, lower-cased; ``b""`` for none."""
    words = raw.split()
    return words[0].strip(b";\"'").lower() if words else b""


def media_type(raw: bytes) -> str | None:
    """``type/subtype``, lower-cased; ``None`` where the field holds no such thing."""
    return _media_type(raw.partition(b";")[0])  # each multipart has parameters of its own


@_remembering
def _media_type(raw: bytes) -> str | None:
    match = _MEDIA_TYPE.match(raw.decode("latin-1"))
    return f"{match[1]}/{match[2]}".lower() if match else None


def safe_file_name(name: str) -> str | None:
    """The last component of a name without control and bidi characters, as long as a file's name may be.

    ``None`` where nothing is left.
    """
    last = name.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    shown = " ".join(last.translate(_UNSAFE).split())[:_LONGEST_FILE_NAME]
    return shown if shown.strip(".") else None


def _joined(pieces: list[tuple[int, bool, bytes]]) -> str:
    """The charset stands in the first piece; a piece without ``*`` is not percent-encoded (RFC 2231, section 4.1)."""
    charset: str | None = None
    octets = []
    for number, extended, value in pieces:
        if extended and number == pieces[0][0] and value.count(b"'") >= 2:
            label, _, value = value.split(b"'", 2)
            charset = label.decode("ascii", "replace") or None
        octets.append(unquote_to_bytes(value) if extended else value)
    joined = b"".join(octets)
    return headers.text(joined) if charset is None else " ".join(decode(joined, charset).split())
