"""Learning, predicting, and the file that a model is kept in."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import skops.io
from factories import dataset, row

from inboxstats.classify import store
from inboxstats.classify.targets import classes
from inboxstats.classify.training import Model, Settings, learn, predict
from inboxstats.errors import UsageError

SPAM = Settings("spam", ("Junk",), trees=20, workers=1, share=0.25, clock="date")


def mail(number: int, *, is_spam: bool, mailbox: str | None = None, **columns: Any) -> dict[str, Any]:
    """One a day; spam is of ever new senders and of money."""
    when = pd.Timestamp("2026-01-01T09:00:00Z") + pd.Timedelta(days=number)
    words = ["money", "prize", "now"] if is_spam else ["meeting", "minutes", "friday"]
    sender = f"win{number}@spam{number}.example" if is_spam else f"colleague{number % 4}@work.example"
    place = mailbox or ("Junk" if is_spam else "INBOX")
    plain = {"when": when.isoformat(), "sender": sender, "keywords": words, "mailbox": place, "is_reply": not is_spam}
    return row(number, **(plain | columns))


MAIL = dataset(*(mail(number, is_spam=number % 3 == 0) for number in range(120))).messages


@pytest.fixture(scope="module")
def model() -> Model:
    return learn(MAIL, SPAM).model


def test_a_forest_is_judged_on_mail_later_than_all_that_it_learned_from() -> None:
    judged = learn(MAIL, SPAM).judgement
    assert (judged.learned_from, judged.judged_on) == (90, 30)
    assert judged.split == MAIL["when"].iloc[90]
    assert judged.accuracy == 1.0
    assert judged.baselines[0].accuracy == pytest.approx(2 / 3)
    assert judged.baselines[0].is_beaten


def test_what_changed_only_later_is_not_known_to_the_judged_forest() -> None:
    # From the 90th message on everything is the other way round: who knew of that could have it right.
    turned = dataset(
        *(mail(number, is_spam=number % 3 == 0, mailbox=_turned(number)) for number in range(120))
    ).messages
    assert learn(turned, SPAM).judgement.accuracy == 0.0


def _turned(number: int) -> str | None:
    return None if number < 90 else "INBOX" if number % 3 == 0 else "Junk"


def test_a_new_message_in_the_wrong_place_is_told(model: Model) -> None:
    new = dataset(mail(200, is_spam=True, mailbox="INBOX"), mail(201, is_spam=False), mail(202, is_spam=True)).messages
    rows = predict(model, new).to_pylist()
    assert [(each["filed"], each["likely"]) for each in rows] == [("rest", "spam"), ("rest", "rest"), ("spam", "spam")]
    assert all(0.5 < each["likelihood"] <= 1 for each in rows)
    assert [rows[0][name] for name in ("account", "mailbox", "key")] == ["me@example.org", "INBOX", "1-200"]


def test_no_message_gives_no_prediction(model: Model) -> None:
    assert predict(model, dataset().messages).num_rows == 0


def test_the_same_mail_gives_the_same_forest(model: Model) -> None:
    again = learn(MAIL, SPAM).model
    assert predict(again, MAIL).equals(predict(model, MAIL))


def test_a_class_with_few_messages_is_left_out_and_told() -> None:
    few = [mail(500 - number, is_spam=False, mailbox="Rare") for number in range(5)]
    learned = learn(
        dataset(*(mail(number, is_spam=number % 3 == 0) for number in range(120)), *few).messages,
        replace(SPAM, target="mailbox"),
    )
    assert learned.left_out == {"Rare": 5}
    assert learned.model.classes == ["INBOX", "Junk"]


def test_messages_without_time_are_left_out_and_counted() -> None:
    rows = [mail(number, is_spam=number % 3 == 0) for number in range(120)]
    assert learn(dataset(*rows, mail(700, is_spam=True, when=None)).messages, SPAM).undated == 1


def test_one_class_is_nothing_to_tell_apart() -> None:
    rest = dataset(*(mail(number, is_spam=False) for number in range(50))).messages
    with pytest.raises(UsageError, match=r"only 'rest' has 10 messages to learn from\. Fetch the mailbox"):
        learn(rest, SPAM)


def test_the_targets_are_what_the_user_did() -> None:
    frame = dataset(
        row(1, mailbox="INBOX", labels=["\\Inbox", "work", "tea"], when="2026-01-01T00:00:00+00:00"),
        row(2, mailbox="[Gmail]/Spam", labels=["\\Spam"], when="2026-01-02T00:00:00+00:00"),
        row(3, mailbox="Junk", list_id="l.example", when="2026-01-03T00:00:00+00:00"),
        row(4, mailbox="Lists", has_list_unsubscribe=True, labels=[], when="2026-01-04T00:00:00+00:00"),
    ).messages
    found = {target: classes(frame, target).tolist() for target in ("mailbox", "label", "spam", "people")}  # type: ignore[arg-type]
    assert found["mailbox"] == ["INBOX", "[Gmail]/Spam", "Junk", "Lists"]
    assert found["label"] == ["tea", "(no label)", None, "(no label)"]
    assert found["spam"] == ["rest", "spam", "spam", "rest"]
    assert found["people"] == ["people", "people", "bulk", "bulk"]


def test_a_model_that_was_kept_says_the_same(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.skops"
    store.save(model, path)
    assert path.stat().st_mode & 0o777 == 0o600  # it knows the user's correspondents
    kept = store.load(path)
    assert (kept.until, kept.versions, kept.recipe) == (model.until, model.versions, model.recipe)
    assert predict(kept, MAIL).equals(predict(model, MAIL))


class Stranger:
    """What a forest has not."""


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return eval, ("1/0",)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UsageError, match="is no model"):
        store.load(path)


def test_a_type_that_no_forest_has_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps({"format": 1, "forest": Stranger()}))
    with pytest.raises(UsageError, match=r"holds what no forest has \(.*Stranger\)"):
        store.load(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 99}, "another version of inboxstats"),
        ({"versions": {"scikit-learn": "0.1.0"}}, "was made by scikit-learn 0.1.0"),
    ],
)
def test_a_model_of_other_versions_is_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps({"format": 1, "versions": {}} | change))
    with pytest.raises(UsageError, match=sentence):
        store.load(path)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="classify train"):
        store.load(tmp_path / "model.skops")
