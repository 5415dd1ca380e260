"""Work on many items by batches: serially, in threads, or in processes. Parsing burns the processor, so processes.

A process that dies costs the one item that killed it: the pool is built anew, and the suspects run one by one.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Literal, ParamSpec, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Params = ParamSpec("Params")

Engine = Literal["processes", "threads", "serial"]

BATCH = 50
"""Items a batch: enough to make the way between processes cheap, few enough to share the end of the work out evenly."""


def default_workers() -> int:
    """One worker a processor that this program may use."""
    with contextlib.suppress(AttributeError):  # Windows and macOS do not tell
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class SerialExecutor(Executor):
    """Runs each call at once, in the calling thread."""

    def submit(self, fn: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs) -> Future[Result]:
        """A future that is done already."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:  # noqa: BLE001 -- whatever it is, it belongs to the caller of result()
            future.set_exception(problem)
        return future


def executor(engine: Engine, workers: int) -> Executor:
    """An executor by its name; the caller shuts it down."""
    match engine:
        case "serial":
            return SerialExecutor()
        case "threads":
            return ThreadPoolExecutor(workers)
        case "processes":
            return ProcessPoolExecutor(workers, mp_context=_context(), initializer=_ignore_interrupts)


def run(
    function: Callable[[Sequence[Item]], Sequence[Result]],
    items: Iterable[Item],
    *,
    engine: Engine,
    workers: int,
) -> Iterator[tuple[Item, Result | None]]:
    """Each item with its result, in any order; ``None`` for an item whose worker died of it.

    `function` must be importable, and gives a result for each item of a batch, in order. What it raises is raised here.
    """
    left = iter(items)
    batches = iter(lambda: list(islice(left, BATCH)), [])
    pool = executor(engine, workers)
    running: dict[Future[Sequence[Result]], list[Item]] = {}
    try:
        while True:
            # A bounded number in flight: the items may be millions.
            while len(running) < workers + 2 and (batch := next(batches, None)) is not None:
                running[_submit(pool, function, batch)] = batch
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            suspects = []
            for future in done:
                batch = running.pop(future)
                try:
                    yield from zip(batch, future.result(), strict=True)
                except BrokenProcessPool:
                    suspects.append(batch)
            if suspects:
                suspects += running.values()
                running.clear()
                pool.shutdown(wait=False)
                yield from _one_by_one(function, suspects)
                pool = executor(engine, workers)
    finally:
        _end(pool)


def _one_by_one(
    function: Callable[[Sequence[Item]], Sequence[Result]], suspects: Iterable[list[Item]]
) -> Iterator[tuple[Item, Result | None]]:
    """Run what was in flight when a process died, each alone in a process, to find the item at fault."""
    pool = executor("processes", 1)
    try:
        for batch in suspects:
            for item in batch:
                try:
                    yield item, _submit(pool, function, [item]).result()[0]
                except BrokenProcessPool:
                    yield item, None
                    pool.shutdown(wait=False)
                    pool = executor("processes", 1)
    finally:
        _end(pool)


def _submit(
    pool: Executor, function: Callable[[Sequence[Item]], Sequence[Result]], batch: list[Item]
) -> Future[Sequence[Result]]:
    with _without_main():
        return pool.submit(function, batch)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Start workers that do not import the caller's script: a data scientist's has no ``if __name__ == "__main__"``."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _context() -> multiprocessing.context.BaseContext:
    # Never fork: threads hold locks that a child would wait for for ever.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["inboxstats.parse.files"])
    return context


def _ignore_interrupts() -> None:
    """Ctrl-C goes to every process of the terminal; the first one tells the others to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(pool: Executor) -> None:
    """Leave no process behind, whatever it is doing."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=not processes, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
