"""The report as one HTML file: no script, no request to anywhere, figures for light and dark, wide and narrow.

All that comes from mail passes `visible` and Jinja's escaping, and stands behind a policy that allows no script.
"""

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from inboxstats import __version__, charts
from inboxstats.archive.files import write_whole
from inboxstats.errors import storage_errors
from inboxstats.report import wording
from inboxstats.report.model import Answer, Report
from inboxstats.visible import visible

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("inboxstats.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

MOST_ROWS = 1000
"""Of a table on the page: more would only be slow to open."""

PAPER_ROWS = 25
"""Of a table in print."""


def write(report: Report, path: Path) -> None:
    """Writes the page, whole or not at all. Raises StorageError."""
    with storage_errors("write", path):
        write_whole(str(path), render(report).encode(), fsync=True)


def render(report: Report) -> str:
    """The page's HTML."""
    return _TEMPLATES.get_template("page.html").render(
        report=report,
        wording=wording,
        visible=visible,
        sheets={answer.statistic.name: sheet(answer) for answer in report.answers if not answer.is_empty},
        figures={answer.statistic.name: figures(answer) for answer in report.answers if not answer.is_empty},
        most_rows=MOST_ROWS,
        paper_rows=PAPER_ROWS,
        light=charts.LIGHT,
        dark=charts.DARK,
        wide=charts.WIDE,
        version=__version__,
    )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as the page shows it; a kind a column.

    Kinds are ``key``, ``number``, ``day``, ``place`` and ``word``; one with ``detail`` may be hidden.
    """

    caption: str
    columns: list[str]
    kinds: list[str]
    records: list[list[Any]]


def sheet(answer: Answer) -> Sheet:
    """The hours of a week as a grid, and of any other table `MOST_ROWS` at most."""
    if answer.statistic.name == "busy_hours":
        part = replace(answer, table=_grid(answer.table))
        caption = "Hours by days"
    else:
        rows = answer.table.head(MOST_ROWS) if answer.statistic.ranked else answer.table.tail(MOST_ROWS)
        part = replace(answer, table=rows)
        caption = wording.extent(answer, len(rows))
    columns = list(part.table.columns)
    kinds = ["key", *(_kind(part, column) for column in columns[1:])]
    return Sheet(caption, columns, kinds, part.records())


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    """A row an hour, a column a day: seven columns fit on a telephone."""
    grid = table.pivot(index="hour", columns="weekday", values="messages")
    return grid.set_axis(charts.WEEKDAYS, axis="columns").reset_index()


def _kind(answer: Answer, column: str) -> str:
    if answer.is_number(column):
        return "number detail" if column == "score" else "number"
    return {"last": "day", "keyword": "word", "filed": "place", "likely": "place"}.get(column, "detail")


def figures(answer: Answer) -> dict[str, str]:
    """The figure as URLs: ``{"light wide": "data:image/svg+xml;base64,…", "light narrow": …, "dark wide": …, …}``."""
    found: dict[str, str] = {}
    for size, width in (("wide", charts.WIDE), ("narrow", charts.NARROW)):
        light = charts.svg(answer.statistic.draw, answer.table, charts.LIGHT, width=width)
        dark = charts.recoloured(light, charts.LIGHT, charts.DARK)
        if dark is None:
            dark = charts.svg(answer.statistic.draw, answer.table, charts.DARK, width=width)
        found |= {f"light {size}": _url(light), f"dark {size}": _url(dark)}
    return found


def _url(picture: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
