"""Several runs side by side, each in a thread of its own, and an end for all of them when the caller must leave."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from inboxstats.errors import StoppedError

PATIENCE = 5.0
"""Seconds that runs have to end once they are stopped; what they have not stored by then is left to the next one."""

Result = TypeVar("Result")


class Stop:
    """Tells runs in other threads to end."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._lock = threading.Lock()
        self._wake: list[Callable[[], object]] = []

    def wakes(self, wake: Callable[[], object]) -> None:
        """Call this when the time has come, as it ends what a run is waiting for; at once, where it has."""
        with self._lock:
            if not self._told.is_set():
                self._wake.append(wake)
                return
        wake()

    def tell(self) -> None:
        """The time has come."""
        with self._lock:
            self._told.set()
        for wake in self._wake:
            wake()

    def check(self) -> None:
        """Raises StoppedError when the time has come."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Let time pass. Raises StoppedError when the time has come."""
        if self._told.wait(seconds):
            raise StoppedError("Stopped. All that is complete is kept; run again to go on.")


def abreast(calls: Sequence[Callable[[], Result]], stop: Stop) -> Iterator[tuple[int, Result]]:
    """The results as they come, each with the number of its call, from 0. All calls run to their ends.

    What a call raises is raised once the others are done. Leaving early (Ctrl-C) tells `stop`, and gives the calls
    PATIENCE to end.
    """
    done: queue.SimpleQueue[tuple[int, Result | None, BaseException | None]] = queue.SimpleQueue()

    def run(number: int) -> None:
        try:
            done.put((number, calls[number](), None))
        except BaseException as problem:  # noqa: BLE001 -- raised in the caller's thread
            done.put((number, None, problem))

    running = len(calls)
    first: BaseException | None = None
    for number in range(running):
        # Daemons: one that waits for a name server or a keyring cannot be woken, and must not keep the program.
        threading.Thread(target=run, args=(number,), name=f"run-{number}", daemon=True).start()
    try:
        while running:
            number, result, problem = done.get()
            running -= 1
            if problem is None:
                yield number, result  # type: ignore[misc]  # where nothing was raised, it is a Result
            first = first or problem
    except BaseException:
        stop.tell()
        end = time.monotonic() + PATIENCE
        with suppress(queue.Empty):
            for _ in range(running):
                done.get(timeout=max(0.0, end - time.monotonic()))
        raise
    if first is not None:
        raise first
