"""What there is to say of somebody who writes to the demo mailbox: time zone, habits, weight, dress.

Who they are stands in cast.py.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from inboxstats.mail import Address


@dataclass(frozen=True, slots=True)
class Zone:
    """Minutes east of UTC, with the European or the American summer time; not from tzdata, whose releases differ."""

    minutes: int
    summer: Literal["", "eu", "us"] = ""

    def offset(self, day: date) -> timedelta:
        """How far the clocks there stand from UTC on a day."""
        first, last = _summer(self.summer, day.year) if self.summer else (date.max, date.min)
        return timedelta(minutes=self.minutes + 60 * (first <= day < last))


def _summer(rule: str, year: int) -> tuple[date, date]:
    if rule == "eu":
        return _sunday_until(date(year, 3, 31)), _sunday_until(date(year, 10, 31))
    return _sunday_until(date(year, 3, 14)), _sunday_until(date(year, 11, 7))


def _sunday_until(day: date) -> date:
    return day - timedelta(days=day.isoweekday() % 7)


BERLIN, LONDON, MOSCOW = Zone(60, "eu"), Zone(0, "eu"), Zone(180)
NEW_YORK, OAKLAND, KOLKATA, TOKYO, UTC = Zone(-300, "us"), Zone(-480, "us"), Zone(330), Zone(540), Zone(0)


@dataclass(frozen=True, slots=True)
class Habit:
    """When somebody writes: a weight from 0 to 9 for each of the 24 hours and of the days from Monday.

    `holidays` is the rate during holidays, against the usual one.
    """

    hours: str
    weekdays: str
    holidays: float = 1.0


#                 012345678901234567890123
OFFICE = Habit(  "000000025998368875211100", "7998600", 0.08)  # fmt: skip
PRIVATE = Habit( "100000123333443234689996", "7778989")  # fmt: skip
SHOP = Habit(    "211111245666666678888753", "8888986", 1.3)  # fmt: skip
MORNING = Habit( "000001920000000000000000", "8888844")  # fmt: skip
THURSDAY = Habit("000000000181000000000000", "0001000")  # fmt: skip
SUNDAY = Habit(  "000000000000000006100000", "0000001")  # fmt: skip
NIGHTLY = Habit( "009100000000000000000000", "1111111")  # fmt: skip

Trend = Literal["steady", "grows", "fades", "project"]
Style = Literal["plain", "html", "alternative"]
Encoding = Literal["7bit", "8bit", "quoted-printable", "base64"]


@dataclass(frozen=True, slots=True)
class Correspondent:
    """A sender.

    topics  -- names of topics, parted by spaces
    weight  -- how many messages against the others, at the trend's average and while it lasts
    life    -- from when to when, as shares of the whole period
    replies -- share of the messages that answer another one on the same topic
    files   -- kinds of attachments, parted by spaces: the names of `attachments.KINDS`
    attaches -- share of the messages that have one of them
    tool    -- a program or a shop: no salutation, no quotes, and nobody answers
    """

    name: str
    addr_spec: str
    topics: str
    weight: float
    habit: Habit
    zone: Zone = BERLIN
    charset: str = "utf-8"
    encoding: Encoding = "quoted-printable"
    style: Style = "plain"
    life: tuple[float, float] = (0.0, 1.0)
    trend: Trend = "steady"
    replies: float = 0.0
    files: str = ""
    attaches: float = 0.0
    organisation: str = ""
    list_id: str | None = None
    unsubscribe: bool = False
    tool: bool = False

    @property
    def address(self) -> Address:
        """As it stands in From."""
        return Address(self.name, self.addr_spec)
