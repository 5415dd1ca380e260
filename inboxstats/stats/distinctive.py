"""Which words set a group of messages apart from all others: class-based TF-IDF, for senders and for months.

    score(word, group) = share * ln(1 + A / f)

M. Grootendorst, "BERTopic: Neural topic modeling with a class-based TF-IDF procedure", 2022, equation 2. `share` is the
part of the group's messages that hold the word (a word counts once a message, so this is his term frequency over the
group's size), f the number of all messages that hold it, A the number of words that a group has on average; messages of
no group are one more. The score alone would give each group the words of all mail, only in another order, so a word
must be `LIFT` times as frequent in the group as it is outside.
"""

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.dataset import Places, Words

FEWEST_MESSAGES = 5
"""A group of fewer has no habits yet."""

FEWEST_USES = 3
"""Messages of the group that hold a word: one message's oddity, or its answer's, is no habit."""

LIFT = 2.0
MOST_WORDS = 5


def distinctive(words: Words, groups: Places, *, names: Collection[tuple[int, str]] = ()) -> pd.DataFrame:
    """Columns ``group``, ``keyword``, ``messages`` and ``score``: at most `MOST_WORDS` a group, the best first.

    words  -- the keywords of each message
    groups -- the group of each message, from 0; -1 where it is in none. Groups that have no such word are left out.
    names  -- words that are a group's own name, and so tell nothing of it
    """
    codes, vocabulary = words.codes, words.vocabulary
    uses = np.bincount(codes, minlength=len(vocabulary))
    sizes = np.bincount(groups[groups >= 0])
    group, word, messages = _counts(words, groups, sizes)
    is_name = np.isin(group * len(uses) + word, [at * len(uses) + code for at, code in _coded(names, vocabulary)])

    classes = len(sizes) + bool((groups < 0).any())
    share = messages / sizes[group]
    outside = len(groups) - sizes[group]
    elsewhere = (uses[word] - messages) / np.maximum(outside, 1)
    apart = np.flatnonzero((outside > 0) & (share >= LIFT * elsewhere) & ~is_name)
    score = share[apart] * np.log1p(len(codes) / max(classes, 1) / uses[word[apart]])
    table = pd.DataFrame(
        {
            "group": group[apart],
            "keyword": vocabulary.take(pa.array(word[apart])).to_pandas().astype("str"),
            "messages": messages[apart],
            "score": score.round(4),
        }
    )
    table = table.sort_values(["group", "score", "keyword"], ascending=[True, False, True])
    return table[table.groupby("group").cumcount() < MOST_WORDS].reset_index(drop=True)


def _coded(names: Collection[tuple[int, str]], vocabulary: pa.Array) -> Iterator[tuple[int, int]]:
    # The vocabulary is looked up among the names: the other way round, all of it would have to be hashed.
    is_name = pc.is_in(vocabulary, value_set=pa.array({name for _, name in names}, pa.string())).to_numpy(
        zero_copy_only=False
    )
    places = np.flatnonzero(is_name)
    codes = dict(zip(vocabulary.take(pa.array(places)).to_pylist(), places.tolist(), strict=True))
    for group, name in names:
        if name in codes:
            yield group, codes[name]


def _counts(words: Words, groups: Places, sizes: Places) -> tuple[Places, Places, Places]:
    """Group, word and count of what is in `FEWEST_USES` messages of a group of `FEWEST_MESSAGES`."""
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(sizes) + (groups < 0).sum()
    group, word, messages = ([np.empty(0, np.int64)] for _ in range(3))
    for at in np.flatnonzero(sizes >= FEWEST_MESSAGES):
        codes = words.of(order[ends[at] - sizes[at] : ends[at]]).codes
        # By sorting, where most of the vocabulary is of no message: a group may be one of thousands.
        if len(codes) < len(words.vocabulary) // 8:
            found, times = np.unique(codes.astype(np.int64), return_counts=True)
            found, times = found[times >= FEWEST_USES], times[times >= FEWEST_USES]
        else:
            counts = np.bincount(codes, minlength=len(words.vocabulary))
            found = np.flatnonzero(counts >= FEWEST_USES)
            times = counts[found]
        group.append(np.full(len(found), at))
        word.append(found)
        messages.append(times)
    return np.concatenate(group), np.concatenate(word), np.concatenate(messages)
