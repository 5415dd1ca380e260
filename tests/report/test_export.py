import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from factories import dataset, row

from inboxstats.errors import StorageError
from inboxstats.lookalikes import unmistakable
from inboxstats.report import export
from inboxstats.report.model import Report, build
from inboxstats.stats import STATISTICS
from inboxstats.visible import visible

from .conftest import NOW


def test_json_has_exactly_these_keys(ordinary: Report) -> None:
    data = export.to_json(ordinary)
    assert list(data) == [
        *("schema_version", "generated", "timezone", "clock", "period", "totals", "unreadable", "statistics"),
    ]
    assert data["schema_version"] == 1
    assert data["generated"] == "2026-11-23T02:15:00Z"
    assert (data["timezone"], data["clock"]) == ("UTC", "date")
    assert data["period"] == {"first": "2026-01-05T09:00:00Z", "last": "2026-03-02T17:00:00Z"}
    assert data["totals"] == {
        "files": 7,
        "messages": 5,
        "duplicates": 1,
        "unreadable": 1,
        "undated": 1,
        "without_sender": 1,
        "bytes": 1_004_000,
        "messages_with_attachments": 1,
        "attachments": 2,
        "with_list_id": 1,
        "with_list_unsubscribe": 0,
        "headers_only": 0,
    }
    assert data["unreadable"] == [{"file": "INBOX/7.eml", "reason": "too large"}]
    assert data["statistics"]["months"] == {
        "title": "Messages by month",
        "columns": ["month", "messages"],
        "rows": [["2026-01", 1], ["2026-03", 3]],
    }
    assert all(list(each) == ["title", "columns", "rows"] for each in data["statistics"].values())


def test_json_of_no_mail_has_no_period(empty: Report) -> None:
    data = export.to_json(empty)
    assert data["period"] == {"first": None, "last": None}
    assert len(data["statistics"]["hours"]["rows"]) == 24


def test_the_file_holds_the_same_and_no_control_character(hostile: Report, tmp_path: Path) -> None:
    export.write_json(hostile, tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text("utf-8")
    assert json.loads(text) == export.to_json(hostile)
    assert all(visible(line) == line for line in text.split("\n"))


def test_csv_holds_the_figures_of_json_with_texts_made_harmless(hostile: Report, tmp_path: Path) -> None:
    export.write_csv(hostile, tmp_path / "csv")
    for name, statistic in export.to_json(hostile)["statistics"].items():
        with open(tmp_path / "csv" / f"{name}.csv", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == statistic["columns"]
        undefused = [[cell.removeprefix("'") for cell in line] for line in rows]
        assert undefused == [
            ["" if cell is None else visible(unmistakable(str(cell))).removeprefix("'") for cell in line]
            for line in statistic["rows"]
        ]


def test_csv_holds_nothing_that_a_spreadsheet_runs_or_a_terminal_obeys(hostile: Report, tmp_path: Path) -> None:
    export.write_csv(hostile, tmp_path)
    texts = [path.read_bytes().decode() for path in tmp_path.iterdir()]
    cells = [cell for text in texts for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert len(cells) > 1_000
    assert [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))] == []
    assert [cell for cell in cells if visible(cell) != cell] == []


def test_csv_has_the_line_that_adds_up_and_every_unreadable_file(ordinary: Report, tmp_path: Path) -> None:
    export.write_csv(ordinary, tmp_path)
    assert (tmp_path / "totals.csv").read_text().splitlines() == [
        "files,messages,duplicates,unreadable,undated,without_sender,bytes,messages_with_attachments,attachments,"
        "with_list_id,with_list_unsubscribe,headers_only",
        "7,5,1,1,1,1,1004000,1,2,1,0,0",
    ]
    assert (tmp_path / "unreadable.csv").read_text().splitlines() == ["file,reason", "INBOX/7.eml,too large"]


def test_where_all_can_be_read_the_file_of_the_unreadable_has_no_row(empty: Report, tmp_path: Path) -> None:
    export.write_csv(empty, tmp_path)
    assert (tmp_path / "unreadable.csv").read_text().splitlines() == ["file,reason"]
    assert export.to_json(empty)["unreadable"] == []


def test_no_statistic_has_the_name_of_another_file() -> None:
    assert not {statistic.name for statistic in STATISTICS} & {"totals", "unreadable"}


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n-1", "\tx", "＝1", "－1"]
)
def test_a_text_that_a_spreadsheet_would_run_is_defused(formula: str, tmp_path: Path) -> None:
    export.write_csv(build(dataset(row(sender_name=formula)), generated=NOW, top=0), tmp_path)
    with open(tmp_path / "senders.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1] == ["ann@example.com", "'" + visible(formula), "1", "2026-03-02"]


def test_an_ordinary_text_is_left_alone(tmp_path: Path) -> None:
    export.write_csv(build(dataset(row(sender_name='a=b, "c"')), generated=NOW, top=0), tmp_path)
    assert (tmp_path / "senders.csv").read_bytes() == (
        b'address,name,messages,last\r\nann@example.com,"a=b, ""c""",1,2026-03-02\r\n'
    )


def test_totals_are_those_of_the_dataset(ordinary: Report) -> None:
    totals = asdict(ordinary.totals)
    assert totals["files"] == totals["messages"] + totals["duplicates"] + totals["unreadable"]


def test_a_file_that_cannot_be_written_is_a_storage_error(ordinary: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"report\.json"):
        export.write_json(ordinary, tmp_path / "file" / "report.json")


def test_messages_whose_text_is_still_to_come_are_counted_and_named(arriving: Report, tmp_path: Path) -> None:
    export.write_csv(arriving, tmp_path)
    header, values = (tmp_path / "totals.csv").read_text().splitlines()
    totals = dict(zip(header.split(","), map(int, values.split(",")), strict=True))
    assert totals == export.to_json(arriving)["totals"]
    assert (totals["files"], totals["messages"], totals["duplicates"], totals["headers_only"]) == (5, 4, 1, 3)
    # All of them by sender and size; words and attachments of the one with a text.
    assert arriving["senders"].records() == [["ann@example.com", "Ann", 4, "2026-03-02"]]
    assert totals["bytes"] == 1000 + 5000 + 7000
    assert arriving["keywords"].records() == [["tea", 1, 1.0]]
    assert arriving["attachments"].is_empty
