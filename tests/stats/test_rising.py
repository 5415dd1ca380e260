import datetime as dt
from collections.abc import Iterator
from math import log
from typing import Any

import pytest
from factories import dataset, header_row, row

from inboxstats.stats import rising

NEWEST = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def messages(*, start: int, days_ago: float, of: int, **uses: int) -> Iterator[dict[str, Any]]:
    """`of` messages of one moment; ``tea=3`` puts the word into the first three."""
    when = (NEWEST - dt.timedelta(days=days_ago)).isoformat()
    for at in range(of):
        words = [word for word, count in uses.items() if at < count]
        yield row(start + at, when=when, keywords=words)


def rose(*rows: Iterator[dict[str, Any]], **selection: Any) -> list[list[Any]]:
    found: list[list[Any]] = rising.compute(
        dataset(*(row for each in rows for row in each), **selection)
    ).values.tolist()
    return found


def test_a_word_of_many_messages_that_few_had_before_rises() -> None:
    # 20 of 50 messages against 5 of 100: 25 of 150 in both, so 8 1/3 and 16 2/3 messages would be without a rise.
    with_word = 20 * log(20 / (25 / 3)) + 5 * log(5 / (50 / 3))
    without = 30 * log(30 / (125 / 3)) + 95 * log(95 / (250 / 3))
    # (20.5 / 51) / (5.5 / 101) = 7.38
    now = messages(start=0, days_ago=0, of=50, harvest=20, tea=25)
    before = messages(start=100, days_ago=30, of=100, harvest=5, tea=50)
    assert rose(now, before) == [["harvest", 20, 5, 7.38, round(2 * (with_word + without), 2)]]


def test_messages_without_their_text_yet_say_nothing_of_what_rises() -> None:
    now = list(messages(start=0, days_ago=0, of=50, harvest=20, tea=25))
    before = list(messages(start=100, days_ago=30, of=100, harvest=5, tea=50))
    when = (NEWEST - dt.timedelta(days=30)).isoformat()
    headers = [header_row(200 + number, when=when) for number in range(100)]
    assert rose(iter(now), iter(before), iter(headers)) == rose(iter(now), iter(before))


def test_one_message_more_is_no_rise() -> None:
    now = messages(start=0, days_ago=0, of=20, tea=2, milk=10)
    assert rose(now, messages(start=100, days_ago=30, of=20, tea=1, milk=9)) == []


def test_a_rise_that_chance_explains_is_none_and_a_falling_word_is_none() -> None:
    # 8 of 40 against 3 of 40: G² = 2.7, far below 10.83. "tea" falls as surely as it could rise.
    now = messages(start=0, days_ago=0, of=40, milk=8, tea=0)
    assert rose(now, messages(start=100, days_ago=30, of=40, milk=3, tea=30)) == []


def test_a_word_that_is_new_has_a_growth_and_a_score() -> None:
    # 2 * 20 * ln(20 / 10), the cells without the word: 2 * 20 * ln(20 / 30) + 2 * 40 * ln(40 / 30).
    score = 2 * (20 * log(2) + 20 * log(2 / 3) + 40 * log(4 / 3))
    now = messages(start=0, days_ago=0, of=40, frost=20)
    assert rose(now, messages(start=100, days_ago=30, of=40)) == [["frost", 20, 0, 41.0, round(score, 2)]]


def test_four_messages_are_too_few_whatever_the_score() -> None:
    now = messages(start=0, days_ago=0, of=10, frost=4, snow=5)
    assert [line[0] for line in rose(now, messages(start=100, days_ago=30, of=500))] == ["snow"]


def test_the_periods_are_28_days_back_from_the_newest_message_and_those_before() -> None:
    at = (days for days in (0, 27.99, 28, 55.99, 56))
    newest, last, first_before, last_before, older = (
        messages(start=int(days * 100_000), days_ago=days, of=20, **{word: 20})
        for days, word in zip(at, ("newest", "last", "before", "earlier", "older"), strict=True)
    )
    assert {line[0]: line[1:3] for line in rose(newest, last, first_before, last_before, older)} == {
        "last": [20, 0],
        "newest": [20, 0],
    }
    steady = (messages(start=start, days_ago=days, of=20, tea=20) for start, days in ((0, 0), (100, 28)))
    assert rose(*steady) == []


def test_mail_dated_years_ahead_is_not_the_newest() -> None:
    ahead = messages(start=900, days_ago=-2000, of=9, offer=9)
    now = messages(start=0, days_ago=0, of=40, frost=20)
    assert [line[:3] for line in rose(ahead, now, messages(start=100, days_ago=30, of=40))] == [["frost", 20, 0]]


def test_the_clock_of_the_reader_does_not_move_the_periods() -> None:
    for zone in ("Pacific/Kiritimati", "sender"):
        now = messages(start=0, days_ago=0, of=40, frost=20)
        before = messages(start=100, days_ago=30, of=40)
        assert [line[0] for line in rose(now, before, timezone=zone)] == ["frost"]


@pytest.mark.parametrize(
    "rows",
    [
        [row(keywords=["tea"])],
        [row(number, when=None, keywords=["tea"]) for number in range(40)],
        list(messages(start=0, days_ago=0, of=40, tea=40)),
        [*messages(start=0, days_ago=0, of=40, tea=40), *messages(start=100, days_ago=90, of=40)],
    ],
    ids=["one message", "undated", "no earlier mail", "no mail in the 28 days before"],
)
def test_with_nothing_to_compare_nothing_rises(rows: list[dict[str, Any]]) -> None:
    assert rising.compute(dataset(*rows)).values.tolist() == []
