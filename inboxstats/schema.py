"""The columns of the message table, and rows as Arrow holds them. docs/schema.md says what each column means."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.entries import Entry
from inboxstats.parse.files import Row
from inboxstats.parse.words import SEPARATOR

SCHEMA_VERSION = 3
"""Raised when a column changes its meaning; parts of another version are made again from the files."""

SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("account", pa.string()),
        pa.field("mailbox", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("size", pa.int64()),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("sender", pa.string()),
        pa.field("sender_name", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("message_id", pa.string()),
        pa.field("date", pa.timestamp("us", "UTC")),
        pa.field("date_offset", pa.int32()),
        pa.field("received", pa.timestamp("us", "UTC")),
        pa.field("is_reply", pa.bool_(), nullable=False),
        pa.field("list_id", pa.string()),
        pa.field("has_list_unsubscribe", pa.bool_(), nullable=False),
        pa.field(
            "attachments",
            pa.list_(
                pa.struct(
                    [
                        pa.field("file_name", pa.string()),
                        pa.field("media_type", pa.string(), nullable=False),
                        pa.field("size", pa.int64(), nullable=False),
                        pa.field("inline", pa.bool_(), nullable=False),
                    ]
                )
            ),
        ),
        pa.field("language", pa.string()),
        pa.field("keywords", pa.list_(pa.string())),
        pa.field("phrases", pa.list_(pa.string())),
        pa.field("defects", pa.list_(pa.string()), nullable=False),
    ]
)
"""The columns that the message alone tells. docs/schema.md says what each means."""

PREDICTION_FIELDS = [
    pa.field("filed", pa.string()),
    pa.field("likely", pa.string()),
    pa.field("likelihood", pa.float64()),
]
"""The columns of `predictions`: where a message is, where it belongs, and the forest's vote for that, from 0 to 1."""

LISTING_FIELDS = [
    pa.field("internal_date", pa.timestamp("us", "UTC")),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("labels", pa.list_(pa.string())),
]
"""The columns that the source's listing tells, and that change while the message does not."""

_NUMBERED = pa.list_(pa.dictionary(pa.int32(), pa.string()))

STORED = pa.schema([field.with_type(_NUMBERED) if field.name in ("keywords", "phrases") else field for field in SCHEMA])
"""The columns as they are held and written: each word once, and numbers in the lists.

`phrases` has two words a phrase there, its first and its second: as texts most phrases are met once.
"""

_BETWEEN_WORDS = " "
"""In a phrase."""


def stored(rows: Sequence[tuple[Entry, Row]]) -> pa.Table:
    """Parsed messages as a table of `STORED`."""
    if not rows:
        return STORED.empty_table()
    # By columns: a table from dicts of rows takes four times as long.
    found: dict[str, Iterable[Any]] = dict(zip(Row._fields, zip(*(row for _, row in rows), strict=True), strict=True))
    entries = [entry for entry, _ in rows]
    found["file"] = [entry.file for entry in entries]
    found["account"] = [entry.account for entry in entries]
    found["mailbox"] = [entry.mailbox for entry in entries]
    found["key"] = [entry.key for entry in entries]
    found["version"] = [entry.location.version for entry in entries]
    return pa.Table.from_arrays([_column(field, found[field.name]) for field in STORED], schema=STORED)


def together(tables: Sequence[pa.Table], columns: Sequence[str] | None = None) -> pa.Table:
    """One table of `STORED`, or of some columns of it, with each word once."""
    schema = STORED if columns is None else pa.schema([STORED.field(name) for name in columns])
    filled = [table.select(schema.names) for table in tables if len(table)]
    rows = pa.concat_tables(filled or [schema.empty_table().combine_chunks()])
    numbered = {name: _renumbered(rows[name].chunks) for name in schema.names if schema.field(name).type == _NUMBERED}
    return pa.table([numbered[name] if name in numbered else rows[name] for name in schema.names], schema=schema)


def _renumbered(chunks: Sequence[pa.ListArray]) -> pa.ListArray:
    """Lists of words as one array. By numpy, in a fifth of the time of Arrow's `unify_dictionaries`."""
    if len(chunks) == 1:
        return chunks[0]
    found = pa.concat_arrays([chunk.values.dictionary for chunk in chunks]).dictionary_encode()
    numbers = found.indices.to_numpy()
    lists, start = [], 0
    for chunk in chunks:
        theirs = numbers[start:][chunk.values.indices.to_numpy()]
        lists.append(lists_like(chunk.offsets, pa.array(theirs), chunk))
        start += len(chunk.values.dictionary)
    whole = pa.concat_arrays(lists)
    return lists_like(whole.offsets, pa.DictionaryArray.from_arrays(whole.values, found.dictionary), whole)


def _column(field: pa.Field, values: Iterable[Any]) -> pa.Array:
    match field.name:
        case "keywords":
            return _split(pa.array(values, pa.string())).cast(field.type)
        case "phrases":
            words = pc.replace_substring(pa.array(values, pa.string()), _BETWEEN_WORDS, SEPARATOR)
            return _split(words).cast(field.type)
        case "defects":
            return _split(pa.array(values, pa.string()))
    return pa.array(values, field.type)


def _split(joined: pa.Array) -> pa.ListArray:
    """Lists of what stands between separators; of an empty text, an empty list."""
    lists = pc.split_pattern(joined, SEPARATOR)
    empty = pc.equal(joined, "")
    lengths = pc.fill_null(pc.if_else(empty, 0, pc.list_value_length(lists)), 0)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    values = lists.flatten()
    if pc.any(empty).as_py():  # each gave one empty piece
        values = values.filter(pc.not_equal(values, ""))
    return lists_like(pa.concat_arrays([pa.array([0], pa.int32()), ends]), values, joined)


def lists_like(offsets: pa.Array, values: pa.Array, like: pa.Array) -> pa.ListArray:
    """Lists that are null where another array is."""
    return pa.ListArray.from_arrays(offsets, values, mask=like.is_null() if like.null_count else None)


def decoded(rows: pa.Table) -> pa.Table:
    """Rows as `SCHEMA` has them, for those who expect plain lists of texts."""
    columns = {name: rows[name] for name in rows.column_names}
    if "keywords" in columns:
        columns["keywords"] = columns["keywords"].cast(SCHEMA.field("keywords").type)
    if "phrases" in columns:
        columns["phrases"] = pa.chunked_array(
            [_joined(chunk) for chunk in columns["phrases"].chunks], SCHEMA.field("phrases").type
        )
    return pa.table(columns, schema=pa.schema([_as_seen(field) for field in rows.schema]))


def _as_seen(field: pa.Field) -> pa.Field:
    return SCHEMA.field(field.name) if field.name in SCHEMA.names else field


def _joined(pairs: pa.ListArray) -> pa.ListArray:
    """Phrases out of their words."""
    words = pairs.flatten().cast(pa.string())
    numbers = np.arange(0, len(words), 2)
    texts = pc.binary_join_element_wise(
        words.take(pa.array(numbers)), words.take(pa.array(numbers + 1)), _BETWEEN_WORDS
    )
    offsets = pairs.offsets.to_numpy()
    return lists_like(pa.array((offsets - offsets[0]) // 2), texts, pairs)
