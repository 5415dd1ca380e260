"""What an experiment is, and what came of it. Data only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from inboxstats.bench.machine import Machine

Mode = Literal["sequence", "threads", "processes", "ours", "article"]


class Name(NamedTuple):
    """Tells the ways of an experiment apart.

    workers -- how many at once. Of cpu and io, also how often the function runs: in sequence one run after the other
    variant -- what else differs, such as the parser; ``None`` where nothing does
    """

    mode: Mode
    workers: int
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do an experiment's work. `against` names the way of one worker that does the same work."""

    name: Name
    run: Callable[[], object]
    against: Name


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Experiment:
    """Ways to do the same work, to be measured in turn.

    settings -- what the work is, as in ``{"numbers": 50000}``
    warm_up  -- called once before the clock starts
    tidy     -- called after each run, when the clock has stopped
    waits    -- the work waits for others, so that workers beyond the processors count, too
    starts   -- by "thread" and "process", what starts one that has nothing to do
    """

    name: str
    title: str
    settings: Mapping[str, str | int | float]
    ways: tuple[Way, ...]
    warm_up: Callable[[], object]
    tidy: Callable[[], object] = _nothing
    waits: bool = False
    starts: Mapping[str, Callable[[], object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a way, a number a round, in the order of the rounds."""

    name: Name
    against: Name
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an experiment: its timings in the order of its ways. `starts` are seconds."""

    name: str
    title: str
    settings: Mapping[str, str | int | float]
    waits: bool
    machine: Machine
    timings: tuple[Timing, ...]
    starts: Mapping[str, tuple[float, ...]]

    def of(self, name: Name) -> Timing:
        """The timing of a way. Raises KeyError."""
        for timing in self.timings:
            if timing.name == name:
                return timing
        raise KeyError(name)

    @property
    def rounds(self) -> int:
        return len(self.timings[0].seconds)
