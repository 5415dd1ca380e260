"""The report in a terminal or a pipe: a screen or so of bars, as wide as there is room.

Text from mail comes through `wording.cell`, which leaves nothing that commands, and is never read as Rich's markup.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from inboxstats.report import wording
from inboxstats.report.model import Answer, Report

TOP = 6
"""Rows of a ranking; the page and the files have the rest."""

_GAP = 4
_BAR = "cyan"
_QUIET = "dim"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_RISING = "▁▂▃▄▅▆▇█"

_PLAIN = str.maketrans("▏▎▍▌▋▊▉█▁▂▃▄▅▆▇…·", "########.:-=+*%~-")

Block = list[Text]


def render(report: Report, console: Console) -> None:
    """Shows the report. No line is wider than the console."""
    for text, style in _summary(report):
        console.print(_encodable(Text(text, style), console), highlight=False)
    if report.totals.messages:
        for line in _body(report, min(console.width, 120)):
            console.print(_encodable(line, console), no_wrap=True, overflow="crop", highlight=False)


def _summary(report: Report) -> Iterator[tuple[str, str]]:
    totals = report.totals
    yield f"{wording.title(report)}{',' if totals.messages else ''} {wording.period(report)}", "bold"
    yield wording.reconciliation(totals), ""
    yield " · ".join(f"{figure} {what}" for figure, what in wording.headline(totals)), _QUIET
    yield " · ".join(f"{name}: {text}" for name, text in wording.facts(report)), _QUIET
    for hint in filter(None, (wording.arrived(totals), wording.moved(report))):
        yield hint, "yellow"


def _body(report: Report, width: int) -> Iterator[Text]:
    """The blocks, two in a row where there is room, an empty line above each row."""
    columns = 2 if width >= 72 else 1
    column = (width - _GAP * (columns - 1)) // columns
    blocks = _blocks(report, column)
    while row := list(islice(blocks, columns)):
        yield Text()
        for cells in zip_longest(*row, fillvalue=Text()):
            line = Text()
            for number, cell in enumerate(cells):
                line.pad_right(number * (column + _GAP) - line.cell_len)
                line.append_text(cell)
            line.rstrip()
            yield line


def _blocks(report: Report, width: int) -> Iterator[Block]:
    yield _bars("Messages by month", _last_months(report["months"]), width)
    yield [*_hours(report["hours"]), Text(), *_weekdays(report["weekdays"], width)]
    for answer in report.answers:
        if answer.is_empty:
            continue
        if "keyword" in answer.table.columns[1:]:
            yield _words(answer, width)
        elif answer.statistic.ranked:
            yield _bars(answer.statistic.title, _first_rows(answer), width)


def _first_rows(answer: Answer) -> list[tuple[str, int]]:
    top = answer.table.head(TOP)
    name = str(top.columns[0])
    return [(wording.cell(name, key), count) for key, count in zip(top[name], top[answer.measure], strict=True)]


def _words(answer: Answer, width: int) -> Block:
    """A line a sender or a month: its words, as many as there is room for."""
    name = str(answer.table.columns[0])
    lists = answer.table.groupby(name, sort=False)["keyword"].agg(list)
    shown = lists.head(TOP) if answer.statistic.ranked else lists.tail(TOP)
    labels = [wording.cell(name, key) for key in shown.index]
    label_width = min(max(map(cell_len, labels)), 2 * width // 5)
    lines = [Text(answer.statistic.title, "bold")]
    for label, words in zip(labels, shown, strict=True):
        line, said = Text(label), Text(", ".join(wording.cell("keyword", word) for word in words), _BAR)
        line.truncate(label_width, overflow="ellipsis", pad=True)
        said.truncate(width - label_width - 1, overflow="ellipsis")
        lines.append(Text.assemble(line, " ", said))
    return lines


def _last_months(months: Answer) -> list[tuple[str, int]]:
    # Those that have messages: one message dated years ahead would leave nothing but empty months.
    last = months.table.tail(12)
    return list(zip(last["month"], last["messages"], strict=True))


def _weekdays(weekdays: Answer, width: int) -> Block:
    names = (wording.cell("weekday", number)[:3] for number in weekdays.table["weekday"])
    return _bars("Days of the week", list(zip(names, weekdays.table["messages"], strict=True)), width)


def _hours(hours: Answer) -> Block:
    counts = hours.table["messages"]
    most = counts.max()
    spark = "".join(_RISING[-(-7 * count // most)] if most else _RISING[0] for count in counts)
    peak = f"  peak {counts.idxmax():02d}:00, {most:,}" if most else ""
    return [
        Text.assemble((hours.statistic.title, "bold"), (peak, _QUIET)),
        Text(spark, _BAR),
        Text("0     6     12    18   23", _QUIET),
    ]


def _bars(title: str, rows: Sequence[tuple[str, int]], width: int) -> Block:
    """A title and a line a row: label, bar, number."""
    if not rows:
        return [Text(title, "bold"), Text("no message has a date", _QUIET)]
    numbers = [f"{count:,}" for _, count in rows]
    number_width = max(map(len, numbers))
    label_width = min(max(cell_len(label) for label, _ in rows), max(width - number_width - 10, width // 3))
    room = max(width - label_width - number_width - 2, 0)
    most = max(count for _, count in rows) or 1
    lines = [Text(title, "bold")]
    for (label, count), number in zip(rows, numbers, strict=True):
        name = Text(label)
        name.truncate(label_width, overflow="ellipsis", pad=True)
        lines.append(
            Text.assemble(name, " ", (_bar(count / most, room), _BAR), " ", (number.rjust(number_width), _QUIET))
        )
    return lines


def _bar(share: float, room: int) -> str:
    """`room` cells, of which `share` is filled, to an eighth; what is not nothing is seen."""
    eighths = max(round(share * room * 8), 1 if share else 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(room)[:room]


def _encodable(line: Text, console: Console) -> Text:
    """The line in what the console's encoding has: a pipe on Windows is often no UTF-8."""
    if not console.options.ascii_only:
        return line
    plain = line.copy()
    plain.plain = line.plain.translate(_PLAIN).encode(console.encoding, "replace").decode(console.encoding)
    return plain
