"""The messages a report counts: filtered, each once, with the time that the reader wants beside them.

Takes rows of the message table and gives a Dataset; every statistic is a function of one. Reads no file and no clock.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.schema import lists_like
from inboxstats.selection import SENDER_ZONE, Selection, label_name, matches_any

Instants = npt.NDArray[np.datetime64]
"""Microseconds in UTC, NaT where there is none."""

Places = npt.NDArray[np.int64]
"""Row numbers."""

_FIRST, _END = np.datetime64("1900-01-01", "us"), np.datetime64("2200-01-01", "us")
_NOT_A_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Totals:
    """The line that every count reconciles with: files = messages + duplicates + unreadable.

    `undated` have no time by the chosen clock; `bytes` are those of the counted messages as stored. `headers_only` are
    messages whose text has not arrived yet: their header counts as a file, and keywords and attachments are of the
    others.
    """

    files: int
    messages: int
    duplicates: int
    unreadable: int
    undated: int
    without_sender: int
    bytes: int
    messages_with_attachments: int
    attachments: int
    with_list_id: int
    with_list_unsubscribe: int
    headers_only: int


@dataclass(frozen=True, slots=True)
class Words:
    """The keywords of messages as numbers, which are counted in a tenth of the time of texts.

    lists      -- a list a message, of numbers that point into the vocabulary
    vocabulary -- texts, each once; some may be of no message
    """

    lists: pa.ListArray
    vocabulary: pa.Array

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        """The numbers of all the messages' words, one message after the other."""
        codes: npt.NDArray[np.int32] = self.lists.flatten().to_numpy()
        return codes

    def of(self, messages: Places) -> "Words":
        """Those of the messages at some places, in that order."""
        return Words(self.lists.take(pa.array(messages)), self.vocabulary)

    def texts(self) -> pa.ListArray:
        """A list of texts a message, of which each is held once; null where there is none."""
        texts = pa.DictionaryArray.from_arrays(self.lists.values, self.vocabulary)
        return lists_like(self.lists.offsets, texts, self.lists)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a statistic counts.

    messages -- a row a counted message, ordered by time, Arrow types. The columns of the message table
                (`table.SCHEMA`), those of the listing (`table.LISTING_FIELDS`) and of the
                predictions (`predictions.PREDICTION_FIELDS`), and:
                ``domain``  what follows the last @ of ``sender``
                ``when``    datetime64[us, UTC], by the selection's clock; NaT where undated
                ``local``   datetime64[us] without zone: ``when`` as a clock on the reader's wall shows it
    words    -- the keywords of these messages
    phrases  -- those of the messages, of each message once, in several dictionary arrays: two words a phrase, its first
                and its second
    """

    messages: pd.DataFrame
    words: Words
    totals: Totals
    selection: Selection
    phrases: Callable[[], Iterator[pa.DictionaryArray]]

    @property
    def dated(self) -> pd.DataFrame:
        """The messages that have a time."""
        return self.messages[self.messages["local"].notna()]

    @property
    def with_text(self) -> "Dataset":
        """What is known of the messages whose text has arrived: of the others nobody can say what they are about."""
        if not self.totals.headers_only:
            return self
        places = np.flatnonzero(self.messages["attachments"].notna())
        return replace(self, messages=self.messages.iloc[places], words=self.words.of(places))

    @property
    def first(self) -> pd.Timestamp | None:
        """When the earliest message was, in UTC; ``None`` where none has a time."""
        earliest = self.messages["when"].min()
        return None if pd.isna(earliest) else earliest

    @property
    def last(self) -> pd.Timestamp | None:
        """When the latest message was, in UTC; ``None`` where none has a time."""
        latest = self.messages["when"].max()
        return None if pd.isna(latest) else latest


class Phrases(Protocol):
    """Where the phrases of rows are: `table.Phrases`."""

    def of(self, rows: Places) -> Iterator[pa.DictionaryArray]: ...


def select(rows: pa.Table, selection: Selection, *, unreadable: int = 0, phrases: Phrases | None = None) -> Dataset:
    """The Dataset of a selection. `unreadable` files have no row, and count whatever the period is.

    `phrases` are those of rows that come without.
    """
    places: Places = np.arange(len(rows))
    if selection.accounts or selection.mailboxes:
        stored = _matches(rows["mailbox"], selection.mailboxes).to_numpy()
        labelled = _labelled(rows["labels"], selection.mailboxes)
        owned = _matches(rows["account"], selection.accounts).to_numpy()
        places = np.flatnonzero(owned & (stored | labelled))
        rows = rows.take(places)
    when = _when(rows, selection)
    local = _local(when, rows, selection)
    within = _within(local, selection)
    files = int(within.sum())
    order = _order(rows, when)
    if selection.duplicates == "merge":
        # Before the period: a copy that came later makes no second message of another month.
        is_header = rows["attachments"].is_null().to_numpy()[order]
        order = order[_firsts(rows["fingerprint"].take(order), behind=is_header)]
    order = order[within[order]]
    # Rows are moved once, and only here: with a hundred thousand messages that is what takes the memory.
    words = _words(rows["keywords"]).of(order)
    at = rows.schema.get_field_index("keywords")
    chosen = rows.remove_column(at).take(order).add_column(at, "keywords", words.texts().cast(rows["keywords"].type))
    frame = chosen.to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame.assign(
        domain=_domains(frame["sender"]),
        when=pd.Series(when[order]).dt.tz_localize("UTC"),
        local=pd.Series(local[order]),
    )
    totals = _totals(frame, files=files, unreadable=unreadable)
    read = partial(_split, frame) if phrases is None else partial(phrases.of, places[order])
    return Dataset(frame, words, totals, selection, read)


def _words(column: pa.ChunkedArray) -> Words:
    lists = column.combine_chunks()
    coded = lists.values if pa.types.is_dictionary(lists.type.value_type) else lists.values.dictionary_encode()
    return Words(lists_like(lists.offsets, coded.indices, lists), coded.dictionary)


def _split(frame: pd.DataFrame) -> Iterator[pa.DictionaryArray]:
    """The words of the phrases that stand in rows."""
    phrases = pc.list_flatten(pa.array(frame["phrases"]))
    yield pc.list_flatten(pc.split_pattern(phrases, " ", max_splits=1)).dictionary_encode()


def _matches(column: pa.ChunkedArray, globs: Sequence[str]) -> pa.ChunkedArray:
    names = [name for name in column.unique().to_pylist() if matches_any(name, globs)]
    return pc.is_in(column, value_set=pa.array(names, pa.string()))


def _labelled(column: pa.ChunkedArray, globs: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which messages have a label that is wanted."""
    lists = column.combine_chunks()
    found = np.zeros(len(lists), dtype=np.bool_)
    if globs:
        labels = pc.list_flatten(lists)
        names = [label for label in labels.unique().to_pylist() if matches_any(label_name(label), globs)]
        is_wanted = pc.is_in(labels, value_set=pa.array(names, pa.string()))
        found[pc.list_parent_indices(lists).filter(is_wanted).to_numpy()] = True
    return found


def _order(rows: pa.Table, when: Instants) -> npt.NDArray[np.int64]:
    """By time, then by file, so that which copy counts does not depend on the order in which files were found."""
    known = pa.table({"when": pa.array(when), "file": rows["file"]})
    order: npt.NDArray[np.int64] = pc.sort_indices(known, [("when", "ascending"), ("file", "ascending")]).to_numpy()
    return order


def _firsts(column: pa.ChunkedArray, *, behind: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Where each value stands for the first time, ascending; a place that is `behind` counts after all others."""
    order = np.argsort(behind, kind="stable")
    codes = column.combine_chunks().dictionary_encode().indices.to_numpy()
    return np.sort(order[np.unique(codes[order], return_index=True)[1]])


def _when(rows: pa.Table, selection: Selection) -> Instants:
    times = _plausible(rows["date"])
    if selection.clock == "received":
        for column in (_plausible(rows["received"]), _plausible(rows["internal_date"])):
            times = np.where(np.isnat(column), times, column)
    return times


def instants(column: pa.ChunkedArray | pa.Array) -> Instants:
    """Timestamps of a column in microseconds."""
    micros: npt.NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), _NOT_A_TIME).to_numpy()
    return micros.astype("datetime64[us]")


def _plausible(column: pa.ChunkedArray) -> Instants:
    """None before 1900 and after 2199: servers and headers say 1601 and 9999 where they do not know."""
    times = instants(column)
    return np.where((times >= _FIRST) & (times < _END), times, np.datetime64("NaT", "us"))


def _local(when: Instants, rows: pa.Table, selection: Selection) -> Instants:
    if selection.timezone == SENDER_ZONE:
        minutes: npt.NDArray[np.int64] = pc.fill_null(rows["date_offset"], 0).to_numpy()
        there: Instants = when + minutes.astype("timedelta64[m]")
        return there
    zoned = pd.DatetimeIndex(when, tz="UTC").tz_convert(selection.timezone).tz_localize(None)
    local: Instants = zoned.to_numpy().astype("datetime64[us]")
    return local


def _domains(senders: "pd.Series[str]") -> "pd.Series[str]":
    known = senders.unique()
    domains = pd.Series(known, dtype=senders.dtype).str.replace(r"^.*@", "", regex=True).str.rstrip(".")
    return senders.map(dict(zip(known, domains, strict=True)))


def _within(local: Instants, selection: Selection) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(local), dtype=np.bool_)
    if selection.since is not None:
        inside &= local >= np.datetime64(selection.since, "us")
    if selection.until is not None:
        inside &= local < (np.datetime64(selection.until) + 1).astype("datetime64[us]")
    return inside


def _totals(frame: pd.DataFrame, *, files: int, unreadable: int) -> Totals:
    attachments = frame["attachments"].list.len()
    return Totals(
        files=files + unreadable,
        messages=len(frame),
        duplicates=files - len(frame),
        unreadable=unreadable,
        undated=int(frame["when"].isna().sum()),
        without_sender=int(frame["sender"].isna().sum()),
        bytes=int(frame["size"].sum()),
        messages_with_attachments=int((attachments > 0).sum()),
        attachments=int(attachments.sum()),
        with_list_id=int(frame["list_id"].notna().sum()),
        with_list_unsubscribe=int(frame["has_list_unsubscribe"].sum()),
        headers_only=int(frame["attachments"].isna().sum()),
    )
