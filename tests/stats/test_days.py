from factories import dataset, row

from inboxstats.stats import days


def test_days_that_have_messages_ascend() -> None:
    data = dataset(
        row(1, when="2026-11-23T23:59:59+00:00"),
        row(2, when="2026-11-23T00:00:00+00:00"),
        row(3, when="1999-12-31T12:00:00+00:00"),
    )
    assert days.compute(data).values.tolist() == [["1999-12-31", 1], ["2026-11-23", 2]]


def test_a_day_of_the_sender_is_that_of_their_own_offset() -> None:
    data = dataset(row(when="2026-03-02T23:30:00-05:00"), timezone="sender")
    assert days.compute(data).values.tolist() == [["2026-03-02", 1]]
