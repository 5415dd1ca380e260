"""Rows with keywords out of message files, as fast as worker processes make them: what benchmarks/parse.py times.

    python benchmarks/rows.py ours|uncompiled|plain|recipe PROCESSES DIR COUNT

Prints how many messages gave a row, and the seconds for COUNT of them, counted from when the processes are warm.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import plain
import python_alone

from inboxstats import workers
from inboxstats.mail import Location
from inboxstats.parse.files import Row, read_rows

WARM = 500
"""Messages that are read before the clock starts, by every process some."""


def _ours(paths: Sequence[str], processes: int) -> Iterator[bool]:
    for _, row in workers.run(read_rows, map(Location, paths), engine="processes", workers=processes):
        yield isinstance(row, Row) and row.sender is not None


def _uncompiled(paths: Sequence[str], processes: int) -> Iterator[bool]:
    found = workers.run(python_alone.read_rows, map(Location, paths), engine="processes", workers=processes)
    for _, row in found:
        yield isinstance(row, Row) and row.sender is not None


def _plain(paths: Sequence[str], processes: int) -> Iterator[bool]:
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(plain.rows, _batches(paths)):
            yield from (row is not None and bool(row[0]) for row in found)


def _recipe(paths: Sequence[str], processes: int) -> Iterator[bool]:
    import recipe  # its libraries may not be installed

    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(recipe.rows, _batches(paths)):
            yield from (row is not None for row in found)


def _batches(paths: Sequence[str]) -> list[Sequence[str]]:
    return [paths[start : start + workers.BATCH] for start in range(0, len(paths), workers.BATCH)]


CONTENDERS: Mapping[str, Callable[[Sequence[str], int], Iterator[bool]]] = {
    "ours": _ours,
    "uncompiled": _uncompiled,
    "plain": _plain,
    "recipe": _recipe,
}


def main() -> None:
    who, processes, folder, count = sys.argv[1:]
    paths = sorted(map(str, Path(folder).rglob("*.eml")))[: int(count)]
    warm = min(WARM, len(paths))
    right, began = 0, time.perf_counter()
    for number, is_right in enumerate(CONTENDERS[who]([*paths[:warm], *paths], int(processes)), start=1):
        right += is_right
        if number == warm:
            began = time.perf_counter()
    print(json.dumps([right - warm, time.perf_counter() - began]))


if __name__ == "__main__":
    main()
