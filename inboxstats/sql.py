"""Questions to the message table in SQL: DuckDB in memory, its views, and an answer as table, CSV or JSON text.

A query sees the views and nothing else: no file, no network, no setting.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from rich.cells import cell_len, set_cell_size

from inboxstats.dataset import select
from inboxstats.errors import UsageError
from inboxstats.lookalikes import unmistakable
from inboxstats.schema import decoded
from inboxstats.selection import Selection
from inboxstats.visible import defused, spelled_out, visible

SCHEMA_VERSION = 1
"""Of the JSON answer: goes up when a reader of the version before would be misled."""

VIEWS = {
    "messages": "a row a counted message",
    "files": "a row a message file, duplicates included",
    "attachments": "a row an attachment of a counted message",
    "keywords": "a row a keyword of a counted message",
}
"""What can be asked; docs/schema.md says what the columns are."""

_UNNESTED = (
    'CREATE TEMP VIEW attachments AS SELECT file, account, mailbox, key, sender, "when", part.file_name, '
    "part.media_type, part.size, part.inline FROM (SELECT * EXCLUDE (size), unnest(attachments) AS part FROM messages)",
    'CREATE TEMP VIEW keywords AS SELECT file, sender, "when", unnest(keywords) AS keyword FROM messages',
)

_SAFE = (
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",  # else a name in the query may be a variable of this program
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",  # else a large query writes into the working directory
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)

_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)  # MULTI is PIVOT

_UNFIT = ("uhugeint", "time with time zone", "bit", "bignum", "variant")
"""Types that Arrow has not: a number above 2^127 would be negative, a time lose its offset, and others be bytes."""

_NESTED = ("struct", "map", "list", "array", "union")

_CAST = "Cast it: CAST(… AS VARCHAR)."

_GAP = 2
_NARROW = 10
"""Columns are not cut below this many cells: before that, each row is written as a block of lines."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave. The values are those of JSON: times in ISO 8601, whole decimals as int, NaN as ``None``."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def check(query: str) -> None:
    """Raises UsageError unless the text is one statement that asks; what it names is not looked at."""
    try:
        query.encode()
    except UnicodeEncodeError as problem:
        raise UsageError("The query is not valid UTF-8.") from problem
    with duckdb.connect(":memory:") as connection:
        try:
            statements = connection.extract_statements(query)
        except duckdb.Error as problem:
            raise _refusal(problem) from problem
    if len(statements) != 1:
        raise UsageError(f"Give one statement: this query has {len(statements)}.")
    if statements[0].type not in _QUESTIONS:
        refused = statements[0].type.name
        raise UsageError(f"A query can only ask (SELECT, FROM, WITH, PIVOT, DESCRIBE, EXPLAIN): {refused} is refused.")


def ask(query: str, rows: pa.Table, selection: Selection) -> Answer:
    """The answer to a query on rows of the message table (`Collection.update`).

    `selection` says which messages the views hold, and by which time. An exception that a signal handler raises
    stops the query. Raises UsageError for a query that DuckDB refuses.
    """
    check(query)
    with duckdb.connect(":memory:") as connection:
        for name, duplicates in (("messages", selection.duplicates), ("files", "keep")):
            found = select(decoded(rows), replace(selection, duplicates=duplicates)).messages
            connection.register(name, pa.Table.from_pandas(found, preserve_index=False))
        for statement in (*_UNNESTED, *_SAFE):
            connection.execute(statement)
        return _answer(_run(connection, query))


def _run(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    # In a thread, as Python's signal handlers wait until a call into DuckDB is over.
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(_table, connection, query)
        try:
            wait([running])
        finally:
            # Again and again: an interrupt that comes before the query has begun is forgotten.
            while not running.done():
                connection.interrupt()
                wait([running], timeout=0.05)
        try:
            return running.result()
        except duckdb.Error as problem:
            raise _refusal(problem) from problem


def _table(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    relation = connection.sql(query)
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if any(each in _UNFIT for each in _types(kind)):
            raise UsageError(
                f"The column {visible(name)!r} is of a type that cannot be shown ({visible(str(kind))}). {_CAST}"
            )
    return relation.to_arrow_table()


def _types(kind: Any) -> Iterator[str]:
    """A type of DuckDB's and those of which it is made, by their names."""
    yield kind.id
    if kind.id in _NESTED:
        for _, part in kind.children:
            if not isinstance(part, int):  # an array's length
                yield from _types(part)


def _refusal(problem: duckdb.Error) -> UsageError:
    """DuckDB's first line; those below show the query again."""
    first = visible(next(iter(str(problem).splitlines()), "")).rstrip(".!")
    hint = ' `when` is a word of SQL: write it in quotes, "when".' if 'near "when"' in first else ""
    return UsageError(f"DuckDB refuses the query: {first}.{hint}")


def _answer(table: pa.Table) -> Answer:
    try:
        columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    except (ValueError, OverflowError) as problem:
        raise UsageError(f"The answer has a value that cannot be shown ({visible(str(problem))}). {_CAST}") from problem
    return Answer(tuple(table.column_names), list(zip(*columns, strict=True)))


def _plain(value: Any) -> Any:
    """A value of Arrow's as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat().replace("+00:00", "Z")
        case bytes():
            return value.hex()
        case pa.MonthDayNano():
            return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:.6f}S"
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return str(value)


def to_json(answer: Answer) -> str:
    """``{"schema_version": 1, "columns": ["sender", "n"], "rows": [["ann@example.com", 2], …]}``, a line a row.

    The text is as it was in the mail, and nothing in it is what a terminal obeys.
    """
    rows = ",\n ".join(_compact(row) for row in answer.rows)
    head = f'{{"schema_version": {SCHEMA_VERSION}, "columns": {_compact(answer.columns)}, "rows": ['
    return spelled_out(head + (f"\n {rows}" if rows else "") + "]}\n")


def to_csv(answer: Answer) -> str:
    """A row of column names, then the rows: RFC 4180, null as nothing, lists as JSON.

    A text that a spreadsheet would run as a formula gets a single quote in front; a text is one line, and what could be
    taken for another address or name is told apart.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([visible(defused(name)) for name in answer.columns])
    writer.writerows(
        [visible(defused(unmistakable(v))) if isinstance(v, str) else _cell(v) for v in row] for row in answer.rows
    )
    return text.getvalue()


def to_table(answer: Answer, width: int) -> str:
    """Columns side by side, none of the lines wider than `width` cells, long texts cut with an ellipsis.

    Where that leaves too little of them, a block of lines a row instead, with nothing cut.
    """
    names = [visible(name) for name in answer.columns]
    cells = [[_cell(value) for value in row] for row in answer.rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    room = width - _GAP * (len(widths) - 1)
    if sum(min(each, _NARROW) for each in widths) > room:
        return _blocks(names, cells)
    widths = [min(each, room) for each in widths]
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    numbers = [all(_is_number(row[at]) for row in answer.rows) and bool(answer.rows) for at in range(len(names))]
    lines = [_line(row, widths, numbers) for row in (names, ["─" * each for each in widths], *cells)]
    return "".join(f"{line}\n" for line in lines)


def _blocks(names: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    label = max(map(cell_len, names))
    blocks = [
        "".join(f"{set_cell_size(name, label)}  {cell}".rstrip() + "\n" for name, cell in zip(names, row, strict=True))
        for row in cells
    ]
    return "\n".join(blocks)


def _line(row: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    fitted = []
    for text, width, is_number in zip(row, widths, numbers, strict=True):
        short = text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
        padding = " " * (width - cell_len(short))
        fitted.append(padding + short if is_number else short + padding)
    return (" " * _GAP).join(fitted).rstrip()


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    """A value on one line, with nothing that a terminal obeys."""
    if value is None:
        return ""
    return visible(unmistakable(value if isinstance(value, str) else _compact(value)))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
