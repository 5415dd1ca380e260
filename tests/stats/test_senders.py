from factories import dataset, row

from inboxstats.stats import senders


def test_senders_are_ranked_and_equals_stand_in_the_order_of_their_addresses() -> None:
    data = dataset(
        row(1, sender="zoe@example.org", sender_name="Zoe", when="2026-03-01T09:00:00+00:00"),
        row(2, sender="bob@example.org", sender_name="Bob", when="2026-03-02T09:00:00+00:00"),
        row(3, sender="ann@example.org", sender_name="Ann", when="2026-03-03T09:00:00+00:00"),
        row(4, sender="zoe@example.org", sender_name="Zoe", when="2026-03-04T09:00:00+00:00"),
    )
    assert senders.compute(data).values.tolist() == [
        ["zoe@example.org", "Zoe", 2, "2026-03-04"],
        ["ann@example.org", "Ann", 1, "2026-03-03"],
        ["bob@example.org", "Bob", 1, "2026-03-02"],
    ]


def test_the_name_is_the_one_used_most() -> None:
    names = ["Ann B.", "Ann", "Ann B.", "", None, "", ""]
    data = dataset(*(row(number, sender_name=name) for number, name in enumerate(names)))
    assert senders.compute(data)["name"].tolist() == ["Ann B."]


def test_of_names_used_as_often_the_first_in_the_alphabet_counts() -> None:
    data = dataset(row(1, sender_name="Bea"), row(2, sender_name="Abe"), row(3, sender_name="Cid"))
    assert senders.compute(data)["name"].tolist() == ["Abe"]


def test_who_gives_no_name_has_none() -> None:
    data = dataset(row(1, sender_name=None), row(2, sender_name="  "))
    assert senders.compute(data)["name"].isna().tolist() == [True]


def test_messages_without_sender_or_date() -> None:
    data = dataset(row(1, sender=None), row(2, sender="ann@example.org", when=None))
    table = senders.compute(data)
    assert table["address"].tolist() == ["ann@example.org"]
    assert table["messages"].tolist() == [1]
    assert table["last"].isna().tolist() == [True]
