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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from inboxstats import workers
from inboxstats.archive.files import make_folder
from inboxstats.errors import StorageError
from inboxstats.mail import Location, MessageKey
from inboxstats.parse import PARSER_VERSION, Limits
from inboxstats.parse.files import SEPARATOR, Row, Unreadable, read_rows

SCHEMA_VERSION = 2
"""Raised when a column changes its meaning; parts of another version are made again from the files."""

ROWS_A_PART = 20_000
"""Rows written at once: bounds the memory of a first run, and what an interrupted one does again."""

CHARACTERS_A_PART = 64_000_000
"""Of keywords and phrases that are written at once: mail may have much more of them than mail has."""

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

_BATCH = 5_000
"""Rows of which phrases are read at once."""


LISTING_FIELDS = [
    pa.field("internal_date", pa.timestamp("us", "UTC")),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("labels", pa.list_(pa.string())),
]
"""The columns that the source's listing tells, and that change while the message does not."""


Places = npt.NDArray[np.int64]
"""Row numbers."""


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
    """The table after an update: the rows of the files that there are, in any order, and how many were parsed for it.

    Where the rows were asked for without their phrases, `phrases` are these.
    """

    rows: pa.Table
    phrases: "Phrases"
    parsed: int
    unreadable: tuple[UnreadableFile, ...]


class Phrases:
    """The phrases of rows, read when they are wanted: those of 100,000 messages would fill most of the memory.

    parts  -- what they stand in, readable also when another run removes them meanwhile
    places -- of each row, its place among the rows of all parts
    """

    def __init__(self, parts: Sequence["_Part"], places: Places) -> None:
        self._parts = parts
        self._places = places

    def of(self, rows: Places) -> Iterator[pa.Array]:
        """The phrases of the rows at some places, in several arrays of strings; of a message, each once.

        Raises StorageError for a part that is damaged; it is removed, and made again by the next run.
        """
        wanted = np.sort(self._places[rows])
        start = 0
        for part in self._parts:
            with _damage(part):
                for batch in part.file.iter_batches(_BATCH, columns=["phrases"]):
                    first, last = np.searchsorted(wanted, (start, start + len(batch)))
                    yield batch.column(0).take(pa.array(wanted[first:last] - start)).flatten()
                    start += len(batch)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of rows that is held open."""

    path: Path
    file: pq.ParquetFile


@contextlib.contextmanager
def _damage(part: _Part) -> Iterator[None]:
    """Remove a part whose pages cannot be read, and say so. Raises StorageError."""
    try:
        yield
    except (OSError, pa.ArrowException) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise StorageError(f"Cannot read {part.path}: {problem.strerror}. Run again.") from problem
        with contextlib.suppress(OSError):
            part.path.unlink()
        raise _DamagedPartError(
            f"{part.path} was damaged, and is removed. Run again: its rows are made anew from the mail."
        ) from problem


class _DamagedPartError(StorageError):
    """What `update` makes good by itself."""


class MessageTable:
    """The parts in a cache folder.

    Two runs at once may write the same rows, which are counted once, and remove parts of each other's: a run reads
    those that it found at its beginning and those that it wrote itself, which it holds open.
    """

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._folder = cache / "messages"
        self._limits = limits
        made_by = {"schema": SCHEMA_VERSION, "parser": PARSER_VERSION, "limits": asdict(limits)}
        self._metadata = {b"inboxstats": json.dumps(made_by).encode()}

    def update(
        self,
        entries: Iterable[Entry],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
        columns: Sequence[str] = tuple(SCHEMA.names),
    ) -> Updated:
        """Parse the files that have no row yet, keep their rows, and return those of all files.

        `columns` are those that are wanted: the fewer, the less time and memory. `progress` is told how many files
        are parsed, and of how many. Whatever it raises leaves what is parsed kept.
        Raises StorageError.
        """
        self._sweep()
        parts = self._open()
        listed = list(entries)  # after the parts are open: no row in them is of a newer file
        unreadable: dict[Location, UnreadableFile] = {}
        parse = partial(self._parse, engine=engine, worker_count=worker_count, progress=progress)
        for _ in range(len(parts)):
            try:
                return self._updated(listed, parts, columns, unreadable, parse)
            except _DamagedPartError:  # it is removed: its rows are made again
                parts = self._open()
        return self._updated(listed, parts, columns, unreadable, parse)

    def _updated(
        self,
        entries: Sequence[Entry],
        parts: list[_Part],
        columns: Sequence[str],
        unreadable: dict[Location, UnreadableFile],
        parse: Callable[[Sequence[Entry], dict[Location, UnreadableFile]], list[_Part]],
    ) -> Updated:
        wanted = pa.array([_identity(entry) for entry in entries], pa.string())
        missing = pc.invert(pc.is_in(wanted, value_set=_identities(_read(parts, _IDENTITY)))).to_pylist()
        written = parse([entry for entry, is_missing in zip(entries, missing, strict=True) if is_missing], unreadable)
        parts = [*parts, *written]
        known = _read(parts, tuple(dict.fromkeys((*_IDENTITY, *columns))))
        places = _current(known, wanted)
        rows = (known if len(places) == len(known) else known.take(places)).select(list(columns))
        if len(parts) > MOST_PARTS:
            self._compact(parts, wanted)
        parsed = sum(part.file.metadata.num_rows for part in written)
        return Updated(rows, Phrases(parts, places), parsed, tuple(unreadable.values()))

    def _parse(
        self,
        new: Sequence[Entry],
        unreadable: dict[Location, UnreadableFile],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
    ) -> list[_Part]:
        """The rows of the files, written in parts as they come."""
        by_location = {entry.location: entry for entry in new}
        parts: list[_Part] = []
        rows: list[tuple[Entry, Row]] = []
        characters = 0
        read = partial(read_rows, limits=self._limits)
        results = workers.run(read, by_location, engine=engine, workers=worker_count)
        try:
            for done, (location, result) in enumerate(results, start=1):
                match result:
                    case Row():
                        rows.append((by_location[location], result))
                        characters += len(result.keywords or "") + len(result.phrases or "")
                    case workers.Lost(reason) | Unreadable(reason):
                        unreadable[location] = UnreadableFile(by_location[location], reason)
                if len(rows) == ROWS_A_PART or characters > CHARACTERS_A_PART:
                    parts += self._write(_table(rows))
                    rows, characters = [], 0
                progress(done, len(new))
        except BaseException:
            with contextlib.suppress(StorageError):  # what ended the run is what is told
                self._write(_table(rows))
            raise
        return parts + self._write(_table(rows))

    def _sweep(self) -> None:
        """Remove what runs that were killed left half-written; a young one may be another run's at this moment."""
        for path in self._folder.glob("part-*.tmp"):
            with contextlib.suppress(OSError):
                if _is_old(path):
                    path.unlink()

    def _open(self) -> list[_Part]:
        """The parts that were made as this run would make them; the others are removed.

        Raises StorageError where a part may not be read.
        """
        found = []
        for path in self._parts():
            try:
                part = _opened(path)
            except FileNotFoundError:  # another run has made it one with others
                continue
            except (OSError, pa.ArrowException) as problem:
                if isinstance(problem, OSError) and problem.errno is not None:
                    raise StorageError(f"Cannot read {path}: {problem.strerror}. Check its permissions.") from problem
                _remove(path)
                continue
            if (part.file.metadata.metadata or {}).get(b"inboxstats") == self._metadata[b"inboxstats"]:
                found.append(part)
            else:  # a run that reads it holds it open
                _remove(path)
        return found

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _write(self, table: pa.Table) -> list[_Part]:
        """The rows as a part that is on the disk; none of no rows. Raises StorageError."""
        if not table.num_rows:
            return []
        path = self._folder / f"part-{uuid.uuid4().hex}.parquet"
        temporary = path.with_suffix(".tmp")
        try:
            make_folder(str(self._folder), fsync=False)
            table = table.replace_schema_metadata(self._metadata)
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
            temporary.chmod(0o600)
            part = _opened(temporary)  # before another run can remove it
            os.replace(temporary, path)
            return [_Part(path, part.file)]
        except BaseException as problem:
            with contextlib.suppress(OSError):
                temporary.unlink()
            if not isinstance(problem, OSError):
                raise
            raise StorageError(
                f"Cannot write the message table in {self._folder}: {problem.strerror or problem}. "
                "Free some space or give yourself the right to write there; no mail is touched."
            ) from problem

    def _compact(self, parts: Sequence[_Part], wanted: pa.Array) -> None:
        """Make these parts one, without the rows of files that are gone.

        A run that dies in between leaves equal rows twice, which are counted once.
        """
        known = _read(parts, SCHEMA.names)
        self._write(decoded(known.take(_current(known, wanted))))
        for part in parts:
            _remove(part.path)


def _opened(path: Path) -> _Part:
    file = pq.ParquetFile(path, read_dictionary=["keywords.list.element"], page_checksum_verification=True)
    return _Part(path, file)


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime < time.time() - TEMPORARY_AGE
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def decoded(rows: pa.Table) -> pa.Table:
    """Rows with plain lists of keywords, for those who expect them: ours hold each word of the table once."""
    field = SCHEMA.field("keywords")
    return rows.set_column(rows.schema.get_field_index(field.name), field, rows[field.name].cast(field.type))


def _read(parts: Sequence[_Part], columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([_encoded(SCHEMA.field(name)) for name in columns])
    tables = [schema.empty_table()]
    for part in parts:
        with _damage(part):
            table = part.file.read(columns=columns)
            tables.append(table.replace_schema_metadata(None).select(columns).cast(schema))
    return pa.concat_tables(tables).unify_dictionaries()


def _encoded(field: pa.Field) -> pa.Field:
    return field.with_type(pa.list_(pa.dictionary(pa.int32(), pa.string()))) if field.name == "keywords" else field


def _current(known: pa.Table, wanted: pa.Array) -> Places:
    """Where the rows stand whose identity is wanted, ascending; of equal ones, the first."""
    return np.sort(pc.drop_null(pc.index_in(wanted, value_set=_identities(known))).to_numpy())


def _table(rows: Sequence[tuple[Entry, Row]]) -> pa.Table:
    if not rows:
        return SCHEMA.empty_table()
    # By columns: a table from dicts of rows takes four times as long.
    found: dict[str, Iterable[Any]] = dict(zip(Row._fields, zip(*(row for _, row in rows), strict=True), strict=True))
    entries = [entry for entry, _ in rows]
    found["file"] = [entry.file for entry in entries]
    found["account"] = [entry.account for entry in entries]
    found["mailbox"] = [entry.mailbox for entry in entries]
    found["key"] = [entry.key for entry in entries]
    found["version"] = [entry.location.version for entry in entries]
    return pa.Table.from_arrays([_column(field, found[field.name]) for field in SCHEMA], schema=SCHEMA)


def _column(field: pa.Field, values: Iterable[Any]) -> pa.Array:
    if field.type == pa.list_(pa.string()):
        return _split(pa.array(values, pa.string()))
    return pa.array(values, field.type)


def _split(joined: pa.Array) -> pa.Array:
    """Lists of what stands between separators; of an empty text, an empty list."""
    lists = pc.split_pattern(joined, SEPARATOR)
    empty = pc.equal(joined, "")
    lengths = pc.fill_null(pc.if_else(empty, 0, pc.list_value_length(lists)), 0)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    values = lists.flatten()
    if pc.any(empty).as_py():  # each gave one empty piece
        values = values.filter(pc.not_equal(values, ""))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, values, mask=joined.is_null() if joined.null_count else None)


_IDENTITY = ("account", "mailbox", "key", "version")


def _identity(entry: Entry) -> str:
    return "\0".join((entry.account or "", entry.mailbox, entry.key, entry.location.version))


def _identities(table: pa.Table) -> pa.Array:
    columns = [pc.fill_null(table[name], "") for name in _IDENTITY]
    joined = pc.binary_join_element_wise(*columns, "\0")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
