"""The messages a report counts: filtered, each once, with the time that the reader wants beside them.

Takes rows of the message table and gives a Dataset; every statistic is a function of one. Reads no file and no clock.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.globs import matches

Clock = Literal["received", "date"]
Duplicates = Literal["merge", "keep"]

SENDER_ZONE = "sender"
"""The time zone that stands for each sender's own offset."""

COUNTED = (
    *("file", "account", "mailbox", "size", "fingerprint", "sender", "sender_name", "date", "date_offset", "received"),
    *("is_reply", "list_id", "has_list_unsubscribe", "attachments", "language", "keywords"),
)
"""The columns of the message table that `select` and the statistics read: the others need not be loaded for them."""

Instants = npt.NDArray[np.datetime64]
"""Microseconds in UTC, NaT where there is none."""

_FIRST, _END = np.datetime64("1900-01-01", "us"), np.datetime64("2200-01-01", "us")
_NOT_A_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages count, and by which time.

    since, until -- days in `timezone`, both inclusive; a message without a time is in no period
    accounts, mailboxes -- globs, see `globs.matches`; none means all
    clock -- ``received``: the internal date, else the top Received header, else Date; ``date``: the Date header alone
    timezone -- an IANA name, or ``sender`` for the offset of each message's own Date header (UTC where it has none)
    duplicates -- ``merge`` counts equal fingerprints once, ``keep`` counts each file
    """

    since: date | None = None
    until: date | None = None
    accounts: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    clock: Clock = "received"
    timezone: str = "UTC"
    duplicates: Duplicates = "merge"

    def covers(self, account: str | None, mailbox: str) -> bool:
        """Whether mail of that account and mailbox is wanted, whatever its time."""
        return _wanted(account, self.accounts) and _wanted(mailbox, self.mailboxes)


def _wanted(name: str | None, globs: Sequence[str]) -> bool:
    return not globs or (name is not None and any(matches(name, glob) for glob in globs))


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
class Dataset:
    """What a statistic counts.

    messages -- a row a counted message, ordered by time, Arrow types. The columns of the message table
                (`table.SCHEMA`), those of the listing (`table.LISTING_FIELDS`), and:
                ``domain``  what follows the last @ of ``sender``
                ``when``    datetime64[us, UTC], by the selection's clock; NaT where undated
                ``local``   datetime64[us] without zone: ``when`` as a clock on the reader's wall shows it
    phrases  -- those of the messages, of each message once, in several arrays of strings
    """

    messages: pd.DataFrame
    totals: Totals
    selection: Selection
    phrases: Callable[[], Iterator[pa.Array]]

    @property
    def dated(self) -> pd.DataFrame:
        """The messages that have a time."""
        return self.messages[self.messages["local"].notna()]

    @property
    def with_text(self) -> "Dataset":
        """What is known of the messages whose text has arrived: of the others nobody can say what they are about."""
        if not self.totals.headers_only:
            return self
        return replace(self, messages=self.messages[self.messages["attachments"].notna()])

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

    def of(self, rows: npt.NDArray[np.int64]) -> Iterator[pa.Array]: ...


def select(rows: pa.Table, selection: Selection, *, unreadable: int = 0, phrases: Phrases | None = None) -> Dataset:
    """The Dataset of a selection. `unreadable` files have no row, and count whatever the period is.

    `phrases` are those of rows that come without.
    """
    places: npt.NDArray[np.int64] = np.arange(len(rows))
    if selection.accounts or selection.mailboxes:
        chosen = (_matches(rows["account"], selection.accounts), _matches(rows["mailbox"], selection.mailboxes))
        places = np.flatnonzero(pc.and_(*chosen).to_numpy())
        rows = rows.take(places)
    when = _when(rows, selection)
    local = _local(when, rows, selection)
    order = _order(rows, when)
    order = order[_within(local, selection)[order]]
    files = len(order)
    if selection.duplicates == "merge":
        is_header = rows["attachments"].is_null().to_numpy()[order]
        order = order[_firsts(rows["fingerprint"].take(order), behind=is_header)]
    # Rows are moved once, and only here: with a hundred thousand messages that is what takes the memory.
    frame = rows.take(order).to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame.assign(
        domain=_domains(frame["sender"]),
        when=pd.Series(when[order]).dt.tz_localize("UTC"),
        local=pd.Series(local[order]),
    )
    totals = _totals(frame, files=files, unreadable=unreadable)
    if phrases is None:
        return Dataset(frame, totals, selection, lambda: iter([pc.list_flatten(pa.array(frame["phrases"]))]))
    return Dataset(frame, totals, selection, partial(phrases.of, places[order]))


def _matches(column: pa.ChunkedArray, globs: Sequence[str]) -> pa.ChunkedArray:
    names = [name for name in column.unique().to_pylist() if _wanted(name, globs)]
    return pc.is_in(column, value_set=pa.array(names, pa.string()))


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
