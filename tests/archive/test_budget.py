"""The bytes of a day: counted over runs, begun anew at midnight UTC."""

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inboxstats.archive.budget import NAME, NOTED_BYTES, DailyBudget
from inboxstats.turns import Turn


class Now:
    time = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def now() -> Now:
    return Now()


def budget(folder: Path, now: Now, limit: int = 1000) -> DailyBudget:
    return DailyBudget(folder, limit, fsync=False, now=now)


def test_the_runs_of_a_day_are_counted_together(tmp_path: Path, now: Now) -> None:
    first = budget(tmp_path, now)
    first.count(600)
    first.note()
    second = budget(tmp_path, now)
    assert second.allows(400, promised=0)
    assert not second.allows(401, promised=0)
    assert not second.allows(400, promised=1)


def test_a_new_day_in_utc_begins_at_nothing_also_in_mid_run(tmp_path: Path, now: Now) -> None:
    running = budget(tmp_path, now)
    running.count(1000)
    assert not running.allows(1, promised=0)
    now.time += timedelta(hours=1)
    assert running.allows(1000, promised=0)
    running.count(7)
    running.note()
    assert json.loads((tmp_path / NAME).read_bytes()) == {"day": "2026-11-25", "bytes": 7}


def test_a_message_larger_than_a_day_allows_is_the_first_of_a_day(tmp_path: Path, now: Now) -> None:
    running = budget(tmp_path, now)
    assert running.allows(5000, promised=0)
    assert not running.allows(5000, promised=5000)


def test_the_count_is_written_down_on_the_way(tmp_path: Path, now: Now) -> None:
    running = budget(tmp_path, now)
    running.count(NOTED_BYTES)
    assert budget(tmp_path, now).used == NOTED_BYTES


def test_a_thread_that_writes_the_count_down_keeps_no_other_from_its_turn_nor_itself(
    tmp_path: Path, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, syncing, counts = os.fsync, threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        syncing.set()
        assert counts.wait(20)
        fsync(descriptor)

    def write() -> None:
        with Turn():
            running.count(NOTED_BYTES)

    def count() -> None:
        assert syncing.wait(20)
        with Turn():
            counts.set()
            running.count(1)

    monkeypatch.setattr(os, "fsync", slow)
    running = DailyBudget(tmp_path, 1000, fsync=True, now=now)
    threads = [threading.Thread(target=work, daemon=True) for work in (write, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads), "each waits for what the other holds"
    assert running.used == NOTED_BYTES + 1


def test_nothing_is_written_where_nothing_came(tmp_path: Path, now: Now) -> None:
    budget(tmp_path, now).note()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"day": "2026-11-24"}', b'{"day": 1, "bytes": null}', b"\xff", b"[" * 100_000]
)
def test_a_file_that_cannot_be_read_is_warned_of_and_counts_as_nothing(
    tmp_path: Path, now: Now, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_bytes(data)
    assert budget(tmp_path, now).used == 0
    assert "cannot be read" in caplog.text


def test_the_sentence_says_how_much_and_when_it_goes_on(tmp_path: Path, now: Now) -> None:
    running = budget(tmp_path, now, limit=2_000_000_000)
    running.count(1_999_800_000)
    said = str(running.spent())
    assert said.startswith("1,999.8 MB came today, and more than 2,000 MB a day might lock you out. Run again after ")
    midnight = datetime(2026, 11, 25, tzinfo=UTC).astimezone()
    assert f"after {midnight:%Y-%m-%d %H:%M} (midnight UTC)" in said
