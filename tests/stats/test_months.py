from factories import dataset, row

from inboxstats.stats import months


def test_months_that_have_messages_ascend() -> None:
    data = dataset(
        row(1, when="2026-11-23T02:15:00+00:00"),
        row(2, when="2025-01-01T00:00:00+00:00"),
        row(3, when="2026-11-01T00:00:00+00:00"),
    )
    assert months.compute(data).values.tolist() == [["2025-01", 1], ["2026-11", 2]]


def test_a_month_begins_by_the_readers_clock() -> None:
    data = dataset(row(when="2026-10-31T23:30:00+00:00"), timezone="Europe/Berlin")
    assert months.compute(data).values.tolist() == [["2026-11", 1]]
