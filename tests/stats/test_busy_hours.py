from factories import dataset, row

from inboxstats.stats import busy_hours


def test_every_hour_of_the_week_has_a_row_in_order() -> None:
    table = busy_hours.compute(dataset())
    assert list(zip(table["weekday"], table["hour"], strict=True)) == [(d, h) for d in range(1, 8) for h in range(24)]


def test_messages_are_counted_in_their_hour_of_the_week() -> None:
    # 23 November 2026 is a Monday, the 29th the Sunday after it.
    data = dataset(
        row(1, when="2026-11-23T00:10:00+00:00"),
        row(2, when="2026-11-29T23:50:00+00:00"),
        row(3, when="2026-11-22T23:00:00+00:00"),
    )
    table = busy_hours.compute(data)
    assert table[table["messages"] > 0].values.tolist() == [[1, 0, 1], [7, 23, 2]]
