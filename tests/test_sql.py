"""The views and the answers of `inboxstats.sql`, on rows that stand here."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from factories import row, table

from inboxstats import sql
from inboxstats.errors import UsageError
from inboxstats.selection import Selection
from inboxstats.sql import Answer

DOCUMENT = Path(__file__).parents[1] / "docs" / "schema.md"

PLAN = {"file_name": "plan.pdf", "media_type": "application/pdf", "size": 5, "inline": False}
LOGO = {"file_name": None, "media_type": "image/png", "size": 70, "inline": True}

ROWS = (
    row(1, when="2026-03-02T09:00:00+01:00", keywords=["orchard", "harvest"], size=100),
    row(2, when="2026-03-03T23:30:00-05:00", attachments=[PLAN, LOGO], keywords=["orchard"], size=200),
    row(3, when="2026-04-05T12:00:00+00:00", sender="bob@example.org", fingerprint="twice", size=400),
    row(4, when="2026-04-05T12:00:00+00:00", sender="bob@example.org", fingerprint="twice", size=400),
    row(5, when=None, sender=None, size=800),
)


def ask(query: str, *rows: dict[str, Any], timezone: str = "UTC") -> Answer:
    return sql.ask(query, table(*(rows or ROWS)), Selection(clock="date", timezone=timezone))


def test_messages_are_counted_once_and_files_each() -> None:
    assert ask("SELECT count(*), sum(size) FROM messages").rows == [(4, 1500)]
    assert ask("SELECT count(*), sum(size) FROM files").rows == [(5, 1900)]


def test_times_are_utc_and_local_is_the_readers() -> None:
    found = ask('SELECT "when", local, domain FROM messages ORDER BY "when" LIMIT 2', timezone="Europe/Berlin")
    assert found.rows == [
        ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00", "example.com"),
        ("2026-03-04T04:30:00Z", "2026-03-04T05:30:00", "example.com"),
    ]
    assert ask("SELECT \"when\"::DATE FROM messages WHERE key = '1-2'", timezone="Asia/Tokyo").rows == [("2026-03-04",)]
    assert ask('SELECT "when", local FROM messages WHERE sender IS NULL').rows == [(None, None)]


def test_attachments_and_keywords_have_a_row_each() -> None:
    found = ask("FROM attachments ORDER BY size")
    shared = ("INBOX/2.eml", "me@example.org", "INBOX", "1-2", "ann@example.com", "2026-03-04T04:30:00Z")
    assert found.rows == [
        (*shared, "plan.pdf", "application/pdf", 5, False),
        (*shared, None, "image/png", 70, True),
    ]
    assert ask("SELECT keyword, count(*) FROM keywords GROUP BY ALL ORDER BY ALL").rows == [
        ("harvest", 1),
        ("orchard", 2),
    ]


def test_views_can_be_asked_of_a_table_without_rows() -> None:
    for view in sql.VIEWS:
        assert sql.ask(f"SELECT count(*) FROM {view}", table(), Selection()).rows == [(0,)]


def test_the_document_has_the_columns_of_the_views() -> None:
    text = DOCUMENT.read_text()
    above = tuple(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    assert ask("FROM messages").columns == above
    assert ask("FROM files").columns == above
    section = text.split("## Views")[1]
    for view in ("attachments", "keywords"):
        entry = section.split(f"**{view}**")[1].split("\n- ")[0].split("\n\n")[0]
        assert ask(f"FROM {view}").columns == tuple(re.findall(r"`(\w+)`", entry))
    assert set(re.findall(r"\*\*(\w+)\*\*", section)) == set(sql.VIEWS)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1.50::DECIMAL(4, 2)", 1.5),
        ("10::HUGEINT", 10),
        ("'nan'::DOUBLE", None),
        ("1 / 0", None),
        ("INTERVAL 1 DAY + INTERVAL 90 MINUTE", "P0M1DT5400.000000S"),
        ("'ab'::BLOB", "6162"),
        ("TIME '01:02:03'", "01:02:03"),
        ("{'a': [1, NULL]}", {"a": [1, None]}),
        ("MAP {'k': 1}", [["k", 1]]),
        ("true", True),
        ("340282366920938463463374607431768211455::UHUGEINT::VARCHAR", "340282366920938463463374607431768211455"),
        ("[1, 2]::INTEGER[2]", [1, 2]),
        ("1::UNION(a INTEGER, b VARCHAR)", 1),
    ],
)
def test_values_are_those_of_json(value: str, shown: object) -> None:
    assert ask(f"SELECT {value}").rows == [(shown,)]


def test_two_columns_may_have_one_name() -> None:
    assert ask("SELECT 1 AS x, 2 AS x") == Answer(("x", "x"), [(1, 2)])


@pytest.mark.parametrize("query", ["PIVOT messages ON mailbox USING sum(size) GROUP BY account", "EXPLAIN FROM files"])
def test_other_ways_to_ask(query: str) -> None:
    assert len(ask(query).rows) == 1


def test_a_pivot_is_the_sum() -> None:
    found = ask("PIVOT messages ON mailbox USING sum(size) GROUP BY account")
    assert found == Answer(("account", "INBOX"), [("me@example.org", 1500)])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("COPY messages TO '{file}'", "COPY is refused"),
        ("EXPLAIN ANALYZE COPY messages TO '{file}'", "disabled by configuration"),
        ("FROM read_csv('{passwd}')", "disabled by configuration"),
        ("FROM read_text('{passwd}')", "disabled by configuration"),
        ("FROM glob('{passwd}*')", "disabled by configuration"),
        ("FROM '{passwd}'", "does not exist."),
        ("FROM query('SELECT * FROM read_text(''{passwd}'')')", "disabled by configuration"),
        ("ATTACH '{file}'", "ATTACH is refused"),
        ("INSTALL httpfs", "LOAD is refused"),
        ("LOAD httpfs", "LOAD is refused"),
        ("SET enable_external_access = true", "SET is refused"),
        ("EXPORT DATABASE '{file}'", "EXPORT is refused"),
        ("PRAGMA enable_profiling", "PRAGMA is refused"),
        ("CREATE TABLE x AS FROM messages", "CREATE is refused"),
        ("DROP VIEW messages", "DROP is refused"),
        ("SELECT 1; SELECT 2", "this query has 2"),
        ("PIVOT messages ON mailbox; COPY messages TO '{file}'", "this query has 2"),
        ("-- nothing", "this query has 0"),
        ("SELEC 1", 'syntax error at or near "SELEC".'),
        ("SELECT nope FROM messages", 'column "nope" not found'),
        ("SELECT when FROM messages", "write it in quotes"),
        ("SELECT ?", "not provided"),
        ("FROM _UNNESTED", "does not exist"),
        ("SELECT 'infinity'::DATE", "Cast it"),
        ("SELECT 340282366920938463463374607431768211455::UHUGEINT AS big", "column 'big' is of a type"),  # would be -1
        ("SELECT {'a': [1::UHUGEINT]} AS x", "Cast it"),
        ("SELECT MAP {'a': '12:00:00+02:00'::TIMETZ} AS x", "Cast it"),
        ("SELECT '101'::BIT AS x", "Cast it"),
        ("SELECT 1::BIGNUM AS x", "Cast it"),
        ("SELECT error('a\x1b[31m')", "a\ufffd[31m"),
        ("SELECT '\udcff'", "not valid UTF-8"),
    ],
)
def test_what_is_refused_is_refused_in_a_line(query: str, reason: str, tmp_path: Path) -> None:
    secret = tmp_path / "passwd"
    secret.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=re.escape(reason)) as refused:
        ask(query.replace("{file}", str(tmp_path / "out")).replace("{passwd}", str(secret)))
    assert len(str(refused.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]


HOSTILE = Answer(
    ("=1+1", "subject"), [("@SUM(A1)", "a\x1b]52;c;x\x07b"), (-5, "x\u202ey\r\nz"), (None, "\tcmd"), ([1, "é"], "a,b")]
)


def test_csv_is_defused_and_on_one_line_a_row() -> None:
    rows = list(csv.reader(io.StringIO(sql.to_csv(HOSTILE), newline="")))
    assert rows == [
        ["'=1+1", "subject"],
        ["'@SUM(A1)", "a\ufffd]52;c;x\ufffdb"],
        ["-5", "x\ufffdy z"],
        ["", "' cmd"],
        ['[1, "é"]', "a,b"],
    ]


def test_json_has_the_text_of_the_mail_and_nothing_that_a_terminal_obeys() -> None:
    text = sql.to_json(HOSTILE)
    assert json.loads(text) == {
        "schema_version": 1,
        "columns": ["=1+1", "subject"],
        "rows": [list(row) for row in HOSTILE.rows],
    }
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
    assert json.loads(sql.to_json(Answer(("x",), [])))["rows"] == []


def test_a_table_aligns_its_columns_and_harms_no_terminal() -> None:
    found = Answer(("sender", "n"), [("ann@example.com", 12), (None, 3), ("x\x1b[2J", None)])
    assert sql.to_table(found, 80).splitlines() == [
        "sender            n",
        "───────────────  ──",
        "ann@example.com  12",
        "                  3",
        "x\ufffd[2J",
    ]
    assert sql.to_table(Answer(("x",), []), 80) == "x\n─\n"


def test_a_table_is_no_wider_than_the_terminal() -> None:
    found = Answer(("subject", "n"), [("収穫の報告" * 5, 1), ("plain", 22)])
    # 20 cells: two for n, two between, sixteen for the subject: seven characters of two cells, a space, an ellipsis.
    assert sql.to_table(found, 20).splitlines() == [
        "subject            n",
        "────────────────  ──",
        "収穫の報告収穫 …   1",
        "plain             22",
    ]


def test_too_many_columns_make_a_block_a_row() -> None:
    names = tuple(f"column{number}" for number in range(10))
    found = Answer(names, [tuple("x" * 30 for _ in names), (1, *(None for _ in names[1:]))])
    lines = sql.to_table(found, 80).splitlines()
    assert lines[:2] == ["column0  " + "x" * 30, "column1  " + "x" * 30]
    assert lines[10:13] == ["", "column0  1", "column1"]
