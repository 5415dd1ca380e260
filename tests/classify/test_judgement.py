"""What a forest is worth: worked out by hand, with a forest that says what the test wants."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from inboxstats.classify.features import Features
from inboxstats.classify.judgement import judge, usual


class Told:
    """Votes for class 1 by the first column of the features, and never looks at the second one."""

    classes_ = np.array([0, 1])
    feature_importances_ = np.array([0.75, 0.25])

    def predict_proba(self, matrix: Any) -> Any:
        votes = matrix.toarray()[:, 0]
        return np.column_stack([1 - votes, votes])


def frame(*senders: str) -> pd.DataFrame:
    when = pd.date_range("2026-03-01", periods=len(senders), tz="UTC")
    return pd.DataFrame({"sender": senders, "domain": [each.split("@")[1] for each in senders], "when": when})


EARLY = frame("ann@x", "ann@x", "ann@x", "bob@x", "eve@y")
LEARNED = np.array([1, 1, 0, 0, 0])
LATE = frame("ann@x", "bob@x", "new@y", "new@z", "eve@y", "ann@x")
TRUE = np.array([1, 0, 1, 0, 0, 0])
VOTES = [0.95, 0.15, 0.65, 0.25, 0.55, 0.35]


@pytest.fixture
def judged() -> Any:
    matrix = sparse.csr_matrix(np.column_stack([VOTES, [1.0] * 6]).astype(np.float32))
    late = Features(matrix, ["word tea", "hour"], ["words", "hour"])
    return judge(Told(), late, TRUE, ["rest", "spam"], EARLY, LEARNED, LATE)


def test_precision_recall_and_confusion_are_those_of_the_later_mail(judged: Any) -> None:
    assert judged.confusion == [[3, 1], [0, 2]]
    assert [(each.precision, each.recall, each.messages) for each in judged.classes] == [
        (1.0, 0.75, 4),
        (2 / 3, 1.0, 2),
    ]
    assert judged.accuracy == pytest.approx(5 / 6)
    assert judged.macro_recall == pytest.approx((0.75 + 1) / 2)
    assert (judged.learned_from, judged.judged_on, judged.split) == (5, 6, LATE["when"][0])


def test_the_sender_s_usual_class_is_the_domain_s_for_a_new_sender_and_all_mail_s_for_a_new_domain() -> None:
    # ann: mostly 1; bob: 0; new@y: y's 0; new@z: all mail's 0; eve: 0.
    assert usual(EARLY, LEARNED, LATE, 2).tolist() == [1, 0, 0, 0, 0, 1]


def test_the_guesses_are_judged_on_the_same_mail(judged: Any) -> None:
    majority, sender = judged.baselines
    assert majority.accuracy == pytest.approx(4 / 6)
    assert majority.macro_recall == 0.5
    assert (majority.only_forest, majority.only_baseline) == (2, 1)
    assert sender.accuracy == pytest.approx(4 / 6)
    assert (sender.only_forest, sender.only_baseline) == (2, 1)
    assert sender.p == pytest.approx(1.0)  # 2 to 1 is what a coin does
    assert not sender.is_beaten


def test_only_the_features_that_the_forest_looks_at_matter(judged: Any) -> None:
    by_group = {each.group: each for each in judged.importances}
    assert (by_group["hour"].mean, by_group["hour"].most) == (0, 0)
    assert by_group["words"].mean > 0
    assert judged.words == [("tea", 0.75)]


def test_votes_are_held_against_the_truth(judged: Any) -> None:
    # Votes for what was called: 0.95, 0.85, 0.65, 0.75, 0.55 (wrong), 0.65.
    bins = {(each.low, each.high): (each.messages, each.true) for each in judged.calibration}
    assert bins == {(0.5, 0.6): (1, 0), (0.6, 0.7): (2, 1), (0.7, 0.8): (1, 1), (0.8, 0.9): (1, 1), (0.9, 1.0): (1, 1)}
    assert judged.calibration_error == pytest.approx((0.55 + 2 * 0.35 + 0.25 + 0.15 + 0.05) / 6, abs=1e-6)
