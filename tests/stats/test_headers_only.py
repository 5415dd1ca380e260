"""Messages whose text has not arrived: who, when and how much is known of them; of what, nothing."""

import datetime as dt

import pytest
from factories import dataset, header_row, row

from inboxstats.stats import STATISTICS, Statistic

OF_TEXTS = {"keywords", "rising", "sender_words", "month_words", "attachments"}


def day(number: int) -> str:
    return (dt.datetime(2026, 1, 4, 9, tzinfo=dt.UTC) + dt.timedelta(days=number)).isoformat()


PDF = {"file_name": "a.pdf", "media_type": "application/pdf", "size": 600, "inline": False}

TEXTS = [
    row(
        number,
        when=day(number),
        sender=f"{name}@example.org",
        keywords=[word, *["harvest"] * (number >= 28)],
        attachments=[PDF],
    )
    for number in range(56)
    for name, word in [("ann", "tea"), ("bob", "milk")][number % 2 :][:1]
]
HEADERS = [
    header_row(100 + number, when=day(number), sender="cid@example.net", list_id="news.example.net")
    for number in range(56)
]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.name)
def test_headers_alone_count_for_everything_but_what_texts_are_about(statistic: Statistic) -> None:
    without = statistic.compute(dataset(*TEXTS)).values.tolist()
    table = statistic.compute(dataset(*TEXTS, *HEADERS))
    assert (table.values.tolist() == without) == (statistic.name in OF_TEXTS)
    if statistic.name in OF_TEXTS:
        assert without, "it says nothing of this mail, and so nothing of what it leaves out"
    else:
        assert "cid@example.net" in str(table) or "example.net" in str(table) or int(table["messages"].sum()) == 112


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: statistic.name)
def test_a_mailbox_of_headers_alone_has_tables_too(statistic: Statistic) -> None:
    table = statistic.compute(dataset(*HEADERS))
    assert bool(len(table)) == (statistic.name not in OF_TEXTS)
