"""Assembles a Message from its bytes. Each field is guarded on its own: an unreadable one costs that field alone."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from inboxstats.mail import Address, Message
from inboxstats.parse import mime
from inboxstats.parse.address import sender
from inboxstats.parse.date import parse_date, parse_received
from inboxstats.parse.headers import Fields, read_section, start_of_message, text
from inboxstats.parse.parameters import structured
from inboxstats.parse.text import DISCLAIMER_WORDS, INFLECTED_DISCLAIMERS, without_disclaimers, written_text
from inboxstats.parse.words import Keywords, keywords

PARSER_VERSION = 4
"""Goes up when the result for any message changes; what an older one gave is parsed again."""

_Value = TypeVar("_Value")
_IN_ANGLES = re.compile(r"<([^<>]*)>")
_DEFAULT_LIMITS = mime.Limits()


def parse(data: bytes, limits: mime.Limits = _DEFAULT_LIMITS) -> Message:
    """The message that the bytes are, whatever they are: it never raises, and takes linear time.

    Line ends may be LF, CRLF or mixed, and an mbox ``From `` line may stand first: `size` alone tells the difference.
    `message_id` and `list_id` come without their angle brackets, `list_id` in lower case (RFC 2919, section 6).
    """
    size = len(data)
    defects: list[str] = []
    if size > limits.message_bytes:
        defects.append(f"more than {limits.message_bytes} bytes: the rest is left out")
        data = data[: limits.message_bytes]
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    try:
        return _parsed(data, size, limits, defects)
    except Exception as error:  # noqa: BLE001 - the border of a hostile message
        defects.append(f"cannot be read: {type(error).__name__}")
        return Message(size=size, fingerprint=_digest(data), defects=tuple(defects))


def _parsed(data: bytes, size: int, limits: mime.Limits, defects: list[str]) -> Message:
    start = start_of_message(data)
    section = read_section(data, start, len(data), limit=limits.header_bytes)
    fields = section.fields

    def guarded(what: str, otherwise: _Value, read: Callable[[], _Value]) -> _Value:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - the border of one field
            defects.append(f"{what} cannot be read: {type(error).__name__}")
            return otherwise

    unreadable: str | None = ""
    label = guarded("charset", None, lambda: structured(fields.get(b"content-type", b"")).token(b"charset"))
    subject = guarded("Subject", None, lambda: _text(fields, b"subject", label))
    date = guarded("Date", None, lambda: parse_date(fields[b"date"]) if b"date" in fields else None)
    address: Address | None = guarded("From", None, lambda: sender(fields.get(b"from", b""), label))
    body = guarded("body", mime.Body(()), lambda: mime.read_body(data, section, len(data), limits))
    found = guarded("text", Keywords(), lambda: _keywords(subject or "", written_text(mime.texts(data, body.leaves))))
    defects += body.defects
    defects += _missing(fields, has_sender=address is not None, has_date=date is not None)
    return Message(
        size=size,
        fingerprint=_fingerprint(fields, data[start:]),
        sender=address,
        subject=subject,
        message_id=guarded("Message-ID", None, lambda: _identifier(fields, b"message-id")) or None,
        date=date,
        received=guarded("Received", None, lambda: parse_received(fields.get(b"received", b""))),
        is_reply=b"in-reply-to" in fields or b"references" in fields,
        list_id=guarded("List-Id", unreadable, lambda: _list_id(fields)),
        has_list_unsubscribe=b"list-unsubscribe" in fields,
        attachments=guarded("attachments", (), lambda: tuple(mime.attachments(data, body.leaves))),
        language=found.language,
        words=found.words,
        phrases=found.phrases,
        defects=tuple(defects),
    )


def _missing(fields: Fields, *, has_sender: bool, has_date: bool) -> list[str]:
    """Why there is no sender or no date, where a field says otherwise."""
    defects = []
    if not has_sender and b"from" in fields:
        defects.append("no address in From")
    if not has_date and b"date" in fields:
        defects.append("Date is not one of RFC 5322, or implausible")
    return defects


def _keywords(subject: str, text: str) -> Keywords:
    found = keywords(subject, text)
    if DISCLAIMER_WORDS.isdisjoint(found.words) and found.language not in INFLECTED_DISCLAIMERS:
        return found
    shorter = without_disclaimers(text)
    return found if shorter is text else keywords(subject, shorter)


def _text(fields: Fields, name: bytes, label: str | None = None) -> str | None:
    return text(fields[name], label) if name in fields else None


def _identifier(fields: Fields, name: bytes) -> str | None:
    found = _text(fields, name)
    inside = _IN_ANGLES.search(found) if found else None
    return inside[1].strip() if inside else found


def _list_id(fields: Fields) -> str | None:
    found = _identifier(fields, b"list-id")
    return found.lower() if found is not None else None


def _fingerprint(fields: Fields, data: bytes) -> str:
    """Copies of one message differ in what servers write above it, and in folding; not in these three."""
    identifier = fields.get(b"message-id", b"").strip()
    if not identifier:
        return _digest(data)
    return _digest(b"\0".join(b" ".join(fields.get(name, b"").split()) for name in (b"message-id", b"from", b"date")))


def _digest(data: bytes) -> str:
    return blake2b(data.replace(b"\r\n", b"\n"), digest_size=16).hexdigest()
