"""Threads take turns: while one works, the others wait for the network and the disk, or for their turn.

Only one thread can run Python at a time anyhow. Left to themselves, ten that store mail hand the interpreter to each
other at each call of the operating system: 30 calls of the kernel's locks a message, which took more time than the
message. So a thread keeps its turn while it works on what one read brought.
"""

import threading
import time
from types import TracebackType

_TURN = threading.Lock()


class _Own(threading.local):
    """Whether the thread has the turn, and for how many seconds it has waited for one so far."""

    has_turn = False
    queued = 0.0


_OWN = _Own()


class Turn:
    """Work in here is one thread's at a time. Not to be nested; what may wait for another thread is `waiting`."""

    def __enter__(self) -> None:
        _take()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None) -> None:
        _pass_on()


class Break:
    """From its `begin` to the end of the context others have their turn. Nothing to a thread that has none."""

    def __init__(self) -> None:
        self._gave = False

    def __enter__(self) -> None:
        pass

    def begin(self) -> None:
        """Something is to be waited for."""
        if _OWN.has_turn:
            self._gave = True
            _pass_on()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None) -> None:
        if self._gave:
            self._gave = False
            _take()


def waiting() -> Break:
    """What is done in here needs no turn: others have theirs meanwhile."""
    found = Break()
    found.begin()
    return found


def queued() -> float:
    """For how many seconds in all this thread has waited for its turn."""
    return _OWN.queued


def _take() -> None:
    if not _TURN.acquire(blocking=False):
        began = time.monotonic()
        _TURN.acquire()
        _OWN.queued += time.monotonic() - began
    _OWN.has_turn = True


def _pass_on() -> None:
    _OWN.has_turn = False
    _TURN.release()
