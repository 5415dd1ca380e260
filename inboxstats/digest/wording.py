"""The findings in words, once for all that show them. Text from mail is made harmless; escaping is left to HTML."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from inboxstats.digest import Findings, UnusualDay, Waiting
from inboxstats.report.wording import WEEKDAYS, cell, count

MOST = 10
"""Lines of a section."""

_LONGEST = 100
"""Characters of a text of mail."""


@dataclass(frozen=True, slots=True)
class Line:
    """What it is about, and what is to say of it."""

    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines; `more` were left out."""

    title: str
    lines: tuple[Line, ...]
    more: int = 0
    note: str | None = None


def headline(findings: Findings) -> str:
    """Counts alone, without a word from mail: ``"12 new messages, 2 new senders, 1 waits for an answer"``."""
    new_waiting = sum(each.is_new for each in findings.waiting)
    parts = [count(findings.messages, "new message") if findings.messages else "no new messages"]
    parts += [count(len(findings.senders), "new sender")] if findings.senders else []
    parts += [count(len(findings.days), "unusual day")] if findings.days else []
    parts += [f"{new_waiting:,} more wait{'s' if new_waiting == 1 else ''} for an answer"] if new_waiting else []
    parts += [count(len(findings.troubles), "trouble")] if findings.troubles else []
    return ", ".join(parts)


def period(findings: Findings) -> str:
    """``"2026-11-27 02:30 to 2026-11-28 02:30 (Europe/Berlin)"``."""
    zone = ZoneInfo(findings.timezone)
    since, until = (moment.astimezone(zone) for moment in (findings.period.earliest, findings.period.until))
    return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} ({findings.timezone})"


def sections(findings: Findings) -> list[Section]:
    """Those that have anything to say, the most pressing first."""
    zone = ZoneInfo(findings.timezone)
    found = [
        _section("Went wrong", [Line(cell("", trouble), "") for trouble in findings.troubles]),
        _section("Waits for an answer", [_waiting(each, zone) for each in findings.waiting], note=_note(findings)),
        _section("Unusual days", [_day(each) for each in findings.days]),
        _section(
            "New senders",
            [Line(_sender(each.address, each.name), count(each.messages, "message")) for each in findings.senders],
        ),
        _section(
            "Words that begin to rise",
            [
                Line(cell("", each.word), f"{count(each.messages, 'message')} in 28 days, {each.before:,} before")
                for each in findings.words
            ],
        ),
    ]
    return [section for section in found if section.lines]


def text(findings: Findings) -> Iterator[str]:
    """The digest as lines of plain text, for the terminal and for mail."""
    yield headline(findings).capitalize() + "."
    yield period(findings)
    for section in sections(findings):
        yield ""
        yield section.title
        for line in section.lines:
            yield f"  {line.what}" + (f" · {line.detail}" if line.detail else "")
        if section.more:
            yield f"  … and {section.more:,} more"
        if section.note:
            yield f"  ({section.note})"


def _section(title: str, lines: list[Line], *, note: str | None = None) -> Section:
    return Section(title, tuple(lines[:MOST]), max(0, len(lines) - MOST), note)


def _note(findings: Findings) -> str | None:
    if findings.sent_known:
        return None
    return "No sent mail of two weeks is in the archive: what you answered shows only where the server marks it."


def _waiting(each: Waiting, zone: ZoneInfo) -> Line:
    subject = _short(cell("", each.subject) or "(no subject)")
    return Line(_sender(each.address, each.name), f"{subject} · {each.when.astimezone(zone):%a %d %b, %H:%M}")


def _day(each: UnusualDay) -> Line:
    who = f"from {cell('', each.sender)}" if each.sender else "in all"
    weekday = WEEKDAYS[each.day.weekday()]
    usual = f"{each.usual:,.1f}".removesuffix(".0")
    messages = count(each.messages, "message") if each.messages else "nothing"
    return Line(f"{weekday}, {each.day}", f"{messages} {who}; {usual} is usual on a {weekday}")


def _sender(address: str, name: str | None) -> str:
    shown = cell("", address)
    return f"{_short(cell('', name))} <{_short(shown)}>" if name else _short(shown)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
