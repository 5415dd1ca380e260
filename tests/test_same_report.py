"""The same mail gives the same report: for any engine and number of workers, order of files, parts and runs."""

import contextlib
import mailbox as stdlib
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats import table, workers
from inboxstats.collection import Collection, open_collection
from inboxstats.report import export
from inboxstats.report.make import make
from inboxstats.selection import Selection
from inboxstats.workers import Engine

NOW = datetime(2026, 11, 23, tzinfo=UTC)

# From a fixed seed, as a CI that fails at random teaches nothing; `make fuzz` looks elsewhere each time.
EXAMPLES = settings(max_examples=20, deadline=None, derandomize=True)
FEW = settings(EXAMPLES, max_examples=4)

SENDERS = (
    *(b"Ann <ann@example.com>", b"ann@example.com", b'"Bob, B." <bob@mail.example.org>', b"no address at all", None),
    *(b"=?utf-8?q?J=C3=BCrgen?= <j@example.com>", b"\xff\x1b]52;c;x\x07 <x@\xd1\x80\xd0\xb0y.com>"),
    *(b"((((<a@b", b"=1+1 <=1@example.com>"),
)  # fmt: skip
DATES = (
    *(b"Mon, 2 Mar 2026 09:00:00 +0100", b"Mon, 2 Mar 2026 08:00:00 +0000", b"31 Dec 2025 23:30:00 -1130", None),
    *(b"yesterday", b"Mon, 2 Mar 9999 09:00:00 +0100", b"1 Jan 1601 00:00:00 +0000"),
)
BODIES = (
    *(b"The harvest report of the orchard.\n", b"Die Ernte im Garten war gut.\n", b"\n", "報告書を送ります\n".encode()),
    *(b"\x00\xff\xfe\x1b[2J\n", b"--b\n\nharvest\n--b\nContent-Type: a/b; name=c\n\nxx\n--b--\n"),
)
MORE = (
    b"",
    b"List-Id: <x.example.org>\n",
    b"Content-Type: multipart/mixed; boundary=b\n",
    b"Subject: =?utf-8?b?////?=\n",
)


@st.composite
def composed(draw: st.DrawFn) -> bytes:
    """A message of any kind, or another copy of one of two, which a mailing list may have changed."""
    number = draw(st.integers(0, 3))
    fields = {
        b"From": SENDERS[number] if number < 2 else draw(st.sampled_from(SENDERS)),
        b"Date": DATES[number] if number < 2 else draw(st.sampled_from(DATES)),
        b"Message-ID": b"<%d@example.com>" % number if number < 3 else None,
        b"Received": draw(st.sampled_from((None, b"by x; Tue, 3 Mar 2026 10:00:00 +0000"))),
    }
    head = b"".join(b"%b: %b\n" % field for field in fields.items() if field[1] is not None)
    return head + draw(st.sampled_from(MORE)) + b"\n" + draw(st.sampled_from(BODIES))


MESSAGES = st.lists(composed() | st.binary(max_size=200), min_size=1, max_size=30)
SELECTIONS = st.builds(
    Selection,
    clock=st.sampled_from(("received", "date")),
    duplicates=st.sampled_from(("merge", "keep")),
    timezone=st.sampled_from(("UTC", "Europe/Berlin", "sender")),
)


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> Iterator[None]:
    """So that a few messages are many batches."""
    with mock.patch.object(workers, "BATCH", 4):
        yield


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def write(tree: Path, messages: dict[str, bytes]) -> None:
    for name, data in messages.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)


def named(messages: Sequence[bytes]) -> dict[str, bytes]:
    return {f"box{number % 3}/{number:02}.eml": data for number, data in enumerate(messages)}


def opened(path: Path, cache: Path) -> Collection:
    return replace(open_collection(path), cache=cache)


def report(
    collection: Collection, selection: Selection, *, engine: Engine = "serial", worker_count: int = 1
) -> dict[str, Any]:
    made = make(collection, selection, generated=NOW, engine=engine, workers=worker_count, top=0)
    found = export.to_json(made)
    totals = found["totals"]
    assert totals["files"] == totals["messages"] + totals["duplicates"] + totals["unreadable"]
    return found


@FEW
@given(MESSAGES, SELECTIONS)
def test_engines_and_workers_change_nothing(messages: list[bytes], selection: Selection) -> None:
    kinds: list[tuple[Engine, int]] = [("serial", 1), ("threads", 3), ("processes", 1), ("processes", 3)]
    with folder() as path:
        write(path / "mail", named(messages))
        (path / "mail" / "box0" / "loop.eml").symlink_to("loop.eml")
        (path / "mail" / "box0" / "circle.eml").symlink_to("circle.eml")
        found = [
            report(opened(path / "mail", path / f"cache{number}"), selection, engine=engine, worker_count=count)
            for number, (engine, count) in enumerate(kinds)
        ]
    assert found[1:] == found[:1] * 3
    assert found[0]["totals"]["files"] == len(messages) + 2
    assert [each["file"] for each in found[0]["unreadable"]] == ["box0/circle.eml", "box0/loop.eml"]


@EXAMPLES
@given(MESSAGES, SELECTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_files_changes_nothing(
    messages: list[bytes], selection: Selection, choose: random.Random
) -> None:
    shuffled = list(named(messages).items())
    choose.shuffle(shuffled)
    with folder() as path:
        write(path / "first", named(messages))
        write(path / "second", dict(shuffled))
        one, other = opened(path / "first", path / "cache1"), opened(path / "second", path / "cache2")
        entries = list(other.entries())
        choose.shuffle(entries)
        with mock.patch.object(Collection, "entries", return_value=entries):
            found = report(other, selection)
        assert found == report(one, selection)
        assert found["totals"]["files"] == len(messages)


@EXAMPLES
@given(st.lists(composed(), min_size=1, max_size=10), SELECTIONS, st.randoms(use_true_random=False))
def test_the_names_of_the_files_change_nothing_where_copies_are_equal(
    messages: list[bytes], selection: Selection, choose: random.Random
) -> None:
    several = list({_identity(data): data for data in messages}.values()) * 3
    names = [f"{number:02}.eml" for number in range(len(several))]
    with folder() as path:
        for tree in ("first", "second"):
            choose.shuffle(names)
            write(path / tree, dict(zip(names, several, strict=True)))
        found = [report(opened(path / tree, path / f"cache {tree}"), selection) for tree in ("first", "second")]
    assert found[0] == found[1]
    assert found[0]["totals"]["files"] == len(several)


@EXAMPLES
@given(MESSAGES, SELECTIONS, st.data())
def test_parts_and_runs_and_interruptions_change_nothing(
    messages: list[bytes], selection: Selection, data: st.DataObject
) -> None:
    files = list(named(messages).items())
    with (
        folder() as path,
        mock.patch.object(table, "ROWS_A_PART", data.draw(st.sampled_from((1, 3, 20_000)), "rows a part")),
        mock.patch.object(table, "MOST_PARTS", data.draw(st.sampled_from((1, 2, 16)), "most parts")),
    ):
        write(path / "at once", dict(files))
        arrived = 0
        while arrived < len(files):
            run = data.draw(st.integers(1, len(files) - arrived), "messages of a run")
            write(path / "in runs", dict(files[arrived : arrived + run]))
            arrived += run
            interrupted_after = data.draw(st.none() | st.integers(1, run), "interrupted after")
            _update(opened(path / "in runs", path / "cache2"), interrupted_after)
        found = report(opened(path / "in runs", path / "cache2"), selection)
        assert found == report(opened(path / "at once", path / "cache1"), selection)
        assert found["totals"]["files"] == len(messages)


def _update(collection: Collection, interrupted_after: int | None) -> None:
    def progress(done: int, _total: int) -> None:
        if done == interrupted_after:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        collection.update(engine="serial", workers=1, progress=progress)


@EXAMPLES
@given(st.lists(composed(), min_size=1, max_size=10), SELECTIONS)
def test_a_maildir_an_mbox_and_a_tree_of_the_same_messages_are_one_report(
    messages: list[bytes], selection: Selection
) -> None:
    several = list({_identity(data): data for data in messages}.values()) * 2  # equal copies: any of them may count
    with folder() as path:
        write(path / "tree", named(several))
        box = stdlib.Maildir(path / "maildir")
        for data in several:
            box.add(data)
        line = b"From ann@example.com Mon Mar  2 09:15:00 2026\n"
        (path / "one.mbox").write_bytes(b"".join(line + data + b"\n" for data in several))
        found = [
            report(opened(path / name, path / f"cache {name}"), selection) for name in ("tree", "maildir", "one.mbox")
        ]
    assert found[1:] == found[:1] * 2
    assert found[0]["totals"]["files"] == len(several)


def _identity(data: bytes) -> object:
    """What makes copies of messages."""
    identifier = re.search(rb"^Message-ID:.*$", data, re.MULTILINE)
    fields = [re.search(rb"^%b:.*$" % name, data, re.MULTILINE) for name in (b"From", b"Date")]
    return (identifier[0], *(field and field[0] for field in fields)) if identifier else data
