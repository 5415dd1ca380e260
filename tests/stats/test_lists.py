from factories import dataset, row

from inboxstats.stats import lists


def test_a_list_is_its_list_id_whatever_the_case() -> None:
    data = dataset(
        row(1, list_id="News.Example.org", when="2026-03-01T09:00:00+00:00"),
        row(2, list_id="news.example.org", when="2026-03-09T09:00:00+00:00"),
        row(3, list_id="dev.example.org", when=None),
        row(4, list_id=None),
    )
    table = lists.compute(data)
    assert table["list"].tolist() == ["news.example.org", "dev.example.org"]
    assert table["messages"].tolist() == [2, 1]
    assert table["last"].fillna("never").tolist() == ["2026-03-09", "never"]


def test_an_empty_list_id_has_a_row_so_that_the_rows_add_up() -> None:
    data = dataset(row(1, list_id=""), row(2, list_id="dev.example.org"))
    assert lists.compute(data)["messages"].sum() == data.totals.with_list_id
