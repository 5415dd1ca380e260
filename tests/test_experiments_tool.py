"""What docs/threads-and-processes.md shows is written by a tool, of what `bench all --json` printed."""

import importlib.util
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

TOLD: dict[str, Any] = {
    "machine": {
        "cores": 2, "python": "3.14.0", "implementation": "CPython", "gil": False, "system": "Linux",
        "architecture": "x86_64", "load": 0.25,
    },
    "lessons": [{"question": "When do threads win?", "answer": "Here they never did."}],
    "left_out": {"forest": "The forest needs scikit-learn."},
    "experiments": [
        {
            "experiment": "io", "title": "A job that waits", "settings": {"delay_ms": 50.0}, "rounds": 5,
            "sentences": ["It waited.", r"It cost \1 of nothing."],
        }
    ],
}  # fmt: skip


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("experiments", ROOT / "tools" / "experiments.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_and_charts_take_the_place_of_the_former_ones(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts, images = tmp_path / "charts", tmp_path / "images"
    charts.mkdir()
    images.mkdir()
    (charts / "bench-io.svg").write_text("<svg/>")
    (charts / "bench.html").write_text("no chart")
    monkeypatch.setattr(tool, "DOCUMENT", tmp_path / "article.md")
    monkeypatch.setattr(tool, "IMAGES", images)
    tool.DOCUMENT.write_text(f"Before.\n\n{tool.BEGIN}\nold\n{tool.END}\n\nAfter.\n")
    for _ in range(2):
        tool.write(TOLD, charts, date(2026, 11, 28))
    text = tool.DOCUMENT.read_text()
    assert text.startswith(
        f"Before.\n\n{tool.BEGIN}\nMeasured on 28 November 2026: 2 processors (Linux, x86_64), CPython"
    )
    assert text.endswith(f"- It waited.\n- It cost \\1 of nothing.\n{tool.END}\n\nAfter.\n")
    assert "CPython 3.14.0 without a GIL, load 0.2 at the start." in text
    assert "**When do threads win?** Here they never did." in text
    assert "`bench forest` was left out: The forest needs scikit-learn." in text
    assert 'src="images/bench-io.svg"' in text
    assert "other work" not in text
    assert "old" not in text
    assert [path.name for path in images.iterdir()] == ["bench-io.svg"]


def test_figures_of_a_busy_machine_are_told_as_such(tool: ModuleType) -> None:
    machine = {**TOLD["machine"], "load": 0.6}
    assert "load 0.6 at the start: the machine had other work" in tool.block(
        {**TOLD, "machine": machine}, date(2026, 11, 28)
    )


def test_a_document_without_its_markers_is_not_touched(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "DOCUMENT", tmp_path / "article.md")
    tool.DOCUMENT.write_text("No markers.\n")
    with pytest.raises(SystemExit, match="must have the markers"):
        tool.write(TOLD, tmp_path, date(2026, 11, 28))
    assert tool.DOCUMENT.read_text() == "No markers.\n"


def test_the_article_has_its_markers_and_every_chart_that_it_shows(tool: ModuleType) -> None:
    text = tool.DOCUMENT.read_text()
    assert text.count(tool.BEGIN) == text.count(tool.END) == 1
    shown = [name for name in ("cpu", "io", "download", "parse", "forest") if f"images/bench-{name}.svg" in text]
    assert shown == ["cpu", "io", "download", "parse", "forest"]
    for name in shown:
        assert (tool.IMAGES / f"bench-{name}.svg").read_text().startswith("<?xml")
        assert (tool.IMAGES / f"bench-{name}-dark.svg").is_file()
