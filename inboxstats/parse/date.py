"""Dates of RFC 5322, section 3.3, with the obsolete forms of 4.3. What they refuse is ``None``, never a guess."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# RFC 5322, section 4.3. A name that is not here says nothing about the offset, and stands for -0000.
_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

# White space comes as single blanks. The obsolete forms allow it nearly everywhere, and one digit for the hour;
# minutes and seconds have two in every form.
_DATE_TIME = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun) ?, ?)?"
    r"(?P<day>\d{1,2}) (?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) (?P<year>\d{2,4})"
    r" (?P<hour>\d{1,2}) ?: ?(?P<minute>\d\d)(?: ?: ?(?P<second>\d\d)(?!\d))?"
    r"(?: (?P<sign>[+-])(?P<offset>\d{4})(?!\d)| ?(?P<zone>[a-z]+))?",
    re.IGNORECASE | re.ASCII,
)
# Nineteen in twenty are written like this, and read in two fifths of the time.
_USUAL = re.compile(
    r"[ \t]*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(\d{1,2}) ([A-Z][a-z][a-z]) (\d{4})"
    r" ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) ([+-][01]\d)([0-5]\d)(?: \([A-Z]{1,5}\))?[ \t]*",
    re.ASCII,
)
_USUAL_MONTHS = {name.title(): f"{number:02}" for name, number in _MONTHS.items()}
_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)

_LATEST_YEAR = 2199
"""Later than that is a broken clock or a joke, and would stretch every axis to nothing."""
_LATEST_USUAL = str(_LATEST_YEAR)


def parse_date(raw: bytes) -> datetime | None:
    """The value of a Date field, in the offset that it states itself (UTC where it states none)."""
    if found := _usual(raw):
        return found
    text = without_comments(raw.decode("latin-1"))
    match = _DATE_TIME.fullmatch(_single_blanks(text)) if text is not None else None
    return _datetime(match) if match else None


def parse_received(raw: bytes) -> datetime | None:
    """The date behind the last semicolon of a Received field; what servers write after it is passed over."""
    if found := _usual(raw.rpartition(b";")[2] if b";" in raw else b""):
        return found
    before, semicolon, stamp = raw.decode("latin-1").rpartition(";")
    if stamp.count("(") != stamp.count(")"):  # the semicolon stood in a comment
        before, semicolon, stamp = (without_comments(f"{before};{stamp}") or "").rpartition(";")
    match = _DATE_TIME.match(_single_blanks(without_comments(stamp) or stamp)) if semicolon else None
    return _datetime(match) if match else None


def _usual(raw: bytes) -> datetime | None:
    match = _USUAL.fullmatch(raw.decode("latin-1"))
    if match is None:
        return None
    day, month, year, time, hours, minutes = match.groups()
    number = _USUAL_MONTHS.get(month)
    if number is None or not "1900" <= year <= _LATEST_USUAL:
        return None
    try:
        return datetime.fromisoformat(f"{year}-{number}-{day:0>2}T{time}{hours}:{minutes}")
    except ValueError:
        return None


def _single_blanks(text: str) -> str:
    return " ".join(text.split())


def without_comments(text: str) -> str | None:
    """The text with each comment, nested or not, turned into a blank; ``None`` where one is never closed."""
    if "(" not in text:
        return text
    kept, start, depth = [], 0, 0
    for part in _COMMENT_PART.finditer(text):
        if part[0] == "(":
            if depth == 0:
                kept.append(text[start : part.start()])
            depth += 1
        elif part[0] == ")" and depth:
            depth -= 1
            start = part.end()
    return None if depth else " ".join((*kept, text[start:]))


def _datetime(match: "re.Match[str]") -> datetime | None:
    year = _year(match["year"])
    offset = _offset(match)
    if year is None or offset is None:
        return None
    second = int(match["second"] or 0)
    leap = second == 60  # RFC 5322, section 3.3, allows it; datetime does not
    try:
        found = datetime(
            year,
            _MONTHS[match["month"].lower()],
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second - leap,
            tzinfo=_timezone(offset),
        )
    except ValueError:
        return None
    return found + timedelta(seconds=leap)


def _year(digits: str) -> int | None:
    """Obsolete two and three digits count from 1900 or 2000 (RFC 5322, section 4.3)."""
    year = int(digits)
    if len(digits) == 2:
        year += 2000 if year < 50 else 1900
    elif len(digits) == 3:
        year += 1900
    return year if 1900 <= year <= _LATEST_YEAR else None


def _offset(match: "re.Match[str]") -> int | None:
    """Minutes east of UTC; ``None`` where no clock has such an offset."""
    if match["offset"] is None:
        return _ZONES.get((match["zone"] or "").upper(), 0) * 60
    hours, minutes = divmod(int(match["offset"]), 100)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if match["sign"] == "-" else 1)


@lru_cache(maxsize=128)
def _timezone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))
