"""`inboxstats import` as a user runs it, and what the other commands make of the mail."""

import json
import os
import re
from pathlib import Path

from command import Inboxstats

FROM = b"From ann@example.org Tue Feb 27 11:35:12 2018\n"
MESSAGE = (
    b"X-Gmail-Labels: Inbox,Holidays,Opened\nReceived: from a by b; Tue, 27 Feb 2018 12:00:00 +0100\n"
    b"From: Bob <bob@example.com>\nMessage-ID: <%d@example.com>\nDate: Tue, 27 Feb 2018 11:00:00 +0000\n"
    b"Subject: \x1b[31mred\n\nHello\n\n"
)


def takeout(folder: Path, numbers: range) -> Path:
    path = folder / "Takeout" / "Mail" / "All mail.mbox"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(FROM + MESSAGE % number for number in numbers))
    return path


def test_a_takeout_is_imported_once_and_reported_verified_and_asked_like_fetched_mail(
    inboxstats: Inboxstats, tmp_path: Path
) -> None:
    archive, path = str(tmp_path / "archive"), str(takeout(tmp_path, range(20)))
    into = ["--archive", archive, "--account", "me@gmail.com"]
    done = inboxstats("import", path, *into)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"me@gmail.com: 20 new messages \(0\.0 MB\); 20 read in 1 mailbox\.\n", done.out)
    again = inboxstats("import", path, *into, "--json")
    assert json.loads(again.out) == {
        "schema_version": 1,
        "archive": archive,
        "account": "me@gmail.com",
        "exit_code": 0,
        "error": None,
        "mailboxes": [{"mailbox": "All mail", "messages": 20, "stored": 0, "bytes": 0}],
        "unreadable": [],
    }
    report = json.loads(inboxstats("report", archive, "--format", "json").out)
    assert (report["totals"]["files"], report["totals"]["messages"]) == (20, 20)
    assert report["period"]["first"] == "2018-02-27T11:00:00Z"
    query = "SELECT DISTINCT account, mailbox, internal_date, flags, list_sort(labels) FROM messages"
    assert json.loads(inboxstats("sql", query, archive, "--json").out)["rows"] == [
        ["me@gmail.com", "All mail", "2018-02-27T11:00:00Z", ["\\Seen"], ["Holidays", "\\Inbox"]]
    ]
    (eml,) = Path(archive).rglob("7.eml")
    eml.unlink()
    damaged = inboxstats("verify", "--archive", archive)
    assert damaged.code == 8
    assert "7.eml is not there; importing it again restores it." in damaged.err
    assert inboxstats("import", path, *into).out.startswith("me@gmail.com: 1 new message ")
    assert inboxstats("verify", "--read-data", "--archive", archive).code == 0


def test_what_cannot_be_imported_is_told_on_one_line_and_leaves_with_3(inboxstats: Inboxstats, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "a.eml").symlink_to("nowhere")
    (tmp_path / "mail" / os.fsdecode(b"b\n\x1b[2J\xff.mbox")).write_bytes(b"x")
    done = inboxstats("import", str(tmp_path / "mail"), "--account", "me", "--archive", str(tmp_path / "archive"))
    assert done.code == 3
    assert "\x1b" not in done.err
    first, second = done.err.splitlines()
    assert first.endswith("a.eml: No such file or directory.")
    assert "no mbox" in second


def test_a_new_account_beside_others_is_told_for_it_may_be_a_slip(inboxstats: Inboxstats, tmp_path: Path) -> None:
    path, archive = str(takeout(tmp_path, range(1))), str(tmp_path / "archive")
    assert inboxstats("import", path, "--account", "work", "--archive", archive).err == ""
    done = inboxstats("import", path, "--account", "wrok", "--archive", archive)
    assert (done.code, done.err) == (0, "inboxstats: wrok is a new account of the archive, beside work.\n")


def test_a_missing_path_and_the_archive_itself_are_refused_before_anything_is_made(
    inboxstats: Inboxstats, tmp_path: Path
) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        done = inboxstats("import", str(path), "--account", "me", "--archive", str(tmp_path / "archive"))
        assert done.code == 2
        assert done.err.startswith(f"inboxstats: {path} ")
    assert not (tmp_path / "archive").exists()


def test_a_run_that_holds_the_archive_keeps_an_import_out(inboxstats: Inboxstats, tmp_path: Path) -> None:
    from inboxstats.archive import Archive

    archive = Archive.create(tmp_path / "archive")
    with archive.lock():
        done = inboxstats(
            "import", str(takeout(tmp_path, range(1))), "--account", "me", "--archive", str(tmp_path / "archive")
        )
    assert done.code == 7
