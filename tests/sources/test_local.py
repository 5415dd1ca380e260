"""What is particular to Maildir, mbox and trees of .eml files."""

import mailbox as stdlib
from pathlib import Path

import pytest

from inboxstats.mail import Mailbox
from inboxstats.sources.eml import EmlTree
from inboxstats.sources.maildir import Maildir
from inboxstats.sources.mbox import Mbox, is_mbox


def touch_maildir(folder: Path, *names: str) -> None:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"Subject: x\n\n")


def test_maildirs_are_found_as_dovecot_and_mbsync_lay_them_out(tmp_path: Path) -> None:
    touch_maildir(tmp_path)
    touch_maildir(tmp_path / ".Sent.2026")
    touch_maildir(tmp_path / "Lists" / "python")
    touch_maildir(tmp_path / "Lists" / ".Old")
    names = [mailbox.name for mailbox in Maildir(tmp_path).mailboxes()]
    assert names == ["INBOX", "Lists/Old", "Lists/python", "Sent/2026"]


def test_flags_stand_in_the_name_and_do_not_change_the_key(tmp_path: Path) -> None:
    touch_maildir(tmp_path, "cur/17.a.host:2,FS", "new/18.b.host")
    inbox = Mailbox("INBOX", "/")
    listing = Maildir(tmp_path).listing(inbox)
    assert {key: sorted(info.flags) for key, info in listing.items()} == {
        "17.a.host": ["\\Flagged", "\\Seen"],
        "18.b.host": [],
    }
    (tmp_path / "cur" / "17.a.host:2,FS").rename(tmp_path / "cur" / "17.a.host:2,RS")
    assert sorted(Maildir(tmp_path).locations(inbox)) == ["17.a.host", "18.b.host"]


def test_messages_that_are_being_delivered_are_left_alone(tmp_path: Path) -> None:
    touch_maildir(tmp_path, "tmp/1.a.host", "new/.hidden", "new/2.b.host")
    assert list(Maildir(tmp_path).locations(Mailbox("INBOX", "/"))) == ["2.b.host"]


def test_folders_of_eml_files_are_mailboxes_whatever_their_names(tmp_path: Path) -> None:
    for name in ("a.eml", "b/c.EML", "b/d/e.eml", "b/caf\udce9/f\udcff.eml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"Subject: x\n\n")
    tree = EmlTree(tmp_path)
    found = {mailbox.name: list(tree.locations(mailbox)) for mailbox in tree.mailboxes()}
    assert found == {tmp_path.name: ["a.eml"], "b": ["c.EML"], "b/d": ["e.eml"], "b/caf\\xe9": ["f\\xff.eml"]}


def test_a_rewritten_eml_file_has_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: x\n\n")
    (mailbox,) = EmlTree(tmp_path).mailboxes()
    before = EmlTree(tmp_path).locations(mailbox)
    (tmp_path / "a.eml").write_bytes(b"Subject: longer\n\n")
    assert EmlTree(tmp_path).locations(mailbox) != before


SEPARATOR = b"From 1234@xxx Mon Nov 23 10:00:00 +0000 2026"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_mbox_is_cut_at_its_separators_alone(tmp_path: Path, end: bytes) -> None:
    one = end.join([b"Subject: one", b"", b"From nobody at 10:00, in the middle of a text", b""])
    two = end.join([b"Subject: two", b"", b"text", b"", b"From now on, a new paragraph.", b""])
    path = tmp_path / "x.mbox"
    path.write_bytes(SEPARATOR + end + one + end + SEPARATOR + end + two + end)
    box = Mbox({"x": path})
    assert [location.read() for location in box.locations(Mailbox("x")).values()] == [one, two]


def test_an_mbox_agrees_with_the_standard_library(tmp_path: Path) -> None:
    path = tmp_path / "x.mbox"
    written = stdlib.mbox(path)
    for number in range(50):
        written.add(f"From: a{number}@example.com\nSubject: {number}\n\nLine\n\nFrom me\n".encode())
    written.flush()
    ours = [location.read() for location in Mbox({"x": path}).locations(Mailbox("x")).values()]
    assert ours == [written.get_bytes(key) for key in range(50)]
    written.close()


def test_a_message_keeps_its_key_when_the_mbox_grows(tmp_path: Path) -> None:
    path = tmp_path / "x.mbox"
    path.write_bytes(SEPARATOR + b"\nSubject: one\n\n\n")
    before = list(Mbox({"x": path}).locations(Mailbox("x")))
    path.write_bytes(path.read_bytes() + SEPARATOR + b"\nSubject: two\n\n\n")
    after = list(Mbox({"x": path}).locations(Mailbox("x")))
    assert after[:1] == before
    assert len(after) == 2


def test_an_mbox_is_told_from_other_files(tmp_path: Path) -> None:
    (tmp_path / "yes").write_bytes(SEPARATOR + b"\nSubject: x\n\n")
    (tmp_path / "no").write_bytes(b"From here to eternity\n")
    (tmp_path / "empty").touch()
    assert [is_mbox(tmp_path / name) for name in ("yes", "no", "empty")] == [True, False, False]
