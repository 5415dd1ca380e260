"""What `_compiled` does with the octets of a message, in Python: its header sections, its parts, their encodings.

uncompiled.py has the rest, and passes these on. Each function raises ValueError where ``data[start:end]`` is no part of
the data.
"""

import binascii
import re

_BASE64_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Fields:
    """The fields of a header section that are wanted.

    wanted -- up to 32 names, in lower case
    """

    def __init__(self, wanted: tuple[bytes, ...]) -> None:
        self._names = _Names(wanted)

    def read(self, data: bytes, start: int, end: int) -> tuple[bool, dict[bytes, bytes], bool]:
        """Whether there is any field in ``data[start:end]``; those that are wanted, unfolded, the first of each name;
        and whether there are lines that belong to none."""
        names = self._names
        fields: dict[bytes, bytes] = {}
        found = broken = False
        for line in _NEXT_FIELD.split(_part(data, start, end)):
            written, colon, value = line.partition(b":")
            name = names[written] if colon else _NO_FIELD
            if name is _NO_FIELD:
                broken = broken or not (line.isspace() or not line)
                continue
            found = True
            if name is not _UNWANTED and name not in fields:
                # Only these are unfolded, which saves two fifths of the time.
                fields[name] = value.replace(b"\r", b"").replace(b"\n", b"") if b"\n" in value else value.rstrip(b"\r")
        return found, fields, broken


_NAME = re.compile(rb"[!-9;-~]{1,200}")
_NEXT_FIELD = re.compile(rb"\n(?![ \t])")
_NO_FIELD, _UNWANTED = b"", b"*"


class _Names(dict[bytes, bytes]):
    """The name of a field as it is written to its lower-cased name, or to one of the two words for no such name."""

    _LARGEST = 10_000
    _LONGEST = 100

    def __init__(self, wanted: tuple[bytes, ...]) -> None:
        super().__init__()
        self._wanted = {name: name for name in wanted}

    def __missing__(self, written: bytes) -> bytes:
        name = written.rstrip().lower()
        if not _NAME.fullmatch(name):
            return _NO_FIELD
        name = self._wanted.get(name, _UNWANTED)
        if len(written) < self._LONGEST:  # any number of blanks may stand behind a name
            if len(self) >= self._LARGEST:
                self.clear()
            self[written] = name
        return name


def end_of_section(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the blank line is that ends the header section at `start`, and what follows it; twice `end` for none.

    It is the line end before it, but for a section that is blank from the start. Of two blank lines side by side, the
    one that ends as the first line does.
    """
    _check_places(data, start, end)
    if data.startswith((b"\n", b"\r\n"), start, end):
        return start, data.index(b"\n", start) + 1
    first = data.find(b"\n", start, end)
    found = (_BLANK_CRLF if data[first - 1 : first] == b"\r" else _BLANK_LF).search(data, start, end)
    return found.span() if found else (end, end)


_BLANK_LF = re.compile(rb"\n(?:\n|\r\n(?!\n))")
_BLANK_CRLF = re.compile(rb"\n(?:\r\n|\n(?!\r\n))")
_REST_OF_DELIMITER = rb"(?:--)?[ \t\r\v\f]*(?:\n|\Z)"
_LONGEST_PATTERN = 1_000
"""Compiling a longer one takes too long, and lines that begin like it are few."""


def next_delimiter(data: bytes, start: int, end: int, boundary: bytes) -> tuple[int, int, bool] | None:
    """The first delimiter of a multipart in ``data[start:end]``: the line end before it, where it ends, whether it is
    the closing one; ``None`` for none."""
    _check_places(data, start, end)
    line = b"\n--" + boundary
    found = data.find(line, start, end)
    while found >= 0:
        line_end = data.find(b"\n", found + len(line), end)
        line_end = end if line_end < 0 else line_end
        rest = data[found + len(line) : line_end].rstrip()
        if rest in (b"", b"--"):
            return found - (data[found - 1 : found] == b"\r"), min(line_end + 1, end), rest == b"--"
        if len(line) > _LONGEST_PATTERN:
            found = data.find(line, line_end, end)
            continue
        # It began like one: from here on a pattern looks, which costs a tenth where many lines do.
        match = re.compile(re.escape(line) + _REST_OF_DELIMITER).search(data, line_end, end)
        found = match.start() if match else -1
    return None


def base64_letters(data: bytes, start: int, end: int) -> int:
    """How many letters of base64 stand in ``data[start:end]``, before the first ``=``."""
    letters = _before_padding(data, start, end)
    return len(letters) - len(letters.translate(None, _BASE64_LETTERS))


def from_base64(data: bytes, start: int, end: int) -> bytes:
    """What these letters stand for, whatever is between them; nothing for a last one that stands for no octet."""
    letters = _before_padding(data, start, end)
    debris = letters.translate(None, _BASE64_LETTERS)
    letters = letters.translate(None, debris) if debris else letters
    return binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")


def from_quoted_printable(data: bytes, start: int, end: int) -> bytes:
    """What that part stands for in quoted-printable, with LF for CRLF. What is no such stays as it is."""
    return binascii.a2b_qp(with_lf(data, start, end))


def with_lf(data: bytes, start: int, end: int) -> bytes:
    """That part with LF for CRLF."""
    return _part(data, start, end).replace(b"\r\n", b"\n")


def _before_padding(data: bytes, start: int, end: int) -> bytes:
    return _part(data, start, end).partition(b"=")[0]


def _part(data: bytes, start: int, end: int) -> bytes:
    _check_places(data, start, end)
    return data[start:end]


def _check_places(data: bytes, start: int, end: int) -> None:
    if not 0 <= start <= end <= len(data):
        raise ValueError("start and end are places in the data, in this order")
