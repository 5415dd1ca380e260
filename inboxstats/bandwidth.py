"""A cap on bytes a second, shared by all connections: a token bucket."""

import re
import threading
import time
from collections.abc import Callable

LEAST = 1_000
"""Bytes a second; with fewer, servers hang up."""

SLICES = 8
"""A read takes at most so great a part of a second's bytes, so that nobody sleeps long."""

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def bytes_per_second(text: str) -> int:
    """``"500k"`` → 500,000; ``"2M"``, ``"1.5M"``, ``"250000"``. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?) ?([kmg]?)(?:b|b/s)?", text.strip(), re.IGNORECASE | re.ASCII)
    rate = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if rate < LEAST:
        raise ValueError(f"{text!r} is no bandwidth; write bytes a second such as 500k or 2M, 1k at least")
    return rate


class Bandwidth:
    """So many bytes a second for all who share it; what was not used is not saved up."""

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.slice = max(1, rate // SLICES)
        self.rate = rate
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._free = clock()

    def take(self, size: int, *, told: Callable[[float], None] = lambda _: None) -> float:
        """Wait for the turn of so many bytes; `told` hears before for how many seconds, which are also returned."""
        with self._lock:
            now = self._clock()
            seconds = max(0.0, self._free - now)
            self._free = max(self._free, now) + size / self.rate
        if seconds:
            told(seconds)
            self._wait(seconds)
        return seconds
