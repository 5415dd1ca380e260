"""Messages as numbers. What depends on other messages must not know of later ones."""

import numpy as np
from factories import dataset, row

from inboxstats.classify.features import Features, features, recipe


def messages(*rows: dict[str, object]):  # type: ignore[no-untyped-def]
    return dataset(*rows).messages


def cells(found: Features, *names: str) -> list[list[float]]:
    dense = found.matrix.toarray()
    return [
        [round(float(value), 4) for value in line] for line in dense[:, [found.names.index(name) for name in names]]
    ]


def mail(number: int, sender: str = "ann@x.example", **columns: object) -> dict[str, object]:
    return row(number, when=f"2026-03-{number:02}T09:30:00+00:00", sender=sender, **columns)


ANN = ("sender: messages before", "sender: share of class 0", "sender: share of class 1")


def test_a_sender_s_history_is_that_of_the_earlier_messages() -> None:
    frame = messages(mail(1), mail(2), mail(3, sender="bob@x.example"), mail(4))
    codes = np.array([0, 1, 1, 0])
    how = recipe(frame, codes, 2, uses_lists=True)
    found = features(frame, how, codes=codes)
    one, two = round(float(np.log1p(1)), 4), round(float(np.log1p(2)), 4)
    assert cells(found, *ANN) == [[0, 0, 0], [one, 1, 0], [0, 0, 0], [two, 0.5, 0.5]]
    domain = [name.replace("sender", "domain") for name in ANN]
    assert [line[1:] for line in cells(found, *domain)] == [[0, 0], [1, 0], [0.5, 0.5], [0.3333, 0.6667]]


def test_later_messages_change_nothing_for_earlier_ones() -> None:
    frame = messages(*(mail(number, keywords=["tea"]) for number in range(1, 9)))
    known = np.array([0, 1, 0, 1, 0, 0, 0, 0])
    other = np.array([0, 1, 0, 1, 1, 1, 1, 1])
    first, second = (
        features(frame, recipe(frame, codes, 2, uses_lists=True), codes=codes).matrix.toarray()[:5]
        for codes in (known, other)
    )
    assert (first == second).all()


def test_a_new_message_is_told_of_all_that_was_learned_from() -> None:
    frame = messages(mail(1), mail(2), mail(3))
    how = recipe(frame, np.array([0, 1, 1]), 2, uses_lists=True)
    new = features(messages(mail(9), mail(10, sender="eve@y.example"), mail(11, sender=None)), how)
    three = round(float(np.log1p(3)), 4)
    assert cells(new, *ANN) == [[three, 0.3333, 0.6667], [0, 0, 0], [0, 0, 0]]


def test_a_message_tells_its_words_its_time_and_what_is_attached() -> None:
    pdf = {"file_name": "a.pdf", "media_type": "application/pdf", "size": 99, "inline": False}
    word = {
        "file_name": "b",
        "media_type": "application/vnd.openxmlformats-officedocument.x",
        "size": 0,
        "inline": False,
    }
    frame = messages(
        mail(1, keywords=["tea", "milk"], attachments=[pdf, pdf, word], is_reply=True, list_id="l.example"),
        mail(2, keywords=["tea"]),
        mail(3, keywords=["tea"]),
    )
    found = features(frame, recipe(frame, np.array([0, 1, 1]), 2, uses_lists=True))
    assert [name for name in found.names if name.startswith("word ")] == ["word tea"]  # milk is in one message alone
    named = ("word tea", "hour", "weekday", "attached application/pdf", "attached office", "is a reply", "has List-Id")
    assert cells(found, *named)[:2] == [[1, 9, 6, 2, 1, 1, 1], [1, 9, 0, 0, 0, 0, 0]]  # 1 March 2026 was a Sunday
    assert cells(found, "attached bytes")[0] == [round(float(np.log1p(198)), 4)]


def test_list_headers_are_no_features_where_they_are_the_question() -> None:
    frame = messages(mail(1), mail(2))
    found = features(frame, recipe(frame, np.array([0, 1]), 2, uses_lists=False))
    assert "list headers" not in found.groups
    assert not any("List-" in name for name in found.names)
