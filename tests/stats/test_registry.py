import datetime as dt
import random

import pytest
from factories import dataset, row

from inboxstats.stats import STATISTICS, Statistic

COLUMNS = {
    "months": ["month", "messages"],
    "days": ["day", "messages"],
    "senders": ["address", "name", "messages", "last"],
    "domains": ["domain", "messages", "registrable_domain", "senders"],
    "hours": ["hour", "messages"],
    "weekdays": ["weekday", "messages"],
    "busy_hours": ["weekday", "hour", "messages"],
    "keywords": ["keyword", "messages", "share"],
    "rising": ["keyword", "messages", "before", "growth", "score"],
    "sender_words": ["address", "keyword", "messages", "score"],
    "month_words": ["month", "keyword", "messages", "score"],
    "attachments": ["media_type", "attachments", "bytes"],
    "lists": ["list", "messages", "last"],
}
"""The leading ones are fixed by the report's format, docs and readers' scripts included."""


def test_the_report_has_its_statistics_in_this_order() -> None:
    assert [statistic.name for statistic in STATISTICS] == list(COLUMNS)


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.name)
def test_a_table_has_its_columns_with_and_without_mail(statistic: Statistic) -> None:
    full = dataset(row(keywords=["tea"], list_id="l.example.org", attachments=[_pdf()]))
    assert list(statistic.compute(full).columns) == COLUMNS[statistic.name]
    assert list(statistic.compute(dataset()).columns) == COLUMNS[statistic.name]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.name)
def test_an_empty_mailbox_counts_nothing(statistic: Statistic) -> None:
    table = statistic.compute(dataset())
    assert len(table) == {"hours": 24, "weekdays": 7, "busy_hours": 168}.get(statistic.name, 0)
    assert table[_measure(statistic)].sum() == 0


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.name)
def test_a_table_does_not_depend_on_the_order_of_the_files(statistic: Statistic) -> None:
    rows = [
        row(
            number,
            when=(dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=number * 35)).isoformat(),
            sender=f"{'abc'[number % 3]}@{'xyz'[number % 2]}.example",
            sender_name=["Zoe", "Ann", None, "Ann", "Zoe"][number % 5],
            keywords=["tea", "milk", "red"][number % 3 :] + ["frost"] * (number > 30),
            phrases=["red tea"],
            attachments=[_pdf()] * (number % 2),
            list_id=[None, "a.example", "B.example"][number % 3],
        )
        for number in range(40)
    ]
    shuffled = random.Random(1).sample(rows, len(rows))
    table = statistic.compute(dataset(*rows))
    assert table.equals(statistic.compute(dataset(*shuffled)))
    assert len(table) > 0


@pytest.mark.parametrize("name", ["months", "days", "hours", "weekdays", "busy_hours"])
def test_a_message_without_a_date_is_in_no_histogram_of_time(name: str) -> None:
    statistic = next(each for each in STATISTICS if each.name == name)
    table = statistic.compute(dataset(row(1), row(2, when=None)))
    assert table["messages"].sum() == 1


def _measure(statistic: Statistic) -> str:
    return "attachments" if statistic.name == "attachments" else "messages"


def _pdf() -> dict[str, object]:
    return {"file_name": "a.pdf", "media_type": "application/pdf", "size": 10, "inline": False}
