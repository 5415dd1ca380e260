"""A function that waits for the network, run once and several times: in sequence, in threads, in processes."""

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from inboxstats import workers
from inboxstats.bench import pages
from inboxstats.bench.cpu import ENGINES, TIMES
from inboxstats.bench.model import Experiment, Mode, Name, Way
from inboxstats.errors import NetworkError


class Errand(NamedTuple):
    """What one run of the function does: get the page of a port into a file, so many times."""

    port: int
    times: int
    path: str


def fetched(errand: Errand) -> int:
    """Gets a page and writes it to a file, in a loop. Returns the bytes. Raises NetworkError."""
    size = 0
    for _ in range(errand.times):
        connection = http.client.HTTPConnection(pages.HOST, errand.port, timeout=60)
        try:
            connection.request("GET", "/")
            page = connection.getresponse().read()
        except (OSError, http.client.HTTPException) as problem:
            raise NetworkError(f"The experiment's own web server does not answer: {problem!r}. Run again.") from problem
        finally:
            connection.close()
        Path(errand.path).write_bytes(page)
        size += len(page)
    return size


@contextmanager
def experiment(*, delay: float, count: int) -> Iterator[Experiment]:
    """Each run of the function gets `count` pages, each of which comes `delay` seconds after it was asked for."""
    with tempfile.TemporaryDirectory(prefix="inboxstats-bench-") as folder, workers.beside(pages.serve, delay) as port:

        def run(mode: Mode, times: int) -> None:
            errands = [Errand(port, count, str(Path(folder) / f"{number}.html")) for number in range(times)]
            workers.together(fetched, errands, engine=ENGINES[mode], workers=times)

        def warm_up() -> None:
            for engine in ENGINES.values():
                workers.together(fetched, [Errand(port, 1, str(Path(folder) / "0.html"))], engine=engine, workers=1)

        yield Experiment(
            name="io",
            title="A job that waits for the network",
            settings={"delay_ms": round(delay * 1000, 3), "pages": count},
            ways=tuple(
                Way(Name(mode, times), partial(run, mode, times), against=Name("sequence", times))
                for times in TIMES
                for mode in ENGINES
            ),
            warm_up=warm_up,
            waits=True,
        )
