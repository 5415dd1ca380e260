"""What a forest is worth, on mail later than all that it learned from: beside what anyone would guess without it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from inboxstats.classify.features import Codes, Features

SHUFFLES = 5
"""How often a group of features is shuffled, to see what the forest is worth without it."""

BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the forest's vote for the class that it names."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """precision: of those called so, how many are; recall: of those that are, how many were called so.

    ``None`` where there were none.
    """

    name: str
    precision: float | None
    recall: float | None
    messages: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """A guess without a forest. `only_forest` messages the forest alone had right, `only_baseline` the guess alone.

    p -- how likely so uneven a split of those would be if both were as good (a sign test, two-sided)
    """

    name: str
    accuracy: float
    macro_recall: float
    only_forest: int
    only_baseline: int
    p: float

    @property
    def is_beaten(self) -> bool:
        """The forest had more right, and that is no chance."""
        return self.only_forest > self.only_baseline and self.p < 0.01


@dataclass(frozen=True, slots=True)
class Importance:
    """By how much accuracy falls where a group's columns are shuffled over the messages: mean and range."""

    group: str
    mean: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Messages whose vote was within the bin: what the forest said of itself, and what came true."""

    low: float
    high: float
    messages: int
    said: float
    true: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """confusion[i][j]: messages of class i that were called class j. calibration_error: said less true, on average."""

    learned_from: int
    judged_on: int
    split: datetime
    classes: list[ClassFigures]
    confusion: list[list[int]]
    accuracy: float
    macro_recall: float
    baselines: list[Baseline]
    importances: list[Importance]
    words: list[tuple[str, float]]
    calibration: list[Bin]
    calibration_error: float


def judge(
    forest: Any, late: Features, codes: Codes, names: list[str], early: pd.DataFrame, learned: Codes, mail: pd.DataFrame
) -> Judgement:
    """Of later messages (`late`, `codes`, `mail`), by a forest that learned from earlier ones (`early`, `learned`)."""
    votes = np.zeros((len(codes), len(names)))
    votes[:, forest.classes_] = forest.predict_proba(late.matrix)
    called = votes.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (codes, called), 1)
    right = called == codes
    bins = _calibration(votes.max(axis=1), right)
    words = [
        (name.removeprefix("word "), float(weight))
        for weight, name, group in sorted(
            zip(forest.feature_importances_, late.names, late.groups, strict=True), key=lambda each: (-each[0], each[1])
        )
        if group == "words"
    ]
    return Judgement(
        learned_from=len(learned),
        judged_on=len(codes),
        split=mail["when"].iloc[0].to_pydatetime(),
        classes=[_figures(name, place, confusion) for place, name in enumerate(names)],
        confusion=confusion.tolist(),
        accuracy=float(right.mean()),
        macro_recall=_macro_recall(called, codes),
        baselines=[
            _baseline("the most frequent class", _majority(learned, len(codes)), codes, right),
            _baseline("the sender's usual class", usual(early, learned, mail, len(names)), codes, right),
        ],
        importances=_importances(forest, late, codes, float(right.mean())),
        words=words[:20],
        calibration=bins,
        calibration_error=sum(each.messages * abs(each.said - each.true) for each in bins) / len(codes),
    )


def _figures(name: str, place: int, confusion: npt.NDArray[np.int64]) -> ClassFigures:
    hits, called, there = (
        int(each) for each in (confusion[place, place], confusion[:, place].sum(), confusion[place].sum())
    )
    return ClassFigures(name, hits / called if called else None, hits / there if there else None, there)


def _macro_recall(called: Codes, codes: Codes) -> float:
    return float(np.mean([(called[codes == each] == each).mean() for each in np.unique(codes)]))


def _majority(learned: Codes, count: int) -> Codes:
    return np.full(count, np.bincount(learned).argmax(), np.int64)


def usual(early: pd.DataFrame, learned: Codes, mail: pd.DataFrame, class_count: int) -> Codes:
    """What the sender's earlier mail mostly was, else the domain's, else all mail's."""
    guess = _majority(learned, len(mail))
    for column in ("domain", "sender"):
        counts = pd.crosstab(early[column].to_numpy(dtype=object), learned).reindex(
            columns=range(class_count), fill_value=0
        )
        places = counts.index.get_indexer(pd.Index(mail[column].to_numpy(dtype=object)))
        mostly = counts.to_numpy().argmax(axis=1) if len(counts) else np.zeros(0, np.int64)
        guess = np.where(places >= 0, mostly[places] if len(mostly) else guess, guess)
    return guess.astype(np.int64)


def _baseline(name: str, guess: Codes, codes: Codes, right: npt.NDArray[np.bool_]) -> Baseline:
    from scipy.stats import binomtest

    guessed = guess == codes
    only_forest, only_baseline = int((right & ~guessed).sum()), int((guessed & ~right).sum())
    uneven = only_forest + only_baseline
    p = float(binomtest(only_forest, uneven).pvalue) if uneven else 1.0
    return Baseline(name, float(guessed.mean()), _macro_recall(guess, codes), only_forest, only_baseline, p)


def _importances(forest: Any, late: Features, codes: Codes, accuracy: float) -> list[Importance]:
    rng = np.random.default_rng(0)
    groups = np.array(late.groups)
    found = []
    for group in dict.fromkeys(late.groups):
        own = groups == group
        rest = late.matrix.multiply(~own).tocsr()
        columns = late.matrix.multiply(own).tocsr()
        falls = []
        for _ in range(SHUFFLES):
            shuffled = rest + columns[rng.permutation(len(codes))]
            falls.append(
                accuracy - float((forest.classes_[forest.predict_proba(shuffled).argmax(axis=1)] == codes).mean())
            )
        found.append(Importance(group, float(np.mean(falls)), min(falls), max(falls)))
    return sorted(found, key=lambda each: -each.mean)


def _calibration(votes: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> list[Bin]:
    found = []
    for low, high in pairwise(BINS):
        inside = (votes > low) & (votes <= high)
        if inside.any():
            found.append(Bin(low, high, int(inside.sum()), float(votes[inside].mean()), float(right[inside].mean())))
    return found
