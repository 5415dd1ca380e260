from factories import dataset, row

from inboxstats.stats import hours


def test_every_hour_has_a_row() -> None:
    data = dataset(
        row(1, when="2026-03-02T00:00:00+00:00"),
        row(2, when="2026-03-02T23:59:59+00:00"),
        row(3, when="2026-05-09T23:00:00+00:00"),
    )
    assert hours.compute(data).values.tolist() == [[0, 1], *([hour, 0] for hour in range(1, 23)), [23, 2]]


def test_an_hour_is_one_of_the_readers_clock_summer_time_included() -> None:
    winter, summer = row(1, when="2026-01-15T12:00:00+00:00"), row(2, when="2026-07-15T12:00:00+00:00")
    table = hours.compute(dataset(winter, summer, timezone="Europe/Berlin"))
    assert table[table["messages"] > 0].values.tolist() == [[13, 1], [14, 1]]
