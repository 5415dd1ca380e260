"""All experiments side by side as one HTML file, without script or request; and the charts as files of their own."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from inboxstats import charts
from inboxstats.archive.files import write_whole
from inboxstats.bench import chart, words
from inboxstats.bench.figures import speedup, spread
from inboxstats.bench.model import Outcome
from inboxstats.errors import storage_errors

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("inboxstats.bench"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Row(NamedTuple):
    """A way as tables show it. `gain` is empty for what the others are compared with."""

    way: str
    median: str
    span: str
    gain: str


def rows(outcome: Outcome) -> list[Row]:
    """An experiment's table."""
    found = []
    for timing in outcome.timings:
        each, gain = spread(timing.seconds), speedup(outcome, timing)
        factor = "" if timing.name == timing.against else f"×{words.times(gain.median)}"
        span = f"{words.duration(each.min)} to {words.duration(each.max)}"
        found.append(Row(words.label(outcome.name, timing.name), words.duration(each.median), span, factor))
    return found


def render(outcomes: Sequence[Outcome], *, left_out: Mapping[str, str]) -> str:
    """The page; `left_out` tells by experiment why it was not made."""
    return _TEMPLATES.get_template("bench.html").render(
        outcomes=outcomes,
        left_out=left_out,
        lessons=words.lessons(outcomes),
        words=words,
        rows=rows,
        machine=words.machine_line(outcomes[0].machine),
        pictures={
            outcome.name: {
                "light": _url(chart.svg(outcome, charts.LIGHT)),
                "dark": _url(chart.svg(outcome, charts.DARK)),
                "light narrow": _url(chart.svg(outcome, charts.LIGHT, width=charts.NARROW)),
                "dark narrow": _url(chart.svg(outcome, charts.DARK, width=charts.NARROW)),
            }
            for outcome in outcomes
        },
        light=charts.LIGHT,
        dark=charts.DARK,
        wide=charts.WIDE,
    )


def write(outcomes: Sequence[Outcome], folder: Path, *, left_out: Mapping[str, str]) -> Path:
    """Writes ``bench.html`` and each chart as ``bench-NAME.svg``, ``bench-NAME-dark.svg`` and ``bench-NAME.png``.

    Returns the page's path. Raises StorageError.
    """
    files = {"bench.html": render(outcomes, left_out=left_out).encode()}
    for outcome in outcomes:
        files[f"bench-{outcome.name}.svg"] = chart.svg(outcome, charts.LIGHT)
        files[f"bench-{outcome.name}-dark.svg"] = chart.svg(outcome, charts.DARK)
        files[f"bench-{outcome.name}.png"] = chart.png(outcome)
    with storage_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(str(folder / name), data, fsync=False)
    return folder / "bench.html"


def write_chart(outcome: Outcome, path: Path) -> None:
    """Writes the chart, as its ending says: ``.svg``, else PNG. Raises StorageError."""
    data = chart.svg(outcome, charts.LIGHT) if path.suffix.lower() == ".svg" else chart.png(outcome)
    with storage_errors("write", path):
        write_whole(str(path), data, fsync=False)


def _url(picture: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
