"""Which rows of the message table are of files that there are, and which files have no row yet."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.entries import IDENTITY, LISTED_BY, Entry
from inboxstats.parts import Part, Places, read, remove, write
from inboxstats.schema import LISTING_FIELDS, PREDICTION_FIELDS, STORED, together


def places_of(known: pa.Table, listed: Sequence[Entry]) -> Places:
    """For each file, where its row stands; -1 where there is none. Of equal rows, the first."""
    wanted = pa.array([entry.identity for entry in listed], pa.string())
    places: Places = (
        pc.fill_null(pc.index_in(wanted, value_set=_identities(known, IDENTITY)), -1).to_numpy().astype(np.int64)
    )
    return places


def _identities(table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    columns = [pc.fill_null(table[name], "") for name in names]
    return pc.binary_join_element_wise(*columns, "\0")


def joined(
    known: pa.Table | None, places: Places | None, written: Sequence[pa.Table], columns: Sequence[str]
) -> tuple[pa.Table, Places]:
    """The rows of files that there are, and where these stand among the known ones and those written after them.

    known, places -- the rows that were there, and where those of files stand; ``None`` where there were none
    """
    table = together([table for table in (known, *written) if table is not None], columns)
    before = np.empty(0, np.int64) if places is None else np.sort(places[places >= 0])
    current = np.concatenate([before, np.arange(0 if known is None else len(known), len(table))])
    return (table if len(current) == len(table) else table.take(pa.array(current))), current


def compact(
    parts: Sequence[Part], current: Places, folder: Path, metadata: Mapping[bytes, bytes], *, most: int
) -> None:
    """Make one of the smallest parts, of `most` rows at most, without the rows of files that are gone.

    So that a night's report writes little, however large the table is.
    current -- where the rows of files that there are stand among all, ascending
    A run that dies in between leaves equal rows twice, which are counted once. Raises StorageError.
    """
    ends = np.cumsum([len(part) for part in parts])
    theirs = np.split(current, np.searchsorted(current, ends))
    found, rows = [], 0
    for place in sorted(range(len(parts)), key=lambda each: len(theirs[each])):
        rows += len(theirs[place])
        if rows <= most:
            found.append(place)
    if len(found) < 2:
        return
    tables = (
        read([parts[at]], STORED.names).take(pa.array(theirs[at] - (ends[at] - len(parts[at])))) for at in sorted(found)
    )
    if len(merged := together(list(tables))):
        write(merged, folder, metadata)
    for at in found:
        remove(parts[at].path)


def with_listing(rows: pa.Table, listings: Iterable[tuple[str | None, str, pa.Table]]) -> pa.Table:
    """The rows with what servers said last of the messages.

    listings -- an account, a mailbox's name, and its listing with the column `key`
    """
    schema = pa.schema([*(pa.field(name, pa.string()) for name in LISTED_BY), *LISTING_FIELDS])
    tables = [schema.empty_table()]
    for account, mailbox, table in listings:
        for column, value in (("mailbox", mailbox), ("account", account)):
            table = table.append_column(column, pa.array([value] * table.num_rows, pa.string()))
        tables.append(table.select(schema.names).cast(schema))
    listed = pa.concat_tables(tables)
    return _with_columns(rows, listed, LISTING_FIELDS)


def with_predictions(rows: pa.Table, predicted: pa.Table) -> pa.Table:
    """The rows with what `predictions` says of the messages."""
    return _with_columns(rows, predicted, PREDICTION_FIELDS)


def _with_columns(rows: pa.Table, told: pa.Table, columns: Sequence[pa.Field]) -> pa.Table:
    found = pc.index_in(_identities(rows, LISTED_BY), value_set=_identities(told, LISTED_BY))
    for column in columns:
        rows = rows.append_column(column, told[column.name].take(found).cast(column.type))
    return rows
