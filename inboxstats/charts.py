"""How a figure looks: the palette, light and dark, and the four kinds of chart that the statistics draw with.

A figure is an SVG whose letters stay text: the reader's browser picks the font, so that every script is legible. What
is drawn is left to the statistics.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from inboxstats.lookalikes import unmistakable
from inboxstats.visible import visible

if TYPE_CHECKING:  # matplotlib takes 0.4 s, and most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = npt.NDArray[np.integer[Any]]

Unit = Literal["D", "M"]
"""A day, a month; numpy's names."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WIDE, NARROW = 590, 340
"""Widths of a figure in CSS pixels: beside its table, and on a telephone. Both are shown at their own size."""

MOST_BARS = 12
"""A ranking shows this many rows; the table beside it shows all."""

MOST_COLUMNS = 40
"""A longer time is drawn as an area."""

_FONT_SIZE = 9.0  # points: 12 CSS pixels
_ROW = 20.25  # points: a bar and the gap to the next
_HISTOGRAM = 186.0
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"

_TAG = re.compile(r"<[^>]*>")  # a text that is written in a figure is between tags, and may name a colour
_COLOUR = re.compile(r"(?<=: )#[0-9a-f]{6}\b")
_BLACK = "#000000"  # where matplotlib has no say


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as ``"#rrggbb"``: what is drawn on, what is written, what stands back, and the one that speaks."""

    paper: str
    ink: str
    muted: str
    line: str
    accent: str


LIGHT = Palette(paper="#ffffff", ink="#1d2129", muted="#667080", line="#e3e5e8", accent="#2f6690")
DARK = Palette(paper="#1b1f26", ink="#e9e7e2", muted="#98a1ad", line="#323843", accent="#7db4de")


Draw = Callable[[pd.DataFrame, "Axes"], None]
"""Draws a table; it gives the figure its height."""


def svg(draw: Draw, table: pd.DataFrame, palette: Palette, *, width: int) -> bytes:
    """The figure that `draw` makes of a table, `width` CSS pixels wide. The same table gives the same bytes."""
    picture = _drawn(
        draw, table, palette, width, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
    )
    return re.sub(r"font-family: [^;\"]+", f"font-family: {_FONTS}", picture.decode()).encode()


def recoloured(picture: bytes, before: Palette, after: Palette) -> bytes | None:
    """What `svg` makes with another palette, in no time; ``None`` where colours lie between those of the palette."""
    colours: dict[str, str] = dict(zip(astuple(before), astuple(after), strict=True))
    text = picture.decode()
    used = {colour for tag in _TAG.findall(text) for colour in _COLOUR.findall(tag)}
    if not used <= colours.keys() | {_BLACK}:
        return None
    return _TAG.sub(lambda tag: _COLOUR.sub(lambda found: colours.get(found[0], found[0]), tag[0]), text).encode()


def png(draw: Draw, table: pd.DataFrame, palette: Palette, *, width: int) -> bytes:
    """The same figure for programs that show no SVG, on paper of its own, two pixels for a CSS pixel."""
    return _drawn(
        draw, table, palette, width, format="png", dpi=192, facecolor=palette.paper, bbox_inches="tight", pad_inches=0.1
    )


def _drawn(draw: Draw, table: pd.DataFrame, palette: Palette, width: int, **saved: Any) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with mpl.rc_context(_style(palette)), warnings.catch_warnings():
        # Matplotlib measures with its own font, which lacks most scripts; the browser has fonts for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively", UserWarning)
        figure = Figure(figsize=(width / 96, 2.4))
        draw(table, figure.add_axes((0, 0, 1, 1)))
        figure.savefig(buffer, **saved)
    return buffer.getvalue()


def _style(palette: Palette) -> dict[Any, object]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "inboxstats",
        "font.family": "DejaVu Sans",  # ships with matplotlib; wider than what browsers choose, so nothing overlaps
        "font.size": _FONT_SIZE,
        "text.parse_math": False,
        "text.color": palette.ink,
        "axes.facecolor": palette.paper,
        "axes.edgecolor": palette.line,
        "axes.labelcolor": palette.muted,
        "patch.facecolor": palette.accent,
        "axes.prop_cycle": f"cycler('color', ['{palette.accent}'])",
        "axes.axisbelow": True,
        "axes.titlesize": _FONT_SIZE,
        "axes.titlecolor": palette.muted,
        "axes.titlelocation": "left",
        "grid.color": palette.line,
        "grid.linewidth": 0.75,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
    }


def ranking(
    axes: "Axes", labels: "pd.Series[str]", values: "pd.Series[int]", *, before: "pd.Series[int] | None" = None
) -> None:
    """A bar a row, the first on top. A label that is too long loses its middle. `before` stands beside each value."""
    names = [clipped(visible(unmistakable(label)) or "(empty)", 0.46 * _width(axes)) for label in labels[:MOST_BARS]]
    counts = values[:MOST_BARS].to_numpy()
    numbers = [f"{count:,}" for count in counts]
    if before is not None:
        numbers = [f"{was:,} → {number}" for was, number in zip(before, numbers, strict=False)]
    frame(axes, height=_ROW * len(names) + 4, left=widest(names) + 8, right=widest(numbers) + 6)
    for number in axes.bar_label(axes.barh(range(len(names)), counts, height=0.66), labels=numbers, padding=4):
        number.set_verticalalignment("center_baseline")  # as those of the axis are
    axes.set_yticks(range(len(names)), names, color=setting("text.color"))
    axes.set_xticks([])
    axes.set_xlim(0, counts.max())
    axes.set_ylim(len(names) - 0.5, -0.5)


def columns(axes: "Axes", labels: Sequence[str], values: "pd.Series[int]") -> None:
    """A column a label. A few carry their number, many have an axis."""
    _columns(axes, values.to_numpy(np.int64))
    every = _every(labels, _room(axes))
    axes.set_xticks(range(0, len(labels), every), labels[::every])


def over_time(axes: "Axes", starts: "pd.Series[str]", values: "pd.Series[int]", *, unit: Unit) -> None:
    """Months or days, ISO 8601 and ascending; those between that are left out count zero."""
    times = starts.to_numpy(dtype=f"datetime64[{unit}]")
    counts = np.bincount((times - times[0]).astype(np.int64), weights=values).astype(np.int64)
    if len(counts) <= MOST_COLUMNS:
        _columns(axes, counts)
    else:
        _area(axes, counts, "days" if unit == "D" else "months")
    positions, labels = date_ticks(times[0] + np.arange(len(counts)), room=_room(axes))
    axes.set_xticks(positions, labels)


def heat_map(axes: "Axes", grid: Counts, *, rows: Sequence[str], columns: Sequence[str]) -> None:
    """A cell a number, rows from the top; beneath them what the colours stand for."""
    from matplotlib.colors import LinearSegmentedColormap

    cells = {
        "cmap": LinearSegmentedColormap.from_list("", [setting("axes.edgecolor"), setting("patch.facecolor")]),
        "edgecolors": setting("axes.facecolor"),
        "linewidth": 1.5,
    }
    frame(axes, height=_ROW * len(rows) + 46, left=widest(rows) + 8, right=1, bottom=46)
    axes.pcolormesh(grid, vmin=0, **cells)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.set_ylim(len(rows), 0)
    every = _every(columns, _room(axes))
    axes.set_xticks(np.arange(0, len(columns), every) + 0.5, columns[::every])

    most = f"{grid.max():,}"
    right = 1 - (text_width(most) + 8) / _room(axes)
    scale = axes.inset_axes((right - 72 / _room(axes), -40 / (_ROW * len(rows)), 72 / _room(axes), 0.08))
    _bare(scale)
    scale.pcolormesh(np.arange(7)[np.newaxis], **cells)
    scale.set_xticks([])
    scale.set_yticks([0.5], ["0"])
    scale.text(7.3, 0.5, most, color=setting("ytick.color"), va="center")


def clipped(text: str, room: float) -> str:
    """`text` where it fits into `room` points, else its beginning, an ellipsis and its end."""
    if text_width(text) <= room:
        return text
    room -= text_width("…")
    ends = np.cumsum([_advance(character) for character in text])
    head = int(np.searchsorted(ends, 0.6 * room))
    tail = int(np.searchsorted(ends, ends[-1] - 0.4 * room)) + 1
    return f"{text[:head]}…{text[tail:]}"


def text_width(text: str) -> float:
    """In points, at the size of the labels; an upper bound, since browsers choose a narrower font."""
    return sum(map(_advance, text))


def date_ticks(times: "npt.NDArray[np.datetime64]", *, room: float) -> tuple[list[int], list[str]]:
    """Positions among `times` (successive days or months) and their labels, as many as `room` points hold."""
    months = times.astype("datetime64[M]")
    opening = np.flatnonzero(times == months.astype(times.dtype))
    if times.dtype == "datetime64[D]" and len(times) <= MOST_COLUMNS:
        labels = [f"{day.day} {day:%b}" for day in times.tolist()]
        every = _every(labels, room)
        return list(range(0, len(times), every)), labels[::every]
    for step in (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000):
        positions = [int(position) for position in opening if months[position].astype(np.int64) % step == 0]
        labels = [_month_label(months[position].item(), first=position == positions[0]) for position in positions]
        if len(labels) * (widest(labels) + 8) <= room:
            break
    return positions, labels


def _month_label(month: date, *, first: bool) -> str:
    if month.month == 1:
        return f"{month.year}"
    return f"{month:%b} {month.year}" if first else f"{month:%b}"


def _columns(axes: "Axes", counts: Counts) -> None:
    few = len(counts) <= 12
    top = 16 if few else 6
    frame(axes, height=_HISTOGRAM, left=6 if few else _axis_width(counts.max()), right=6, top=top, bottom=20)
    bars = axes.bar(range(len(counts)), counts, width=0.72)
    axes.set_xlim(-0.6, max(len(counts), 5) - 0.4)
    if few:
        axes.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3)
        axes.set_yticks([])
        axes.set_ylim(0, counts.max())
    else:
        _count_axis(axes, counts.max(), whole=True)


def _area(axes: "Axes", counts: Counts, unit: str) -> None:
    # Beyond some 200 points a line is noise; whole weeks, so that week-ends do not beat against the steps.
    step = -(-len(counts) // 200)
    if unit == "days" and step > 1:
        step = -(-step // 7) * 7
    # Counted back from the end: the mean of a week that has one day so far would be a peak that never was.
    starts = np.arange(len(counts) % step, len(counts), step)
    means = np.add.reduceat(counts, starts) / step
    middles = starts + (step - 1) / 2
    frame(axes, height=_HISTOGRAM, left=_axis_width(means.max()), right=14, top=20 if step > 1 else 6, bottom=20)
    axes.fill_between(middles, means, alpha=0.2, linewidth=0)
    axes.plot(middles, means, linewidth=1.4)
    axes.set_xlim(0, len(counts) - 1)
    _count_axis(axes, means.max(), whole=step == 1)
    if step > 1:
        axes.set_title(f"mean of {step} {unit}", pad=8)


def _count_axis(axes: "Axes", most: float, *, whole: bool) -> None:
    ticks = _count_ticks(most, whole=whole)
    axes.set_yticks(ticks, [f"{tick:,.6g}" for tick in ticks])
    axes.set_ylim(0, most * 1.04)
    axes.grid(axis="y")


def _count_ticks(most: float, *, whole: bool) -> list[float]:
    power = 10.0 ** np.floor(np.log10(most / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= most / 4)
    if whole:
        step = max(step, 1)
    return [step * number for number in range(int(most / step) + 1)]


def _axis_width(most: float) -> float:
    return widest([f"{tick:,.6g}" for tick in _count_ticks(most, whole=False)]) + 8


def _every(labels: Sequence[str], room: float) -> int:
    """Each n-th label, so that none touches the next."""
    return max(1, int(np.ceil(len(labels) * (widest(labels) + 6) / room)))


def frame(axes: "Axes", *, height: float, left: float, right: float, top: float = 2, bottom: float = 2) -> None:
    """Gives the figure its height and the axes their margins, in points."""
    width = _width(axes)
    _figure(axes).set_figheight(height / 72)
    axes.set_position((left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height))
    _bare(axes)


def _bare(axes: "Axes") -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=5)


def _width(axes: "Axes") -> float:
    return float(_figure(axes).get_figwidth() * 72)


def _figure(axes: "Axes") -> "Figure":
    return cast("Figure", axes.figure)


def _room(axes: "Axes") -> float:
    return axes.get_position().width * _width(axes)


def setting(name: Any) -> Any:  # not str: matplotlib's stubs want one of its 300 literals
    import matplotlib as mpl

    return mpl.rcParams[name]


def widest(texts: Sequence[str]) -> float:
    return max(map(text_width, texts))


@cache
def _advance(character: str) -> float:
    font, glyphs = _measure()
    if ord(character) not in glyphs:
        # A letter of another script is at most as wide as high, an emoji up to 1.37 times that (Segoe).
        return _FONT_SIZE * (1.4 if unicodedata.category(character) == "So" else 1.0)
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536


@cache
def _measure() -> tuple[Any, frozenset[int]]:
    from matplotlib import font_manager, ft2font

    font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
    font.set_size(_FONT_SIZE, 72)
    return font, frozenset(font.get_charmap())
