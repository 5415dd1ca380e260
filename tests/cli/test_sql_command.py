"""`inboxstats sql` as a user runs it."""

import csv
import io
import json
import re
import shlex
import signal
import time
from pathlib import Path

import pytest
from command import Done, Inboxstats

README = Path(__file__).parents[2] / "README.md"

PLAN = (
    "MIME-Version: 1.0\r\nContent-Type: application/pdf; name=plan.pdf\r\n"
    "Content-Disposition: attachment; filename=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n"
)


def message(number: int, sender: str, date: str, *, subject: str = "Hello", more: str = "", body: str = "Hi") -> bytes:
    head = f"From: {sender}\r\nDate: {date}\r\nMessage-ID: <{number}@example.org>\r\nSubject: {subject}\r\n{more}"
    return f"{head}\r\n{body}\r\n".encode()


MAIL = {
    "1": message(
        1, "Ann <ann@example.com>", "Mon, 2 Mar 2026 09:00:00 +0100", subject="=?utf-8?q?=3DHYPERLINK_=C3=A9?="
    ),
    "2": message(2, "ann@example.com", "Tue, 3 Mar 2026 23:30:00 -0500", more=PLAN, body="aGVsbG8="),
    "3": message(3, "bob@example.org", "Sun, 5 Apr 2026 12:00:00 +0000"),
    "4": message(3, "bob@example.org", "Sun, 5 Apr 2026 12:00:00 +0000"),
}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    folder.mkdir()
    for name, data in MAIL.items():
        (folder / f"{name}.eml").write_bytes(data)
    return folder


def one_sentence(done: Done, *parts: str) -> None:
    assert (done.code, done.out) == (2, ""), done
    assert len(done.err.splitlines()) == 1, done.err
    for part in parts:
        assert part in done.err


def readme_queries() -> list[list[str]]:
    section = README.read_text().split("## Use it: SQL")[1].split("\n## ")[0]
    fence = re.findall(r"```\n(.*?)```", section, re.DOTALL)[0]
    return [shlex.split(line)[1:] for line in fence.splitlines()]


def test_the_readmes_queries_run(inboxstats: Inboxstats, mail: Path) -> None:
    first, second, third = readme_queries()
    assert inboxstats(*first, str(mail)) == Done(
        0,
        "sender           messages  latest\n"
        "───────────────  ────────  ────────────────────\n"
        "ann@example.com         2  2026-03-04T04:30:00Z\n"
        "bob@example.org         1  2026-04-05T12:00:00Z\n",
        "",
    )
    second[2] = str(mail)
    assert inboxstats(*second).out == "media_type,bytes\napplication/pdf,5\n"
    asked = inboxstats(*third[:2], str(mail), "--json", stdin="SELECT count(*) AS n FROM files;")
    assert json.loads(asked.out) == {"schema_version": 1, "columns": ["n"], "rows": [[4]]}


def test_each_format_is_utf8(inboxstats: Inboxstats, mail: Path) -> None:
    query = "SELECT subject, local FROM messages ORDER BY local LIMIT 1"
    command = ("sql", query, str(mail), "--timezone", "Europe/Berlin")
    table, as_csv, as_json = (
        inboxstats(*command, "--format", name, PYTHONIOENCODING="latin-1") for name in ("table", "csv", "json")
    )
    assert table.out.splitlines()[2] == "=HYPERLINK é  2026-03-02T09:00:00"
    assert list(csv.reader(io.StringIO(as_csv.out))) == [["subject", "local"], ["'=HYPERLINK é", "2026-03-02T09:00:00"]]
    assert json.loads(as_json.out)["rows"] == [["=HYPERLINK é", "2026-03-02T09:00:00"]]
    assert (table.err, as_csv.err, as_json.err) == ("", "", "")


def test_a_table_in_a_pipe_has_80_columns(inboxstats: Inboxstats, mail: Path) -> None:
    done = inboxstats("sql", "SELECT file, repeat('x', 200) AS long FROM files ORDER BY file", str(mail))
    assert {len(line) for line in done.out.splitlines()[1:]} == {80}
    assert "1.eml" in done.out


def test_without_a_query_the_views_are_named(inboxstats: Inboxstats) -> None:
    one_sentence(inboxstats("sql"), "messages", "files", "attachments", "keywords")


def test_wrong_queries_and_paths_are_one_sentence(inboxstats: Inboxstats, mail: Path) -> None:
    out = mail.parent / "out.csv"
    one_sentence(inboxstats("sql", f"COPY messages TO '{out}'", str(mail)), "COPY is refused")
    one_sentence(inboxstats("sql", "FROM read_csv('/etc/passwd')", str(mail)), "disabled by configuration")
    one_sentence(inboxstats("sql", "SELEC", str(mail)), "syntax error")
    one_sentence(inboxstats("sql", "SELECT 1", str(mail / "none")), "does not exist")
    one_sentence(inboxstats("sql", "SELECT 1"), "There is no archive yet")
    one_sentence(inboxstats("sql", "SELECT 1", str(mail), "--timezone", "Mars/One"), "--timezone")
    assert not out.exists()


def test_a_wrong_query_parses_nothing(inboxstats: Inboxstats, mail: Path) -> None:
    one_sentence(inboxstats("sql", "SELEC", str(mail)))
    assert not (inboxstats.home / ".cache" / "inboxstats").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_long_query_is_stopped_within_seconds(
    inboxstats: Inboxstats, mail: Path, number: signal.Signals, code: int
) -> None:
    query = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"
    running = inboxstats.start("sql", query, str(mail), "--engine", "serial", "-v")
    assert running.stderr is not None
    try:
        while "table in" not in running.stderr.readline():
            assert running.poll() is None
        time.sleep(2)  # by then the query runs
        begun = time.monotonic()
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert time.monotonic() - begun < 5
    assert (running.returncode, out) == (code, "")
    assert "Stopped" in err
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_error(inboxstats: Inboxstats, mail: Path) -> None:
    with inboxstats.start("sql", "SELECT repeat('x', 1000) FROM range(2000)", str(mail), "--json") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert (running.stderr.read(), running.wait(60)) == ("", 0)


def test_help_fits_the_terminal(inboxstats: Inboxstats) -> None:
    done = inboxstats("sql", "--help")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80


def test_files_that_cannot_be_read_are_told_of(inboxstats: Inboxstats, mail: Path) -> None:
    (mail / "loop.eml").symlink_to("loop.eml")
    done = inboxstats("sql", "SELECT count(*) AS n FROM files", str(mail), "--format", "csv", "--engine", "serial")
    assert (done.code, done.out) == (3, "n\n4\n")
    assert done.err == "inboxstats: 1 file cannot be read, in no view; `inboxstats report` names what is missing.\n"
