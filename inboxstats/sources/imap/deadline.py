"""Deadlines for what a thread does with its connection, kept by one thread for all of them.

A threading.Timer is a thread for each: started for each command, that was a third of the time of a fast download.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count


class _Watch:
    """Calls back what is overdue. Its thread begins with the first deadline and stays."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending: dict[int, tuple[float, Callable[[], None]]] = {}
        self._numbers = count()
        self._next = float("inf")
        self._thread: threading.Thread | None = None

    def add(self, seconds: float, expire: Callable[[], None]) -> int:
        number, when = next(self._numbers), time.monotonic() + seconds
        with self._changed:
            self._pending[number] = (when, expire)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._serve, name="deadlines", daemon=True)
                self._thread.start()
            elif when < self._next:
                self._changed.notify()
        return number

    def extend(self, number: int, seconds: float) -> None:
        with self._changed:
            if number in self._pending:
                when, expire = self._pending[number]
                self._pending[number] = (when + seconds, expire)

    def remove(self, number: int) -> None:
        with self._changed:
            self._pending.pop(number, None)

    def _serve(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                overdue = [number for number, (when, _) in self._pending.items() if when <= now]
                expired = [self._pending.pop(number)[1] for number in overdue]
                if not expired:
                    self._next = min((when for when, _ in self._pending.values()), default=float("inf"))
                    self._changed.wait(min(self._next - now, threading.TIMEOUT_MAX))
            for expire in expired:
                with contextlib.suppress(OSError):  # one that fails must not keep the others from theirs
                    expire()


_WATCH = _Watch()


class _Own(threading.local):
    """The deadlines that a thread is under."""

    def __init__(self) -> None:
        self.numbers: list[int] = []


_OWN = _Own()


def extend(seconds: float) -> None:
    """So long this thread waits by its own will: its deadlines are that much later."""
    for number in _OWN.numbers:
        _WATCH.extend(number, seconds)


@contextlib.contextmanager
def deadline(seconds: float, expire: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `expire` from another thread when what is done in the context takes longer; the event then says so."""
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        expire()

    number = _WATCH.add(seconds, end)
    numbers = _OWN.numbers
    numbers.append(number)
    try:
        yield overdue
    finally:
        numbers.remove(number)
        _WATCH.remove(number)
