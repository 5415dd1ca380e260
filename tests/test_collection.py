"""A path of mail opened for analysis: what is in it, what is parsed again and what is not."""

import errno
import gzip
import mailbox as stdlib
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import inboxstats
import inboxstats.config
from inboxstats import parts, table
from inboxstats.archive import Archive, MailboxFolder, MailboxState, Owner
from inboxstats.archive.layout import message_key
from inboxstats.archive.listing import Listing
from inboxstats.collection import Collection, open_collection
from inboxstats.errors import StorageError, UsageError
from inboxstats.mail import Mailbox, MessageInfo, MessageKey
from inboxstats.parse import Limits
from inboxstats.parse.files import Row, Unreadable, read_rows
from inboxstats.schema import decoded
from inboxstats.selection import COUNTED
from inboxstats.sources.maildir import Maildir
from inboxstats.sources.mbox import Mbox
from inboxstats.table import Updated
from inboxstats.workers import Engine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def message(number: int, *, sender: str = "ann@example.com") -> bytes:
    head = f"From: {sender}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\nMessage-ID: <{number}@example.com>\r\n"
    return f"{head}Subject: {number}\r\n\r\nHello.\r\n".encode()


def update(collection: Collection) -> Updated:
    return collection.update(engine="serial", workers=1)


def eml_tree(folder: Path, count: int = 3) -> Path:
    (folder / "box").mkdir(parents=True)
    for number in range(count):
        (folder / "box" / f"{number}.eml").write_bytes(message(number))
    return folder


def test_only_what_is_new_is_parsed(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    assert update(open_collection(tree)).parsed == 3
    (tree / "box" / "new.eml").write_bytes(message(9))
    again = update(open_collection(tree))
    assert (again.parsed, again.rows.num_rows) == (1, 4)
    assert update(open_collection(tree)).parsed == 0


def test_a_changed_file_is_parsed_again_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    update(open_collection(tree))
    (tree / "box" / "0.eml").write_bytes(message(0, sender="somebody.else@example.com"))
    (tree / "box" / "1.eml").unlink()
    again = update(open_collection(tree))
    assert (again.parsed, again.rows.num_rows) == (1, 2)
    assert sorted(again.rows["sender"].to_pylist()) == ["ann@example.com", "somebody.else@example.com"]


def test_nothing_is_written_beside_a_users_mail(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    before = sorted(tree.rglob("*"))
    update(open_collection(tree))
    assert sorted(tree.rglob("*")) == before


def test_an_archive_keeps_its_table_and_joins_the_listing(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("ann", Owner("h", "ann"))
    inbox = archive.mailbox("ann", Mailbox("INBOX", "/"))
    inbox.note_name()
    inbox.store([(message_key(7, uid), message(uid)) for uid in (1, 2)])
    arrived = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
    info = MessageInfo(message_key(7, 1), arrived, frozenset({"\\Seen"}), 100)
    inbox.note_listing(MailboxState(7), {info.key: info})
    rows = update(open_collection(tmp_path / "archive")).rows.sort_by("key").to_pylist()
    assert [(row["account"], row["mailbox"], row["key"]) for row in rows] == [
        ("ann", "INBOX", "7-1"),
        ("ann", "INBOX", "7-2"),
    ]
    assert [(row["internal_date"], row["flags"]) for row in rows] == [(arrived, ["\\Seen"]), (None, None)]
    assert list((tmp_path / "archive" / ".cache" / "messages").glob("part-*.parquet"))


def test_maildir_mbox_and_eml_in_one_tree_are_all_counted(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail", 1)
    stdlib.Maildir(tree / "Maildir").add(message(10))
    box = stdlib.mbox(tree / "old.mbox")
    box.add(message(11))
    box.close()
    rows = update(open_collection(tree)).rows
    assert sorted(rows["mailbox"].to_pylist()) == ["Maildir", "box", "old"]


def test_a_single_mbox_file_is_opened(tmp_path: Path) -> None:
    box = stdlib.mbox(tmp_path / "takeout")
    box.add(message(1))
    box.close()
    rows = update(open_collection(tmp_path / "takeout")).rows
    assert rows["mailbox"].to_pylist() == ["takeout"]
    assert rows["file"].to_pylist()[0].startswith("takeout@")


def test_what_is_no_mail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        open_collection(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="Write what comes out of it into a file first"):
        open_collection(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no mail"):
        open_collection(tmp_path / "empty")
    (tmp_path / "thesis.tex").write_text("text")
    with pytest.raises(UsageError, match="is no mbox"):
        open_collection(tmp_path / "thesis.tex")


def test_mail_that_is_packed_is_refused_with_the_way_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "my mail"
    folder.mkdir()
    packed = folder / "old.mbox.gz"
    packed.write_bytes(gzip.compress(b"From a@x Mon Nov 23 10:00:00 2026\nSubject: 1\n\nHello\n"))
    with pytest.raises(UsageError, match=f"`inboxstats import '{packed}' --account NAME`"):
        open_collection(packed)
    with pytest.raises(UsageError, match=f"say: inboxstats import '{folder}' --account NAME"):
        open_collection(folder)
    for form, name in (("zip", "takeout.zip"), ("gztar", "takeout.tar.gz"), ("tar", "takeout.tar")):
        assert shutil.make_archive(str(tmp_path / "takeout"), form, folder) == str(tmp_path / name)
        with pytest.raises(UsageError, match=r"many files in one\. Unpack it first"):
            open_collection(tmp_path / name)
    (tmp_path / "broken.mbox.gz").write_bytes(packed.read_bytes()[:12])
    with pytest.raises(UsageError, match="is no mbox"):
        open_collection(tmp_path / "broken.mbox.gz")


def test_a_single_eml_file_is_opened(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    rows = update(open_collection(tree / "box" / "1.eml")).rows.to_pylist()
    assert [(row["mailbox"], row["file"], row["subject"]) for row in rows] == [("box", "1.eml", "1")]


def test_a_file_that_cannot_be_read_is_named_and_tried_again(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail", 2)
    (tree / "box" / "loop.eml").symlink_to("loop.eml")
    found = update(open_collection(tree))
    assert found.rows.num_rows == 2
    assert [(each.entry.file, each.reason) for each in found.unreadable] == [
        ("box/loop.eml", "Too many levels of symbolic links")
    ]
    (tree / "box" / "loop.eml").unlink()
    (tree / "box" / "loop.eml").write_bytes(message(5))
    assert update(open_collection(tree)).unreadable == ()


def test_a_damaged_part_is_made_again(tmp_path: Path, cache: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    before = update(open_collection(tree)).rows
    (part,) = cache.rglob("part-*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    again = update(open_collection(tree))
    assert (again.parsed, again.rows.equals(before)) == (3, True)


def test_a_part_of_another_parser_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    update(open_collection(tree))
    monkeypatch.setattr(table, "PARSER_VERSION", table.PARSER_VERSION + 1)
    assert update(open_collection(tree)).parsed == 3
    assert len(list(cache.rglob("part-*.parquet"))) == 1


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_a_row_read_under_other_limits_is_made_again(tmp_path: Path, cache: Path, engine: Engine) -> None:
    tree = eml_tree(tmp_path / "mail")
    (tree / "box" / "0.eml").write_bytes(message(0) + b"orchard harvest\r\n" + b"meadow\r\n" * 200)
    few = Limits(message_bytes=1024)

    def run(limits: Limits) -> tuple[int, list[str]]:
        found = open_collection(tree, limits).update(engine=engine, workers=1)
        return found.parsed, found.rows.sort_by("file")["defects"].to_pylist()[0]

    assert run(Limits()) == (3, [])
    assert run(few) == (3, ["more than 1024 bytes: the rest is left out"])
    assert run(few)[0] == 0
    assert len(list(cache.rglob("part-*.parquet"))) == 1
    assert run(Limits()) == (3, [])


def test_equal_rows_of_two_runs_are_counted_once(tmp_path: Path, cache: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    update(open_collection(tree))
    (part,) = cache.rglob("part-*.parquet")
    part.with_name("part-again.parquet").write_bytes(part.read_bytes())
    assert update(open_collection(tree)).rows.num_rows == 3


def test_many_parts_become_one(tmp_path: Path, cache: Path) -> None:
    tree = eml_tree(tmp_path / "mail", 1)
    for number in range(table.MOST_PARTS + 2):
        (tree / "box" / f"more{number}.eml").write_bytes(message(100 + number))
        update(open_collection(tree))
    assert len(list(cache.rglob("part-*.parquet"))) <= table.MOST_PARTS
    again = update(open_collection(tree))
    assert (again.parsed, again.rows.num_rows) == (0, table.MOST_PARTS + 3)


def test_a_first_run_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(table, "ROWS_A_PART", 2)
    tree = eml_tree(tmp_path / "mail", 5)
    assert update(open_collection(tree)).rows.num_rows == 5
    assert sorted(pq.read_metadata(part).num_rows for part in cache.rglob("part-*.parquet")) == [1, 2, 2]


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = eml_tree(tmp_path / "mail")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"Cannot write the message table in \S+: a part of the path is a file"):
        update(open_collection(tree))


def test_a_table_that_is_no_folder_is_said_in_the_words_of_the_system(tmp_path: Path) -> None:
    collection = open_collection(eml_tree(tmp_path / "mail"))
    collection.cache.mkdir(parents=True)
    (collection.cache / "messages").touch()
    with pytest.raises(StorageError) as refused:
        update(collection)
    table = collection.cache / "messages"
    assert str(refused.value) == (
        f"Cannot write the message table in {table}: a part of the path is a file, not a folder. Choose another place."
    )


def test_a_part_that_leads_in_circles_is_said_in_the_words_of_the_system(tmp_path: Path) -> None:
    collection = open_collection(eml_tree(tmp_path / "mail"))
    update(collection)
    (part,) = collection.cache.rglob("part-*.parquet")
    part.unlink()
    part.symlink_to(part.name)
    with pytest.raises(StorageError) as refused:
        update(collection)
    assert str(refused.value) == f"Cannot read {part}: {os.strerror(errno.ELOOP)}."


def test_the_face_for_data_scientists_is_a_typed_frame(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    messages = inboxstats.open_archive(tree).messages(timezone="Europe/Berlin")
    assert isinstance(messages, pd.DataFrame)
    assert messages.groupby("sender").size().to_dict() == {"ann@example.com": 3}
    assert messages["local"].dt.hour.tolist() == [9, 9, 9]
    assert str(messages["when"].dtype) == "datetime64[us, UTC]"
    assert str(messages["size"].dtype) == "int64[pyarrow]"
    assert inboxstats.open_archive(os.fspath(tree)).root == tree


def test_the_face_for_data_scientists_has_words_and_phrases_as_texts(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail", 0)
    (tree / "box" / "0.eml").write_bytes(b"From: ann@example.com\nSubject: barley wheat rye\n\n")
    (tree / "box" / "1.eml").write_bytes(b"From: ann@example.com\n\n")
    for _ in ("parsed", "from the table"):
        messages = inboxstats.open_archive(tree).messages().set_index("key")
        assert list(messages.loc["0.eml", "keywords"]) == ["barley", "wheat", "rye"]
        assert list(messages.loc["0.eml", "phrases"]) == ["barley wheat", "wheat rye"]
        assert list(messages.loc["1.eml", "phrases"]) == []


def test_the_face_for_data_scientists_reads_as_much_as_the_report_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxstats.config, "default_path", lambda: tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text("[parse]\nparts = 7\n")
    assert inboxstats.open_archive(eml_tree(tmp_path / "mail")).limits == Limits(parts=7)


def test_mailboxes_of_one_name_in_two_sources_do_not_mix(tmp_path: Path) -> None:
    tree = tmp_path / "mail"
    tree.mkdir()
    box = stdlib.mbox(tree / "old.mbox")
    box.add(message(1))
    box.close()
    (key,) = Mbox({"old": tree / "old.mbox"}).locations(Mailbox("old"))
    for part in ("cur", "new"):
        (tree / "old" / part).mkdir(parents=True)
    (tree / "old" / "cur" / key).write_bytes(message(2))
    assert list(Maildir(tree).locations(Mailbox("old"))) == [key]
    found = update(open_collection(tree))
    rows = sorted(found.rows.to_pylist(), key=lambda row: row["mailbox"])
    assert [(row["mailbox"], row["subject"]) for row in rows] == [("old", "2"), ("old (2)", "1")]
    assert update(open_collection(tree)).parsed == 0


def test_a_message_of_a_maildir_that_ends_in_eml_counts_once(tmp_path: Path) -> None:
    for part in ("cur", "new"):
        (tmp_path / "mail" / part).mkdir(parents=True)
    (tmp_path / "mail" / "cur" / "1.eml").write_bytes(message(1))
    assert update(open_collection(tmp_path / "mail")).rows["mailbox"].to_pylist() == ["INBOX"]


def test_a_mailbox_may_have_any_name_and_still_finds_its_listing(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("ann", Owner("h", "ann"))
    arrived = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
    for number, name in enumerate(("a\ud800", "a\\ud800", "\udce9")):
        box = archive.mailbox("ann", Mailbox(name, "/"))
        box.note_name()
        box.store([(message_key(7, 1), message(number))])
        box.note_listing(MailboxState(7), {MessageKey("7-1"): MessageInfo(MessageKey("7-1"), arrived)})
    rows = update(open_collection(tmp_path / "archive")).rows.to_pylist()
    assert sorted(row["subject"] for row in rows) == ["0", "1", "2"]
    assert len({row["mailbox"] for row in rows}) == 3
    assert [row["internal_date"] for row in rows] == [arrived] * 3


def test_what_is_parsed_when_a_run_is_interrupted_is_kept(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail", 5)

    def interrupt(parsed: int, _total: int) -> None:
        if parsed == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_collection(tree).update(engine="serial", workers=1, progress=interrupt)
    again = update(open_collection(tree))
    assert (again.parsed, again.rows.num_rows) == (2, 5)


def test_an_interrupted_run_stays_interrupted_when_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = eml_tree(tmp_path / "mail", 5)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    def interrupt(_parsed: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_collection(tree).update(engine="serial", workers=1, progress=interrupt)


def test_compaction_drops_the_rows_of_files_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(table, "MOST_PARTS", 1)
    tree = eml_tree(tmp_path / "mail", 3)
    update(open_collection(tree))
    (tree / "box" / "0.eml").unlink()
    (tree / "box" / "new.eml").write_bytes(message(9))
    update(open_collection(tree))
    (part,) = cache.rglob("part-*.parquet")
    assert sorted(pq.read_table(part)["subject"].to_pylist()) == ["1", "2", "9"]


def test_compaction_leaves_a_large_part_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(table, "ROWS_A_PART", 4)
    monkeypatch.setattr(table, "MOST_PARTS", 2)
    tree = eml_tree(tmp_path / "mail", 4)
    update(open_collection(tree))
    (large,) = cache.rglob("part-*.parquet")
    for number in range(4, 7):
        (tree / "box" / f"{number}.eml").write_bytes(message(number))
        update(open_collection(tree))
    rows = {part: sorted(pq.read_table(part)["subject"].to_pylist()) for part in cache.rglob("part-*.parquet")}
    assert rows.pop(large) == ["0", "1", "2", "3"]
    assert sorted(rows.values()) in ([["4", "5"], ["6"]], [["4", "5", "6"]])
    assert sorted(update(open_collection(tree)).rows["file"].to_pylist()) == [
        f"box/{number}.eml" for number in range(7)
    ]


def test_a_vocabulary_beyond_the_largest_dictionary_is_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_DICTIONARY_BYTES", 100)
    tree = eml_tree(tmp_path / "mail", 0)
    for number in range(50):
        words = b" ".join(b"word%c%c" % (97 + number % 26, letter) for letter in b"abcdefghijkl")
        (tree / "box" / f"{number}.eml").write_bytes(b"From: ann@example.com\n\n" + words)
    first, again = (decoded(update(open_collection(tree)).rows).sort_by("file") for _ in range(2))
    assert again.equals(first)
    assert len(again["keywords"][0]) == 12


def test_what_a_killed_run_left_is_swept_but_not_what_is_being_written(tmp_path: Path, cache: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    update(open_collection(tree))
    (part,) = cache.rglob("part-*.parquet")
    old, fresh, other = (part.with_name(name) for name in ("part-old.tmp", "part-fresh.tmp", "other.tmp"))
    for path in (old, fresh, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 90_000,) * 2)
    update(open_collection(tree))
    assert [path.exists() for path in (old, fresh, other)] == [False, True, True]


@pytest.mark.usefixtures("cache")
def test_a_part_that_another_run_removes_meanwhile_is_read_all_the_same(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    collection = open_collection(tree)
    update(collection)
    (tree / "late.eml").write_bytes(b"From: late@example.com\nSubject: late\n\nbarley wheat")

    def other_run(_done: int, _total: int) -> None:
        for part in collection.cache.rglob("part-*.parquet"):
            part.unlink()

    updated = open_collection(tree).update(engine="serial", progress=other_run)
    assert (len(updated.rows), updated.parsed) == (4, 1)
    assert sum(len(phrases) for phrases in updated.phrases.of(np.arange(4))) >= 1


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("place", [0.02, 0.2, 0.5, 0.7, 0.85])
def test_a_part_that_is_damaged_anywhere_is_made_again(tmp_path: Path, place: float) -> None:
    tree = eml_tree(tmp_path / "mail")
    collection = open_collection(tree)
    whole = update(collection).rows.sort_by("file")
    (part,) = collection.cache.rglob("part-*.parquet")
    data = bytearray(part.read_bytes())
    at = int(len(data) * place)
    data[at : at + 60] = bytes(60)
    part.write_bytes(data)
    assert update(open_collection(tree)).rows.sort_by("file").equals(whole)
    assert update(open_collection(tree)).parsed == 0


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("name", "damaged"), [(b"phrases", b"phrasez"), (b"keywords", b"kexwords"), (b"list_id", b"l\xa4st_id")]
)
def test_a_part_in_which_a_columns_name_is_damaged_is_made_again(tmp_path: Path, name: bytes, damaged: bytes) -> None:
    tree = eml_tree(tmp_path / "mail")
    collection = open_collection(tree)
    whole = update(collection).rows.sort_by("file")
    (part,) = collection.cache.rglob("part-*.parquet")
    data = part.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")  # no checksum is on it
    part.write_bytes(data[:footer] + data[footer:].replace(name, damaged, 1))
    assert update(open_collection(tree)).rows.sort_by("file").equals(whole)
    assert update(open_collection(tree)).parsed == 0


@pytest.mark.usefixtures("cache")
def test_a_part_whose_phrases_alone_are_damaged_is_told_and_made_again(tmp_path: Path) -> None:
    tree = eml_tree(tmp_path / "mail")
    (tree / "late.eml").write_bytes(b"From: late@example.com\nSubject: late\n\nbarley wheat")
    collection = open_collection(tree)
    update(collection)
    (part,) = collection.cache.rglob("part-*.parquet")
    found = pq.ParquetFile(part).metadata.row_group(0)
    column = next(n for n in range(found.num_columns) if found.column(n).path_in_schema.startswith("phrases"))
    start = found.column(column).dictionary_page_offset or found.column(column).data_page_offset
    data = bytearray(part.read_bytes())
    data[start : start + 8] = bytes(8)
    part.write_bytes(data)
    updated = open_collection(tree).update(engine="serial", columns=COUNTED)
    with pytest.raises(StorageError, match="Run again"):
        list(updated.phrases.of(np.arange(4)))
    assert open_collection(tree).update(engine="serial", columns=COUNTED).parsed == 4


def header(uid: int) -> bytes:
    head, _, _ = message(uid).partition(b"\r\n\r\n")
    return head + b"\r\n\r\n"


def arriving(tmp_path: Path) -> MailboxFolder:
    """An archive that has the text of one message and the headers of two more, of 5,000 bytes as the server says."""
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("me", Owner("example.org", "me"))
    folder = archive.mailbox("me", Mailbox("INBOX"))
    folder.note_name()
    infos = [
        MessageInfo(message_key(7, uid), datetime(2026, 3, uid, tzinfo=UTC), frozenset(), 5_000) for uid in (1, 2, 3)
    ]
    folder.note_listing(MailboxState(7, 4, 3), Listing.of(infos))
    folder.headers.store(
        [(info.key, header(1 + at)) for at, info in enumerate(infos)], {info.key: 5_000 for info in infos}
    )
    folder.store([(infos[0].key, message(1))])
    return folder


def test_headers_have_rows_until_their_messages_arrive(tmp_path: Path) -> None:
    folder = arriving(tmp_path)
    collection = open_collection(tmp_path / "archive")
    rows = update(collection).rows.sort_by("key").to_pylist()
    assert [(row["key"], row["version"], row["size"], row["attachments"]) for row in rows] == [
        ("7-1", "", len(message(1)), []), ("7-2", "header", 5_000, None), ("7-3", "header", 5_000, None),
    ]  # fmt: skip
    assert [row["internal_date"].day for row in rows] == [1, 2, 3]
    assert [row["keywords"] for row in rows] == [[], None, None]
    known = ("fingerprint", "sender", "subject", "message_id", "date", "date_offset", "is_reply", "list_id")
    folder.store([(message_key(7, uid), message(uid)) for uid in (2, 3)])
    again = update(collection)
    assert again.parsed == 2
    whole = again.rows.sort_by("key").to_pylist()
    assert [row["version"] for row in whole] == ["", "", ""]
    assert [{name: row[name] for name in known} for row in whole] == [
        {name: row[name] for name in known} for row in rows
    ]
    assert update(collection).parsed == 0


def test_a_message_that_arrives_while_it_is_parsed_is_read_with_its_text(tmp_path: Path) -> None:
    folder = arriving(tmp_path)
    collection = open_collection(tmp_path / "archive")
    entries = list(collection.entries())
    folder.store([(message_key(7, uid), message(uid)) for uid in (2, 3)])
    folder.settle(folder.stored(), complete=True)
    assert not list(folder.path.glob("7/headers-*"))
    found = read_rows([entry.location for entry in entries])
    assert [(row.size, row.keywords) for row in found if isinstance(row, Row)] == [(len(message(1)), "")] * 3


def test_a_damaged_header_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    folder = arriving(tmp_path)
    collection = open_collection(tmp_path / "archive")
    locations = [entry.location for entry in collection.entries()]
    (path,) = folder.path.glob("7/headers-*")
    path.write_bytes(path.read_bytes()[:-1])
    whole, *damaged = read_rows(locations)
    assert isinstance(whole, Row)
    assert [type(each) for each in damaged] == [Unreadable, Unreadable]
    assert "the next fetch gets again" in str(damaged[0])
    assert len(update(collection).rows) == 1


def test_without_a_message_id_headers_that_are_equal_are_told_apart_by_their_messages_size(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("me", Owner("example.org", "me"))
    folder = archive.mailbox("me", Mailbox("INBOX"))
    folder.note_name()
    sizes = {message_key(7, uid): size for uid, size in ((1, 500), (2, 500), (3, 600))}
    folder.note_listing(MailboxState(7, 4, 3), Listing.of([MessageInfo(key, size=size) for key, size in sizes.items()]))
    folder.headers.store([(key, b"From: root@example.org\r\n\r\n") for key in sizes], sizes)
    prints = update(open_collection(tmp_path / "archive")).rows.sort_by("key")["fingerprint"].to_pylist()
    assert prints[0] == prints[1] != prints[2]
