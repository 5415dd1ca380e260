from datetime import UTC, datetime

import pytest
from factories import dataset, row

from inboxstats.report.model import build

from .conftest import NOW


def test_top_cuts_rankings_and_nothing_else() -> None:
    rows = [
        row(number, sender=f"{number}@example.org", when=f"2026-03-0{number}T09:00:00+00:00") for number in (1, 2, 3)
    ]
    report = build(dataset(*rows), generated=NOW, top=2)
    assert report["senders"].table["address"].tolist() == ["1@example.org", "2@example.org"]
    assert report["senders"].rows == 3
    assert len(report["days"].table) == 3
    assert len(report["busy_hours"].table) == 168


def test_top_is_of_senders_where_a_sender_has_some_rows() -> None:
    rows = [
        row(number, sender=f"{number % 3}@example.org", keywords=[f"{word}{'abc'[number % 3]}" for word in ("x", "y")])
        for number in range(15)
    ]
    words = build(dataset(*rows), generated=NOW, top=2)["sender_words"]
    assert words.table[["address", "keyword"]].values.tolist() == [
        ["0@example.org", "xa"],
        ["0@example.org", "ya"],
        ["1@example.org", "xb"],
        ["1@example.org", "yb"],
    ]
    assert words.rows == 6


def test_top_of_none_or_zero_is_everything() -> None:
    rows = [row(number, sender=f"{number}@example.org") for number in range(30)]
    for top in (None, 0):
        assert len(build(dataset(*rows), generated=NOW, top=top)["senders"].table) == 30


def test_missing_values_are_none_and_numbers_are_pythons_own() -> None:
    report = build(dataset(row(when=None, sender_name=None)), generated=NOW, top=0)
    assert report["senders"].records() == [["ann@example.com", None, 1, None]]
    assert [type(value) for value in report["senders"].records()[0]] == [str, type(None), int, type(None)]
    assert (report.first, report.last) == (None, None)


ON_TIME, AT_THE_LIMIT, LATE = "2026-03-02T09:00:05+00:00", "2026-04-01T09:00:00+00:00", "2026-04-01T09:00:01+00:00"


@pytest.mark.parametrize(
    ("arrivals", "moved"),
    [
        ([LATE], True),
        ([AT_THE_LIMIT], False),  # 30 days after 2 March, 9:00, to the second
        ([LATE, ON_TIME], False),  # half is not most
        ([LATE, LATE, ON_TIME], True),
        ([None, None, LATE], False),  # where no server says when it came, the Date header is what there is
        (["2026-01-01T00:00:00+00:00"], False),  # a header dated ahead: nothing arrived late
        ([], False),
    ],
)
def test_a_mailbox_was_moved_if_most_messages_arrived_thirty_days_after_their_date(
    arrivals: list[str | None], moved: bool
) -> None:
    rows = [
        row(number, internal_date=datetime.fromisoformat(arrival) if arrival else None)
        for number, arrival in enumerate(arrivals)
    ]
    assert build(dataset(*rows, clock="received"), generated=NOW, top=0).moved is moved
    assert not build(dataset(*rows, clock="date"), generated=NOW, top=0).moved


def test_messages_without_a_date_header_do_not_tell_whether_a_mailbox_was_moved() -> None:
    came = datetime(2026, 6, 1, tzinfo=UTC)
    undated = [row(number, when=None, internal_date=came) for number in (1, 2, 3)]
    assert build(dataset(*undated, row(4, internal_date=came), clock="received"), generated=NOW, top=0).moved


def test_a_date_of_the_year_one_is_no_trouble() -> None:
    ancient = row(when="0001-01-01T00:00:00+00:00", internal_date=NOW)
    assert build(dataset(ancient, clock="received"), generated=NOW, top=0).moved
