"""mbox files as a stream: separators, quoting, compression, and what programs write into the header."""

import gzip
import mailbox as stdlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inboxstats.importing.facts import arrived, without_bookkeeping
from inboxstats.importing.letters import IN_MEMORY, Letter, Unreadable
from inboxstats.importing.mbox import Quoting, letters, unquoted
from inboxstats.mail import Pieces
from inboxstats.sources.mbox import Mbox

FROM = b"From ann@example.org Tue Feb 27 11:35:12 2018\n"


def read(path: Path, quoting: Quoting = "mboxrd") -> list[Letter]:
    found = list(letters(path, path.parent, quoting))
    assert all(isinstance(each, Letter) for each in found), found
    return [each for each in found if isinstance(each, Letter)]


def written(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_a_stream_finds_the_messages_that_the_mapped_file_has(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.mbox",
        *(FROM, b"Subject: 1\n\nFrom here on.\n\nFrom Adam to Eve\n\n\n"),
        *(FROM, b"Subject: 2\r\n\r\nx\r\n\r\n"),
        *(FROM, b"Subject: 3\n\n", b"y" * 200_000, b" From a@b Tue Feb 27 11:35:12 2018\nz\n\n"),
        *(FROM, b"\nno header\n", FROM, b"is text: no blank line stands before it"),
    )
    source = Mbox({"a": path})
    mapped = [location.read() for location in source.locations(source.mailboxes()[0]).values()]
    assert [each.content for each in read(path)] == mapped
    assert len(mapped) == 4


def test_what_another_program_put_into_an_mbox_comes_out_as_it_was(tmp_path: Path) -> None:
    texts = [b"Subject: 1\n\nFrom me to you\n> From\n>From a reply\nbye\n", b"Subject: 2\n\n\n\nlast\n"]
    with_stdlib = stdlib.mbox(tmp_path / "a.mbox")
    for text in texts:
        with_stdlib.add(text)
    with_stdlib.close()
    assert b"\n>From me to you\n" in (tmp_path / "a.mbox").read_bytes()
    first, second = read(tmp_path / "a.mbox", "mboxo")
    # The standard library's mboxo cannot tell its own quoting from a line that had it before.
    assert first.content == texts[0].replace(b"\n>From a", b"\nFrom a")
    assert second.content == texts[1]


@pytest.mark.parametrize(
    ("line", "mboxrd", "mboxo"),
    [
        (b">From me\n", b"From me\n", b"From me\n"),
        (b">>From me\n", b">From me\n", b">>From me\n"),
        (b">>>From me\n", b">>From me\n", b">>>From me\n"),
        (b">Frome\n", b">Frome\n", b">Frome\n"),
        (b"> From me\n", b"> From me\n", b"> From me\n"),
    ],
)
def test_each_convention_is_undone_by_its_own_rule(line: bytes, mboxrd: bytes, mboxo: bytes) -> None:
    assert (unquoted(line, "mboxrd"), unquoted(line, "mboxo"), unquoted(line, "none")) == (mboxrd, mboxo, line)


def test_a_compressed_mbox_that_breaks_off_gives_the_messages_before_and_says_so(tmp_path: Path) -> None:
    plain = b"".join(FROM + b"Subject: %d\n\n%s\n\n" % (number, b"%x" % hash(str(number)) * 500) for number in range(9))
    whole = written(tmp_path / "a.mbox.gz", gzip.compress(plain))
    assert len(read(whole)) == 9
    broken = written(tmp_path / "b.mbox.gz", whole.read_bytes()[:-200])
    *before, last = letters(broken, tmp_path, "mboxrd")
    assert last == Unreadable(str(broken), "the compressed file breaks off. What came before is imported")
    assert [each.digest for each in before if isinstance(each, Letter)] == [
        each.digest for each in read(whole)[: len(before)]
    ]
    assert 0 < len(before) < 9
    damaged = bytearray(whole.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    *_, last = letters(written(tmp_path / "c.mbox.gz", bytes(damaged)), tmp_path, "mboxrd")
    assert isinstance(last, Unreadable)


def test_a_large_message_waits_on_the_disk_and_comes_in_pieces(tmp_path: Path) -> None:
    body = b"x" * 70_000 + b"\n" + b"0123456789\n" * 500_000
    stream = letters(written(tmp_path / "a.mbox", FROM, b"Subject: 1\n\n", body), tmp_path, "mboxrd")
    letter = next(stream)
    assert isinstance(letter, Letter)
    assert isinstance(letter.content, Pieces)
    assert letter.size == letter.content.size == len(body) + 12 > IN_MEMORY
    assert b"".join(letter.content.pieces) == b"Subject: 1\n\n" + body
    assert next(stream, None) is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.mbox"]


def test_what_programs_note_in_the_header_becomes_flags_and_labels_and_leaves_the_message() -> None:
    head = (
        b'X-GM-THRID: 17\nX-Gmail-Labels: Inbox,Opened,Starred,\n =?UTF-8?Q?Entw=C3=BCrfe?=,"a, b",Archived\n'
        b"Status: RO\nX-Status: A\nX-Mozilla-Status: 1004\nX-Keywords: Junk $label1   \nSubject: Status: R\n\n"
    )
    left, (flags, labels) = without_bookkeeping(head)
    assert left == b"X-GM-THRID: 17\nSubject: Status: R\n\n"
    assert flags == {"\\Seen", "\\Flagged", "\\Answered", "$Forwarded", "Junk", "$label1"}
    assert labels == {"\\Inbox", "\\Starred", "Entwürfe", "a, b"}


@pytest.mark.parametrize("value", [b'"', b"\0,\0", b"=?", b",,,", b'a"b,"c', b"=?UTF-8?Q?=0A?=", b"\r"])
def test_labels_that_are_no_list_are_taken_as_they_come(value: bytes) -> None:
    left, (_, labels) = without_bookkeeping(b"X-Gmail-Labels: " + value + b"\nSubject: 1\n\n")
    assert left == b"Subject: 1\n\n"
    assert all(label.strip() == label != "" for label in labels)


RECEIVED = b"Received: from a by b; Mon, 1 Jan 2018 10:00:00 +0100\nDate: Sun, 31 Dec 2017 10:00:00 +0000\n\n"
WRITTEN = datetime(2026, 5, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("head", "separator", "written", "when"),
    [
        (RECEIVED, FROM, WRITTEN, datetime(2018, 1, 1, 9, tzinfo=UTC)),
        (b"Date: x\n\n", FROM, None, datetime(2018, 2, 27, 11, 35, 12, tzinfo=UTC)),
        (b"\n", b"From 15@xxx Tue Feb 27 11:35:12 +0200 2018\n", None, datetime(2018, 2, 27, 9, 35, 12, tzinfo=UTC)),
        (b"\n", b"From a@b Tue Feb 27 11:35:12 2018 -0130\n", None, datetime(2018, 2, 27, 13, 5, 12, tzinfo=UTC)),
        (b"\n", b"From a@b Tue Feb 27 11:35:12 EST 2018\n", None, datetime(2018, 2, 27, 16, 35, 12, tzinfo=UTC)),
        (b"\n", b"From a@b Tue Feb  7 11:35 2018\n", None, datetime(2018, 2, 7, 11, 35, tzinfo=UTC)),
        (b"\n", b"From a@b Tue Feb 31 11:35:12 2018\n", None, None),
        (b"Date: Sun, 31 Dec 2017 10:00:00 +0000\n\n", b"", WRITTEN, None),
        (b"Subject: 1\n\n", b"", WRITTEN, datetime(2026, 5, 1, tzinfo=UTC)),
        (b"Subject: 1\n\n", b"", 1e30, None),
        (b"", b"", None, None),
    ],
)
def test_a_message_came_when_its_header_says_else_its_file(
    head: bytes, separator: bytes, written: float | None, when: datetime | None
) -> None:
    assert arrived(head, separator=separator, written=written) == when
