"""The messages a report counts: filtered, each once, with the time that the reader wants beside them.

Takes rows of the message table and gives a Dataset; every statistic is a function of one. Reads no file and no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from inboxstats.globs import matches

Clock = Literal["received", "date"]
Duplicates = Literal["merge", "keep"]

SENDER_ZONE = "sender"
"""The time zone that stands for each sender's own offset."""

_FIRST, _END = pd.Timestamp("1900-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")


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

    `undated` have no time by the chosen clock; `bytes` are those of the counted messages as stored.
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


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a statistic counts.

    messages -- a row a counted message, ordered by time, Arrow types. The columns of the message table
                (`table.SCHEMA`), those of the listing (`table.LISTING_FIELDS`), and:
                ``domain``  what follows the last @ of ``sender``
                ``when``    datetime64[us, UTC], by the selection's clock; NaT where undated
                ``local``   datetime64[us] without zone: ``when`` as a clock on the reader's wall shows it
    """

    messages: pd.DataFrame
    totals: Totals
    selection: Selection

    @property
    def dated(self) -> pd.DataFrame:
        """The messages that have a time."""
        return self.messages[self.messages["local"].notna()]

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


def select(rows: pa.Table, selection: Selection, *, unreadable: int = 0) -> Dataset:
    """The Dataset of a selection. `unreadable` files have no row, and count whatever the period is."""
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame[_matches(frame["account"], selection.accounts) & _matches(frame["mailbox"], selection.mailboxes)]
    frame = _with_times(frame, selection)
    frame = frame[_within(frame["local"], selection)]
    # Sorted first, so that which copy counts does not depend on the order in which files were found.
    frame = frame.sort_values(["when", "file"], kind="stable", ignore_index=True)
    files = len(frame)
    if selection.duplicates == "merge":
        frame = frame.drop_duplicates("fingerprint", ignore_index=True)
    return Dataset(frame, _totals(frame, files=files, unreadable=unreadable), selection)


def _matches(column: "pd.Series[str]", globs: Sequence[str]) -> "pd.Series[bool]":
    if not globs:
        return pd.Series(True, index=column.index)
    wanted = [name for name in column.dropna().unique() if _wanted(name, globs)]
    return column.isin(wanted).astype(bool)


def _with_times(frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    when = _plausible(frame["date"])
    if selection.clock == "received":
        when = _plausible(frame["internal_date"]).fillna(_plausible(frame["received"])).fillna(when)
    instants = pd.Series(pd.to_datetime(when, utc=True).to_numpy("datetime64[us]"), index=frame.index)
    if selection.timezone == SENDER_ZONE:
        minutes = frame["date_offset"].fillna(0).to_numpy(np.int64)
        local = instants + pd.Series(minutes.astype("timedelta64[m]"), index=frame.index)
    else:
        local = instants.dt.tz_localize("UTC").dt.tz_convert(selection.timezone).dt.tz_localize(None)
    return frame.assign(domain=_domains(frame["sender"]), when=instants.dt.tz_localize("UTC"), local=local)


def _plausible(column: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Null before 1900 and after 2199: servers and headers say 1601 and 9999 where they do not know."""
    return column.where((column >= _FIRST) & (column < _END))


def _domains(senders: "pd.Series[str]") -> "pd.Series[str]":
    return senders.str.replace(r"^.*@", "", regex=True).str.rstrip(".")


def _within(local: "pd.Series[pd.Timestamp]", selection: Selection) -> "pd.Series[bool]":
    inside = pd.Series(True, index=local.index)
    if selection.since is not None:
        inside &= local >= pd.Timestamp(selection.since)
    if selection.until is not None:
        inside &= local < pd.Timestamp(selection.until) + pd.Timedelta(days=1)
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
    )
