from collections.abc import Iterator
from math import log
from typing import Any

import pytest
from factories import dataset, row

from inboxstats.stats import month_words


def mail(when: str | None, *keywords: list[str]) -> Iterator[dict[str, Any]]:
    """A message of that time for each list of keywords."""
    for number, words in enumerate(keywords):
        yield row(number, fingerprint=f"{when} {number}", when=when, keywords=words)


JANUARY, FEBRUARY = "2026-01-15T09:00:00+00:00", "2026-02-15T09:00:00+00:00"


def test_months_stand_in_their_order_with_what_sets_them_apart() -> None:
    rows = [*mail(FEBRUARY, *[["frost", "plan"]] * 5), *mail(JANUARY, *[["snow", "plan"]] * 4, ["plan"])]
    # 19 words in two months: A = 9.5.
    assert month_words.compute(dataset(*rows)).values.tolist() == [
        ["2026-01", "snow", 4, round(4 / 5 * log(1 + 9.5 / 4), 4)],
        ["2026-02", "frost", 5, round(log(1 + 9.5 / 5), 4)],
    ]


def test_the_name_of_the_month_is_no_word_of_it() -> None:
    rows = [*mail(JANUARY, *[["january", "jan", "snow", "february"]] * 5), *mail(FEBRUARY, *[["plan"]] * 5)]
    table = month_words.compute(dataset(*rows))
    assert table[table["month"] == "2026-01"]["keyword"].tolist() == ["february", "snow"]


def test_a_month_is_one_by_the_readers_clock() -> None:
    late = mail("2026-01-31T23:30:00-05:00", *[["snow"]] * 5)
    rows = [*late, *mail("2026-03-15T09:00:00+00:00", *[["plan"]] * 5)]
    for zone, month in (("UTC", "2026-02"), ("America/New_York", "2026-01"), ("sender", "2026-01")):
        assert month_words.compute(dataset(*rows, timezone=zone))["month"].tolist() == [month, "2026-03"]


@pytest.mark.parametrize(
    "rows",
    [
        [row(keywords=["tea"])],
        list(mail(JANUARY, *[["tea"]] * 9)),
        [*mail(None, *[["tea"]] * 9), *mail(JANUARY, *[["snow"]] * 9)],
        [*mail(JANUARY, *[["snow"]] * 4), *mail(FEBRUARY, *[["frost"]] * 4)],
    ],
    ids=["one message", "one month", "undated and one month", "four messages a month"],
)
def test_with_no_other_month_nothing_is_distinctive(rows: list[dict[str, Any]]) -> None:
    assert month_words.compute(dataset(*rows)).values.tolist() == []
