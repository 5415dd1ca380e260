"""The report as one HTML file: no script, no request to anywhere, figures for light and dark, wide and narrow.

All that comes from mail passes `visible` and Jinja's escaping, and stands behind a policy that allows no script.
"""

import base64
from pathlib import Path

import jinja2

from inboxstats import __version__, charts
from inboxstats.archive.files import storage_errors, write_whole
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
        figures={answer.statistic.name: figures(answer) for answer in report.answers if not answer.is_empty},
        light=charts.LIGHT,
        dark=charts.DARK,
        wide=charts.WIDE,
        version=__version__,
    )


def figures(answer: Answer) -> dict[str, str]:
    """The figure as URLs: ``{"light wide": "data:image/svg+xml;base64,…", "light narrow": …, "dark wide": …, …}``."""
    return {
        f"{scheme} {size}": _url(charts.svg(answer.statistic.draw, answer.table, palette, width=width))
        for scheme, palette in (("light", charts.LIGHT), ("dark", charts.DARK))
        for size, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    }


def _url(picture: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
