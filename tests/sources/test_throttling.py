"""What servers say that want to be left alone, and when to go on."""

from datetime import datetime, timedelta, timezone

import pytest

from inboxstats.sources.imap.throttling import LONGEST_SECONDS, moment, throttling

NOW = datetime(2026, 11, 24, 14, 31, 30, tzinfo=timezone(timedelta(hours=1)))


def test_a_suggested_time_is_taken_and_told() -> None:
    said = "BAD [b'Request is throttled. Suggested Backoff Time: 92415 milliseconds']"
    problem = throttling("mail.example.org:993", said, now=NOW)
    assert problem is not None
    assert (problem.wait, problem.is_quota) == (92.415, False)
    assert str(problem).startswith("mail.example.org:993 wants no more for now: BAD [b'Request is throttled.")
    assert str(problem).endswith(" Run again after 14:34.")


def test_a_quota_without_a_time_lasts_for_up_to_a_day() -> None:
    problem = throttling("s", "[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", now=NOW)
    assert problem is not None
    assert (problem.wait, problem.is_quota) == (None, True)
    assert str(problem).endswith("That may last for up to 24 hours: run again after 2026-11-25 14:32.")


@pytest.mark.parametrize(
    "said",
    [
        "[THROTTLED] slow down",
        "[limit] Rate limit hit",
        "b'[UNAVAILABLE] try later'",
        "BYE Too many connections",
        "Too many simultaneous connections. (Failure)",
        "User has too many sessions",
    ],
)
def test_a_complaint_without_a_time_says_later(said: str) -> None:
    problem = throttling("s", said, now=NOW)
    assert problem is not None
    assert (problem.wait, problem.is_quota) == (None, False)
    assert str(problem).endswith("Run again later.")


@pytest.mark.parametrize(
    "said",
    [
        "[SERVERBUG] no",
        "Mailbox 'Too many cooks' is not there",
        "[Errno 24] Too many open files",
        "LIMIT",
        "",
        "\0\xff",
    ],
)
def test_other_refusals_are_none(said: str) -> None:
    assert throttling("s", said, now=NOW) is None


def test_an_absurd_time_is_cut() -> None:
    problem = throttling("s", f"Suggested Backoff Time: {'9' * 15} milliseconds", now=NOW)
    assert problem is not None
    assert problem.wait == LONGEST_SECONDS


def test_a_moment_is_told_to_the_next_minute() -> None:
    assert moment(0, now=NOW) == "14:32"
    assert moment(30, now=NOW) == "14:32"
    assert moment(31, now=NOW) == "14:33"
    assert moment(10 * 3600, now=NOW) == "2026-11-25 00:32"
