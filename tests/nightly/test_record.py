import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inboxstats.nightly.record import (
    MOST_RUNS,
    AccountRun,
    Record,
    Run,
    read_record,
    record_path,
    troubles,
    write_record,
)

START = datetime(2026, 11, 27, 2, 30, tzinfo=UTC)


def night(days: int, code: int | None = 0, *, ended: bool = True, **accounts: int) -> Run:
    """A run so many days after START, which took five minutes."""
    started = START + timedelta(days=days)
    runs = tuple(AccountRun(name, each) for name, each in accounts.items())
    return Run(started, started + timedelta(minutes=5) if ended else None, code if ended else None, runs)


def test_a_record_is_read_as_it_was_written_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "nightly.json"
    run = Run(
        START, START + timedelta(minutes=5), 3,
        (AccountRun("work", 3, 7, 1234, None, ("INBOX: the server says empty; kept 2 messages.",)),),
        report="/out/x", unreadable=1, removed_reports=2, digest="sent", troubles=("One.", "Two."),
    )  # fmt: skip
    record = Record(tmp_path, {"work": START}, (run, night(1, ended=False)))
    write_record(path, record)
    assert read_record(path, tmp_path) == record
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["runs"][0]["finished"] == "2026-11-27T02:35:00Z"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "digested": {}, "runs": [{}]}']
)
def test_a_record_that_cannot_be_read_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "nightly.json").write_text(text)
    assert read_record(tmp_path / "nightly.json", tmp_path) == Record(tmp_path)
    assert read_record(tmp_path / "none.json", tmp_path) == Record(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        {"exit_code": 42},
        {"exit_code": "0"},
        {"started": "9999-12-31T23:59:59Z"},
        {"troubles": 3},
        {"accounts": [{"account": "work", "exit_code": 42, "stored": 0, "troubles": []}]},
        {"accounts": [{"account": "work", "exit_code": 0, "stored": "many", "troubles": []}]},
    ],
)
def test_a_record_with_a_value_that_means_nothing_is_begun_anew(tmp_path: Path, damage: dict[str, object]) -> None:
    path = tmp_path / "nightly.json"
    write_record(path, Record(tmp_path, {}, (night(0),)))
    told = json.loads(path.read_text())
    told["runs"][0] |= damage
    path.write_text(json.dumps(told))
    assert read_record(path, tmp_path) == Record(tmp_path)


def test_the_latest_hundred_nights_are_kept() -> None:
    record = Record(Path("/a"))
    for day in range(MOST_RUNS + 5):
        record = record.begin(night(day))
    assert (len(record.runs), record.runs[0].started) == (100, START + timedelta(days=5))


def test_two_archives_have_two_records(tmp_path: Path) -> None:
    assert record_path(tmp_path / "a") != record_path(tmp_path / "b")
    assert record_path(tmp_path / "x" / ".." / "a") == record_path(tmp_path / "a")


def test_fresh_is_a_good_run_that_is_young_enough() -> None:
    record = Record(Path("/a"), {}, (night(0, 0, work=0),))
    ended = START + timedelta(minutes=5)
    day_and_a_half = timedelta(hours=36)
    assert record.is_fresh(ended + day_and_a_half, day_and_a_half, ("work",))
    assert not record.is_fresh(ended + day_and_a_half + timedelta(seconds=1), day_and_a_half, ("work",))


def test_a_run_that_did_not_happen_failed_or_was_killed_is_not_fresh() -> None:
    now, day = START + timedelta(days=1, hours=1), timedelta(days=1)
    assert not Record(Path("/a")).is_fresh(now, day, ())
    assert not Record(Path("/a"), {}, (night(0), night(1, 3))).is_fresh(now, day, ())
    assert not Record(Path("/a"), {}, (night(0), night(1, ended=False))).is_fresh(now, day, ())
    assert Record(Path("/a"), {}, (night(0), night(1))).is_fresh(now, day, ())


def test_a_run_of_the_future_is_not_fresh_but_for_a_clock_that_was_set_right() -> None:
    record, day = Record(Path("/a"), {}, (night(0),)), timedelta(days=1)
    ended = START + timedelta(minutes=5)
    assert record.is_fresh(ended - timedelta(seconds=30), day, ())
    assert not record.is_fresh(ended - timedelta(hours=1), day, ())


def test_each_account_must_be_fresh() -> None:
    record = Record(Path("/a"), {}, (night(0, 5, work=0, home=5), night(1, 0, work=0)))
    now = START + timedelta(days=1, hours=1)
    assert record.is_fresh(now, timedelta(days=1), ("work",))
    assert not record.is_fresh(now, timedelta(days=1), ("work", "home"))
    # An account that went well in a run that was not all well has its own success.
    assert record.last_success("work") == START + timedelta(days=1, minutes=5)
    assert Record(Path("/a"), {}, record.runs[:1]).last_success("work") == START + timedelta(minutes=5)
    assert record.last_success("home") is None


def test_troubles_name_the_account_and_the_run_that_was_killed() -> None:
    run = Run(
        START,
        accounts=(AccountRun("work", 5, error="No route.", troubles=("INBOX: gone.",)),),
        troubles=("No report.",),
    )
    assert troubles(run) == ["work: No route.", "work: INBOX: gone.", "No report."]
    assert troubles(run, night(-1, ended=False))[0] == (
        "The run of 2026-11-26 02:30 UTC was killed before its end; this one made up for it."
    )
    assert troubles(run, night(-1, 5)) == troubles(run)
