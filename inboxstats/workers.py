"""Work on many items by batches: serially, in threads, or in processes. Parsing burns the processor, so processes.

A process that dies or hangs costs the one item at fault: the pool is built anew, and the suspects run one by one.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, count, islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Literal, ParamSpec, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Params = ParamSpec("Params")

Engine = Literal["processes", "threads", "serial"]

BATCH = 100
"""Items a batch at most: enough to make the way between processes cheap, few enough to share out the end evenly."""

_FIRST_BATCH = 25
"""Items of each worker's first batch, to share out evenly what a night has brought; each later one has as many more."""

_FORKSERVER = "forkserver"
_SOCKET_NAME, _LONGEST_SOCKET_PATH = len("/pymp-xxxxxxxx/listener-xxxxxxxx"), 91

_PRELOADED = ["inboxstats.parse.files"]

PATIENCE = 60.0
"""Seconds without a finished batch until something hangs. A batch of the demo's mail takes 0.04 (measured)."""

DEADLINE = 10.0
"""Seconds for an item that runs alone, with the start of a process, which takes 0.25 (measured)."""


_GRACE = 2.0
"""Seconds that a process beside the program has to end by itself."""


@dataclass(frozen=True, slots=True)
class Lost:
    """In the place of a result: why there is none."""

    reason: str


def warm_up(*modules: str) -> None:
    """Start the process that workers are forked from, where there is one: it imports what they need meanwhile.

    modules -- what they need beside our parser; only before the first worker is started
    """
    _PRELOADED.extend(module for module in modules if module not in _PRELOADED)
    _context()


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
            return ProcessPoolExecutor(workers, mp_context=_context(), initializer=_set_up_worker)


def run(
    function: Callable[[Sequence[Item]], Sequence[Result]],
    items: Iterable[Item],
    *,
    engine: Engine,
    workers: int,
    patience: float = PATIENCE,
    deadline: float = DEADLINE,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Each item with its result, in any order; ``Lost`` for an item whose process died of it or did not end.

    `function` must be importable, and gives a result for each item of a batch, in order. What it raises is raised here.

    patience -- seconds without a finished batch, after which the processes are killed and their items run one by one
    deadline -- seconds that an item then has

    A thread cannot be killed: with the engines threads and serial there is no deadline, and a death is the program's.
    """
    batches = _batches(items, workers)
    pool = executor(engine, workers)
    running: dict[Future[Sequence[Result]], list[Item]] = {}
    try:
        while True:
            suspects: list[list[Item]] = []
            # A bounded number in flight: the items may be millions.
            while not suspects and len(running) < workers + 2 and (batch := next(batches, None)) is not None:
                try:
                    running[_submit(pool, function, batch)] = batch
                except BrokenProcessPool:  # a process died while the caller was busy with the last results
                    suspects.append(batch)
            if not running and not suspects:
                return
            done, _ = wait(running, patience if engine == "processes" else None, FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                try:
                    yield from zip(batch, future.result(), strict=True)
                except BrokenProcessPool:
                    suspects.append(batch)
            if suspects or not done:
                suspects += running.values()
                running.clear()
                _end(pool)
                yield from _one_by_one(function, chain.from_iterable(suspects), deadline)
                pool = executor(engine, workers)
    finally:
        _end(pool)


def _batches(items: Iterable[Item], workers: int) -> Iterator[list[Item]]:
    left = iter(items)
    for number in count():
        batch = list(islice(left, min(BATCH, _FIRST_BATCH * (1 + number // workers))))
        if not batch:
            return
        yield batch


def together(
    function: Callable[[Item], Result], items: Sequence[Item], *, engine: Engine, workers: int
) -> list[Result]:
    """The function of each item, in order; each is a task of its own. What it raises is raised here.

    For experiments, which want to know which worker has which work: nothing is made good when a process dies.
    """
    pool = executor(engine, workers)
    try:
        with _without_main():
            futures = [pool.submit(function, item) for item in items]
        return [future.result() for future in futures]
    finally:
        _end(pool)


@contextlib.contextmanager
def beside(function: Callable[..., None], *arguments: object) -> Iterator[Any]:
    """What `function` sends first, from a process of its own that runs while the context lasts: a server, say.

    It is called with a pipe, on which it sends one value or an exception, and then ends when nothing more can be read
    from the pipe: `until_closed`. Raises the exception that it sends.
    """
    ours, theirs = multiprocessing.Pipe()
    context: Any = _context()  # typeshed's base class has no Process
    process = context.Process(target=_beside, args=(function, theirs, *arguments), daemon=True)
    try:
        with _without_main():
            process.start()
        theirs.close()
        sent = ours.recv()
        if isinstance(sent, BaseException):
            raise sent
        yield sent
    finally:
        ours.close()
        if process.pid is not None:
            process.join(_GRACE)
            process.kill()
            process.join()


def until_closed(pipe: Connection) -> None:
    """Wait until the program that reads the other end is done, or dead."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()


def _beside(function: Callable[..., None], pipe: Connection, *arguments: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the program closes the pipe
    function(pipe, *arguments)


def _one_by_one(
    function: Callable[[Sequence[Item]], Sequence[Result]], suspects: Iterable[Item], deadline: float
) -> Iterator[tuple[Item, Result | Lost]]:
    """Run what was in flight when a process died or hung, each alone in a process, to find the item at fault."""
    pool = executor("processes", 1)
    try:
        for item in suspects:
            try:
                future = _submit(pool, function, [item])
            except BrokenProcessPool:  # it died between two items, of neither
                _end(pool)
                pool = executor("processes", 1)
                future = _submit(pool, function, [item])
            result = _outcome(future, deadline)
            if isinstance(result, Lost):
                _end(pool)
                pool = executor("processes", 1)
            yield item, result
    finally:
        _end(pool)


def _outcome(future: Future[Sequence[Result]], deadline: float) -> Result | Lost:
    if not wait([future], deadline).done:
        return Lost(f"its parser took more than {deadline:g} s")
    try:
        return future.result()[0]
    except BrokenProcessPool:
        return Lost("its parser process died")


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


def _has_forkserver() -> bool:
    """Its socket stands in the temporary folder, and a socket's path is 92 to 108 bytes long at most."""
    is_short = len(os.fsencode(tempfile.gettempdir())) + _SOCKET_NAME <= _LONGEST_SOCKET_PATH
    return is_short and _FORKSERVER in multiprocessing.get_all_start_methods()


def _context() -> multiprocessing.context.BaseContext:
    # Never fork: threads hold locks that a child would wait for for ever.
    if not _has_forkserver():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context(_FORKSERVER)
    context.set_forkserver_preload(_PRELOADED)
    # Ctrl-C goes to every process of the terminal, and the fork server would say so by a traceback: it never sees it.
    resource_tracker.ensure_running()  # it lifts the mask
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    return context


def _set_up_worker() -> None:
    # Parsing makes no circles for the collector to find, and its search for them takes a twentieth of the time.
    gc.freeze()
    gc.set_threshold(100_000)
    # Ctrl-C goes to every process of the terminal; the first one tells the others to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program = multiprocessing.parent_process()  # the program, also where the fork server forked the worker
    if program is None:
        return
    # After `kill -9` of the program nobody else ends a worker. The thread cannot while a pattern holds the
    # interpreter's lock; there Linux ends it, by the signal for news at a pipe, whose default is death.
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(program.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(program.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    threading.Thread(target=_end_after, args=(program,), daemon=True).start()


def _end_after(program: BaseProcess) -> None:
    program.join()
    os._exit(1)


def _end(pool: Executor) -> None:
    """Leave no process behind, whatever it is doing."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    results = getattr(pool, "_result_queue", None)
    pool.shutdown(wait=not processes, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    if processes and results is not None:
        # One that was killed in the midst of a result leaves half of it, and the pool's thread, which the program's end
        # waits for, reads until the other half comes or nobody has the pipe any more: we had it, too.
        results._writer.close()  # noqa: SLF001 -- the pool has no way of its own
