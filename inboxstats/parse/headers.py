"""Header sections: which bytes belong to which field, and the text of an unstructured field (RFC 5322, RFC 2047).

What the bytes of a structured field mean is for address.py, date.py and parameters.py.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from inboxstats.parse import core
from inboxstats.parse.charset import codec, decode

Fields = dict[bytes, bytes]
"""Lower-cased name to unfolded value, of the fields that a Message is made of; the first of several with one name."""


class Section(NamedTuple):
    """A header section. `body` is where the body starts, in the bytes that were given."""

    fields: Fields
    body: int
    defects: tuple[str, ...] = ()


# mbox files put a line before each message (RFC 4155), and quote it when they are put into one another.
_BEFORE_MESSAGE = re.compile(rb">?From (?![ \t]*:)[^\n]*\n")
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,200}:")
_NEXT_FIELD = re.compile(rb"\n(?![ \t])")
_FIELDS = core.Fields(
    (
        *(b"from", b"date", b"subject", b"message-id", b"in-reply-to", b"references", b"received"),
        *(b"list-id", b"list-unsubscribe", b"content-type", b"content-disposition", b"content-transfer-encoding"),
        b"content-id",
    )
)
_BLANK_LINES = re.compile(rb"[\r\n]+(?=[!-9;-~]{1,200}[ \t]{0,200}:)")


def start_of_message(data: bytes) -> int:
    """Behind an mbox ``From `` line, and behind the blank lines that some programs leave before the first field."""
    line = _BEFORE_MESSAGE.match(data)
    start = line.end() if line else 0
    blank = _BLANK_LINES.match(data, start)
    return blank.end() if blank else start


def read_section(data: bytes, start: int, end: int, *, limit: int) -> Section:
    """The header section that begins at `start`. At most `limit` bytes of fields are kept.

    Lines that are neither field nor continuation are passed over: senders break single lines, and the From behind
    them is still the sender's. Where no field stands at all there is no header, and the body begins at `start`.
    """
    blank, body = core.end_of_section(data, start, end)
    defects: tuple[str, ...] = ()
    if blank - start <= limit:
        found, fields, broken = _FIELDS.read(data, start, blank)
    else:
        head = b"\n".join(_within(data, start, blank, limit))
        found, fields, broken = _FIELDS.read(head, 0, len(head))
        defects = (f"more than {limit} bytes of header: the rest is left out",)
    if not found:
        return Section({}, body if blank == start else start)
    if broken:
        defects = (*defects, "header line without a field name")
        if blank == end:
            body = _first_broken_line(data, start, end)
    return Section(fields, body, defects)


def _first_broken_line(data: bytes, start: int, end: int) -> int:
    while start < end:
        line_end = data.find(b"\n", start, end) + 1 or end
        if data[start] not in b" \t" and not _FIELD.match(data, start, line_end):
            return start
        following = _NEXT_FIELD.search(data, line_end - 1, end)  # one field may be folded into millions of lines
        start = following.end() if following else end
    return end


def _within(data: bytes, start: int, end: int, limit: int) -> Iterator[bytes]:
    """The lines of an oversized section, without the fields that are too long, until `limit` bytes are kept."""
    kept, field = 0, 0
    while start < end and kept < limit:
        line_end = data.find(b"\n", start, end)
        line_end = end if line_end < 0 else line_end
        length = line_end - start
        field = field + length if data[start] in b" \t" else length
        if field <= limit // 4:
            kept += length
            yield data[start:line_end]
        else:  # the rest of a field that is too long may be millions of lines
            following = _NEXT_FIELD.search(data, line_end, end)
            line_end = following.start() if following else end
        start = line_end + 1


_WORD_START = re.compile(rb"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?\s?([BbQq])\?")
# A field that is nothing but words in one charset and encoding: most with words are, and take half the time.
_ROW_OF_WORDS = re.compile(rb"\s*+=\?([^?\s*]{1,40})\?([BbQq])\?[^?\s]*+\?=(?:\s*+=\?\1\?\2\?[^?\s]*+\?=)*+\s*+")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


def text(raw: bytes, label: str | None = None) -> str:
    """An unstructured field as a reader sees it: encoded words decoded, white space collapsed.

    `label` is the charset to try for raw 8-bit bytes that are no UTF-8: the message's own, where it has one.
    """
    has_words = b"=?" in raw and b"?=" in raw
    found = _with_words(raw, label) if has_words else _undeclared(raw, label)
    if not found.isprintable():
        found = found.translate(_CONTROLS)
    return " ".join(found.split())


def _with_words(raw: bytes, label: str | None) -> str:
    row = _ROW_OF_WORDS.fullmatch(raw)
    if row is None:
        return "".join(_decoded(_pieces(raw), label))
    return decode(_octets(row[2].upper(), raw.split(b"?")[3::4]), _label(row[1]))


def _undeclared(raw: bytes, label: str | None) -> str:
    if raw.isascii() or label is None or codec(label) in (None, "ascii"):
        return decode(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return decode(raw, label)


Piece = tuple[bytes, bytes, bytes]
"""Charset, encoding (B or Q) and the encoded text of a word; charset and encoding are empty for plain bytes."""


def _pieces(raw: bytes) -> Iterator[Piece]:
    """Encoded words and what stands between them; white space between two words is no text (RFC 2047, 6.2)."""
    done, after_word = 0, False
    start = raw.find(b"=?")
    while start >= 0:
        word = _WORD_START.match(raw, start)
        end = raw.find(b"?=", word.end()) if word else start
        if end < 0:
            break  # nothing that starts further on can end either
        if word is None:
            start = raw.find(b"=?", start + 2)
            continue
        between = raw[done:start]
        if between and not (after_word and between.isspace()):
            yield b"", b"", between
        yield word[1].lower(), word[2].upper(), raw[word.end() : end]
        done, after_word = end + 2, True
        start = raw.find(b"=?", done)
    if done < len(raw):
        yield b"", b"", raw[done:]


def _decoded(pieces: Iterator[Piece], label: str | None) -> Iterator[str]:
    """Neighbours in one charset are joined before they are decoded: senders split words inside a character."""
    for charset, row in groupby(pieces, itemgetter(0)):
        if charset:
            alike = groupby(row, itemgetter(1))
            octets = [_octets(encoding, [word[2] for word in words]) for encoding, words in alike]
            yield decode(b"".join(octets), _label(charset))
        else:
            yield from (_undeclared(piece[2], label) for piece in row)


def _octets(encoding: bytes, contents: Iterable[bytes]) -> bytes:
    """The octets of words in one encoding; base64 that ends inside an octet goes on in the next one."""
    if encoding == b"Q":
        return b"".join([binascii.a2b_qp(content, header=True) for content in contents])
    octets, left = [], b""
    for content in contents:
        letters = left + content.translate(None, _NOT_BASE64)
        whole = len(letters) if b"=" in content else len(letters) // 4 * 4
        octets.append(_base64(letters[:whole]))
        left = letters[whole:]
    return b"".join(octets) + _base64(left)


def _label(charset: bytes) -> str:
    return charset.lower().decode("ascii", "replace")


def _base64(content: bytes) -> bytes:
    """Decodes letters of the alphabet alone, with or without padding; a single letter left over is no byte."""
    return binascii.a2b_base64(content[: len(content) - (len(content) % 4 == 1)] + b"==")
