from datetime import date

from factories import dataset

from inboxstats.digest.senders import NewSender, new_senders

from .conftest import ME, NIGHT, on

NEW, OLD = date(2026, 11, 27), date(2026, 3, 2)


def test_who_never_wrote_before_is_new_the_busiest_first() -> None:
    data = dataset(
        on(1, OLD, "ann@example.com"),
        on(2, NEW, "ann@example.com"),
        on(3, NEW, "bob@example.com", sender_name="Bob"),
        on(4, NEW, "cem@example.com", hour=9, sender_name=None),
        on(5, NEW, "cem@example.com", hour=10, sender_name="Cem Kaya"),
        on(6, NEW, "abe@example.com", sender_name=None),
    )
    assert new_senders(data, NIGHT, ME) == (
        NewSender("cem@example.com", "Cem Kaya", 2),
        NewSender("abe@example.com", None, 1),
        NewSender("bob@example.com", "Bob", 1),
    )


def test_i_am_not_new_and_a_message_without_sender_or_time_is_none() -> None:
    undated = on(3, NEW, "dan@example.com") | {"date": None}
    data = dataset(on(1, NEW, "me@example.org"), on(2, NEW, sender_name=None) | {"sender": None}, undated)
    assert new_senders(data, NIGHT, ME) == ()


def test_a_sender_whose_earlier_mail_has_no_time_is_known() -> None:
    data = dataset(on(1, NEW, "dan@example.com"), on(2, OLD, "dan@example.com") | {"date": None})
    assert new_senders(data, NIGHT, ME) == ()
