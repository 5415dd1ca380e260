"""The answers to ``UID FETCH … (UID BODY.PEEK[])``, or of header fields, taken apart as they come.

imapclient and imaplib read an answer to its end before they give anything of it. Here each message is given when it is
complete, and a large one in pieces, so that memory stays flat. Knows bytes alone: neither sockets nor who asked.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from inboxstats.mail import Content, Part, Pieces

PIECE = 262_144
"""Bytes read at once, and the size up to which a message comes as one."""

LONGEST_LINE = 65_536
"""Of a line without its literals; an honest one has some hundred bytes."""

LARGEST_MESSAGE, LARGEST_UNNAMED = 2**31 - 1, 2**26
"""The largest literal that is read, and the largest that must be kept in memory as its UID comes behind it."""

_PLAIN = re.compile(rb"\* \d+ FETCH \(UID (\d{1,10}) BODY\[\] \{(\d{1,6})\}\r\n", re.IGNORECASE)
"""How nearly all answers begin: its own way through here takes a quarter of the time."""

_ASKED_FOR = (b"BODY[]", b"BODY[HEADER.FIELDS ")

_FETCH = re.compile(rb"\* \d+ FETCH ", re.IGNORECASE)
_TAGGED = re.compile(rb"([^\s*+]\S*) (OK|NO|BAD)(?: (.*?))?\s*$", re.IGNORECASE)
_BYE = re.compile(rb"\* BYE\b *(.*?)\s*$", re.IGNORECASE)
_LITERAL_BEHIND = re.compile(rb"\{(\d{1,20})\}\r?\n$")
_TOKEN = re.compile(
    rb"""\ *(?:(?P<open>\()
          |  (?P<close>\))
          |  "(?P<quoted>(?:[^"\\\r\n]|\\["\\])*)"
          |  ~?\{(?P<literal>\d{1,20})\}(?=\r?\n)
          |  (?P<atom>BODY\[[^\]\r\n]*\](?:<\d+>)?|[^\s()"{]+))""",
    re.IGNORECASE | re.VERBOSE,
)


class Stream(Protocol):
    """What is read from, as imaplib.IMAP4 has it. At the end of the stream both give less than asked for."""

    def read(self, size: int) -> bytes: ...
    def readline(self) -> bytes: ...


class MalformedAnswerError(ValueError):
    """This is no answer to FETCH: nobody knows where the next one begins."""


@dataclass(frozen=True, slots=True)
class Body:
    """A message or its header. `Pieces` raise at their end where what follows them is no IMAP: then it is whole."""

    uid: int
    content: Content
    part: Part = Part.WHOLE


@dataclass(frozen=True, slots=True)
class Completion:
    """The tagged end of a command; `status` is ``OK``, ``NO`` or ``BAD``."""

    tag: bytes
    status: str
    text: str


def answers(stream: Stream) -> Iterator[Body | Completion]:
    """Messages and ends of commands, as they come; all else that a server may send at any time is passed over.

    Reads no byte beyond what it gives; pieces that nobody takes are skipped. Never ends by itself: raises
    ConnectionError at the end of the stream and at BYE, MalformedAnswerError for what is no IMAP or too large.
    """
    while True:
        line = _line(stream)
        if (found := _PLAIN.fullmatch(line)) and (size := int(found[2])) <= PIECE:
            yield _plain(int(found[1]), size, stream)
        elif found := _FETCH.match(line):
            yield from _bodies(line, found.end(), stream)
        elif found := _TAGGED.match(line):
            yield Completion(found[1], found[2].decode().upper(), (found[3] or b"").decode("utf-8", "replace"))
        elif found := _BYE.match(line):
            raise ConnectionError(f"BYE {found[1].decode('utf-8', 'replace')}")
        elif line.startswith((b"* ", b"+")) or not line.strip():
            _pass_over(line, stream)
        else:
            raise _malformed(line)


def _plain(uid: int, size: int, stream: Stream) -> Body:
    """A message that comes as one, after its UID."""
    whole = stream.read(size)
    if len(whole) < size:
        raise ConnectionError("it ended within a message")
    line = _line(stream)
    if line != b")\r\n":
        deque(_items(_behind(line, stream), 0, stream, depth=1), maxlen=0)
    return Body(uid, whole)


def _bodies(line: bytes, position: int, stream: Stream) -> Iterator[Body]:
    """What one FETCH answer brings: a message, or nothing, as in NIL, or in flags that nobody asked for."""
    if b"BODY[" not in line.upper() and not _LITERAL_BEHIND.search(line):
        return
    uid: int | None = None
    found: dict[Part, bytes] = {}
    items = _items(line, position, stream)
    for name, value in items:
        if name == b"UID" and isinstance(value, bytes):
            if not value.isdigit() or len(value) > 10:
                raise _malformed(line)
            uid = int(value)
        elif name.startswith(_ASKED_FOR) and isinstance(value, Pieces):
            part = Part.WHOLE if name == b"BODY[]" else Part.HEADER
            if uid is not None and value.size > PIECE:
                pieces = chain(value.pieces, _nothing_behind(items))
                yield Body(uid, Pieces(value.size, pieces), part)
                deque(pieces, maxlen=0)
            elif value.size > LARGEST_UNNAMED:
                raise MalformedAnswerError(f"a message of {value.size:,} bytes before its UID")
            else:
                found[part] = b"".join(value.pieces)
    if uid is not None:
        for part, content in found.items():
            yield Body(uid, content, part)


def _nothing_behind(items: Iterator[tuple[bytes, bytes | Pieces | None]]) -> Iterator[bytes]:
    """Reads an answer to its end, which makes sure that the literal was as long as the server said."""
    deque(items, maxlen=0)
    yield from ()


def _items(
    line: bytes, position: int, stream: Stream, *, depth: int = 0
) -> Iterator[tuple[bytes, bytes | Pieces | None]]:
    """The names and values of a FETCH answer, from its parenthesis on, or from within so many.

    An atom is bytes, a string or a literal `Pieces`, a list ``None``. Pieces that nobody takes are skipped.
    """
    name: bytes | None = None
    while True:
        token = _TOKEN.match(line, position)
        if token is None:
            raise _malformed(line[position:])
        position = token.end()
        kind = token.lastgroup
        value: bytes | Pieces | None = None
        if kind == "literal":
            value = _literal(int(token["literal"]), stream)
        elif kind == "quoted":
            text = re.sub(rb"\\(.)", rb"\1", token["quoted"])
            value = Pieces(len(text), iter((text,)))
        elif kind == "atom":
            value = token["atom"]
        elif kind == "open":
            depth += 1
        else:
            depth -= 1
        if depth == 0:
            break
        if depth == 1 and kind != "open":
            if name is not None:
                yield name, value
                name = None
            elif kind == "atom":
                name = token["atom"].upper()
            else:
                raise _malformed(line)
        if kind == "literal":
            assert isinstance(value, Pieces)
            deque(value.pieces, maxlen=0)
            line, position = _behind(_line(stream), stream), 0
    if kind != "close" or name is not None or line[position:].strip():
        raise _malformed(line)


def _behind(line: bytes, stream: Stream) -> bytes:
    """The line on which an answer goes on after a literal."""
    if line == b"\r\n":  # some servers break the line here; a lone LF is the end of a message that was told too short
        line = _line(stream)
    if not line.startswith((b" ", b")")):
        raise _malformed(line)
    return line


def _literal(size: int, stream: Stream) -> Pieces:
    if size > LARGEST_MESSAGE:
        raise MalformedAnswerError(f"a message of {size:,} bytes")
    return Pieces(size, _pieces(size, stream))


def _pieces(size: int, stream: Stream) -> Iterator[bytes]:
    left = size
    while left:
        piece = stream.read(min(left, PIECE))
        left -= len(piece)
        if left and len(piece) < PIECE:
            raise ConnectionError("it ended within a message")
        yield piece


def _pass_over(line: bytes, stream: Stream) -> None:
    while found := _LITERAL_BEHIND.search(line):
        deque(_literal(int(found[1]), stream).pieces, maxlen=0)
        line = _line(stream)


def _line(stream: Stream) -> bytes:
    line = stream.readline()
    if len(line) > LONGEST_LINE:
        raise MalformedAnswerError(f"a line of more than {LONGEST_LINE:,} bytes")
    if not line.endswith(b"\n"):
        raise ConnectionError("it ended within an answer")
    return line


def _malformed(line: bytes) -> MalformedAnswerError:
    return MalformedAnswerError(repr(line[:100])[1:])
