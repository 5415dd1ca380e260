"""What could be taken for another address or name, and what only looks foreign."""

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from factories import dataset, row, table
from rich.console import Console

from inboxstats import charts, sql
from inboxstats.lookalikes import unmistakable
from inboxstats.report import export, page, terminal
from inboxstats.report.model import build
from inboxstats.selection import Selection

FAKE = "ann@\u0440\u0430\u0443\u0440\u0430l.com"  # all but the l are Cyrillic
# xn--l-7sba6dbr.com is what Python's idna codec and RFC 3492's algorithm give for it.
SHOWN = "ann@xn--l-7sba6dbr.com"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (FAKE, SHOWN),
        (
            "\u0430\u0440\u0440\u04cf\u0435.com",
            "xn--80ak6aa92e.com",
        ),  # all Cyrillic, reads as apple: the example of 2017
        ("www.\u0430\u0440\u0440\u04cf\u0435.com", "www.xn--80ak6aa92e.com"),
        ("pay\u200bpal.com", "xn--paypal-df0c.com"),
        ("\uff50aypal.com", "xn--aypal-wr33a.com"),  # fullwidth
        ("pay\u200epal@x.com", "pay\ufffdpal@x.com"),
        ("\u0391pple Support", "[Greek+Latin] \u0391pple Support"),
        ("Support, p\u0430ypal", "[Cyrillic+Latin] Support, p\u0430ypal"),
        ("p\u0430ypal@example.com", "[Cyrillic+Latin] p\u0430ypal@example.com"),
        ("a@" + "\u0430" * 64 + ".com", "a@" + "\\u0430" * 64 + ".com"),  # no label is so long
        (f"see {FAKE}, or else", f"see {SHOWN}, or else"),
    ],
)
def test_what_could_be_taken_for_another_is_told_apart(text: str, seen: str) -> None:
    assert unmistakable(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        *("ann@example.com", "xn--80ak6aa92e.com", "ann@m\u00fcnchen.de", "ann@\u00e9cole.fr", "e\u0301cole.fr"),
        *(
            "\u043f\u043e\u0447\u0442\u0430@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
            "\u043c\u043e\u0441\u043a\u0432\u0430.com",
        ),
        *("株式会社abc.jp", "日本語テストABC々ー", "한국abc.kr", "שלום.com", "नमस्ते.com", "İstanbul.com.tr"),
        *("Ivan Иванов", "J. Müller", "10 µm", "β-Carotene", "👩\u200d👩\u200d👧 e\u0301", "مرحبا"),
    ],
)
def test_what_is_written_as_its_script_is_written_is_left_alone(text: str) -> None:
    assert unmistakable(text) == text


def test_every_figure_table_and_file_for_people_tells_and_json_keeps_the_truth(tmp_path: Path) -> None:
    name = "P\u0430ypal"
    fake = row(1, sender=FAKE, sender_name=name, list_id="news.\u0430\u0440\u0440\u04cf\u0435.com", keywords=[name])
    report = build(dataset(fake), generated=datetime(2026, 11, 23, tzinfo=UTC), top=0)
    console = Console(width=200, record=True, file=io.StringIO())
    terminal.render(report, console)
    export.write_csv(report, tmp_path / "csv")
    asked = sql.ask("SELECT sender, sender_name, [sender] AS all FROM messages", table(fake), Selection())
    shown = {
        "terminal": console.export_text(),
        "page": page.render(report).replace("<wbr>", ""),
        "csv": "".join(path.read_text() for path in (tmp_path / "csv").iterdir()),
        "figure": charts.svg(
            report["senders"].statistic.draw, report["senders"].table, charts.LIGHT, width=600
        ).decode(),
        "sql": sql.to_table(asked, 200),
        "blocks": sql.to_table(asked, 20),
        "sql csv": sql.to_csv(asked),
    }
    assert {where: text.count(FAKE.partition("@")[2]) for where, text in shown.items()} == dict.fromkeys(shown, 0)
    assert [where for where, text in shown.items() if SHOWN.partition("@")[2] not in text] == []
    assert [where for where, text in shown.items() if name in text and f"[Cyrillic+Latin] {name}" not in text] == []
    assert [where for where in ("terminal", "page", "csv") if "news.xn--80ak6aa92e.com" not in shown[where]] == []
    assert export.to_json(report)["statistics"]["senders"]["rows"][0][:2] == [FAKE, name]
    assert FAKE in export.to_text(report)
    assert FAKE in sql.to_json(asked)


def test_any_text_takes_linear_time() -> None:
    for unit in ("а", "a.", "а.", "@", "аb", "а@", "\u200b", "é ", "xаx.", "\u0301"):
        times = []
        for size in (50_000, 200_000):
            began = time.process_time()
            unmistakable(unit * (size // len(unit)))
            times.append(time.process_time() - began)
        assert times[1] < 8 * max(times[0], 0.01), unit
