from datetime import date
from typing import Any

import pytest
from factories import dataset

from inboxstats.digest.letters import Letter, read_letter
from inboxstats.digest.waiting import files_to_read, knows_sent, waiting

from .conftest import ME, NIGHT, on

NEW, WEEK_AGO, LONG_AGO = date(2026, 11, 27), date(2026, 11, 20), date(2026, 11, 13)


def letter(header: str) -> Letter:
    return read_letter(header.replace("\n", "\r\n").encode() + b"\r\n\r\ntext")


QUESTION = letter("Message-ID: <1@example.com>\nTo: Me <Me@Example.org>")
ANSWER = letter("Message-ID: <2@example.org>\nTo: ann@example.com\nIn-Reply-To: <1@example.com>")


def who_waits(*rows: dict[str, Any], **letters: Letter) -> list[str]:
    """The subjects of what waits; letters by the number of their row, as in ``m1=QUESTION``."""
    by_file = {f"INBOX/{name[1:]}.eml": each for name, each in letters.items()}
    data = dataset(*rows)
    read = set(files_to_read(data, NIGHT, ME))
    return [str(each.subject) for each in waiting(data, {f: x for f, x in by_file.items() if f in read}, NIGHT, ME)]


def test_a_message_of_a_person_to_me_waits_the_newest_first() -> None:
    found = who_waits(
        on(1, WEEK_AGO, subject="Lunch?"),
        on(2, NEW, "bob@example.com", subject="Dinner?"),
        m1=QUESTION,
        m2=letter("Message-ID: <3@x>\nTo: ann@example.com, me@example.org"),
    )
    assert found == ["Dinner?", "Lunch?"]


def test_what_is_told_of_it() -> None:
    data = dataset(on(1, WEEK_AGO, subject=None, sender_name="Ann"), on(2, NEW, "bob@example.com", sender_name=None))
    letters = {"INBOX/1.eml": QUESTION, "INBOX/2.eml": QUESTION}
    new, old = waiting(data, letters, NIGHT, ME)
    assert (new.address, new.name, new.is_new, old.is_new) == ("bob@example.com", None, True, False)
    assert (old.address, old.name, old.subject) == ("ann@example.com", "Ann", None)
    assert old.when.isoformat() == "2026-11-20T08:00:00+00:00"


@pytest.mark.parametrize(
    "header",
    [
        "In-Reply-To: <1@example.com>",
        "References: <0@example.com>\n <1@example.com> <9@example.com>",
        'In-Reply-To: "Ann" <1@example.com> of Friday',
    ],
)
def test_a_reply_of_mine_by_message_id_ends_the_waiting(header: str) -> None:
    sent = on(2, NEW, "me@example.org", mailbox="Sent")
    assert who_waits(on(1, WEEK_AGO, subject="Lunch?"), sent, m1=QUESTION, m2=letter(header)) == []


def test_another_ones_reply_and_my_mail_about_something_else_do_not_end_it() -> None:
    rows = (on(1, WEEK_AGO, subject="Lunch?"), on(2, NEW, "bob@example.com", list_id="x"), on(3, NEW, "me@example.org"))
    assert who_waits(*rows, m1=QUESTION, m2=ANSWER, m3=letter("Subject: Re: Lunch?")) == ["Lunch?"]


@pytest.mark.parametrize("flag", ["\\Answered", "\\Deleted", "\\Draft", "$Junk"])
def test_what_the_server_marks_as_done_does_not_wait(flag: str) -> None:
    assert who_waits(on(1, NEW, subject="Lunch?", flags=["\\Seen"]), m1=QUESTION) == ["Lunch?"]
    assert who_waits(on(1, NEW, subject="Lunch?", flags=["\\Seen", flag]), m1=QUESTION) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"list_id": ""},
        {"has_list_unsubscribe": True},
        {"sender": None},
        {"sender": "me@example.org"},
        *(
            {"sender": f"{local}@example.com"}
            for local in (
                *("noreply", "no-reply", "no.reply", "do-not-reply", "shop-noreply", "noreply+abc", "mailer-daemon"),
                *("postmaster", "bounce", "bounces+me", "notifications", "newsletter", "alerts"),
            )
        ),
    ],
)
def test_lists_machines_and_i_wait_for_nothing(columns: dict[str, Any]) -> None:
    assert who_waits(on(1, NEW, subject="Lunch?") | columns, m1=QUESTION) == []


@pytest.mark.parametrize("local", ["norbert", "replyer", "newsome", "systema", "ann.noreplymann", "alertson"])
def test_a_person_whose_name_is_like_a_machines_waits(local: str) -> None:
    assert who_waits(on(1, NEW, f"{local}@example.com", subject="Lunch?"), m1=QUESTION) == ["Lunch?"]


@pytest.mark.parametrize(
    "header",
    [
        "To: ann@example.com\nCc: me@example.org",
        "To: undisclosed-recipients:;",
        "Subject: no To at all",
        "To: me@example.org, a@x.org, b@x.org, c@x.org, d@x.org, e@x.org",
        "To: me@example.org\nAuto-Submitted: auto-replied (vacation)",
        "To: me@example.org\nPrecedence: Bulk",
        "To: me@example.org\nPrecedence: list",
    ],
)
def test_what_is_not_to_me_alone_or_of_a_machine_does_not_wait(header: str) -> None:
    assert who_waits(on(1, NEW, subject="Lunch?"), m1=letter(header)) == []


def test_five_recipients_are_few_enough_and_auto_submitted_no_is_a_person() -> None:
    header = "To: me@example.org, a@x.org, b@x.org, c@x.org, d@x.org\nAuto-Submitted: no"
    assert who_waits(on(1, NEW, subject="Lunch?"), m1=letter(header)) == ["Lunch?"]


def test_after_fourteen_days_nobody_waits_any_more() -> None:
    # The night is at 3:00 on the 28th: the 13th is more than 14 days ago, 4:00 on the 14th is not.
    rows = (on(1, LONG_AGO, subject="Old?"), on(2, date(2026, 11, 14), hour=4, subject="Late?"))
    assert who_waits(*rows, m1=QUESTION, m2=QUESTION) == ["Late?"]


def test_a_file_that_is_gone_does_not_wait() -> None:
    assert who_waits(on(1, NEW, subject="Lunch?")) == []


def test_it_is_known_whether_there_is_sent_mail() -> None:
    assert not knows_sent(dataset(on(1, NEW)), NIGHT, ME)
    assert knows_sent(dataset(on(1, NEW), on(2, WEEK_AGO, "me@example.org")), NIGHT, ME)
    assert not knows_sent(dataset(on(1, LONG_AGO, "me@example.org")), NIGHT, ME)
