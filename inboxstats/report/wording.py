"""How the page and the terminal say things: numbers, sizes, dates, and what a cell of each column looks like."""

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from inboxstats.dataset import Totals
from inboxstats.lookalikes import unmistakable
from inboxstats.report.model import Answer, Report
from inboxstats.selection import SENDER_ZONE, Selection
from inboxstats.visible import visible

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def size(octets: int) -> str:
    """``"1 byte"``, ``"134 MB"``, in powers of 1,000 and three figures."""
    if octets == 1:
        return "1 byte"
    amount = float(octets)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} TB"


_CELLS: dict[str, Callable[[Any], str]] = {
    "bytes": size,
    "hour": "{:02d}:00".format,
    "weekday": lambda number: WEEKDAYS[number - 1],
    "share": "{:.1%}".format,
    "growth": "×{:,.1f}".format,
    "score": "{:,.2f}".format,
}


def cell(column: str, value: Any) -> str:
    """A value of a table as a reader sees it; ``""`` where it is missing."""
    if value is None:
        return ""
    if column in _CELLS:
        return _CELLS[column](value)
    return visible(unmistakable(value)) or "(empty)" if isinstance(value, str) else f"{value:,}"


def heading(column: str) -> str:
    """``"registrable_domain"`` as ``"Registrable domain"``."""
    return column.replace("_", " ").capitalize()


def count(number: int, noun: str) -> str:
    """``"1 message"``, ``"2,000 messages"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def reconciliation(totals: Totals) -> str:
    """The line by which every count can be checked."""
    return (
        f"{count(totals.files, 'file')} = {count(totals.messages, 'message')}"
        f" + {count(totals.duplicates, 'duplicate')} + {totals.unreadable:,} unreadable"
    )


def title(report: Report) -> str:
    """``"1,975 messages"``; ``"No messages"``."""
    return count(report.totals.messages, "message") if report.totals.messages else "No messages"


def headline(totals: Totals) -> list[tuple[str, str]]:
    """Figures beside the number of messages, and what they are of: the most telling first."""
    attachments, files = count(totals.attachments, "attachment").split(" ")
    return [
        (size(totals.bytes), "of mail"),
        (attachments, f"{files}, in {count(totals.messages_with_attachments, 'message')}"),
        (f"{totals.with_list_id:,}", "from mailing lists"),
        (f"{totals.with_list_unsubscribe:,}", "can be unsubscribed from"),
        (f"{totals.undated:,}", "without a date"),
        (f"{totals.without_sender:,}", "without a sender"),
    ]


def facts(report: Report) -> list[tuple[str, str]]:
    """What was counted, and by which time: names and texts."""
    chosen = report.selection
    return [
        ("Time zone", "each sender's own" if chosen.timezone == SENDER_ZONE else chosen.timezone),
        ("Clock", "when messages arrived" if chosen.clock == "received" else "the messages' Date header"),
        ("Duplicates", "counted once" if chosen.duplicates == "merge" else "counted each time"),
        ("Filters", "; ".join(_filters(chosen)) or "none"),
    ]


def _filters(chosen: Selection) -> list[str]:
    filters = []
    if chosen.accounts:
        filters.append(f"account {', '.join(chosen.accounts)}")
    if chosen.mailboxes:
        filters.append(f"mailbox {', '.join(chosen.mailboxes)}")
    if chosen.since:
        filters.append(f"since {day(chosen.since)}")
    if chosen.until:
        filters.append(f"until {day(chosen.until)}")
    return [visible(text) for text in filters]


def moved(report: Report) -> str:
    """What to do about times that mean little; ``""`` where they are all right."""
    if not report.moved:
        return ""
    return (
        "Most messages arrived long after their Date header says (a moved mailbox?): "
        "--clock date counts by that header."
    )


def arrived(totals: Totals) -> str:
    """How much of the text a report is of, while a fetch is under way; ``""`` where it is of all."""
    if not totals.headers_only:
        return ""
    rest = totals.messages - totals.headers_only
    whose = f"the other {rest:,}" if rest else "none yet"
    return (
        f"{totals.headers_only:,} of {count(totals.messages, 'message')} so far by their headers alone: "
        f"keywords and attachments are of {whose}. `inboxstats fetch` brings the rest."
    )


def extent(answer: Answer, shown: int) -> str:
    """How much of the whole table `shown` rows are, and where the report has more of it."""
    if shown == answer.rows:
        return count(shown, "row")
    part = f"The {end(answer)} {shown:,} of {count(answer.rows, 'row')}"
    if shown == len(answer.table):
        return part
    kept = "all" if len(answer.table) == answer.rows else f"{len(answer.table):,}"
    return f"{part}; report.json and the CSV files have {kept}"


def nothing(answer: Answer) -> str:
    """What stands in the place of an empty table."""
    if "score" in answer.table:
        return "No word stands out: there is too little mail, or it is too even."
    return "Nothing to count here: no message tells."


def named(shown: int, unreadable: int) -> str:
    """How many of the files that cannot be read are named here, and where all are."""
    if shown == unreadable:
        return f"{count(shown, 'file')} with the reason"
    return (
        f"The first {shown:,} of {count(unreadable, 'file')} with the reason; report.json and unreadable.csv have all"
    )


def end(answer: Answer) -> str:
    """Which rows of a table that is too long are shown: the top of a ranking, the latest of a time."""
    return "first" if answer.statistic.ranked else "last"


def description(answer: Answer) -> str:
    """What a figure shows, for who cannot see it: the title, and the row that stands out."""
    columns = list(answer.table.columns)
    at = columns.index(answer.measure)
    largest = max(answer.records(), key=lambda record: record[at])
    peak = [cell(column, value) for column, value in zip(columns, largest, strict=True)]
    return f"Chart: {answer.statistic.title}. Most: {', '.join(filter(None, peak[:at]))}, {peak[at]}."


def period(report: Report) -> str:
    """From the day of the first message to that of the last, by the reader's clock.

    Where there is no message: in what there is none, as ``"in mailbox INBOX, since 3 March 2026"``, or ``"here yet"``.
    """
    if not report.totals.messages:
        filters = ", ".join(_filters(report.selection))
        named = report.selection.accounts or report.selection.mailboxes
        return f"in {filters}" if named else filters or "here yet"
    if report.first is None or report.last is None:
        return "no message has a date"
    first, last = (day(moment.astimezone(_zone(report.selection))) for moment in (report.first, report.last))
    return first if first == last else f"{first} to {last}"


def moment(report: Report) -> str:
    """When the report was made: ``"23 November 2026, 02:15 UTC"``."""
    made = report.generated.astimezone(_zone(report.selection))
    return f"{day(made)}, {made:%H:%M %Z}"


def day(when: date) -> str:
    """``"3 March 2026"``."""
    return f"{when.day} {when:%B %Y}"


def _zone(chosen: Selection) -> ZoneInfo:
    return ZoneInfo("UTC" if chosen.timezone == SENDER_ZONE else chosen.timezone)
