"""Rows and datasets for tests: say what matters, the rest is a plain message."""

from datetime import datetime
from typing import Any

import pyarrow as pa

from inboxstats.dataset import Dataset, select
from inboxstats.schema import LISTING_FIELDS, PREDICTION_FIELDS, SCHEMA
from inboxstats.selection import Selection

ALL_COLUMNS = pa.schema([*SCHEMA, *LISTING_FIELDS, *PREDICTION_FIELDS])


def row(number: int = 1, *, when: str | None = "2026-03-02T09:00:00+00:00", **columns: Any) -> dict[str, Any]:
    """A row of the message table; `when` is the Date header, ISO 8601 with its offset."""
    date = datetime.fromisoformat(when) if when else None
    offset = date.utcoffset() if date else None
    plain = {
        "file": f"INBOX/{number}.eml",
        "account": "me@example.org",
        "mailbox": "INBOX",
        "key": f"1-{number}",
        "version": "",
        "size": 1000,
        "fingerprint": str(number),
        "sender": "ann@example.com",
        "sender_name": "Ann",
        "date": date,
        "date_offset": int(offset.total_seconds() // 60) if offset is not None else None,
        "is_reply": False,
        "has_list_unsubscribe": False,
        "attachments": [],
        "keywords": [],
        "phrases": [],
        "defects": [],
    }
    return plain | columns


def header_row(number: int = 1, **columns: Any) -> dict[str, Any]:
    """A row of a message whose text has not arrived."""
    unknown = {"attachments": None, "keywords": None, "phrases": None}
    return row(number, **({"file": f"7/headers-1.z@{number}", "version": "header"} | unknown | columns))


def table(*rows: dict[str, Any]) -> pa.Table:
    """The rows as `dataset.select` takes them."""
    return pa.Table.from_pylist(list(rows), schema=ALL_COLUMNS)


def dataset(*rows: dict[str, Any], unreadable: int = 0, **selection: Any) -> Dataset:
    """The Dataset of the rows, by the Date header and in UTC unless told otherwise."""
    chosen = Selection(**({"clock": "date"} | selection))
    return select(table(*rows), chosen, unreadable=unreadable)
