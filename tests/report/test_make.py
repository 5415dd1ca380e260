"""From a collection to a report: what the filters may name."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inboxstats.archive import Archive, Owner
from inboxstats.archive.layout import message_key
from inboxstats.collection import Collection, open_collection
from inboxstats.errors import UsageError
from inboxstats.mail import Mailbox
from inboxstats.report.make import make
from inboxstats.report.model import Report
from inboxstats.selection import Selection

BOXES = {"work": ["INBOX", "[Gmail]/All Mail"], "home": ["INBOX", *(f"box{number:02}" for number in range(12))]}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


@pytest.fixture
def collection(archive: Archive) -> Collection:
    for account, names in BOXES.items():
        archive.admit(account, Owner("h", account))
        for name in names:
            box = archive.mailbox(account, Mailbox(name, "/"))
            box.note_name()
            box.store([(message_key(7, 1), f"Subject: {account}/{name}\n\n".encode())])
    return open_collection(archive.path)


def report(collection: Collection, **selection: Any) -> Report:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return make(collection, Selection(**selection), generated=now, engine="serial", workers=1)


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        ({"accounts": ("work", "wrok")}, "--account 'wrok' matches no account. There are: 'home', 'work'."),
        (
            {"accounts": ("work",), "mailboxes": ("box*",)},
            "--mailbox 'box*' matches no mailbox. There are: 'INBOX', '[Gmail]/All Mail'.",
        ),
        (
            {"accounts": ("home",), "mailboxes": ("Sent",)},
            "--mailbox 'Sent' matches no mailbox. There are: 'INBOX', 'box00', 'box01', 'box02', 'box03', 'box04', "
            "'box05', 'box06', 'box07', 'box08' and 3 more.",
        ),
    ],
)
def test_a_filter_that_matches_nothing_is_refused(
    collection: Collection, selection: dict[str, tuple[str, ...]], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        report(collection, **selection)
    assert str(refused.value) == sentence


def test_a_filter_that_matches_is_followed(collection: Collection) -> None:
    assert report(collection, accounts=("w*",)).totals.messages == 2
    assert report(collection, mailboxes=("inbox",)).totals.messages == 2
    assert report(collection, mailboxes=("[Gmail]/*",)).totals.messages == 1


def test_mail_without_accounts_says_so(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"Subject: x\n\n")
    with pytest.raises(UsageError, match="'work' matches no account"):
        report(open_collection(tmp_path), accounts=("work",))


def test_an_archive_without_mail_has_a_report_whatever_the_filters(archive: Archive) -> None:
    empty = report(open_collection(archive.path), accounts=("work",), mailboxes=("INBOX",))
    assert empty.totals.files == 0


def test_an_account_whose_mail_is_still_to_come_may_be_named(archive: Archive, collection: Collection) -> None:
    archive.admit("new", Owner("h", "new"))
    (archive.path / "new").mkdir()
    assert report(open_collection(archive.path), accounts=("new",), mailboxes=("INBOX",)).totals.files == 0
    assert report(collection).totals.messages == 15


def test_a_first_report_parses_before_pandas_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"From: ann@example.com\n\n")
    program = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from inboxstats.collection import open_collection
from inboxstats.report.make import make
from inboxstats.selection import Selection

def parsed(done, total):
    print(done, total, *{"pandas", "pyarrow", "numpy", "matplotlib"} & set(sys.modules), flush=True)
    os._exit(0)

make(open_collection(Path(sys.argv[1])), Selection(), generated=datetime.now(UTC), engine="serial", progress=parsed)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1"]
