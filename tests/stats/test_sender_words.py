from collections.abc import Iterator
from math import log
from typing import Any

import pytest
from factories import dataset, row

from inboxstats.stats import sender_words


def mail(sender: str | None, *keywords: list[str], **columns: Any) -> Iterator[dict[str, Any]]:
    """A message of the sender for each list of keywords."""
    for number, words in enumerate(keywords):
        yield row(number, fingerprint=f"{sender} {number}", sender=sender, keywords=words, **columns)


def words_of(*rows: dict[str, Any]) -> dict[str, list[str]]:
    table = sender_words.compute(dataset(*rows))
    return table.groupby("address", sort=False)["keyword"].agg(list).to_dict()


def test_the_score_is_class_based_tf_idf() -> None:
    ann = mail("ann@example.org", *[["tea", "plan"]] * 4, ["plan"])
    bob = mail("bob@example.org", *[["milk", "plan"]] * 4, ["plan", "tea"], ["plan"])
    # Words: 4 * 2 + 1 + 4 * 2 + 2 + 1 = 20 in two classes, so A = 10. Tea is in 5 messages, 4 of Ann's 5;
    # milk in 4, of Bob's 6. Plan is in every message, and so nobody's.
    assert sender_words.compute(dataset(*ann, *bob)).values.tolist() == [
        ["bob@example.org", "milk", 4, round(4 / 6 * log(1 + 10 / 4), 4)],
        ["ann@example.org", "tea", 4, round(4 / 5 * log(1 + 10 / 5), 4)],
    ]


def test_mail_of_all_others_is_one_class_more() -> None:
    ann = mail("ann@example.org", *[["tea"]] * 5)
    nobody = mail(None, *[["plan"]] * 5)
    # Ten words in two classes, one of them Ann's.
    assert sender_words.compute(dataset(*ann, *nobody)).values.tolist() == [
        ["ann@example.org", "tea", 5, round(log(1 + 5 / 5), 4)]
    ]


def test_what_others_write_half_as_often_is_not_distinctive() -> None:
    ann = list(mail("ann@example.org", *[["tea", "sugar"]] * 4, ["none"]))
    # Ann's share is 4/5. Others have tea in 4 of 10 messages, exactly half; sugar in 5 of 10.
    others = [
        *mail("bob@example.org", *[["tea", "sugar"]] * 4, ["sugar"]),
        *mail("cid@example.org", *[["plan"]] * 5),
    ]
    assert words_of(*ann, *others)["ann@example.org"] == ["tea"]


def test_two_messages_are_an_oddity_and_three_a_habit() -> None:
    ann = mail("ann@example.org", ["odd", "habit"], ["odd", "habit"], ["habit"], [], [])
    assert words_of(*ann, *mail("bob@example.org", *[["plan"]] * 5))["ann@example.org"] == ["habit"]


def test_who_wrote_four_messages_is_left_out() -> None:
    rows = [*mail("ann@example.org", *[["tea"]] * 4), *mail("bob@example.org", *[["milk"]] * 5)]
    assert words_of(*rows) == {"bob@example.org": ["milk"]}


def test_their_own_name_and_address_are_no_words_of_theirs() -> None:
    signed = ["ann", "archer", "example", "cook", "tea"]
    ann = mail("ann.cook@example.org", *[signed] * 5, sender_name="Ann ARCHER")
    assert words_of(*ann, *mail("bob@mail.test", *[["milk"]] * 5))["ann.cook@example.org"] == ["tea"]


def test_a_sender_has_five_words_at_most_and_equals_stand_in_the_order_of_the_alphabet() -> None:
    ann = mail("ann@example.org", *[list("zfedcba")] * 5)
    assert words_of(*ann, *mail("bob@example.org", *[["milk"]] * 5))["ann@example.org"] == list("abcde")


def test_the_twenty_busiest_senders_are_shown_the_busiest_first() -> None:
    rows = [
        each
        for number in range(22)
        for each in mail(f"{number:02d}@example.org", *[[f"word{chr(97 + number)}"]] * (30 - number))
    ]
    assert list(words_of(*rows)) == [f"{number:02d}@example.org" for number in range(20)]


@pytest.mark.parametrize(
    "rows",
    [
        [row(keywords=["tea"])],
        list(mail("ann@example.org", *[["tea"]] * 9)),
        list(mail(None, *[["tea"]] * 9)),
        [*mail("ann@example.org", *[[]] * 9), *mail("bob@example.org", *[[]] * 9)],
    ],
    ids=["one message", "one sender", "no sender", "no words"],
)
def test_with_nobody_to_compare_nothing_is_distinctive(rows: list[dict[str, Any]]) -> None:
    assert sender_words.compute(dataset(*rows)).values.tolist() == []


def test_mail_without_a_date_counts() -> None:
    ann = mail("ann@example.org", *[["tea"]] * 5, when=None)
    assert words_of(*ann, *mail("bob@example.org", *[["milk"]] * 5))["ann@example.org"] == ["tea"]
