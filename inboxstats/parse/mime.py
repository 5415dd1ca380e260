"""The leaf parts of a message, found in one pass without recursion (RFC 2046).

A message/* part is one leaf: what was sent along is not what was said. Nothing is decoded before it is asked for.
"""

import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from inboxstats.mail import Attachment
from inboxstats.parse.boundaries import Boundaries, Delimiter, Multipart
from inboxstats.parse.core import base64_letters, from_base64, from_quoted_printable, with_lf
from inboxstats.parse.headers import Fields, Section, read_section
from inboxstats.parse.parameters import (
    Structured,
    boundary,
    charset,
    may_name,
    media_type,
    safe_file_name,
    structured,
    transfer_encoding,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is read. What lies beyond is left out, and a defect of the message says so.

    message_bytes -- of the whole message; header_bytes -- of each header section
    depth -- multiparts within multiparts; parts -- of any kind, the message itself being the first
    """

    message_bytes: int = 64 * 1024 * 1024
    header_bytes: int = 256 * 1024
    depth: int = 50
    parts: int = 1_000


class Leaf(NamedTuple):  # as are the others that each message has: a frozen dataclass takes four times as long to make
    """A part that is no multipart: `data[start:end]` is its body as it was sent.

    alternative -- the number of the innermost multipart/alternative around it; ``None`` for none
    related -- it stands in a multipart/related, as the pictures of a page do
    """

    fields: Fields
    media_type: str
    start: int
    end: int
    alternative: int | None = None
    related: bool = False

    def content_type(self) -> Structured:
        return structured(self.fields.get(b"content-type", b""))

    def disposition(self) -> Structured:
        return structured(self.fields.get(b"content-disposition", b""))

    def encoding(self) -> bytes:
        """The transfer encoding, lower-cased; ``b""`` where none is stated."""
        return transfer_encoding(self.fields.get(b"content-transfer-encoding", b""))


class Body(NamedTuple):
    """The leaves in the order of the message."""

    leaves: tuple[Leaf, ...]
    defects: tuple[str, ...] = ()


_MESSAGE = Multipart(b"")
"""What stands around a message, of which it is the one part."""


def read_body(data: bytes, section: Section, limits: Limits) -> Body:
    """All leaves of a message whose header section is read."""
    around = _MESSAGE
    opened, kind = _opened(section, around, 0)
    if opened is None:
        return Body((Leaf(section.fields, kind, section.body, len(data)),), section.defects)
    leaves: list[Leaf] = []
    defects = dict.fromkeys(section.defects)
    boundaries = Boundaries(data)
    delimiter = None
    for number in range(1, limits.parts + 1):
        if opened is not None and len(boundaries) == limits.depth:
            defects[f"more than {limits.depth} multiparts within each other: the rest is left out"] = None
        elif opened is not None:
            delimiter = boundaries.push(opened, section.body)
            if delimiter is None or delimiter.level < len(boundaries) - 1:
                defects["multipart without parts"] = None
                opened = None  # what stands there is shown as text
        if opened is None:
            part_end = max(delimiter.start, section.body) if delimiter else len(data)
            leaves.append(Leaf(section.fields, kind, section.body, part_end, around.alternative, around.related))
        while delimiter is not None and delimiter.closing:
            boundaries.close_above(delimiter.level)
            delimiter = boundaries.next(delimiter.end)
        if delimiter is None:
            if len(boundaries):
                defects["multipart without its closing boundary"] = None
            return Body(tuple(leaves), tuple(defects))
        boundaries.close_above(delimiter.level + 1)
        around = boundaries.innermost
        start, delimiter = delimiter.end, boundaries.next(delimiter.end)
        section = _part_section(data, start, delimiter, limits)
        if section.defects:
            defects |= dict.fromkeys(section.defects)
        opened, kind = _opened(section, around, number)
    defects[f"more than {limits.parts} parts: the rest is left out"] = None
    return Body(tuple(leaves), tuple(defects))


def _opened(section: Section, around: Multipart, number: int) -> tuple[Multipart | None, str]:
    """The multipart that a part is, if it is one with a boundary, and the media type of the leaf that it is else."""
    field = section.fields.get(b"content-type", b"")
    kind = media_type(field) or around.default
    if not kind.startswith("multipart/"):
        return None, kind
    found = boundary(field).rstrip()
    if not found:
        return None, "text/plain"
    return Multipart(
        found,
        # RFC 2046, section 5.1.5
        default="message/rfc822" if kind == "multipart/digest" else "text/plain",
        alternative=number if kind == "multipart/alternative" else around.alternative,
        related=around.related or kind == "multipart/related",
    ), "text/plain"


def _part_section(data: bytes, start: int, delimiter: Delimiter | None, limits: Limits) -> Section:
    """The header section of a part; the next delimiter ends it where no blank line does."""
    end = max(start, delimiter.start) if delimiter else len(data)
    # One byte over the limit is enough to see that it is passed, and keeps the search for a blank line short.
    return read_section(data, start, min(end, start + limits.header_bytes + 1), limit=limits.header_bytes)


_UUENCODE = (b"x-uuencode", b"uuencode", b"x-uue", b"uue")


def content(data: bytes, leaf: Leaf) -> bytes:
    """A leaf's body without its transfer encoding. Line ends of what is not base64 are LF.

    uuencode can make 63 bytes of one: what would be longer than the body as it was sent is left out.
    """
    encoding = leaf.encoding()
    if encoding == b"base64":
        return from_base64(data, leaf.start, leaf.end)
    if encoding == b"quoted-printable":
        return from_quoted_printable(data, leaf.start, leaf.end)
    raw = with_lf(data, leaf.start, leaf.end)
    return _joined(_uudecoded(raw), most=len(raw)) if encoding in _UUENCODE else raw


def decoded_size(data: bytes, leaf: Leaf) -> int:
    """How many bytes a leaf's body has without its transfer encoding."""
    encoding = leaf.encoding()
    if encoding in _UUENCODE:
        return sum(map(len, _uudecoded(data[leaf.start : leaf.end])))
    if encoding != b"base64":
        return len(content(data, leaf))
    return base64_letters(data, leaf.start, leaf.end) * 3 // 4  # decoding takes three times as long, or more


def _uudecoded(raw: bytes) -> Iterator[bytes]:
    """What each line gives. Its first character tells how much, also where nothing follows: then it is zeros."""
    begun = False
    for line in io.BytesIO(raw):
        line = line.rstrip(b"\r\n")
        if not begun:
            begun = line.startswith(b"begin ")
        elif line.rstrip() == b"end":
            break
        elif line:
            # Encoders pad the line beyond its length, and servers trim it below.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3 + 1
            try:
                yield binascii.a2b_uu(line[:length].ljust(length))
            except binascii.Error:
                break


def _joined(pieces: Iterator[bytes], most: int) -> bytes:
    """The pieces, as far as they are no longer than `most` bytes."""
    # In one array: millions of short pieces as a list would take a gigabyte.
    joined = bytearray()
    for piece in pieces:
        if len(joined) + len(piece) > most:
            break
        joined += piece
    return bytes(joined)


def attachments(data: bytes, leaves: tuple[Leaf, ...]) -> Iterator[Attachment]:
    """The leaves that are sent as files: by their disposition, or because they have a file name.

    Inline are those whose disposition says so, and those without one that a page can refer to: with a Content-ID,
    in a multipart/related.
    """
    for leaf in leaves:
        if not _may_be_file(leaf):
            continue
        disposition = leaf.disposition()
        name = file_name(leaf, disposition)
        if name is None and disposition.value != "attachment":
            continue
        referenced = leaf.related and b"content-id" in leaf.fields
        inline = disposition.value == "inline" or (disposition.value == "" and referenced)
        yield Attachment(safe_file_name(name or ""), leaf.media_type, decoded_size(data, leaf), inline)


def _may_be_file(leaf: Leaf) -> bool:
    """Whether its header has what can make it a file; most parts' have not, and are not looked at any closer."""
    return b"content-disposition" in leaf.fields or may_name(leaf.fields.get(b"content-type", b""))


def file_name(leaf: Leaf, disposition: Structured) -> str | None:
    """The name as it was sent; ``None`` where there is none, or an empty one."""
    return disposition.text(b"filename") or leaf.content_type().text(b"name")


def texts(data: bytes, leaves: tuple[Leaf, ...]) -> Iterator[tuple[str, bytes, str | None]]:
    """What there is to read: ``("text/plain", octets, charset)`` or ``("text/html", …)``, in the order of the message.

    Of alternatives the plain text, unless it is blank. Files are not read, but for a message that is nothing else.
    """
    readable = [
        leaf
        for leaf in leaves
        if leaf.media_type in ("text/plain", "text/html") and (not _may_be_file(leaf) or _is_text(leaf, leaves))
    ]
    alternatives = set()
    if len(readable) > 1:
        alternatives = {
            leaf.alternative
            for leaf in readable
            if leaf.alternative is not None
            and leaf.media_type == "text/plain"
            and data[leaf.start : min(leaf.end, leaf.start + 4_096)].strip()
        }
    for leaf in readable:
        if leaf.media_type == "text/plain" or leaf.alternative not in alternatives:
            yield leaf.media_type, content(data, leaf), charset(leaf.fields.get(b"content-type", b""))


def _is_text(leaf: Leaf, leaves: tuple[Leaf, ...]) -> bool:
    disposition = leaf.disposition()
    return disposition.value != "attachment" and (leaf is leaves[0] or file_name(leaf, disposition) is None)
