"""What is particular to Maildir, mbox and trees of .eml files."""

import mailbox as stdlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from inboxstats.archive import Archive, Owner
from inboxstats.archive.layout import message_key
from inboxstats.mail import LocalSource, Location, Mailbox
from inboxstats.parse import Limits
from inboxstats.parse.files import Row, Unreadable, read_rows
from inboxstats.sources import mbox
from inboxstats.sources.archived import ArchivedAccount
from inboxstats.sources.eml import EmlTree
from inboxstats.sources.local import as_text
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


def write(path: Path, data: bytes = b"Subject: x\n\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def texts(source: LocalSource) -> dict[str, list[bytes]]:
    """The messages of each mailbox, by its name."""
    return {
        mailbox.name: sorted(location.read() for location in source.locations(mailbox).values())
        for mailbox in source.mailboxes()
    }


def test_two_folders_of_eml_files_with_one_name_both_count(tmp_path: Path) -> None:
    write(tmp_path / "mail" / "1.eml", b"1")
    write(tmp_path / "mail" / "mail" / "2.eml", b"2")
    write(tmp_path / "mail" / "caf\udce9" / "3.eml", b"3")
    write(tmp_path / "mail" / "caf\\xe9" / "4.eml", b"4")
    found = texts(EmlTree(tmp_path / "mail"))
    assert found == {"mail": [b"1"], "mail (2)": [b"2"], "caf\\xe9": [b"4"], "caf\\xe9 (2)": [b"3"]}


def test_two_eml_files_whose_names_read_alike_both_count(tmp_path: Path) -> None:
    write(tmp_path / "b" / "\udce9.eml", b"1")
    write(tmp_path / "b" / "\\xe9.eml", b"2")
    assert texts(EmlTree(tmp_path)) == {"b": [b"1", b"2"]}


def test_two_maildirs_with_one_name_both_count(tmp_path: Path) -> None:
    for folder in (".", "INBOX", ".Sent.2026", "Sent/2026"):
        touch_maildir(tmp_path / folder)
        write(tmp_path / folder / "cur" / "1.host:2,S", folder.encode())
    assert texts(Maildir(tmp_path)) == {
        "INBOX": [b"."],
        "INBOX (2)": [b"INBOX"],
        "Sent/2026": [b".Sent.2026"],
        "Sent/2026 (2)": [b"Sent/2026"],
    }


def test_two_files_of_a_maildir_with_one_unique_name_both_count(tmp_path: Path) -> None:
    touch_maildir(tmp_path)
    write(tmp_path / "new" / "1.host", b"1")
    write(tmp_path / "cur" / "1.host:2,S", b"2")
    write(tmp_path / "cur" / "1.host:2,FS", b"3")
    assert texts(Maildir(tmp_path)) == {"INBOX": [b"1", b"2", b"3"]}


def test_two_mailboxes_of_an_archive_with_one_name_both_count(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("ann", Owner("h", "ann"))
    for number in (1, 2):  # names too long for a folder, whose mailbox.json is lost
        archive.mailbox("ann", Mailbox("x" * 200 + str(number))).store([(message_key(7, 1), b"%d" % number)])
    assert sorted(texts(ArchivedAccount(archive, "ann")).values()) == [[b"1"], [b"2"]]


def test_a_message_of_a_maildir_is_not_an_eml_file_as_well(tmp_path: Path) -> None:
    touch_maildir(tmp_path / "box", "cur/1.eml", "new/2.eml", "tmp/3.eml")
    write(tmp_path / "box" / "4.eml", b"4")
    write(tmp_path / "box" / "cur" / "below" / "5.eml", b"5")  # a Maildir has no folders there: not its message
    write(tmp_path / "cur" / "6.eml", b"6")
    assert texts(EmlTree(tmp_path)) == {"box": [b"4"], "box/cur/below": [b"5"], "cur": [b"6"]}
    assert list(texts(Maildir(tmp_path))) == ["box"]


def test_what_is_no_regular_file_is_told_and_not_opened(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere")
    touch_maildir(tmp_path)
    for folder, end in ((tmp_path / "eml", ".eml"), (tmp_path / "cur", "")):
        folder.mkdir(exist_ok=True)
        os.mkfifo(folder / f"1{end}")
        (folder / f"2{end}").symlink_to("/dev/zero")
        (folder / f"3{end}").symlink_to(tmp_path / "elsewhere")
        (folder / f"4{end}").symlink_to(tmp_path / "nowhere")
        (folder / f"5{end}").symlink_to(f"5{end}")
    for source in (EmlTree(tmp_path), Maildir(tmp_path)):
        (mailbox,) = source.mailboxes()
        locations = source.locations(mailbox)
        read = dict(zip(sorted(locations), read_rows([locations[key] for key in sorted(locations)]), strict=True))
        assert {key[0]: result.reason for key, result in read.items() if isinstance(result, Unreadable)} == {
            "1": "not a regular file",
            "2": "not a regular file",
            "4": "No such file or directory",
            "5": "Too many levels of symbolic links",
        }


def test_of_a_huge_file_only_what_the_parser_takes_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "huge.eml", b"Subject: huge\n\n")
    os.truncate(path, 6_000_000_000)  # sparse
    (row,) = read_rows([Location(str(path))])
    assert isinstance(row, Row)
    assert (row.subject, row.size) == ("huge", 6_000_000_000)
    assert f"more than {Limits().message_bytes} bytes" in row.defects


def test_a_location_is_read_whole_or_up_to_a_limit(tmp_path: Path) -> None:
    path = str(write(tmp_path / "x", b"0123456789"))
    whole = Location(path)
    assert [whole.read(), whole.read(4), whole.read(99), whole.size()] == [b"0123456789", b"0123", b"0123456789", 10]
    part = Location(path, 2, 5)
    assert [part.read(), part.read(4), part.read(99), part.size()] == [b"23456", b"2345", b"23456", 5]
    assert Location(path, 3).size() == 7


def test_too_little_memory_for_a_message_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_self: Location, _most: int | None = None) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Location, "read", exhausted)
    assert read_rows([Location(str(tmp_path))]) == [Unreadable("too little memory for it")]


@pytest.mark.parametrize("name", ["a\ud800", "\udce9\ud800\udfff", "Entwürfe", ""])
def test_any_name_becomes_text(name: str) -> None:
    as_text(name).encode()


FROM_ANN = b"From ann Mon Mar  2 09:00:00 2026\n"


def test_an_mbox_that_is_shortened_while_it_is_looked_through_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ann.mbox"
    path.write_bytes((FROM_ANN + b"Subject: x\n\n" + b"a" * 10_000 + b"\n\n") * 3)
    find = mbox._spans

    def found_and_then_shortened(file: BinaryIO) -> Iterator[tuple[int, int]]:
        spans = list(find(file))
        os.truncate(path, 100)  # as mutt does when it removes messages
        yield from spans

    monkeypatch.setattr(mbox, "_spans", found_and_then_shortened)
    found = Mbox({"ann": path}).locations(Mailbox("ann"))
    rows = read_rows(list(found.values()))
    assert [len(rows), sum(isinstance(row, Row) for row in rows)] == [3, 3]


@pytest.mark.parametrize("block", [7, 64, 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_an_mbox_is_cut_into_the_same_messages_wherever_its_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, line_end: bytes
) -> None:
    letters = [b"Subject: x\n\nx\nFrom the start 10:00 in 2026\n", b"Subject: y\n\n\n\n", b"Subject: z\n\nend\n"]
    letters = [letter.replace(b"\n", line_end) for letter in letters]
    path = tmp_path / "ann.mbox"
    path.write_bytes(b"".join(FROM_ANN.replace(b"\n", line_end) + letter + line_end for letter in letters))
    monkeypatch.setattr(mbox, "_BLOCK", block)
    found = dict(Mbox({"ann": path}).fetch(Mailbox("ann"), list(Mbox({"ann": path}).locations(Mailbox("ann")))))
    assert list(found.values()) == letters
