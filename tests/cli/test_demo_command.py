"""`inboxstats demo` as a user runs it, held against what its generator says it made."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest
from command import Inboxstats
from typer.testing import CliRunner

from inboxstats import demo
from inboxstats.archive import Archive, Owner, Snapshot
from inboxstats.cli import app
from inboxstats.demo.mailbox import generate
from inboxstats.errors import ExitCode, ServerRefusalError
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource


def test_the_demo_fetches_and_reports_what_was_generated(inboxstats: Inboxstats, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    before = datetime.now(UTC).date()
    done = inboxstats("demo", "--messages", "400", "--out", str(out), "--threads", "4")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[-2].startswith("Fetched 400 messages with 4 threads in ")
    assert lines[-1] == f"Report: {(out / 'report' / 'latest').resolve() / 'report.html'}"
    if datetime.now(UTC).date() != before:
        return  # midnight: the demo's last day is one of two
    made = generate(messages=400, last_day=before)
    report = json.loads((out / "report" / "latest" / "report.json").read_text())
    originals = [message for message in made if not message.is_copy]
    totals = report["totals"]
    assert (totals["files"], totals["messages"], totals["duplicates"]) == (400, len(originals), 400 - len(originals))
    senders = {row[0]: row[2] for row in report["statistics"]["senders"]["rows"]}
    counts = Counter(message.letter.sender.addr_spec for message in originals)
    assert senders == dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])
    assert totals["attachments"] == sum(len(message.letter.attachments) for message in originals)
    stored = {path.read_bytes() for path in (out / "archive").rglob("*.eml")}
    assert stored == {message.data for message in made}


def test_a_second_demo_replaces_the_first(inboxstats: Inboxstats, tmp_path: Path) -> None:
    for count in ("60", "30"):
        done = inboxstats("demo", "--messages", count, "--out", str(tmp_path), "--json", "--engine", "serial")
        assert done.code == 0, done.err
    assert len(list((tmp_path / "archive").rglob("*.eml"))) == 30
    told = json.loads(done.out)
    assert (told["schema_version"], told["messages"], told["threads"]) == (1, 30, 8)
    assert Path(told["page"]).is_file()


def test_a_folder_with_other_files_is_refused_and_kept(inboxstats: Inboxstats, tmp_path: Path) -> None:
    letters = tmp_path / "dm" / "archive" / "letters.txt"
    letters.parent.mkdir(parents=True)
    letters.write_text("Dear Ada")
    done = inboxstats("demo", "--messages", "5", "--out", str(tmp_path / "dm"))
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert "Choose another folder with --out" in done.err
    assert letters.read_text() == "Dear Ada"


@pytest.mark.parametrize("account", ["work", "demo"])
def test_an_archive_of_real_mail_is_refused_and_kept(inboxstats: Inboxstats, tmp_path: Path, account: str) -> None:
    archive = Archive.create(tmp_path / "archive")
    archive.admit(account, Owner("imap.example.org", "ada@example.org"))
    letter = tmp_path / "archive" / account / "1.eml"
    letter.parent.mkdir()
    letter.write_text("Subject: real\n")
    done = inboxstats("demo", "--messages", "5", "--out", str(tmp_path))
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert "Choose another folder with --out" in done.err
    assert letter.read_text() == "Subject: real\n"
    assert Archive.open(tmp_path / "archive").owners == archive.owners


def test_what_a_user_put_into_the_demos_archive_is_kept(inboxstats: Inboxstats, tmp_path: Path) -> None:
    arguments = ("demo", "--messages", "5", "--out", str(tmp_path), "--engine", "serial")
    assert inboxstats(*arguments).code == 0
    (tmp_path / "archive" / "letters.txt").write_text("Dear Ada")
    assert inboxstats(*arguments).code == 0
    assert (tmp_path / "archive" / "letters.txt").read_text() == "Dear Ada"


def test_a_demo_waits_for_another_in_the_same_folder(inboxstats: Inboxstats, tmp_path: Path) -> None:
    arguments = ("demo", "--messages", "5", "--out", str(tmp_path), "--engine", "serial")
    assert inboxstats(*arguments).code == 0
    archive = Archive.open(tmp_path / "archive")
    stored = sorted(archive.path.rglob("*.eml"))
    with archive.lock():
        second = inboxstats.start(*arguments)
        with pytest.raises(TimeoutExpired):
            second.communicate(timeout=4)
        assert sorted(archive.path.rglob("*.eml")) == stored
    second.communicate(timeout=60)
    assert second.returncode == 0


def test_mail_that_was_not_fetched_is_told_and_is_not_exit_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(ImapSource):
        def snapshot(self, mailbox: Mailbox, known: Snapshot | None = None, **how: Any) -> Snapshot:
            if mailbox.name == "INBOX":
                raise ServerRefusalError("The server says NO.")
            return super().snapshot(mailbox, known, **how)

    monkeypatch.setattr(demo, "ImapSource", Refusing)
    done = CliRunner().invoke(app, ["demo", "--messages", "50", "--out", str(tmp_path), "--engine", "serial", "--json"])
    assert done.exit_code == ExitCode.PARTLY
    assert "INBOX: The server says NO." in done.stderr
    assert json.loads(done.stdout)["exit_code"] == ExitCode.PARTLY
