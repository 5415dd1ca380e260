from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inboxstats.archive import Archive, Owner
from inboxstats.collection import open_collection
from inboxstats.digest import Period, make
from inboxstats.digest.mailboxes import is_aside
from inboxstats.mail import Mailbox

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mailbox", "aside"),
    [
        (Mailbox("INBOX", "/"), False),
        (Mailbox("Papierkorb", "/", frozenset({"\\HasNoChildren", "\\Trash"})), True),
        (Mailbox("Unerwünscht", "/", frozenset({"\\junk"})), True),
        (Mailbox("INBOX.Spam", "."), True),
        (Mailbox("Trash/2026", "/"), True),
        (Mailbox("INBOX.Spam", "/"), False),  # one name, where a dot is no delimiter
        (Mailbox("Spammers anonymous", "/"), False),
        (Mailbox("Junk E-Mail"), True),
        (Mailbox("Sent", "/", frozenset({"\\Sent"})), False),
    ],
)
def test_junk_trash_and_drafts_are_left_aside(mailbox: Mailbox, aside: bool) -> None:
    assert is_aside(mailbox) is aside


def test_a_digest_tells_of_no_junk_and_of_none_of_my_own(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("work", Owner("imap.example.org", "me@example.org"))
    boxes = {"INBOX": "ann@example.com", "Papierkorb": "spam@example.net", "Sent": "me@example.org"}
    for uid, (name, sender) in enumerate(boxes.items(), start=1):
        attributes = frozenset({"\\Trash"}) if name == "Papierkorb" else frozenset()
        archive.mailbox("work", Mailbox(name, "/", attributes)).note_name()
        folder = archive.path / "work" / name / "1" / "000000"
        folder.mkdir(parents=True)
        (folder / f"{uid}.eml").write_bytes(
            f"From: {sender}\r\nTo: me@example.org\r\nMessage-ID: <{uid}@x>\r\nDate: {NOW:%d %b %Y} 01:00:00 +0000\r\n"
            "Subject: Lunch?\r\n\r\ntext".encode()
        )
    period = Period(NOW - timedelta(days=1), NOW)
    found = make(open_collection(archive.path), period, frozenset({"me@example.org"}), timezone="UTC", engine="serial")
    assert (found.messages, [each.address for each in found.senders]) == (1, ["ann@example.com"])
    assert [each.address for each in found.waiting] == ["ann@example.com"]
    assert found.sent_known
