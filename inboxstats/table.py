"""The message table: rows of parsed messages in Parquet parts; only what is new is parsed.

Knows nothing of where mail comes from: it is given the files that there are, and gives their rows.

    CACHE/messages/part-0b9f….parquet   rows of one run, zstd; its metadata holds what they depend on: the versions of
                                        schema and parser, and the limits by which messages were read
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from inboxstats import workers
from inboxstats.archive.files import make_folder
from inboxstats.errors import StorageError
from inboxstats.mail import Location, MessageKey
from inboxstats.parse import PARSER_VERSION, Limits
from inboxstats.parse.files import Row, Unreadable, read_rows

SCHEMA_VERSION = 1
"""Raised when a column changes its meaning; parts of another version are made again from the files."""

ROWS_A_PART = 20_000
"""Rows written at once: bounds the memory of a first run, and what an interrupted one does again."""

MOST_PARTS = 16
"""More parts than these are made one."""

TEMPORARY_AGE = 24 * 60 * 60
"""Seconds after which a part that is still being written is one that a killed run left."""

SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("account", pa.string()),
        pa.field("mailbox", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
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
            nullable=False,
        ),
        pa.field("language", pa.string()),
        pa.field("keywords", pa.list_(pa.string()), nullable=False),
        pa.field("phrases", pa.list_(pa.string()), nullable=False),
        pa.field("defects", pa.list_(pa.string()), nullable=False),
    ]
)
"""The columns that the message alone tells. docs/schema.md says what each means."""

LISTING_FIELDS = [
    pa.field("internal_date", pa.timestamp("us", "UTC")),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("labels", pa.list_(pa.string())),
]
"""The columns that the source's listing tells, and that change while the message does not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message file that there is. Account, mailbox, key and the location's version identify its row.

    `file` names it for a person: its path below the collection's root.
    """

    account: str | None
    mailbox: str
    key: MessageKey
    location: Location
    file: str


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that gives no message, and why."""

    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class Updated:
    """The table after an update: the rows of the files that there are, how many were parsed for it, and the rest."""

    rows: pa.Table
    parsed: int
    unreadable: tuple[UnreadableFile, ...]


class MessageTable:
    """The parts in a cache folder. Two runs at once may both write parts: equal rows are then counted once."""

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._folder = cache / "messages"
        self._limits = limits
        made_by = {"schema": SCHEMA_VERSION, "parser": PARSER_VERSION, "limits": asdict(limits)}
        self._metadata = {b"inboxstats": json.dumps(made_by).encode()}

    def update(
        self,
        entries: Sequence[Entry],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
    ) -> Updated:
        """Parse the files that have no row yet, keep their rows, and return those of all files.

        `progress` is told how many files are parsed, and of how many. Whatever it raises leaves what is parsed kept.
        Raises StorageError.
        """
        self._sweep()
        known = self._load()
        wanted = pa.array([_identity(entry) for entry in entries], pa.string())
        have = _identities(known)
        missing = pc.invert(pc.is_in(wanted, value_set=have)).to_pylist()
        new = [entry for entry, is_missing in zip(entries, missing, strict=True) if is_missing]
        unreadable: list[UnreadableFile] = []
        parts = self._parse(new, unreadable, engine=engine, worker_count=worker_count, progress=progress)
        known = pa.concat_tables([known, *parts])
        rows = known.take(pc.drop_null(pc.index_in(wanted, value_set=_identities(known))))
        self._compact(rows)
        return Updated(rows, sum(part.num_rows for part in parts), tuple(unreadable))

    def _parse(
        self,
        new: Sequence[Entry],
        unreadable: list[UnreadableFile],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
    ) -> list[pa.Table]:
        """The rows of the files, written in parts as they come."""
        by_location = {entry.location: entry for entry in new}
        parts: list[pa.Table] = []
        rows: list[tuple[Entry, Row]] = []
        read = partial(read_rows, limits=self._limits)
        results = workers.run(read, by_location, engine=engine, workers=worker_count)
        try:
            for done, (location, result) in enumerate(results, start=1):
                match result:
                    case Row():
                        rows.append((by_location[location], result))
                    case workers.Lost(reason) | Unreadable(reason):
                        unreadable.append(UnreadableFile(by_location[location], reason))
                if len(rows) == ROWS_A_PART:
                    parts += self._written(rows)
                    rows = []
                progress(done, len(new))
        except BaseException:
            with contextlib.suppress(StorageError):  # what ended the run is what is told
                self._written(rows)
            raise
        return parts + self._written(rows)

    def _written(self, rows: Sequence[tuple[Entry, Row]]) -> list[pa.Table]:
        """The rows as a part that is on the disk; none of no rows. Raises StorageError."""
        if not rows:
            return []
        part = _table(rows)
        self._write(part)
        return [part]

    def _sweep(self) -> None:
        """Remove what runs that were killed left half-written; a young one may be another run's at this moment."""
        for path in self._folder.glob("part-*.tmp"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - TEMPORARY_AGE:
                    path.unlink()

    def _load(self) -> pa.Table:
        tables = [SCHEMA.empty_table()]
        for path in self._parts():
            # A part that cannot be read, or depends on what has changed, is made again from the files.
            table = self._read(path)
            if table is None:
                with contextlib.suppress(OSError):
                    path.unlink()
            else:
                tables.append(table)
        return pa.concat_tables(tables)

    def _read(self, path: Path) -> pa.Table | None:
        try:
            table = pq.read_table(path, memory_map=False)
        except (OSError, pa.ArrowException):
            return None
        if (table.schema.metadata or {}).get(b"inboxstats") != self._metadata[b"inboxstats"]:
            return None
        return table.replace_schema_metadata(None).cast(SCHEMA)

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _write(self, table: pa.Table) -> None:
        path = self._folder / f"part-{uuid.uuid4().hex}.parquet"
        temporary = path.with_suffix(".tmp")
        try:
            make_folder(str(self._folder), fsync=False)
            pq.write_table(table.replace_schema_metadata(self._metadata), temporary, compression="zstd")
            temporary.chmod(0o600)
            os.replace(temporary, path)
        except BaseException as problem:
            with contextlib.suppress(OSError):
                temporary.unlink()
            if not isinstance(problem, OSError):
                raise
            raise StorageError(
                f"Cannot write the message table in {self._folder}: {problem.strerror or problem}. "
                "Free some space or give yourself the right to write there; no mail is touched."
            ) from problem

    def _compact(self, current: pa.Table) -> None:
        """Make many parts one, without the rows of files that are gone.

        A run that dies in between leaves equal rows twice, which are counted once.
        """
        parts = self._parts()
        if len(parts) > MOST_PARTS:
            self._write(current)
            for path in parts:
                path.unlink(missing_ok=True)


def _table(rows: Iterable[tuple[Entry, Row]]) -> pa.Table:
    records: list[dict[str, Any]] = [
        {
            "file": entry.file,
            "account": entry.account,
            "mailbox": entry.mailbox,
            "key": entry.key,
            "version": entry.location.version,
            **row._asdict(),
        }
        for entry, row in rows
    ]
    return pa.Table.from_pylist(records, schema=SCHEMA)


def _identity(entry: Entry) -> str:
    return "\0".join((entry.account or "", entry.mailbox, entry.key, entry.location.version))


def _identities(table: pa.Table) -> pa.Array:
    columns = [pc.fill_null(table["account"], ""), table["mailbox"], table["key"], table["version"]]
    joined = pc.binary_join_element_wise(*columns, "\0")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
