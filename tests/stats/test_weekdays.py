from factories import dataset, row

from inboxstats.stats import weekdays


def test_monday_is_the_first_of_seven() -> None:
    # 23 November 2026 is a Monday, the 29th the Sunday after it.
    data = dataset(row(1, when="2026-11-23T09:00:00+00:00"), row(2, when="2026-11-29T09:00:00+00:00"))
    assert weekdays.compute(data).values.tolist() == [[1, 1], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [7, 1]]
