"""Nights in Berlin: a period, rows by local day, and a digest with something in every section."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from factories import row

from inboxstats.digest import Findings, Period, UnusualDay, Waiting
from inboxstats.digest.senders import NewSender
from inboxstats.digest.words import RisingWord

BERLIN = ZoneInfo("Europe/Berlin")
ME = frozenset({"me@example.org"})
UNTIL = datetime(2026, 11, 28, 3, tzinfo=BERLIN)  # a Saturday
NIGHT = Period(UNTIL - timedelta(days=1), UNTIL)


def on(number: int, day: date, sender: str = "ann@example.com", *, hour: int = 9, **columns: Any) -> dict[str, Any]:
    """A message of a local day."""
    when = datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN).astimezone(UTC).isoformat()
    return row(number, when=when, sender=sender, **columns)


@pytest.fixture
def full() -> Findings:
    """Text from mail in it is hostile."""
    return Findings(
        period=NIGHT,
        timezone="Europe/Berlin",
        messages=1234,
        senders=(
            NewSender("ann@example.com", "Ann <script>alert(1)</script>", 2),
            NewSender("bob@example.net", None, 1),
        ),
        days=(
            UnusualDay(date(2026, 11, 27), "spike", 40, 12.5),
            UnusualDay(date(2026, 11, 27), "silence", 0, 3, "shop@example.com"),
        ),
        words=(RisingWord("harvest", 20, 5),),
        waiting=(
            Waiting(
                "ann@example.com",
                "Ann\r\nBcc: all@example.org",
                "\x1b]52;c;aGk=\x07 lunch \u202e?",
                datetime(2026, 11, 27, 8, 5, tzinfo=UTC),
                is_new=True,
            ),
            Waiting("раураl@example.com", "Paypal", None, datetime(2026, 11, 20, 8, 5, tzinfo=UTC), is_new=False),
        ),
        sent_known=False,
        troubles=("work: imap.example.org:993 cannot be reached.",),
    )
