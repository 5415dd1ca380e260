"""Which messages count, and at what time. Expected values are worked out by hand."""

from datetime import UTC, date
from datetime import datetime as at

import pytest
from factories import dataset, header_row, row


def utc(text: str) -> at:
    return at.fromisoformat(text + "+00:00")


def hours(found: object) -> list[int]:
    return found.messages["local"].dt.hour.tolist()  # type: ignore[attr-defined]


def test_totals_add_up() -> None:
    attachment = {"file_name": "a.pdf", "media_type": "application/pdf", "size": 9, "inline": False}
    found = dataset(
        row(1, list_id="x", has_list_unsubscribe=True, attachments=[attachment, attachment]),
        row(2, sender=None, when=None, attachments=[attachment]),
        row(3, fingerprint="1"),
        unreadable=2,
    ).totals
    assert (found.files, found.messages, found.duplicates, found.unreadable) == (5, 2, 1, 2)
    assert found.files == found.messages + found.duplicates + found.unreadable
    assert (found.undated, found.without_sender, found.bytes) == (1, 1, 2000)
    assert (found.messages_with_attachments, found.attachments) == (2, 3)
    assert (found.with_list_id, found.with_list_unsubscribe) == (1, 1)


def test_copies_count_once_unless_kept() -> None:
    copies = [row(1), row(2, fingerprint="1"), row(3, fingerprint="1")]
    assert dataset(*copies).totals.duplicates == 2
    assert dataset(*copies, duplicates="keep").totals.messages == 3


def test_a_copy_with_its_text_counts_before_a_header() -> None:
    copies = [header_row(1, file="a"), row(2, fingerprint="1", file="b"), header_row(3, fingerprint="1", file="c")]
    found = dataset(*copies)
    assert found.messages["file"].tolist() == ["b"]
    assert (found.totals.messages, found.totals.duplicates, found.totals.headers_only) == (1, 2, 0)


def test_what_is_said_of_texts_is_of_those_that_have_arrived() -> None:
    found = dataset(row(1), header_row(2), header_row(3, size=None))
    assert (found.totals.files, found.totals.headers_only, found.totals.bytes) == (3, 2, 2000)
    assert found.with_text.messages["file"].tolist() == ["INBOX/1.eml"]
    assert dataset(row(1)).with_text.messages["file"].tolist() == ["INBOX/1.eml"]


def test_which_copy_counts_does_not_depend_on_the_order_of_files() -> None:
    one, other = row(1, mailbox="INBOX"), row(2, mailbox="Archive", fingerprint="1")
    assert dataset(one, other).messages["file"].tolist() == dataset(other, one).messages["file"].tolist()


def test_the_received_clock_takes_internal_date_then_received_then_date() -> None:
    date, received, internal_date = "2026-03-02T01:00:00+00:00", utc("2026-03-02T02:00:00"), utc("2026-03-02T03:00:00")
    found = dataset(
        row(1, when=date, received=received, internal_date=internal_date),
        row(2, when=date, received=received),
        row(3, when=date),
        clock="received",
    )
    assert sorted(hours(found)) == [1, 2, 3]


def test_the_date_clock_takes_the_header_alone() -> None:
    found = dataset(row(1, when=None, internal_date=utc("2026-03-02T03:00:00")), clock="date")
    assert (found.totals.undated, found.first, found.last) == (1, None, None)


@pytest.mark.parametrize(
    ("zone", "hour", "day"),
    [("UTC", 4, 3), ("Europe/Berlin", 5, 3), ("America/New_York", 23, 2), ("sender", 23, 2), ("Asia/Kolkata", 10, 3)],
)
def test_local_time_is_the_readers_or_the_senders(zone: str, hour: int, day: int) -> None:
    found = dataset(row(1, when="2026-03-02T23:30:00-05:00"), timezone=zone)
    local = found.messages["local"][0]
    assert (local.hour, local.day, local.minute) == (hour, day, 0 if zone == "Asia/Kolkata" else 30)


def test_a_sender_without_a_date_is_in_utc() -> None:
    found = dataset(row(1, when=None, internal_date=utc("2026-03-02T03:00:00")), clock="received", timezone="sender")
    assert hours(found) == [3]


def test_daylight_saving_is_followed() -> None:
    summer, winter = row(1, when="2026-07-01T10:00:00+00:00"), row(2, when="2026-01-01T10:00:00+00:00")
    assert hours(dataset(summer, winter, timezone="Europe/Berlin")) == [11, 12]


def test_both_ends_of_a_period_are_in_it() -> None:
    rows = [row(day, when=f"2026-03-0{day}T23:59:59+00:00") for day in range(1, 6)]
    found = dataset(*rows, since=date(2026, 3, 2), until=date(2026, 3, 4))
    assert found.messages["local"].dt.day.tolist() == [2, 3, 4]


def test_a_period_is_in_the_readers_time_zone() -> None:
    late = row(1, when="2026-03-01T23:30:00+00:00")
    assert dataset(late, since=date(2026, 3, 2), timezone="Europe/Berlin").totals.messages == 1
    assert dataset(late, since=date(2026, 3, 2), timezone="UTC").totals.messages == 0


def test_a_copy_that_came_in_a_later_month_is_no_message_of_that_month() -> None:
    came, moved = (at(2026, month, 10, tzinfo=UTC) for month in (1, 3))
    rows = [
        row(1, fingerprint="same", internal_date=came),
        row(2, fingerprint="same", mailbox="Old", file="Old/2.eml", internal_date=moved),
        row(3, internal_date=moved),
    ]
    in_march = {"clock": "received", "since": date(2026, 3, 1), "until": date(2026, 3, 31)}
    found = dataset(*rows, **in_march)
    assert found.messages["file"].tolist() == ["INBOX/3.eml"]
    assert (found.totals.files, found.totals.messages, found.totals.duplicates) == (2, 1, 1)
    assert dataset(*rows, **in_march, duplicates="keep").totals.messages == 2
    assert dataset(*rows, **in_march, mailboxes=("Old",)).totals.messages == 1


def test_an_undated_message_is_in_no_period() -> None:
    assert dataset(row(1, when=None)).totals.messages == 1
    assert dataset(row(1, when=None), since=date(1970, 1, 1)).totals.files == 0


def test_accounts_and_mailboxes_are_globs() -> None:
    rows = [row(1, account="work"), row(2, account="home"), row(3, account="work", mailbox="Lists/python")]
    assert dataset(*rows, accounts=("w*",)).totals.messages == 2
    assert dataset(*rows, mailboxes=("Lists/*", "Sent")).totals.messages == 1
    assert dataset(*rows, accounts=("home",), mailboxes=("Lists/*",)).totals.messages == 0
    assert dataset(row(1, account=None), accounts=("*",)).totals.messages == 0


def test_a_bracket_is_a_bracket_and_inbox_has_no_case() -> None:
    rows = [row(1, mailbox="[Gmail]/All Mail"), row(2, mailbox="INBOX")]
    assert dataset(*rows, mailboxes=("[Gmail]/All Mail",)).messages["key"].tolist() == ["1-1"]
    assert dataset(*rows, mailboxes=("inbox",)).messages["key"].tolist() == ["1-2"]


@pytest.mark.parametrize("column", ["date", "received", "internal_date"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "sender"])
def test_an_implausible_time_is_none_whoever_says_it(column: str, zone: str) -> None:
    ends = ["0001-01-01T00:00:00", "1601-01-01T00:00:00", "1899-12-31T23:59:59", "2200-01-01T00:00:00"]
    ends += ["9999-12-31T23:59:59"]
    bad = [row(number, when=None, **{column: utc(text)}) for number, text in enumerate(ends)]
    good = [row(8, when=None, **{column: utc("1900-01-01T00:00:00")})]
    good += [row(9, when=None, **{column: utc("2199-12-31T23:59:59")})]
    found = dataset(*bad, *good, clock="received", timezone=zone)
    assert found.totals.undated == len(bad)
    assert found.dated["when"].dt.year.tolist() == [1900, 2199]


def test_behind_an_implausible_internal_date_the_next_clock_counts() -> None:
    odd = row(1, when="2026-03-02T03:00:00+00:00", internal_date=utc("1601-01-01T00:00:00"))
    assert hours(dataset(odd, clock="received")) == [3]


def test_a_period_may_end_with_the_last_day_that_there_is() -> None:
    assert dataset(row(1), since=date.min, until=date.max).totals.messages == 1


def test_no_mail_is_a_dataset_too() -> None:
    found = dataset()
    assert (found.totals.files, len(found.dated), found.first) == (0, 0, None)


def test_the_domain_follows_the_last_at() -> None:
    found = dataset(row(1, sender='"a@b"@example.org.'), row(2, sender=None))
    assert found.messages["domain"].fillna("").tolist() == ["example.org", ""]
