"""`inboxstats report` as a user runs it: on each kind of path, in each format, and what it says when it cannot."""

import csv
import json
import mailbox as stdlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command import Done, Inboxstats


def message(number: int, sender: str, date: str, *, subject: str = "Hello", more: str = "") -> bytes:
    head = f"From: {sender}\r\nDate: {date}\r\nMessage-ID: <{number}@example.org>\r\nSubject: {subject}\r\n{more}"
    return f"{head}\r\nThe harvest report of the orchard.\r\n".encode()


MAIL = {
    "a/1.eml": message(1, "Ann <ann@example.com>", "Mon, 2 Mar 2026 09:00:00 +0100"),
    "a/2.eml": message(2, "Ann <ann@example.com>", "Tue, 3 Mar 2026 23:30:00 -0500"),
    "b/3.eml": message(3, "bob@example.org", "Sun, 5 Apr 2026 12:00:00 +0000", more="List-Id: <x.example.org>\r\n"),
    "b/4.eml": message(3, "bob@example.org", "Sun, 5 Apr 2026 12:00:00 +0000", more="List-Id: <x.example.org>\r\n"),
}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    for name, data in MAIL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def as_json(done: Done) -> dict[str, object]:
    assert done.code == 0, done.err
    found: dict[str, object] = json.loads(done.out)
    return found


def rows(report: dict[str, object], name: str) -> list[list[object]]:
    return report["statistics"][name]["rows"]  # type: ignore[index,no-any-return]


def one_sentence(done: Done, code: int, *parts: str) -> None:
    assert done.code == code, done
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert done.out == ""
    for part in parts:
        assert part in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
def test_a_cache_folder_that_is_another_users_is_said(inboxstats: Inboxstats, mail: Path) -> None:
    """As `sudo inboxstats report` may leave it."""
    without_rights = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    cache = inboxstats.home / ".cache"
    cache.mkdir(mode=0)
    done = replace(inboxstats, through=without_rights)("report", str(mail), "--json")
    cache.chmod(0o700)
    one_sentence(done, 6, f"Cannot read the message table in {cache}", "permission denied. Give yourself the right")


def test_json_on_stdout_is_the_documented_object(inboxstats: Inboxstats, mail: Path) -> None:
    done = inboxstats("report", str(mail), "--format", "json", "--clock", "date", "--timezone", "UTC")
    report = as_json(done)
    assert done.err == ""
    assert (report["schema_version"], report["timezone"], report["clock"]) == (1, "UTC", "date")
    assert report["period"] == {"first": "2026-03-02T08:00:00Z", "last": "2026-04-05T12:00:00Z"}
    assert report["totals"] == {
        "files": 4, "messages": 3, "duplicates": 1, "unreadable": 0, "undated": 0, "without_sender": 0,
        "bytes": sum(len(MAIL[name]) for name in ("a/1.eml", "a/2.eml", "b/3.eml")),
        "messages_with_attachments": 0, "attachments": 0, "with_list_id": 1, "with_list_unsubscribe": 0,
        "headers_only": 0,
    }  # fmt: skip
    assert [row[:3] for row in rows(report, "senders")] == [["ann@example.com", "Ann", 2], ["bob@example.org", None, 1]]
    assert [row for row in rows(report, "hours") if row[1]] == [[4, 1], [8, 1], [12, 1]]
    assert rows(report, "months") == [["2026-03", 2], ["2026-04", 1]]
    assert [row for row in rows(report, "weekdays") if row[1]] == [[1, 1], [3, 1], [7, 1]]


def test_the_senders_time_zone_and_the_filters(inboxstats: Inboxstats, mail: Path) -> None:
    command = ("report", str(mail), "--json", "--clock", "date", "--out", str(mail.parent / "out"))
    own = as_json(inboxstats(*command, "--timezone", "sender"))
    assert [row for row in rows(own, "hours") if row[1]] == [[9, 1], [12, 1], [23, 1]]
    april = as_json(inboxstats(*command, "--timezone", "UTC", "--since", "2026-04-01", "--until", "2026-04-05"))
    assert [row[:2] for row in rows(april, "senders")] == [["bob@example.org", None]]
    box = as_json(inboxstats(*command, "--mailbox", "a", "--top", "1"))
    assert [row[0] for row in rows(box, "senders")] == ["ann@example.com"]
    kept = as_json(inboxstats(*command, "--duplicates", "keep"))
    assert kept["totals"]["messages"] == 4  # type: ignore[index]


def test_page_json_and_csv_are_written_into_a_folder_of_the_run(inboxstats: Inboxstats, mail: Path) -> None:
    out = mail.parent / "out"
    done = inboxstats("report", str(mail), "--out", str(out), "--format", "html,json", "--format", "csv")
    assert done.code == 0, done.err
    latest = out / "latest"
    assert done.out.splitlines()[-1] == f"Report: {latest.resolve() / 'report.html'}"
    assert "<html" in (latest / "report.html").read_text()
    report = json.loads((latest / "report.json").read_text())
    with open(latest / "csv" / "senders.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["address"] for row in table] == [row[0] for row in rows(report, "senders")]
    again = inboxstats("report", str(mail), "--out", str(out), "-q")
    assert (again.code, again.out) == (0, "")
    assert len([path for path in out.iterdir() if not path.is_symlink() and path.is_dir()]) == 2


def test_without_options_a_page_and_a_summary(inboxstats: Inboxstats, mail: Path) -> None:
    done = inboxstats("report", str(mail))
    assert done.code == 0, done.err
    assert (inboxstats.home / "inboxstats" / "latest" / "report.html").is_file()
    assert "ann@example.com" in done.out
    assert "4 files = 3 messages + 1 duplicate" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines()[:-1])) <= 80


def test_maildir_and_mbox_are_counted_as_the_tree_is(inboxstats: Inboxstats, tmp_path: Path) -> None:
    maildir, mbox = stdlib.Maildir(tmp_path / "maildir"), stdlib.mbox(tmp_path / "mail.mbox")
    for data in MAIL.values():
        maildir.add(data.replace(b"\r\n", b"\n"))
        mbox.add(data.replace(b"\r\n", b"\n"))
    mbox.close()
    for path in ("maildir", "mail.mbox"):
        report = as_json(inboxstats("report", str(tmp_path / path), "--format", "json"))
        assert report["totals"]["messages"] == 3, path  # type: ignore[index]


def test_engines_and_workers_give_the_same_report(inboxstats: Inboxstats, mail: Path) -> None:
    found = []
    for number, options in enumerate((["serial"], ["threads", "--workers", "3"], ["processes", "--workers", "2"])):
        command = ("report", str(mail), "--format", "json", "--engine", *options)
        report = as_json(inboxstats(*command, XDG_CACHE_HOME=str(mail.parent / f"cache{number}")))
        del report["generated"]
        found.append(report)
    assert found[0] == found[1] == found[2]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_reported(inboxstats: Inboxstats, mail: Path) -> None:
    (mail / "a" / "loop.eml").symlink_to("loop.eml")
    done = inboxstats("report", str(mail), "--format", "json")
    assert done.code == 3
    assert done.err == "inboxstats: a/loop.eml: cannot be read: Too many levels of symbolic links\n"
    found = json.loads(done.out)
    totals = found["totals"]
    assert (totals["files"], totals["messages"], totals["duplicates"], totals["unreadable"]) == (5, 3, 1, 1)
    assert found["unreadable"] == [{"file": "a/loop.eml", "reason": "Too many levels of symbolic links"}]


def test_every_unreadable_file_is_named_in_every_format(inboxstats: Inboxstats, mail: Path) -> None:
    names = [f"b/loop{number:02d}.eml" for number in range(25)]
    for name in names:
        (mail / name).symlink_to(Path(name).name)
    out = mail.parent / "out"
    done = inboxstats("report", str(mail), "--out", str(out), "--format", "html,json,csv", "--engine", "processes")
    assert done.code == 3
    lines = done.err.splitlines()
    reason = "Too many levels of symbolic links"
    assert lines[:20] == [f"inboxstats: {name}: cannot be read: {reason}" for name in names[:20]]
    assert lines[20:] == ["inboxstats: 5 more files cannot be read; report.json (--format json) names all."]
    report = json.loads((out / "latest" / "report.json").read_text())
    assert report["unreadable"] == [{"file": name, "reason": reason} for name in names]
    with open(out / "latest" / "csv" / "unreadable.csv", newline="") as file:
        assert list(csv.DictReader(file)) == report["unreadable"]
    page = (out / "latest" / "report.html").read_text()
    assert [name for name in names if name not in page] == []
    line = "29 files = 3 messages + 1 duplicate + 25 unreadable"
    assert (line in done.out, line in page) == (True, True)
    with open(out / "latest" / "csv" / "totals.csv", newline="") as file:
        (totals,) = csv.DictReader(file)
    assert {name: int(value) for name, value in totals.items()} == report["totals"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("/no/such/path",), "does not exist"),
        (("MAIL", "--timezone", "Mars/Olympus"), "no time zone"),
        (("MAIL", "--format", "docx"), "Unknown --format 'docx'"),
        (("MAIL", "--format", ","), "--format is empty"),
        (("MAIL", "--since", "2026-05-01", "--until", "2026-04-01"), "is after"),
        (("MAIL", "--format", "json", "--open"), "--open wants a page"),
        ((), "There is no archive yet"),
    ],
)
def test_what_cannot_be_done_is_said(inboxstats: Inboxstats, mail: Path, arguments: tuple[str, ...], part: str) -> None:
    done = inboxstats("report", *(str(mail) if word == "MAIL" else word for word in arguments))
    one_sentence(done, 2, part)


def test_no_mail_is_said(inboxstats: Inboxstats, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one_sentence(inboxstats("report", str(tmp_path / "empty")), 2, "holds no mail")


def test_a_report_that_cannot_be_written_is_said(inboxstats: Inboxstats, mail: Path) -> None:
    (mail.parent / "file").touch()
    one_sentence(inboxstats("report", str(mail), "--out", str(mail.parent / "file")), 6, "Cannot write the report")


@pytest.mark.parametrize("options", [["--format", "json", "--top", "0"], []], ids=["json", "summary"])
def test_a_reader_that_has_seen_enough_is_no_failure(inboxstats: Inboxstats, mail: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "inboxstats", "report", str(mail), *options]
    running = subprocess.Popen(
        command, env=inboxstats.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert (running.stderr.read(), running.wait(60)) == ("", 0)
    running.stderr.close()


def test_output_that_cannot_be_written_is_said(inboxstats: Inboxstats, mail: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "inboxstats", "report", str(mail), "--format", "json"],
            env=inboxstats.environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (6, "inboxstats: Cannot write to stdout: No space left on device.\n")


def test_any_encoding_of_the_terminal_is_lived_with(inboxstats: Inboxstats, mail: Path) -> None:
    (mail / "a" / "1.eml").write_bytes(
        message(1, "=?utf-8?q?J=C3=BCrgen?= <j@example.com>", "Mon, 2 Mar 2026 09:00:00 +0100")
    )
    assert "Jürgen" in inboxstats("report", str(mail), "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0").out
    assert inboxstats("report", str(mail), PYTHONIOENCODING="ascii").code == 0


def test_the_options_win_over_environment_and_configuration(inboxstats: Inboxstats, mail: Path) -> None:
    config = mail.parent / "config.toml"
    config.write_text('timezone = "Asia/Tokyo"\n')
    command = ("report", str(mail), "--format", "json", "--config", str(config))
    assert as_json(inboxstats(*command))["timezone"] == "Asia/Tokyo"
    env = {"INBOXSTATS_TIMEZONE": "Europe/Berlin"}
    assert as_json(inboxstats(*command, **env))["timezone"] == "Europe/Berlin"
    assert as_json(inboxstats(*command, "--timezone", "UTC", **env))["timezone"] == "UTC"


def test_the_configured_limits_reach_the_workers_of_report_and_sql(inboxstats: Inboxstats, mail: Path) -> None:
    config = mail.parent / "config.toml"
    config.write_text("[parse]\nmessage_bytes = 1024\n")
    (mail / "a" / "long.eml").write_bytes(
        message(9, "Ann <ann@example.com>", "Mon, 2 Mar 2026 09:00:00 +0100") + b"\r\n" * 1_000 + b"meadow"
    )
    options = (str(mail), "--engine", "processes", "--config", str(config), "--json")
    assert "meadow" not in [row[0] for row in rows(as_json(inboxstats("report", *options, "--top", "0")), "keywords")]
    found = as_json(inboxstats("sql", "SELECT file, defects FROM messages WHERE len(defects) > 0", *options))
    assert found["rows"] == [["a/long.eml", ["more than 1024 bytes: the rest is left out"]]]
    unlimited = as_json(inboxstats("report", str(mail), "--json", "--top", "0"))
    assert "meadow" in [row[0] for row in rows(unlimited, "keywords")]
    config.write_text("[parse]\nmessage_bytes = 1\n")
    one_sentence(inboxstats("report", *options), 2, "line 2", "parse.message_bytes", "greater than or equal to 1024")
