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


def test_top_of_none_or_zero_is_everything() -> None:
    rows = [row(number, sender=f"{number}@example.org") for number in range(30)]
    for top in (None, 0):
        assert len(build(dataset(*rows), generated=NOW, top=top)["senders"].table) == 30


def test_missing_values_are_none_and_numbers_are_pythons_own() -> None:
    report = build(dataset(row(when=None, sender_name=None)), generated=NOW, top=0)
    assert report["senders"].records() == [["ann@example.com", None, 1, None]]
    assert [type(value) for value in report["senders"].records()[0]] == [str, type(None), int, type(None)]
    assert (report.first, report.last) == (None, None)
