"""Friday, 27 November 2026, against the eight Fridays before it: 2 October to 20 November."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from factories import dataset

from inboxstats.digest import Period
from inboxstats.digest.weekdays import UnusualDay, unusual_days

from .conftest import BERLIN, ME, NIGHT, UNTIL, on

FRIDAY = date(2026, 11, 27)


def fridays(now: int, before: Sequence[int], sender: str = "ann@example.com", first: int = 0) -> list[dict[str, Any]]:
    """`now` messages on the Friday, and so many on each Friday before it, the latest first."""
    numbers = count(first)
    return [
        on(next(numbers), FRIDAY - timedelta(weeks=week), sender)
        for week, messages in enumerate([now, *before])
        for _ in range(messages)
    ]


def found(*rows: dict[str, Any], period: Period = NIGHT, since: date = date(2026, 9, 1)) -> tuple[UnusualDay, ...]:
    """`since` is the archive's first day, of which it has one message."""
    data = dataset(on(99_999, since, "first@example.com"), *rows, timezone="Europe/Berlin")
    return unusual_days(data, period, ME)


def of_all(days: tuple[UnusualDay, ...]) -> list[UnusualDay]:
    return [day for day in days if day.sender is None]


def test_twice_the_usual_and_more_than_ever_is_a_spike() -> None:
    # Sorted: 3 4 5 5 5 6 7 9; the median is 5, the most 9.
    before = [5, 3, 9, 5, 4, 7, 5, 6]
    assert of_all(found(*fridays(10, before))) == [UnusualDay(FRIDAY, "spike", 10, 5)]
    # Nine is as many as there were once, and less than ten.
    assert of_all(found(*fridays(9, before))) == []
    # Eleven is more than ever, but less than twice the median of 6.
    assert of_all(found(*fridays(11, [6, 6, 6, 6, 6, 6, 9, 9]))) == []


def test_half_the_usual_and_fewer_than_ever_is_a_silence() -> None:
    before = [10, 8, 12, 10, 9, 6, 10, 11]  # the median is 10, the fewest 6
    assert of_all(found(*fridays(5, before))) == [UnusualDay(FRIDAY, "silence", 5, 10)]
    assert of_all(found(*fridays(6, before))) == []
    # With four a day as usual, nothing is no surprise.
    assert of_all(found(*fridays(0, [4] * 8))) == []


def test_a_sender_who_writes_every_friday_and_did_not_is_told() -> None:
    writes = fridays(0, [1] * 8, "bob@example.com")
    assert found(*writes) == (UnusualDay(FRIDAY, "silence", 0, 1, "bob@example.com"),)
    once_missed = fridays(0, [1, 1, 0, 1, 1, 1, 1, 1], "bob@example.com")
    assert found(*once_missed) == ()


def test_a_senders_spike_begins_at_five() -> None:
    assert found(*fridays(5, [0] * 8)) == (UnusualDay(FRIDAY, "spike", 5, 0, "ann@example.com"),)
    assert found(*fridays(4, [0] * 8)) == ()


def test_with_fewer_than_four_fridays_nothing_is_said() -> None:
    # The archive begins on Friday 30 October, which need not be whole: 6, 13 and 20 November are left.
    rows = fridays(20, [1, 1, 1])
    assert found(*rows, since=date(2026, 10, 30)) == ()
    # A day earlier, 30 October is whole, too, and has nothing: the median of 1, 1, 1, 0 is 1.
    assert of_all(found(*rows, since=date(2026, 10, 29))) == [UnusualDay(FRIDAY, "spike", 20, 1)]


def test_my_own_mail_and_other_weekdays_do_not_count() -> None:
    mine = fridays(20, [0] * 8, "me@example.org")
    thursday = [on(500 + number, FRIDAY - timedelta(days=1)) for number in range(30)]
    assert found(*mine, *thursday) == ()


def test_a_day_that_is_not_over_is_left_for_the_next_digest() -> None:
    rows = fridays(20, [0] * 8)
    evening = datetime(2026, 11, 27, 23, 59, tzinfo=BERLIN)
    assert found(*rows, period=Period(evening - timedelta(days=1), evening)) == ()
    midnight = datetime(2026, 11, 28, tzinfo=BERLIN)
    assert len(of_all(found(*rows, period=Period(evening, midnight)))) == 1
    assert found(*rows, period=Period(midnight, midnight + timedelta(hours=3))) == ()


def test_after_a_missed_night_both_days_are_told_in_order() -> None:
    thursday = FRIDAY - timedelta(days=1)
    rows = [*fridays(10, [0] * 8), *(on(500 + number, thursday, "bob@example.com") for number in range(12))]
    days = found(*rows, period=Period(UNTIL - timedelta(days=2), UNTIL))
    assert [(day.day, day.messages) for day in of_all(days)] == [(thursday, 12), (FRIDAY, 10)]


def test_a_day_of_25_hours_is_a_day() -> None:
    # Sunday, 25 October 2026; the first message is at 0:30 in summer time, the last at 23:30 in winter time.
    sunday = date(2026, 10, 25)
    rows = [on(number, sunday, hour=0 if number % 2 else 23) for number in range(10)]
    after = datetime(2026, 10, 26, 3, tzinfo=BERLIN)
    days = found(*rows, period=Period(after - timedelta(days=1), after), since=date(2026, 8, 1))
    assert of_all(days) == [UnusualDay(sunday, "spike", 10, 0)]


def test_no_mail_has_no_unusual_day() -> None:
    assert unusual_days(dataset(timezone="Europe/Berlin"), NIGHT, ME) == ()
