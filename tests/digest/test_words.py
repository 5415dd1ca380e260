"""G² and the 28 days are worked out in tests/stats/test_rising.py; here, which words are news."""

from datetime import timedelta
from typing import Any

from factories import dataset

from inboxstats.digest import Period
from inboxstats.digest.words import RisingWord, newly_rising

from .conftest import ME, NIGHT, UNTIL, on


def mail(first: int, *, days_ago: int, of: int, **uses: int) -> list[dict[str, Any]]:
    day = UNTIL.date() - timedelta(days=days_ago)
    return [
        on(first + at, day, "ann@example.com", keywords=[word for word, number in uses.items() if at < number])
        for at in range(of)
    ]


def test_a_word_is_told_in_the_night_in_which_it_begins_to_rise() -> None:
    # frost: 20 of 60 against 0 of 40; the night before it was 5 of 45 against 0 of 40, whose G² of 6.6 is below 10.83.
    rows = [
        *mail(0, days_ago=40, of=40),
        *mail(100, days_ago=10, of=45, frost=5),
        *mail(200, days_ago=1, of=15, frost=15),
    ]
    assert newly_rising(dataset(*rows), NIGHT, ME) == (RisingWord("frost", 20, 0),)
    # A day later it rises still, and is no news.
    tomorrow = Period(UNTIL, UNTIL + timedelta(days=1))
    rows += mail(300, days_ago=0, of=1)
    assert newly_rising(dataset(*rows), tomorrow, ME) == ()


def test_words_of_my_own_mail_and_a_night_without_mail_are_no_news() -> None:
    rows = [*mail(0, days_ago=40, of=40), *mail(100, days_ago=1, of=40, frost=20)]
    assert [word.word for word in newly_rising(dataset(*rows), NIGHT, ME)] == ["frost"]
    mine = [row | {"sender": "me@example.org"} for row in rows[40:]]
    assert newly_rising(dataset(*rows[:40], *mine), NIGHT, ME) == ()
    assert newly_rising(dataset(*rows), Period(UNTIL, UNTIL + timedelta(days=1)), ME) == ()
