"""listing.parquet: what the server said of each message when the mailbox was last listed completely.

    uidvalidity int64 · uid int64 · internal_date · flags · size · labels · gone

`gone` is true for a message that is in the archive's past but no longer on the server.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxstats.archive.layout import message_key
from inboxstats.mail import MessageInfo, MessageKey

if TYPE_CHECKING:  # 50 MB and 0.2 s, which `inboxstats --help` does not need
    import pyarrow as pa


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            ("uidvalidity", pa.int64()),
            ("uid", pa.int64()),
            ("internal_date", pa.timestamp("us", "UTC")),
            ("flags", pa.list_(pa.string())),
            ("size", pa.int64()),
            ("labels", pa.list_(pa.string())),
            ("gone", pa.bool_()),
        ]
    )


def read(path: Path) -> "pa.Table | None":
    """The listing; ``None`` where there is none or it cannot be read: the next complete listing replaces it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, memory_map=False)
        return table.cast(_schema()) if table.schema.names == _schema().names else None
    except (OSError, ValueError, pa.ArrowException):  # ValueError: a column's name that is no UTF-8
        return None


def is_readable(path: Path) -> bool:
    """Whether the listing can be read to its end, a piece at a time. Raises OSError where the file may not be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open(path, "rb") as file:
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            return parquet.schema_arrow.names == _schema().names and all(True for _ in parquet.iter_batches(8192))
        except (OSError, ValueError, pa.ArrowException):
            return False


def to_bytes(table: "pa.Table") -> bytes:
    """The Parquet file of a listing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def merge(before: "pa.Table | None", current: Mapping[MessageKey, MessageInfo]) -> "pa.Table":
    """The new listing, followed by what the old one had and the new one has not, as gone; ordered by UID."""
    import pyarrow as pa

    rows = [_row(info) for info in current.values()]
    if before is not None:
        rows += [
            row | {"gone": True}
            for row in before.to_pylist()
            if message_key(row["uidvalidity"], row["uid"]) not in current
        ]
    rows.sort(key=lambda row: (row["uidvalidity"], row["uid"]))
    return pa.Table.from_pylist(rows, schema=_schema())


def _row(info: MessageInfo) -> dict[str, Any]:
    uidvalidity, _, uid = info.key.partition("-")
    return {
        "uidvalidity": int(uidvalidity),
        "uid": int(uid),
        "internal_date": info.internal_date,
        "flags": sorted(info.flags),
        "size": info.size,
        "labels": sorted(info.labels),
        "gone": False,
    }


def present(table: "pa.Table") -> dict[MessageKey, MessageInfo]:
    """The messages that are on the server, by key."""
    return {
        (key := message_key(row["uidvalidity"], row["uid"])): MessageInfo(
            key, row["internal_date"], frozenset(row["flags"]), row["size"], frozenset(row["labels"])
        )
        for row in table.to_pylist()
        if not row["gone"]
    }


def with_keys(table: "pa.Table") -> "pa.Table":
    """The listing with the column `key`, as the message table joins it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = pc.binary_join_element_wise(
        pc.cast(table["uidvalidity"], pa.string()), pc.cast(table["uid"], pa.string()), "-"
    )
    return table.append_column("key", keys)
