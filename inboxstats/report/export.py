"""The report for programs: JSON, with the text as it was in the mail, and CSV, which people open and look at."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inboxstats.archive.files import make_folder, write_whole
from inboxstats.errors import storage_errors
from inboxstats.lookalikes import unmistakable
from inboxstats.report.model import Report
from inboxstats.visible import defused, spelled_out, visible

SCHEMA_VERSION = 1
"""Of report.json: goes up when a reader of the version before would be misled."""


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON values; a missing value is ``None``.

    ``{"schema_version": 1, "generated": "2026-11-23T02:15:00Z", "timezone": "UTC", "clock": "date",
    "period": {"first": "2002-01-31T22:44:14Z", "last": …}, "totals": {"files": 3, …},
    "unreadable": [{"file": "INBOX/7.eml", "reason": "Permission denied"}, …],
    "statistics": {"hours": {"title": "…", "columns": ["hour", "messages"], "rows": [[0, 12], …]}, …}}``
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "generated": _instant(report.generated),
        "timezone": report.selection.timezone,
        "clock": report.selection.clock,
        "period": {"first": _instant(report.first), "last": _instant(report.last)},
        "totals": asdict(report.totals),
        "unreadable": [{"file": file, "reason": reason} for file, reason in report.unreadable],
        "statistics": {
            answer.statistic.name: {
                "title": answer.statistic.title,
                "columns": list(answer.table.columns),
                "rows": answer.records(),
            }
            for answer in report.answers
        },
    }


def to_text(report: Report) -> str:
    """The report as JSON text: a line a row, and nothing in it that a terminal obeys."""
    value = to_json(report)
    statistics = value.pop("statistics")
    tables = []
    for name, statistic in statistics.items():
        rows = ",\n    ".join(_rows(statistic["rows"]))
        head = f'"title": {_compact(statistic["title"])}, "columns": {_compact(statistic["columns"])}'
        tables.append(f'  "{name}": {{{head}, "rows": [\n    {rows}]}}')
    text = json.dumps(value, ensure_ascii=False, indent=1).removesuffix("\n}")
    return spelled_out(text + ',\n "statistics": {\n' + ",\n".join(tables) + "\n }\n}\n")


_LINES = json.JSONEncoder(ensure_ascii=False, separators=("\n", ": "))
"""Puts what stands between the values of a list, and in no text, where JSON has a line end as an escape."""


def _rows(records: Sequence[Sequence[Any]]) -> list[str]:
    """A text a record. By columns: half a million records take a fifth of the time that each on its own does."""
    if not records:
        return []
    columns = (_LINES.encode(list(column))[1:-1].split("\n") for column in zip(*records, strict=True))
    return [f"[{', '.join(values)}]" for values in zip(*columns, strict=True)]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _instant(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write_json(report: Report, path: Path) -> None:
    """Writes report.json, whole or not at all. Raises StorageError."""
    _write(path, to_text(report))


def write_csv(report: Report, folder: Path) -> None:
    """Writes a ``NAME.csv`` a statistic: UTF-8, a row of column names, RFC 4180. Raises StorageError.

    Beside them totals.csv, which is one row, and unreadable.csv with every file that gave no message and its reason.
    A text that a spreadsheet would run as a formula gets a single quote in front; a text is one line, without what a
    terminal obeys, and what could be taken for another address or name is told apart.
    """
    with storage_errors("create the folder", folder):
        make_folder(str(folder), fsync=False)
    totals = asdict(report.totals)
    _write(folder / "totals.csv", _csv(list(totals), [list(totals.values())]))
    _write(folder / "unreadable.csv", _csv(["file", "reason"], report.unreadable))
    for answer in report.answers:
        _write(folder / f"{answer.statistic.name}.csv", _csv(list(answer.table.columns), answer.records()))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return visible(defused(unmistakable(value))) if isinstance(value, str) else value


def _write(path: Path, text: str) -> None:
    with storage_errors("write", path):
        write_whole(str(path), text.encode(), fsync=True)
