"""The parts of a message table: files of rows in Parquet, which are held open while they are read.

part-0b9f….parquet   rows, zstd, each word of them once; its metadata holds what they depend on: the versions of
                     schema and parser, and the limits by which messages were read
"""

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from inboxstats.archive.files import make_folder
from inboxstats.errors import DamagedPartError, storage_error
from inboxstats.schema import STORED

_NUMBERED = ["keywords.list.element", "phrases.list.element"]
_DICTIONARIES = ["account", "mailbox", "sender", "sender_name", "list_id", "language", *_NUMBERED]
"""Columns that say the same again and again; of the others, looking for it would take time for nothing."""
_DICTIONARY_BYTES = 1 << 26
"""That a column's dictionary may have: beyond that a part would hold words again and again."""

_DAMAGE = (OSError, pa.ArrowException, ValueError, LookupError)
"""What Arrow raises for a file that is not as it was written: no checksum is on the names of its columns."""

Metadata = Mapping[bytes, bytes]

Places = npt.NDArray[np.int64]
"""Row numbers."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of rows that is held open."""

    path: Path
    file: pq.ParquetFile

    def __len__(self) -> int:
        return int(self.file.metadata.num_rows)


def opened(paths: Sequence[Path], metadata: Metadata) -> list[Part]:
    """The parts that were made as this run would make them; the others are removed.

    Raises StorageError where a part may not be read.
    """
    found = []
    for path in paths:
        try:
            part = _opened(path)
        except FileNotFoundError:  # another run has made it one with others
            continue
        except _DAMAGE as problem:
            if isinstance(problem, OSError) and problem.errno is not None:
                raise storage_error("read", path, _plain(problem)) from problem
            remove(path)
            continue
        theirs = part.file.metadata.metadata or {}
        if all(theirs.get(name) == value for name, value in metadata.items()):
            found.append(part)
        else:  # a run that reads it holds it open
            remove(path)
    return found


def _opened(path: Path) -> Part:
    return Part(path, pq.ParquetFile(path, read_dictionary=_NUMBERED, page_checksum_verification=True))


def remove(path: Path) -> None:
    """Remove a part; where that cannot be done, a later run will."""
    with contextlib.suppress(OSError):
        path.unlink()


def read(parts: Sequence[Part], columns: Sequence[str]) -> pa.Table:
    """The rows of the parts, a chunk a part or more, each with words of its own. Raises DamagedPartError."""
    schema = pa.schema([STORED.field(name) for name in columns])
    tables = [schema.empty_table()]
    for part in parts:
        with _damage(part):
            table = part.file.read(columns=columns)
            tables.append(table.replace_schema_metadata(None).select(columns).cast(schema))
    return pa.concat_tables(tables)


@contextlib.contextmanager
def _damage(part: Part) -> Iterator[None]:
    """Remove a part whose pages cannot be read, and say so. Raises StorageError."""
    try:
        yield
    except _DAMAGE as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise storage_error("read", part.path, _plain(problem)) from problem
        remove(part.path)
        raise DamagedPartError(
            f"{part.path} was damaged, and is removed. Run again: its rows are made anew from the mail."
        ) from problem


def write(table: pa.Table, folder: Path, metadata: Metadata) -> Part:
    """The rows as a part that is on the disk. Raises StorageError."""
    path = folder / f"part-{uuid.uuid4().hex}.parquet"
    temporary = path.with_suffix(".tmp")
    try:
        make_folder(str(folder), fsync=False)
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="zstd",
            compression_level=1,
            use_dictionary=_DICTIONARIES,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            row_group_size=max(len(table), 1),  # dictionary lists of several groups cannot be read at once
            write_statistics=False,  # which words are first and last takes longer than all the rest
            write_page_checksum=True,
        )
        temporary.chmod(0o600)
        part = _opened(temporary)  # before another run can remove it
        os.replace(temporary, path)
        return Part(path, part.file)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(problem, OSError):
            raise
        raise storage_error("write the message table in", folder, _plain(problem)) from problem


def _plain(problem: OSError) -> OSError:
    """In the system's words: Arrow's are those of its own source, around the number."""
    return problem if problem.errno is None else OSError(problem.errno, os.strerror(problem.errno))


class Phrases:
    """The phrases of rows, read when they are wanted: those of 100,000 messages would take much memory.

    parts  -- what they stand in, readable also when another run removes them meanwhile
    places -- of each row, its place among the rows of all parts
    """

    def __init__(self, parts: Sequence[Part], places: Places) -> None:
        self._parts = parts
        self._places = places

    def of(self, rows: Places) -> Iterator[pa.DictionaryArray]:
        """The words of the phrases of the rows at some places, two a phrase, in several arrays.

        Raises StorageError for a part that is damaged; it is removed, and made again by the next run.
        """
        wanted = np.sort(self._places[rows])
        start = 0
        for part in self._parts:
            first, last = np.searchsorted(wanted, (start, start + len(part)))
            if first < last:
                with _damage(part):
                    phrases = part.file.read(columns=["phrases"]).column(0).combine_chunks()
                yield phrases.take(pa.array(wanted[first:last] - start)).flatten()
            start += len(part)
