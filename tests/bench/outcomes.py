"""Outcomes for tests, as if they had been measured."""

from collections.abc import Mapping, Sequence

from inboxstats.bench.machine import Machine
from inboxstats.bench.model import Name, Outcome, Timing

QUIET = Machine(2, "3.11.2", "CPython", gil=True, system="Linux", architecture="x86_64", load=0.1)


def outcome(
    name: str,
    seconds: Mapping[Name, Sequence[float]],
    *,
    against: Mapping[Name, Name] | None = None,
    machine: Machine = QUIET,
    waits: bool = False,
    starts: Mapping[str, tuple[float, ...]] | None = None,
) -> Outcome:
    """Each way is held against the one in sequence with as many workers, or as `against` says."""
    chosen = against or {each: Name("sequence", each.workers, each.variant) for each in seconds}
    timings = tuple(Timing(each, chosen[each], tuple(taken)) for each, taken in seconds.items())
    return Outcome(name, f"A job called {name}", {"numbers": 7}, waits, machine, timings, starts or {})


def cpu(*, threads: Sequence[float], processes: Sequence[float], machine: Machine = QUIET) -> Outcome:
    """Two runs, of which the sequence took 2 s."""
    seconds = {
        Name("sequence", 1): (1.0,) * len(threads),
        Name("processes", 1): (1.1,) * len(threads),
        Name("sequence", 2): (2.0,) * len(threads),
        Name("threads", 2): threads,
        Name("processes", 2): processes,
    }
    starts = {"thread": (0.0001, 0.0002, 0.0001), "process": (0.04, 0.05, 0.06)}
    return outcome("cpu", seconds, machine=machine, starts=starts)
