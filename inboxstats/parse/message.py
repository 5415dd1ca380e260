"""Assembles Messages from their bytes. Each field is guarded on its own: an unreadable one costs that field alone.

Many are read at once, and each step is done for all of them before the next: the processor then keeps a step's code and
tables at hand. Short messages take two thirds of the time that they take one after the other (measured).
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import NamedTuple, Protocol, TypeVar

from inboxstats.mail import Address, Attachment, Message
from inboxstats.parse import mime
from inboxstats.parse.address import sender
from inboxstats.parse.date import parse_date, parse_received
from inboxstats.parse.headers import Fields, read_section, start_of_message, text
from inboxstats.parse.parameters import charset
from inboxstats.parse.text import (
    Part,
    disclaimer_marks,
    read_parts,
    shown_texts,
    without_disclaimers,
    written_text,
)
from inboxstats.parse.words import NO_TOKENS, Keywords, chosen, keywords, language_of, tokens

PARSER_VERSION = 7
"""Goes up when the result for any message changes; what an older one gave is parsed again."""

_Value = TypeVar("_Value")
_IN_ANGLES = re.compile(r"<([^<>]*)>")
# As nearly all are written: nothing to decode, and a third of the time.
_USUAL_MESSAGE_ID = re.compile(rb"\s*<([!-;=@-~]+)>\s*")
_FINGERPRINTED = (b"message-id", b"from", b"date")
_DEFAULT_LIMITS = mime.Limits()

# In the place of what cannot be read.
_NO_PARTS: list[Part] = []
_NO_TEXTS: list[str] = []
_NO_ATTACHMENTS: tuple[Attachment, ...] = ()
_UNREADABLE: str | None = ""


def parse(data: bytes, limits: mime.Limits = _DEFAULT_LIMITS) -> Message:
    """The message that the bytes are, whatever they are: it never raises, and takes linear time.

    Line ends may be LF, CRLF or mixed, and an mbox ``From `` line may stand first: `size` alone tells the difference.
    `message_id` and `list_id` come without their angle brackets, `list_id` in lower case (RFC 2919, section 6).
    """
    return read_all([data], limits)[0].message()


class Read(NamedTuple):
    """What becomes a `Message`, or a row of the table: its keywords and phrases are still joined."""

    size: int
    fingerprint: str
    sender: Address | None = None
    subject: str | None = None
    message_id: str | None = None
    date: datetime | None = None
    received: datetime | None = None
    is_reply: bool = False
    list_id: str | None = None
    has_list_unsubscribe: bool = False
    attachments: tuple[Attachment, ...] = ()
    keywords: Keywords = Keywords()
    defects: tuple[str, ...] = ()

    def message(self) -> Message:
        """The message that this is."""
        keywords = self.keywords
        return Message(*self[:-2], keywords.language, keywords.words, keywords.phrases, self.defects)


def read_all(mail: Sequence[bytes], limits: mime.Limits = _DEFAULT_LIMITS) -> list[Read]:
    """What `parse` makes a message of, for each in order."""
    defects: list[list[str]] = [[] for _ in mail]
    kept = [_within(data, limits, noted) for data, noted in zip(mail, defects, strict=True)]
    try:
        return _read(kept, [len(data) for data in mail], limits, defects)
    except Exception as error:  # noqa: BLE001 - the border of a hostile message
        if len(mail) > 1:
            return [read for data in mail for read in read_all([data], limits)]
        defects[0].append(f"cannot be read: {type(error).__name__}")
        return [Read(size=len(mail[0]), fingerprint=_digest(kept[0]), defects=tuple(defects[0]))]


def _within(data: bytes, limits: mime.Limits, defects: list[str]) -> bytes:
    """What is read of a message; its lines end with LF somewhere, if anywhere."""
    if len(data) > limits.message_bytes:
        defects.append(f"more than {limits.message_bytes} bytes: the rest is left out")
        data = data[: limits.message_bytes]
    return data.replace(b"\r", b"\n") if b"\n" not in data and b"\r" in data else data


def _read(mail: Sequence[bytes], sizes: Sequence[int], limits: mime.Limits, defects: list[list[str]]) -> list[Read]:
    each = partial(_each, defects)
    starts = list(map(start_of_message, mail))
    sections = [
        read_section(data, start, len(data), limit=limits.header_bytes)
        for data, start in zip(mail, starts, strict=True)
    ]
    fields = [section.fields for section in sections]
    labels = each("charset", None, _label, fields)
    subjects = each("Subject", None, _subject, fields, labels)
    dates = each("Date", None, _date, fields)
    senders = each("From", None, _sender, fields, labels)
    bodies = each("body", mime.Body(()), partial(mime.read_body, limits=limits), mail, sections)
    leaves = [body.leaves for body in bodies]
    shown = each("text", _NO_TEXTS, shown_texts, each("text", _NO_PARTS, _parts, mail, leaves))
    texts = each("text", "", written_text, shown)
    found = _keywords([subject or "" for subject in subjects], texts, each)
    for noted, body, address, date, given in zip(defects, bodies, senders, dates, fields, strict=True):
        noted += body.defects
        noted += _missing(given, has_sender=address is not None, has_date=date is not None)
    message_ids = each("Message-ID", None, _message_id, fields)
    received = each("Received", None, _received, fields)
    list_ids = each("List-Id", _UNREADABLE, _list_id, fields)
    attachments = each("attachments", _NO_ATTACHMENTS, _attachments, mail, leaves)
    return list(
        map(
            Read,
            sizes,
            map(_fingerprint, fields, mail, starts),
            senders,
            subjects,
            message_ids,
            dates,
            received,
            [b"in-reply-to" in given or b"references" in given for given in fields],
            list_ids,
            [b"list-unsubscribe" in given for given in fields],
            attachments,
            found,
            map(tuple, defects),
        )
    )


class _Each(Protocol):
    """`_each`, for the messages that are read."""

    def __call__(
        self, what: str, otherwise: _Value, read: Callable[..., _Value], *columns: Sequence[object]
    ) -> list[_Value]: ...


def _each(
    defects: list[list[str]], what: str, otherwise: _Value, read: Callable[..., _Value], *columns: Sequence[object]
) -> list[_Value]:
    """What is read of each message; `otherwise` where it raises, and then its defects say so."""
    try:
        return list(map(read, *columns))
    except Exception:  # noqa: BLE001, S110 - one of them is at fault: which one is found next
        pass
    found = []
    for noted, *values in zip(defects, *columns, strict=True):
        try:
            found.append(read(*values))
        except Exception as error:  # noqa: BLE001 - the border of one field
            noted.append(f"{what} cannot be read: {type(error).__name__}")
            found.append(otherwise)
    return found


def _missing(fields: Fields, *, has_sender: bool, has_date: bool) -> list[str]:
    """Why there is no sender or no date, where a field says otherwise."""
    defects = []
    if not has_sender and b"from" in fields:
        defects.append("no address in From")
    if not has_date and b"date" in fields:
        defects.append("Date is not one of RFC 5322, or implausible")
    return defects


def _keywords(subjects: list[str], texts: list[str], each: "_Each") -> list[Keywords]:
    cut = each("text", NO_TOKENS, tokens, subjects, texts)
    found = each("text", Keywords(), chosen, cut, each("text", None, language_of, cut))
    return each("text", Keywords(), _without_disclaimers, subjects, texts, found)


def _without_disclaimers(subject: str, text: str, found: Keywords) -> Keywords:
    """The keywords of a message less those of its disclaimers: its words tell which there can be."""
    marks = disclaimer_marks(found.disclaiming, found.language)
    if not marks:
        return found
    shorter = without_disclaimers(text, marks)
    return found if shorter is text else keywords(subject, shorter)


def _parts(data: bytes, leaves: tuple[mime.Leaf, ...]) -> list[Part]:
    return read_parts(mime.texts(data, leaves))


def _attachments(data: bytes, leaves: tuple[mime.Leaf, ...]) -> tuple[Attachment, ...]:
    return tuple(mime.attachments(data, leaves))


def _label(fields: Fields) -> str | None:
    return charset(fields.get(b"content-type", b""))


def _subject(fields: Fields, label: str | None) -> str | None:
    return _text(fields, b"subject", label)


def _sender(fields: Fields, label: str | None) -> Address | None:
    return sender(fields.get(b"from", b""), label)


def _date(fields: Fields) -> datetime | None:
    return parse_date(fields[b"date"]) if b"date" in fields else None


def _received(fields: Fields) -> datetime | None:
    return parse_received(fields.get(b"received", b""))


def _message_id(fields: Fields) -> str | None:
    usual = _USUAL_MESSAGE_ID.fullmatch(fields.get(b"message-id", b""))
    return usual[1].decode("ascii") if usual else _identifier(fields, b"message-id") or None


def _text(fields: Fields, name: bytes, label: str | None = None) -> str | None:
    return text(fields[name], label) if name in fields else None


def _identifier(fields: Fields, name: bytes) -> str | None:
    found = _text(fields, name)
    inside = _IN_ANGLES.search(found) if found else None
    return inside[1].strip() if inside else found


def _list_id(fields: Fields) -> str | None:
    found = _identifier(fields, b"list-id")
    return found.lower() if found is not None else None


def _fingerprint(fields: Fields, data: bytes, start: int) -> str:
    """Copies of one message differ in what servers write above it, and in folding; not in these three."""
    identifier = fields.get(b"message-id", b"").strip()
    if not identifier:
        return _digest(data[start:])
    return _digest(b"\0".join([b" ".join(fields.get(name, b"").split()) for name in _FINGERPRINTED]))


def _digest(data: bytes) -> str:
    return blake2b(data.replace(b"\r\n", b"\n"), digest_size=16).hexdigest()
