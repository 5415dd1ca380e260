"""Reports to show: an ordinary one, an empty one, and one in which every field that mail can fill is hostile."""

import datetime as dt

import pytest
from factories import dataset, header_row, row

from inboxstats.report.model import Report, build

NOW = dt.datetime(2026, 11, 23, 2, 15, tzinfo=dt.UTC)

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>'",
    "</style><svg onload=alert(3)>",
    "javascript:alert(4)",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{x}{0}$ $",
    "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\u202egnp.exe\u2066",
    "[bold red]markup[/] [/] :smile:",
    '=HYPERLINK("https://evil.example")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\u200b=1",
    "＝1",
    "раураl.com",
    "pay\u200bpal \u202dраураl\ufeff",
    "two\r\nlines\x00\x7f\u2028",
    "日本語テスト株式会社お客様サポート窓口",
    "📈🎉 👩‍👩‍👧 e\u0301",
    "שלום עולם مرحبا",
    "wide " * 60,
]


@pytest.fixture(scope="session")
def ordinary() -> Report:
    """Six messages in three months, one undated, two of one fingerprint."""
    rows = [
        row(1, when="2026-01-05T09:00:00+00:00", keywords=["tea", "milk"], size=1_000_000),
        row(2, when="2026-03-02T09:30:00+00:00", keywords=["tea"], list_id="news.example.org"),
        row(3, when="2026-03-02T17:00:00+00:00", sender="bob@mail.example.org", sender_name="Bob"),
        row(4, when="2026-03-02T17:00:00+00:00", sender=None, attachments=[_pdf(), _pdf()]),
        row(5, when=None, keywords=["tea"]),
        row(6, when=None, fingerprint="5"),
    ]
    return build(dataset(*rows, unreadable=1), generated=NOW, top=None, unreadable=[("INBOX/7.eml", "too large")])


@pytest.fixture(scope="session")
def empty() -> Report:
    """No message at all."""
    return build(dataset(), generated=NOW, top=20)


@pytest.fixture(scope="session")
def wordy() -> Report:
    """A message a day for eight weeks: Ann writes of tea, Bob of milk, and in the last four both of the harvest."""
    rows = [
        row(
            number,
            when=(dt.datetime(2026, 1, 4, 9, tzinfo=dt.UTC) + dt.timedelta(days=number)).isoformat(),
            sender=f"{name}@example.org",
            keywords=[word, *["harvest"] * (number >= 28)],
        )
        for number in range(56)
        for name, word in [("ann", "tea"), ("bob", "milk")][number % 2 :][:1]
    ]
    return build(dataset(*rows), generated=NOW, top=20)


@pytest.fixture(scope="session")
def arriving() -> Report:
    """One message with its text; three by their headers alone, one of them of unknown size; a header of the first."""
    rows = [
        row(1, keywords=["tea"]),
        header_row(2, size=5000),
        header_row(3, size=7000),
        header_row(4, size=None),
        header_row(5, fingerprint="1", when="2026-03-02T08:00:00+00:00", size=1000),
    ]
    return build(dataset(*rows), generated=NOW, top=None)


@pytest.fixture(scope="session")
def hostile() -> Report:
    """Every field that mail can fill holds each hostile text."""
    rows = [
        row(
            number,
            sender=f"{text}@{text}",
            sender_name=text,
            keywords=[text, bare],
            phrases=[f"{bare} {bare}"],
            list_id=text,
            attachments=[{"file_name": text, "media_type": text, "size": 1, "inline": False}],
        )
        for number, text in enumerate(HOSTILE * 6)
        for bare in ["".join(text.split())]
    ]
    unreadable = [(f"INBOX/{text}", text) for text in HOSTILE]
    data = dataset(*rows, unreadable=len(unreadable), mailboxes=("INBOX*", *HOSTILE))
    return build(data, generated=NOW, top=None, unreadable=unreadable)


def _pdf() -> dict[str, object]:
    return {"file_name": "a.pdf", "media_type": "application/pdf", "size": 600, "inline": False}
