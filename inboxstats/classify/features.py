"""Messages as numbers, from the message table alone. What depends on other messages looks at earlier ones only.

A matrix has a row a message and a column a feature; columns belong to groups (`GROUPS`), by which importance is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

MOST_WORDS = 2_000
"""Keywords that are features: those that most of the messages learned from have."""

FEWEST_MESSAGES = 3
"""A keyword of fewer is none."""

_KINDS = ("image/", "application/pdf", "text/calendar", "application/zip", "message/", "audio/", "video/", "text/")
_OFFICE = ("msword", "officedocument", "ms-excel", "ms-powerpoint", "opendocument")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How numbers are made of a message: learned from the earlier mail, and kept with the forest.

    words, languages -- in the order of their columns
    senders, domains -- how many messages each sent, by class: ``{"ann@example.com": [3, 0]}``
    uses_lists       -- whether list headers are features; they are not where they are the question
    """

    words: list[str]
    languages: list[str]
    senders: dict[str, list[int]]
    domains: dict[str, list[int]]
    class_count: int
    uses_lists: bool


@dataclass(frozen=True, slots=True)
class Features:
    """`groups` has a group a column; `names` tells a column."""

    matrix: sparse.csr_matrix
    names: list[str]
    groups: list[str] = field(default_factory=list)


def recipe(messages: pd.DataFrame, codes: Codes, class_count: int, *, uses_lists: bool) -> Recipe:
    """Learned from messages of known classes."""
    keywords = _keywords(messages)
    found, counts = np.unique(keywords.words, return_counts=True)
    order = np.lexsort((found, -counts))[:MOST_WORDS]
    languages = messages["language"].dropna().value_counts()
    return Recipe(
        words=[str(found[place]) for place in order if counts[place] >= FEWEST_MESSAGES],
        languages=sorted(map(str, languages.index[:12])),
        senders=_totals(messages["sender"], codes, class_count),
        domains=_totals(messages["domain"], codes, class_count),
        class_count=class_count,
        uses_lists=uses_lists,
    )


def features(messages: pd.DataFrame, how: Recipe, *, codes: Codes | None = None) -> Features:
    """The messages' numbers. With `codes` these are the messages that `how` was learned from, ordered by time: each is
    told of the earlier ones alone."""
    blocks: list[tuple[str, list[str], Any]] = [_words(messages, how), *_own(messages, how)]
    for group, column, totals in (("sender", "sender", how.senders), ("domain", "domain", how.domains)):
        history = (
            _known(messages[column], totals, how.class_count)
            if codes is None
            else _earlier(messages[column], codes, how.class_count)
        )
        blocks.append(_history(group, history))
    return Features(
        matrix=sparse.hstack([block for _, _, block in blocks], format="csr", dtype=np.float32),
        names=[name for _, names, _ in blocks for name in names],
        groups=[group for group, names, _ in blocks for _ in names],
    )


@dataclass(frozen=True, slots=True)
class _Keywords:
    rows: Codes
    words: npt.NDArray[np.object_]


def _keywords(messages: pd.DataFrame) -> _Keywords:
    lists = pa.array(messages["keywords"])
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return _Keywords(rows, pc.list_flatten(lists).to_numpy(zero_copy_only=False))


def _words(messages: pd.DataFrame, how: Recipe) -> tuple[str, list[str], Any]:
    keywords = _keywords(messages)
    columns = pd.Index(how.words).get_indexer(pd.Index(keywords.words))
    known = columns >= 0
    shape = (len(messages), len(how.words))
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sparse.csr_matrix((ones, (keywords.rows[known], columns[known])), shape=shape)
    return "words", [f"word {word}" for word in how.words], matrix


def _own(messages: pd.DataFrame, how: Recipe) -> list[tuple[str, list[str], Any]]:
    """What a message tells of itself. An unknown hour or weekday is -1."""
    local = messages["local"]
    attachments = [list(each) for each in messages["attachments"]]
    kinds = np.array([_kinds(each) for each in attachments], np.float32).reshape(len(messages), -1)
    language = messages["language"]
    blocks: list[tuple[str, list[str], Any]] = [
        ("hour", ["hour"], _column(local.dt.hour.fillna(-1))),
        ("weekday", ["weekday"], _column(local.dt.day_of_week.fillna(-1))),
        ("size", ["size", "keywords"], np.hstack([_logarithm(messages["size"]), _logarithm(_lengths(messages))])),
        ("attachments", [*(f"attached {kind}" for kind in (*_KINDS, "office", "other")), "attached bytes"], kinds),
        ("reply", ["is a reply"], _column(messages["is_reply"])),
        ("name", ["has a display name"], _column(messages["sender_name"].notna())),
        ("language", [f"language {code}" for code in how.languages], _one_hot(language, how.languages)),
    ]
    if how.uses_lists:
        headers = [_column(messages["list_id"].notna()), _column(messages["has_list_unsubscribe"])]
        blocks.append(("list headers", ["has List-Id", "has List-Unsubscribe"], np.hstack(headers)))
    return blocks


def _kinds(attachments: Sequence[dict[str, Any]]) -> list[float]:
    counts = [0.0] * (len(_KINDS) + 2)
    for each in attachments:
        media_type = each["media_type"]
        if any(word in media_type for word in _OFFICE):
            counts[-2] += 1
        else:
            places = (place for place, kind in enumerate(_KINDS) if media_type.startswith(kind))
            counts[next(places, len(counts) - 1)] += 1
    return [*counts, float(np.log1p(sum(each["size"] or 0 for each in attachments)))]


def _history(group: str, history: npt.NDArray[np.int64]) -> tuple[str, list[str], Any]:
    """How many earlier messages there were, and the share of each class among them."""
    known = history.sum(axis=1, keepdims=True)
    shares = history / np.maximum(known, 1)
    names = [f"{group}: messages before", *(f"{group}: share of class {code}" for code in range(history.shape[1]))]
    return group, names, np.hstack([np.log1p(known), shares]).astype(np.float32)


def _earlier(keys: pd.Series, codes: Codes, class_count: int) -> npt.NDArray[np.int64]:
    """How many earlier messages had the same key, by class. The rows are in the order of time."""
    ones = pd.DataFrame(np.eye(class_count, dtype=np.int64)[codes], index=keys.index)
    before: npt.NDArray[np.int64] = (
        ones.groupby(keys.fillna("").to_numpy(dtype=object)).cumsum().to_numpy() - ones.to_numpy()
    )
    before[keys.isna().to_numpy()] = 0
    return before


def _known(keys: pd.Series, totals: dict[str, list[int]], class_count: int) -> npt.NDArray[np.int64]:
    none = [0] * class_count
    found = [none if pd.isna(key) else totals.get(key, none) for key in keys]
    return np.array(found, np.int64).reshape(len(keys), class_count)


def _totals(keys: pd.Series, codes: Codes, class_count: int) -> dict[str, list[int]]:
    ones = pd.DataFrame(np.eye(class_count, dtype=np.int64)[codes], index=keys.index)
    sums = ones.groupby(keys.to_numpy(dtype=object)).sum()
    return {str(key): [int(count) for count in row] for key, row in zip(sums.index, sums.to_numpy(), strict=True)}


def _column(values: Any) -> Numbers:
    return np.asarray(values, np.float32).reshape(-1, 1)


def _logarithm(values: Any) -> Numbers:
    return np.log1p(_column(values))


def _lengths(messages: pd.DataFrame) -> Any:
    return pc.list_value_length(pa.array(messages["keywords"])).to_numpy(zero_copy_only=False)


def _one_hot(values: pd.Series, known: Sequence[str]) -> Numbers:
    columns = pd.Index(known).get_indexer(pd.Index(values.to_numpy(dtype=object)))
    hits: Numbers = (columns[:, np.newaxis] == np.arange(len(known))).astype(np.float32)
    return hits
