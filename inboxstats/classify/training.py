"""From sorted mail to a forest, and to what it is worth: learned from the earlier part, judged on the later one."""

import platform
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from inboxstats.classify.features import Codes, Recipe, features, recipe
from inboxstats.classify.judgement import Judgement, judge
from inboxstats.classify.targets import Target, classes
from inboxstats.errors import UsageError
from inboxstats.predictions import PREDICTIONS
from inboxstats.selection import Clock
from inboxstats.version import __version__

FEWEST_OF_A_CLASS = 10
"""A class with fewer messages to learn from is left out."""

MOST_CLASSES = 50

SEED = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A forest with all that it takes to ask it.

    until    -- the time of the latest message that it learned from, in UTC
    versions -- of what made it, by name
    """

    target: Target
    classes: list[str]
    recipe: Recipe
    forest: Any
    spam_mailboxes: list[str]
    clock: Clock
    until: datetime
    messages: int
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """`share` of the messages, the latest ones, is what the forest is judged on."""

    target: Target
    spam_mailboxes: tuple[str, ...]
    trees: int
    workers: int
    share: float
    clock: Clock


@dataclass(frozen=True, slots=True)
class Learned:
    """The forest has learned from all messages; its judgement is that of one that knew the earlier part alone.

    left_out -- classes with too few messages, and how many they have
    """

    model: Model
    judgement: Judgement
    left_out: dict[str, int]
    undated: int


def learn(messages: pd.DataFrame, settings: Settings) -> Learned:
    """From messages as `Collection.messages` gives them, ordered by time. Those without text or time are left out.

    Raises UsageError where there is too little to learn from.
    """
    dated = messages[messages["when"].notna() & is_whole(messages)]
    known = classes(dated, settings.target, spam_mailboxes=settings.spam_mailboxes)
    dated, known = dated[known.notna().to_numpy()], known[known.notna().to_numpy()]
    split = len(dated) - int(len(dated) * settings.share)
    counts = known.iloc[:split].value_counts()
    names = sorted(map(str, counts.index[counts >= FEWEST_OF_A_CLASS]))
    left_out = {str(name): int(count) for name, count in known.value_counts().items() if name not in names}
    if len(names) < 2:
        raise UsageError(_too_little(settings.target, names))
    if len(names) > MOST_CLASSES:
        raise UsageError(f"There are {len(names)} classes; at most {MOST_CLASSES} can be told apart. Use --mailbox.")
    taken = known.isin(names).to_numpy()
    split = int(taken[:split].sum())
    dated, codes = dated[taken], pd.Index(names).get_indexer(pd.Index(known[taken])).astype(np.int64)
    if split == len(dated):
        raise UsageError("No message is left to judge by. Give more mail, or a larger --test-share.")
    early, late = dated.iloc[:split], dated.iloc[split:]
    first = _grown(early, codes[:split], names, settings)
    judgement = judge(first.forest, features(late, first.recipe), codes[split:], names, early, codes[:split], late)
    return Learned(_grown(dated, codes, names, settings), judgement, left_out, int(messages["when"].isna().sum()))


def is_whole(messages: pd.DataFrame) -> "pd.Series[bool]":
    """Which messages have their text, too; of the others `fetch` has brought the headers alone so far."""
    return messages["attachments"].notna().astype(bool)


def _too_little(target: Target, names: list[str]) -> str:
    found = f"only {names[0]!r} has" if names else "no class has"
    hints = {
        "mailbox": "Sort mail into mailboxes, and fetch them (--all)",
        "label": "Label mail on a server that has labels",
        "spam": "Fetch the mailbox that holds spam, and name it with --spam-mailbox",
        "people": "Give more mail",
    }
    return f"There is nothing to tell apart: {found} {FEWEST_OF_A_CLASS} messages to learn from. {hints[target]}."


def _grown(messages: pd.DataFrame, codes: Codes, names: list[str], settings: Settings) -> Model:
    import sklearn
    from sklearn.ensemble import RandomForestClassifier

    how = recipe(messages, codes, len(names), uses_lists=settings.target != "people")
    forest = RandomForestClassifier(settings.trees, n_jobs=settings.workers, random_state=SEED)
    forest.fit(features(messages, how, codes=codes).matrix, codes)
    return Model(
        target=settings.target,
        classes=names,
        recipe=how,
        forest=forest,
        spam_mailboxes=list(settings.spam_mailboxes),
        clock=settings.clock,
        until=messages["when"].iloc[-1].to_pydatetime(),
        messages=len(messages),
        versions={
            "inboxstats": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )


def predict(model: Model, messages: pd.DataFrame) -> pa.Table:
    """Where whole messages belong, a row each: see `predictions`. Those that it learned from are not for it."""
    known = classes(messages, model.target, spam_mailboxes=tuple(model.spam_mailboxes))
    if len(messages):
        votes = full_votes(model.forest, features(messages, model.recipe).matrix, len(model.classes))
    else:
        votes = np.zeros((0, len(model.classes)))
    likely = votes.argmax(axis=1)
    columns = {
        "account": pa.array(messages["account"], pa.string()),
        "mailbox": pa.array(messages["mailbox"], pa.string()),
        "key": pa.array(messages["key"], pa.string()),
        "filed": pa.array(known.where(known.notna(), None).tolist(), pa.string()),
        "likely": pa.array([model.classes[code] for code in likely], pa.string()),
        "likelihood": pa.array(votes.max(axis=1, initial=0.0), pa.float64()),
    }
    return pa.table(columns, schema=PREDICTIONS)


def full_votes(forest: Any, matrix: Any, class_count: int) -> npt.NDArray[np.float64]:
    """The forest's votes, a row a message and a column a class, also for classes that it has never seen."""
    votes = np.zeros((matrix.shape[0], class_count))
    votes[:, forest.classes_] = forest.predict_proba(matrix)
    return votes
