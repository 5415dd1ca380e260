"""The message table: rows of parsed messages; only what is new is parsed.

Knows nothing of where mail comes from: it is given the files that there are, and gives their rows. Where there is no
row yet, parsing begins before pyarrow is imported, which takes a quarter of a second.
"""

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inboxstats import workers
from inboxstats.entries import IDENTITY, Entry, UnreadableFile
from inboxstats.errors import DamagedPartError, StorageError, storage_errors
from inboxstats.mail import Location
from inboxstats.parse import PARSER_VERSION, Limits
from inboxstats.parse.files import Row, Unreadable, read_rows

if TYPE_CHECKING:  # heavy: see above
    import pyarrow as pa

    from inboxstats.parts import Part, Phrases

    Written = tuple[Part, pa.Table]

ROWS_A_PART = 20_000
"""Rows written at once: bounds the memory of a first run, and what an interrupted one does again."""

CHARACTERS_A_PART = 64_000_000
"""Of keywords and phrases that are written at once: mail may have much more of them than mail has."""

MOST_PARTS = 16
"""More parts than these are made one."""

TEMPORARY_AGE = 24 * 60 * 60
"""Seconds after which a part that is still being written is one that a killed run left."""

_ROWS_AT_ONCE = 1_000
_CHARACTERS_AT_ONCE = 8_000_000
"""Rows, and characters in them, that are made Arrow's at once, while the next ones are parsed."""

_MOST_WAITING = 8
"""So many times these rows wait at most, for imports or a slow disk."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The table after an update: the rows of the files that there are, in any order, and how many were parsed for it.

    rows    -- columns of `schema.STORED`
    phrases -- theirs, where they were asked for without
    """

    rows: "pa.Table"
    phrases: "Phrases"
    parsed: int
    unreadable: tuple[UnreadableFile, ...]


class MessageTable:
    """The parts in a cache folder, ``CACHE/messages``: see parts.py.

    Two runs at once may write the same rows, which are counted once, and remove parts of each other's: a run reads
    those that it found at its beginning and those that it wrote itself, which it holds open.
    """

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._folder = cache / "messages"
        self._limits = limits

    def update(
        self,
        entries: Iterable[Entry],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
        columns: Sequence[str],
    ) -> Updated:
        """Parse the files that have no row yet, keep their rows, and return those of all files.

        `columns` are those that are wanted: the fewer, the less time and memory. `progress` is told how many files
        are parsed, and of how many. Whatever it raises leaves what is parsed kept.
        Raises StorageError.
        """
        with storage_errors("read the message table in", self._folder):  # `glob` raises where a folder above is locked
            self._sweep()
            parts = self._open()
        read = tuple(dict.fromkeys((*IDENTITY, *columns)))
        parse = partial(self._parse, engine=engine, worker_count=worker_count, progress=progress, columns=read)
        unreadable: dict[Location, UnreadableFile] = {}
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(_read, parts, read)  # Arrow reads without the interpreter's lock, which listing holds
            listed = list(entries)  # after the parts are open: no row in them is of a newer file
            for _ in range(len(parts)):
                try:
                    return self._updated(listed, parts, reading.result(), columns, unreadable, parse)
                except DamagedPartError:  # it is removed: its rows are made again
                    parts = self._open()
                    reading = pool.submit(_read, parts, read)
            return self._updated(listed, parts, reading.result(), columns, unreadable, parse)

    def _updated(
        self,
        listed: Sequence[Entry],
        parts: Sequence["Part"],
        known: "pa.Table | None",
        columns: Sequence[str],
        unreadable: dict[Location, UnreadableFile],
        parse: Callable[[Sequence[Entry], dict[Location, UnreadableFile]], list["Written"]],
    ) -> Updated:
        new, places = listed, None
        if known is not None:
            from inboxstats.current import places_of

            places = places_of(known, listed)
            new = [entry for entry, place in zip(listed, places.tolist(), strict=True) if place < 0]
        written = parse(new, unreadable)

        from inboxstats import current
        from inboxstats.parts import Phrases

        rows, kept = current.joined(known, places, [rows for _, rows in written], columns)
        held = [*parts, *(part for part, _ in written)]
        if len(held) > MOST_PARTS:
            current.compact(held, kept, self._folder, self._metadata(), most=ROWS_A_PART)
        return Updated(rows, Phrases(held, kept), sum(len(part) for part, _ in written), tuple(unreadable.values()))

    def _parse(
        self,
        new: Sequence[Entry],
        unreadable: dict[Location, UnreadableFile],
        *,
        engine: workers.Engine,
        worker_count: int,
        progress: Callable[[int, int], None],
        columns: Sequence[str],
    ) -> list["Written"]:
        """The rows of the files, written in parts as they come."""
        by_location = {entry.location: entry for entry in new}
        read = partial(read_rows, limits=self._limits)
        results = workers.run(read, by_location, engine=engine, workers=worker_count)
        with _Keeping(self._written, columns) as keeping:
            for done, (location, result) in enumerate(results, start=1):
                match result:
                    case Row():
                        keeping.add(by_location[location], result)
                    case workers.Lost(reason) | Unreadable(reason):
                        unreadable[location] = UnreadableFile(by_location[location], reason)
                progress(done, len(new))
        return keeping.written

    def _written(self, rows: "pa.Table") -> "Part":
        from inboxstats.parts import write

        return write(rows, self._folder, self._metadata())

    def _open(self) -> list["Part"]:
        """The parts that were made as this run would make them. Raises StorageError where one may not be read."""
        paths = sorted(self._folder.glob("part-*.parquet"))
        if not paths:
            return []
        from inboxstats.parts import opened

        return opened(paths, self._metadata())

    def _metadata(self) -> dict[bytes, bytes]:
        """What the rows depend on."""
        from inboxstats.schema import SCHEMA_VERSION

        made_by = {"schema": SCHEMA_VERSION, "parser": PARSER_VERSION, "limits": asdict(self._limits)}
        return {b"inboxstats": json.dumps(made_by).encode()}

    def _sweep(self) -> None:
        """Remove what runs that were killed left half-written; a young one may be another run's at this moment."""
        for path in self._folder.glob("part-*.tmp"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - TEMPORARY_AGE:
                    path.unlink()


def _read(parts: Sequence["Part"], columns: Sequence[str]) -> "pa.Table | None":
    """The rows that are known; ``None`` where there is no part, without pyarrow."""
    if not parts:
        return None
    from inboxstats.parts import read

    return read(parts, columns)


class _Keeping(AbstractContextManager["_Keeping"]):
    """Parsed rows that come one by one: another thread makes them Arrow's, and writes those of a part.

    What came before an interruption is written at its end.

    write   -- makes a part of rows
    written -- the parts at the end, and of their rows the columns that are wanted
    """

    def __init__(self, write: Callable[["pa.Table"], "Part"], columns: Sequence[str]) -> None:
        self.written: list[Written] = []
        self._write = write
        self._columns = list(columns)
        self._pool = ThreadPoolExecutor(1)
        self._running: deque[Future[None]] = deque()
        self._rows: list[tuple[Entry, Row]] = []
        self._characters = 0
        self._tables: list[pa.Table] = []  # what is below is that thread's
        self._of_tables = 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Where something else ended the run, that is what is told.
        with self._pool, contextlib.suppress(StorageError) if kind else contextlib.nullcontext():
            self._hand_over()
            self._running.append(self._pool.submit(self._end_part))
            while self._running:
                self._running.popleft().result()

    def add(self, entry: Entry, row: Row) -> None:
        """Raises StorageError, also for rows that came before."""
        self._rows.append((entry, row))
        self._characters += len(row.keywords or "") + len(row.phrases or "")
        if len(self._rows) >= min(_ROWS_AT_ONCE, ROWS_A_PART) or self._characters >= _CHARACTERS_AT_ONCE:
            self._hand_over()
            while len(self._running) > _MOST_WAITING or (self._running and self._running[0].done()):
                self._running.popleft().result()

    def _hand_over(self) -> None:
        if not self._rows:
            return
        self._running.append(self._pool.submit(self._convert, self._rows, self._characters))
        self._rows, self._characters = [], 0

    def _convert(self, rows: Sequence[tuple[Entry, Row]], characters: int) -> None:
        from inboxstats.schema import stored

        self._tables.append(stored(rows))
        self._of_tables += characters
        if sum(map(len, self._tables)) >= ROWS_A_PART or self._of_tables >= CHARACTERS_A_PART:
            self._end_part()

    def _end_part(self) -> None:
        if self._tables:
            from inboxstats.schema import together

            rows = together(self._tables)
            self._tables, self._of_tables = [], 0
            self.written.append((self._write(rows), rows.select(self._columns)))
