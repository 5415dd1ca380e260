"""A letter, which is what a reader should see, and its bytes as RFC 5322 and MIME have them.

Not written with the standard library's email package, whose output differs from one Python to the next, and whose
parser is the tests' independent judge of these bytes.
"""

import base64
import binascii
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from textwrap import fill
from urllib.parse import quote

from inboxstats.demo.attachments import File
from inboxstats.demo.people import Encoding, Style
from inboxstats.mail import Address, Attachment

ENCODED_WORD_BYTES = 45
"""Of text in an encoded word: base64 makes 60 of them, and RFC 2047 allows 75 with the charset's name."""
SPECIALS = frozenset('()<>[]:;@\\,."')
ATTRIBUTIONS = {
    "en": "On {day:%d/%m/%Y} at {day:%H:%M}, {name} wrote:",
    "de": "Am {day:%d.%m.%Y} um {day:%H:%M} schrieb {name}:",
    "fr": "Le {day:%d/%m/%Y} à {day:%H:%M}, {name} a écrit :",
    "es": "El {day:%d/%m/%Y} a las {day:%H:%M}, {name} escribió:",
    "ja": "{day:%Y}年{day:%m}月{day:%d}日 {day:%H:%M} {name}:",
    "ru": "{day:%d.%m.%Y} в {day:%H:%M} {name} пишет:",
}
STYLE_SHEET = """
body { margin: 0; background: #f4f1ea; font: 16px/1.5 Georgia, serif; color: #222; }
table { border-collapse: collapse; width: 600px; margin: 0 auto; background: #fff; }
td { padding: 12px 24px; } h1 { font-size: 26px; color: #134; } a { color: #17609b; }
.footer { font-size: 12px; color: #777; border-top: 1px solid #ddd; }
@media (max-width: 600px) { table { width: 100%; } td { padding: 8px 12px; } }
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody says to somebody: the ground truth about a message.

    date       -- the Date header, with the sender's own offset
    references -- the thread's earlier Message-IDs, oldest first; the last is the one that this answers
    text       -- what the author wrote, without `quoted` (the letter that it answers) and `signature`
    charset    -- the one used, which is utf-8 where the sender's usual one lacks a letter
    """

    sender: Address
    to: Address
    subject: str
    date: datetime
    message_id: str
    text: str
    topic: str
    language: str
    charset: str
    encoding: Encoding
    style: Style
    references: tuple[str, ...] = ()
    quoted: str = ""
    signature: str = ""
    files: tuple[File, ...] = ()
    list_id: str | None = None
    unsubscribe: bool = False
    tool: bool = False

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """As a reader should count them."""
        return tuple(Attachment(file.name, file.media_type, len(file.content)) for file in self.files)


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME part: its header lines, without line ends, and its body with CRLF."""

    header: tuple[str, ...]
    body: bytes


def to_bytes(letter: Letter, *, received: datetime) -> bytes:
    """The message as the server keeps it, CRLF throughout; `received` is for the Received header."""
    boundary = f"=_{letter.message_id[1:17]}"
    part = _text_part(letter, boundary)
    if letter.files:
        part = _multipart("mixed", f"{boundary}_m", [part, *map(_file_part, letter.files)])
    lines = [*_header(letter, received), "MIME-Version: 1.0", *part.header]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + part.body


def _header(letter: Letter, received: datetime) -> Iterator[str]:
    domain = letter.sender.domain
    yield f"Received: from mail.{domain} (mail.{domain} [192.0.2.25])"
    yield f"\tby mx.example.org with ESMTPS; {format_datetime(received)}"
    yield f"Date: {format_datetime(letter.date)}"
    yield f"From: {_address(letter.sender, letter.charset)}"
    yield f"To: {_address(letter.to, 'utf-8')}"
    yield f"Subject: {_unstructured(letter.subject, letter.charset)}"
    yield f"Message-ID: {letter.message_id}"
    if letter.references:
        yield f"In-Reply-To: {letter.references[-1]}"
        yield "References: " + "\r\n ".join(letter.references)
    if letter.list_id:
        yield f"List-Id: <{letter.list_id}>"
    if letter.unsubscribe:
        yield f"List-Unsubscribe: <https://{domain}/unsubscribe?m={letter.message_id[1:9]}>"
    if letter.tool:
        yield "Auto-Submitted: auto-generated"


def _address(address: Address, charset: str) -> str:
    name = address.display_name
    if not name.isascii():
        name = _unstructured(name, charset)
    elif SPECIALS.intersection(name):
        name = f'"{name}"'
    return f"{name} <{address.addr_spec}>"


def _unstructured(text: str, charset: str) -> str:
    """Encoded words (RFC 2047) where they are needed; each holds whole characters, as its section 5 asks."""
    if text.isascii():
        return text
    charset = usable_charset(text, charset)
    words = [f"=?{charset}?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(text, charset)]
    return "\r\n ".join(words)


def _pieces(text: str, charset: str) -> Iterator[bytes]:
    start = 0
    for end in range(1, len(text) + 1):
        if len(text[start : end + 1].encode(charset)) > ENCODED_WORD_BYTES or end == len(text):
            yield text[start:end].encode(charset)
            start = end


def usable_charset(text: str, wanted: str) -> str:
    """The charset wanted if it holds all of the text, else utf-8, as mail programs do."""
    try:
        text.encode(wanted)
    except UnicodeEncodeError:
        return "utf-8"
    return wanted


def _text_part(letter: Letter, boundary: str) -> Part:
    match letter.style:
        case "plain":
            return _encoded("plain", _plain(letter), letter)
        case "html":
            return _encoded("html", _html(letter), letter)
        case "alternative":
            both = [_encoded("plain", _plain(letter), letter), _encoded("html", _html(letter), letter)]
            return _multipart("alternative", f"{boundary}_a", both)


def _plain(letter: Letter) -> str:
    signature = f"\n\n-- \n{letter.signature}" if letter.signature else ""
    quoted = f"\n\n{letter.quoted}" if letter.quoted else ""
    return f"{_wrapped(letter.text)}{quoted}{signature}\n"


def _wrapped(text: str) -> str:
    return "\n".join(fill(line, 76, break_on_hyphens=False) for line in text.split("\n"))


def _html(letter: Letter) -> str:
    if letter.tool:
        return _page(letter)
    quoted = f'<blockquote type="cite">{_lines(letter.quoted)}</blockquote>' if letter.quoted else ""
    signature = f'<div class="signature">-- <br>{_lines(letter.signature)}</div>' if letter.signature else ""
    return f"<html><body>\n{_paragraphs(letter.text)}\n{quoted}{signature}\n</body></html>\n"


def _page(letter: Letter) -> str:
    """A newsletter or a receipt, in the dress that such mail wears."""
    domain = letter.sender.domain
    way_out = f'<a href="https://{domain}/unsubscribe">No more of these, please</a>' if letter.unsubscribe else ""
    return (
        f'<!doctype html>\n<html lang="{letter.language}"><head><title>{html.escape(letter.subject)}</title>\n'
        f"<style>{STYLE_SHEET}</style></head>\n<body><table>\n"
        f'<tr><td><img src="https://{domain}/logo.png" alt="{html.escape(letter.sender.display_name)}"></td></tr>\n'
        f"<tr><td><h1>{html.escape(letter.subject)}</h1>\n{_paragraphs(letter.text)}</td></tr>\n"
        f'<tr><td class="footer"><a href="https://{domain}">{domain}</a> {way_out}</td></tr>\n'
        "</table></body></html>\n"
    )


def _paragraphs(text: str) -> str:
    return "\n".join(f"<p>{_lines(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>\n")


def _encoded(subtype: str, text: str, letter: Letter) -> Part:
    raw = text.replace("\n", "\r\n").encode(letter.charset)
    encoding = letter.encoding
    if encoding == "7bit" and max(raw) > 127:
        encoding = "quoted-printable"
    body = {"base64": _base64, "quoted-printable": _quoted_printable}.get(encoding, bytes)(raw)
    header = f"Content-Type: text/{subtype}; charset={letter.charset}", f"Content-Transfer-Encoding: {encoding}"
    return Part(header, body)


def _base64(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", b"\r\n")


def _quoted_printable(raw: bytes) -> bytes:
    lines = (binascii.b2a_qp(line, istext=True).replace(b"\n", b"\r\n") for line in raw.split(b"\r\n"))
    return b"\r\n".join(lines)


def _file_part(file: File) -> Part:
    name = f'filename="{file.name}"' if file.name.isascii() else f"filename*=utf-8''{quote(file.name)}"
    header = (
        f"Content-Type: {file.media_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: attachment; {name}",
    )
    return Part(header, _base64(file.content))


def _multipart(subtype: str, boundary: str, parts: Sequence[Part]) -> Part:
    body = b"".join(
        f"--{boundary}\r\n".encode() + "\r\n".join(part.header).encode() + b"\r\n\r\n" + part.body + b"\r\n"
        for part in parts
    )
    return Part((f'Content-Type: multipart/{subtype}; boundary="{boundary}"',), body + f"--{boundary}--\r\n".encode())


def quotation(letter: Letter) -> str:
    """The letter as its answer quotes it: who wrote when, then its own words."""
    attribution = ATTRIBUTIONS[letter.language].format(day=letter.date, name=letter.sender.display_name)
    return f"{attribution}\n" + "\n".join(f"> {line}".rstrip() for line in _wrapped(letter.text).split("\n"))
