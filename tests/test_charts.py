import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from inboxstats import charts

HOSTILE = [
    "$\\frac{x}{0}$",
    "\x1b[31mred\x07\x00",
    "\u202egnp.exe",
    "日本語テスト株式会社",
    "📈🎉",
    "שלום עולם",
    "<script>alert(1)</script>&amp;",
    "W" * 500,
    "",
    "i" * 500,
]

Draw = Callable[[pd.DataFrame, Axes], None]


def _ranking(table: pd.DataFrame, axes: Axes) -> None:
    charts.ranking(axes, table["label"], table["messages"])


def _months(table: pd.DataFrame, axes: Axes) -> None:
    charts.over_time(axes, table["month"], table["messages"], unit="M")


def _days(table: pd.DataFrame, axes: Axes) -> None:
    charts.over_time(axes, table["day"], table["messages"], unit="D")


@pytest.mark.parametrize("width", [charts.WIDE, charts.NARROW])
def test_whatever_mail_holds_becomes_a_figure_as_wide_as_asked(width: int) -> None:
    table = pd.DataFrame({"label": HOSTILE, "messages": range(len(HOSTILE), 0, -1)})
    root = ET.fromstring(charts.svg(_ranking, table, charts.LIGHT, width=width))
    assert root.attrib["width"] == f"{width * 0.75:g}pt"
    assert {"$\\frac{x}{0}$", "日本語テスト株式会社", "שלום עולם", "(empty)"} <= set(_texts(root))


def test_the_same_table_gives_the_same_bytes_and_each_palette_its_own() -> None:
    table = pd.DataFrame({"label": ["tea"], "messages": [3]})
    first = charts.svg(_ranking, table, charts.LIGHT, width=charts.WIDE)
    dark = charts.svg(_ranking, table, charts.DARK, width=charts.WIDE)
    assert first == charts.svg(_ranking, table, charts.LIGHT, width=charts.WIDE)
    assert charts.LIGHT.accent.encode() in first
    assert charts.DARK.accent.encode() in dark
    assert charts.LIGHT.accent.encode() not in dark


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (
            _ranking,
            pd.DataFrame({"label": [*HOSTILE, "#2f6690", "fill: #1d2129", "<a b='c: #2f6690'>"], "messages": 3}),
        ),
        (_months, pd.DataFrame({"month": ["2026-01", "2026-03"], "messages": [3, 1]})),
        (_days, pd.DataFrame({"day": ["2026-01-01", "2027-03-01"], "messages": [3, 1]})),
    ],
)
def test_another_palette_makes_the_same_figure_whether_drawn_or_recoloured(draw: Draw, table: pd.DataFrame) -> None:
    light, dark = (charts.svg(draw, table, palette, width=charts.WIDE) for palette in (charts.LIGHT, charts.DARK))
    assert charts.recoloured(light, charts.LIGHT, charts.DARK) == dark
    assert charts.recoloured(dark, charts.DARK, charts.LIGHT) == light


def test_a_figure_whose_colours_lie_between_those_of_a_palette_must_be_drawn() -> None:
    grid = pd.DataFrame(np.arange(4).reshape(2, 2))

    def draw(table: pd.DataFrame, axes: Axes) -> None:
        charts.heat_map(axes, table.to_numpy(), rows=["a", "b"], columns=["c", "d"])

    light = charts.svg(draw, grid, charts.LIGHT, width=charts.WIDE)
    assert charts.recoloured(light, charts.LIGHT, charts.DARK) is None


def test_labels_of_a_ranking_stay_inside_the_figure() -> None:
    table = pd.DataFrame({"label": HOSTILE, "messages": range(len(HOSTILE), 0, -1)})
    root = ET.fromstring(charts.svg(_ranking, table, charts.LIGHT, width=charts.NARROW))
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if "text-anchor: end" in text.attrib["style"]:
            assert float(text.attrib["x"]) >= charts.text_width(text.text or "")


def test_what_was_before_stands_beside_what_is_now() -> None:
    table = pd.DataFrame({"label": [f"word{number}" for number in range(30)], "messages": 1200, "before": range(30)})

    def draw(table: pd.DataFrame, axes: Axes) -> None:
        charts.ranking(axes, table["label"], table["messages"], before=table["before"])

    root = ET.fromstring(charts.svg(draw, table, charts.LIGHT, width=charts.NARROW))
    numbers = [text for text in _texts(root) if "→" in text]
    assert numbers == [f"{number} → 1,200" for number in range(charts.MOST_BARS)]


@pytest.mark.parametrize("room", [20.0, 50.0, 150.0])
@pytest.mark.parametrize("text", [*HOSTILE, "short", "ann.example+tag@mail.example.org"])
def test_a_clipped_label_fits(text: str, room: float) -> None:
    assert charts.text_width(charts.clipped(text, room)) <= room


def test_a_clipped_label_keeps_its_ends() -> None:
    clipped = charts.clipped("bounces+0123456789@mail.example.org", 100.0)
    assert clipped.startswith("bounces")
    assert clipped.endswith(".org")
    assert "…" in clipped


def test_months_without_mail_count_as_zero() -> None:
    table = pd.DataFrame({"month": ["2026-01", "2026-04"], "messages": [5, 7]})
    root = ET.fromstring(charts.svg(_months, table, charts.LIGHT, width=charts.WIDE))
    assert [text for text in _texts(root) if text.isdigit() and len(text) == 1] == ["5", "0", "0", "7"]


@pytest.mark.parametrize("last", ["2026-01-01", "2026-01-30", "2026-07-01", "2029-01-01", "2096-01-01", "9999-12-31"])
def test_any_span_of_days_can_be_drawn(last: str) -> None:
    table = pd.DataFrame({"day": sorted({"2026-01-01", last}), "messages": 1})
    picture = charts.svg(_days, table, charts.LIGHT, width=charts.NARROW)
    assert len(picture) < 40_000


def test_a_long_time_is_drawn_as_means_of_whole_weeks() -> None:
    days = pd.date_range("2024-01-01", periods=999).strftime("%Y-%m-%d")
    root = ET.fromstring(charts.svg(_days, pd.DataFrame({"day": days, "messages": 3}), charts.LIGHT, width=charts.WIDE))
    assert "mean of 7 days" in _texts(root)  # 999 days in at most 200 points are 5 a point, in whole weeks 7


@pytest.mark.parametrize(
    ("first", "periods", "unit", "room", "labels"),
    [
        ("2026-11-23", 3, "D", 300.0, ["23 Nov", "24 Nov", "25 Nov"]),
        ("2026-11", 3, "M", 300.0, ["Nov 2026", "Dec", "2027"]),
        ("2024-03", 33, "M", 400.0, ["Jul 2024", "2025", "Jul", "2026", "Jul"]),
        ("1995-05", 360, "M", 300.0, ["2000", "2005", "2010", "2015", "2020", "2025"]),
    ],
)
def test_dates_on_an_axis(first: str, periods: int, unit: str, room: float, labels: list[str]) -> None:
    times = np.datetime64(first, unit) + np.arange(periods)  # type: ignore[call-overload]
    positions, found = charts.date_ticks(times, room=room)
    assert found == labels
    assert len(positions) == len(found)


@pytest.mark.parametrize("unit", ["D", "M"])
@pytest.mark.parametrize("periods", [1, 2, 31, 41, 59, 300, 4000])
@pytest.mark.parametrize("room", [220.0, 400.0])
def test_dates_on_an_axis_do_not_touch(unit: str, periods: int, room: float) -> None:
    times = np.datetime64("2023-02-02", unit) + np.arange(periods)  # type: ignore[call-overload]
    positions, labels = charts.date_ticks(times, room=room)
    places = [position * room / periods for position in positions]
    for place, following, left, right in zip(places, places[1:], labels, labels[1:], strict=False):
        assert following - place >= (charts.text_width(left) + charts.text_width(right)) / 2


def _texts(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
