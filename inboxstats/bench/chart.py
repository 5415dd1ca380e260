"""The bar chart of an experiment: a bar a way, as long as its median, with the range of its rounds as error bars."""

from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from inboxstats import charts
from inboxstats.bench.figures import speedup, spread
from inboxstats.bench.model import Outcome
from inboxstats.bench.words import counted, duration, label, times

if TYPE_CHECKING:  # matplotlib takes 0.4 s
    from matplotlib.axes import Axes

_ROW, _GAP = 19.0, 0.5
"""Points a bar, and the space between two groups in bars."""

_STRENGTH = {"sequence": 0.4, "threads": 0.65, "article": 0.65, "processes": 1.0, "ours": 1.0}


def table(outcome: Outcome) -> pd.DataFrame:
    """A row a way: label, place from the top in bars, seconds (median, min, max), what stands beside, strength.

    Its `attrs` have the chart's caption.
    """
    rows = []
    place = 0.0
    for before, timing in pairwise([None, *outcome.timings]):
        assert timing is not None
        if before is not None and before.against != timing.against:
            place += _GAP
        each = spread(timing.seconds)
        beside = duration(each.median)
        if timing.name != timing.against:
            beside += f", ×{times(speedup(outcome, timing).median)}"
        strength = _STRENGTH[timing.name.mode]
        rows.append((label(outcome.name, timing.name), place, each.median, each.min, each.max, beside, strength))
        place += 1
    found = pd.DataFrame(rows, columns=["label", "place", "median", "min", "max", "beside", "strength"])
    found.attrs["caption"] = f"{outcome.name}: median and range of {counted(outcome.rounds, 'round')}"
    return found


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """The bars, from the top."""
    bars = table["place"].iloc[-1] + 1
    beside = charts.widest(list(table["beside"])) + 8
    charts.frame(axes, height=_ROW * bars + 22, left=charts.widest(list(table["label"])) + 8, right=beside, top=20)
    accent, ink = charts.setting("patch.facecolor"), charts.setting("text.color")
    drawn = axes.barh(table["place"], table["median"], height=0.7, color=accent)
    for bar, strength in zip(drawn, table["strength"], strict=True):
        bar.set_alpha(strength)
    errors = (table["median"] - table["min"], table["max"] - table["median"])
    axes.errorbar(
        table["median"], table["place"], xerr=errors, fmt="none", ecolor=ink, elinewidth=0.9, capsize=2, capthick=0.9
    )
    axes.set_yticks(table["place"], table["label"], color=ink)
    axes.set_xticks([])
    axes.set_title(table.attrs["caption"], pad=6)
    axes.set_xlim(0, table["max"].max())
    axes.set_ylim(bars - 0.5, -0.5)
    for place, most, text in zip(table["place"], table["max"], table["beside"], strict=True):
        axes.annotate(
            text, (most, place), (5, 0), textcoords="offset points", va="center_baseline", annotation_clip=False
        )


def svg(outcome: Outcome, palette: charts.Palette, *, width: int = charts.WIDE) -> bytes:
    """The chart, transparent."""
    return charts.svg(draw, table(outcome), palette, width=width)


def png(outcome: Outcome, *, width: int = charts.WIDE) -> bytes:
    """The chart on white."""
    return charts.png(draw, table(outcome), charts.LIGHT, width=width)
