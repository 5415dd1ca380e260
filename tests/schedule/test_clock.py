"""Expected days are those of the IANA time zone database, as any calendar of the zone shows them."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from inboxstats.schedule.clock import Change, changes, is_same, next_time, safe_time

FIRST = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Berlin", time(2, 30), [Change(date(2027, 3, 28), "skipped"), Change(date(2027, 10, 31), "doubled")]),
        ("Europe/Berlin", time(2, 0), [Change(date(2027, 3, 28), "skipped"), Change(date(2027, 10, 31), "doubled")]),
        ("Europe/Berlin", time(1, 59), []),
        ("Europe/Berlin", time(3, 0), []),
        # In London the clock goes from 1 to 2, and from 2 back to 1.
        ("Europe/London", time(1, 30), [Change(date(2027, 3, 28), "skipped"), Change(date(2027, 10, 31), "doubled")]),
        ("Europe/London", time(2, 30), []),
        ("America/New_York", time(2, 30), [Change(date(2027, 3, 14), "skipped")]),
        ("America/New_York", time(1, 30), [Change(date(2027, 11, 7), "doubled")]),
        # On Lord Howe Island it is half an hour: 1:30 to 2 comes twice, 2 to 2:30 not at all.
        ("Australia/Lord_Howe", time(1, 45), [Change(date(2027, 4, 4), "doubled")]),
        ("Australia/Lord_Howe", time(2, 15), [Change(date(2027, 10, 3), "skipped")]),
        ("Asia/Tokyo", time(2, 30), []),
        ("UTC", time(2, 30), []),
    ],
)
def test_the_times_that_daylight_saving_skips_and_doubles_are_known(
    zone: str, at: time, expected: list[Change]
) -> None:
    assert list(changes(at, ZoneInfo(zone), FIRST)) == expected


@pytest.mark.parametrize(
    ("zone", "at", "moved"),
    [
        ("Europe/Berlin", time(2, 30), time(3)),
        ("Europe/Berlin", time(2, 10), time(3, 10)),
        ("America/New_York", time(1, 30), time(3)),  # 2:00 and 2:30 are skipped in spring
        ("Australia/Lord_Howe", time(1, 45), time(2, 45)),
        ("Asia/Tokyo", time(2, 30), time(2, 30)),
        ("America/Santiago", time(23, 30), time(1)),  # 23 to 24 comes twice, 0 to 1 not at all
    ],
)
def test_such_a_time_is_moved_to_one_that_comes_once_a_day(zone: str, at: time, moved: time) -> None:
    assert safe_time(at, ZoneInfo(zone), FIRST) == moved


def test_the_next_time_is_today_or_tomorrow() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 11, 28, 1, 59, tzinfo=UTC)  # 2:59 there
    assert next_time(time(3), berlin, before) == datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
    at = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
    assert next_time(time(3), berlin, at) == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    # A day later by the wall clock is 23 hours on the day of the change.
    assert next_time(time(3), berlin, datetime(2027, 3, 27, 2, 0, tzinfo=UTC)) == datetime(2027, 3, 28, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("UTC", "Etc/UTC", True),
        ("Europe/Berlin", "Europe/Paris", True),
        ("Europe/London", "UTC", False),  # in summer
        ("Europe/Berlin", "Africa/Lagos", False),
    ],
)
def test_zones_are_the_same_by_their_time_and_not_by_their_name(one: str, other: str, same: bool) -> None:
    assert is_same(ZoneInfo(one), ZoneInfo(other), 2026) is same
