"""How many connections a server is asked for, and when: fewer and later where it complains, more where it bears it.

Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP does with its window. Knows neither threads nor
servers: whoever shares one of these holds a lock.
"""

import random
import time
from collections.abc import Callable

from inboxstats.errors import NetworkError, ThrottledError

LONGEST_REST = 60.0
"""Seconds that a run waits for a server; one that wants longer is left alone, and the run ends."""

THROTTLES = 4
"""How often in a row, with not a message stored in between, a server is waited for."""

GROW_CHUNKS, GROW_SECONDS = 20, 30.0
"""After so many chunks and so long without a complaint, one connection more is tried; twice as long after each try that
the server refused."""


def pause(problem: NetworkError, attempt: int) -> float | None:
    """Seconds to wait before a server is asked again, the first time with `attempt` 0; ``None``: not in this run."""
    if not isinstance(problem, ThrottledError):
        return random.uniform(0, 2.0**attempt)  # noqa: S311 -- jitter, no secret
    if problem.is_quota or (problem.wait or 0) > LONGEST_REST:
        return None
    # Full jitter where the server leaves the time to us; else what it says, but not to the same millisecond.
    least, most = (0.0, 2.0 ** (attempt + 1)) if problem.wait is None else (problem.wait, problem.wait + 1)
    return random.uniform(least, most)  # noqa: S311 -- jitter, no secret


class Pace:
    """What a server bears at the moment: `allowed` connections, and none before `rest` is over.

    most    -- connections to begin with, and never to exceed
    episode -- rises with each complaint that was heeded; what was asked before it proves nothing new
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = self.allowed = max(1, most)
        self.episode = 0
        self._clock = clock
        self._resting_until = 0.0
        self._in_a_row = 0
        self._chunks = 0
        self._since = clock()
        self._refusals = 0

    def rest(self) -> float:
        """How many more seconds to leave the server alone."""
        return max(0.0, self._resting_until - self._clock())

    def refused(self, held: int) -> None:
        """It has enough of us with so many connections."""
        self.allowed = max(1, min(self.allowed, held))
        self._refusals += 1
        self._count_anew()

    def throttled(self, problem: ThrottledError, *, episode: int) -> bool:
        """Rest, and go on with half of the connections; or False: the run should end.

        `episode` is that in which the command was given: several connections may hear of the same trouble.
        """
        seconds = pause(problem, self._in_a_row)
        if seconds is None:
            return False
        if episode == self.episode:
            self.episode += 1
            self._in_a_row += 1
            self.allowed = max(1, self.allowed // 2)
            self._count_anew()
        self._resting_until = max(self._resting_until, self._clock() + seconds)
        return self._in_a_row <= THROTTLES

    def stored(self) -> None:
        """A message came."""
        self._in_a_row = 0

    def grows(self) -> bool:
        """A chunk came whole. Whether one connection more may be tried from now on."""
        self._chunks += 1
        seconds = self._clock() - self._since
        if self.allowed >= self.most or self._chunks < GROW_CHUNKS:
            return False
        if seconds < GROW_SECONDS * 2 ** min(max(0, self._refusals - 1), 6):
            return False
        self.allowed += 1
        self._count_anew()
        return True

    def _count_anew(self) -> None:
        self._chunks = 0
        self._since = self._clock()
