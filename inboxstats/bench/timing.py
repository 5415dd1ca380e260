"""Runs an experiment: after a warm-up round by round, every way once a round, so that what befalls one befalls all."""

import time
from collections.abc import Callable

from inboxstats.bench.machine import this_machine
from inboxstats.bench.model import Experiment, Outcome, Timing
from inboxstats.workers import warm_up

_WORK = ("inboxstats.bench.cpu", "inboxstats.bench.io", "inboxstats.bench.standard")
"""Where the functions are that processes run."""


def prepare() -> None:
    """Have workers find imported what they need, as those that are forked off a program do. Before all else."""
    warm_up(*_WORK)


def measure(experiment: Experiment, *, rounds: int, progress: Callable[[int, int], None]) -> Outcome:
    """What came of it. Every other round goes backwards, so that no way always follows the same one.

    `progress` is told how many runs of how many are done. What a run raises is raised.
    """
    machine = this_machine()
    experiment.warm_up()
    experiment.tidy()
    runs = [*(way.run for way in experiment.ways), *experiment.starts.values()]
    seconds: list[list[float]] = [[] for _ in runs]
    done = 0
    for number in range(rounds):
        places = range(len(runs)) if number % 2 == 0 else reversed(range(len(runs)))
        for place in places:
            progress(done, rounds * len(runs))
            seconds[place].append(_seconds(runs[place]))
            experiment.tidy()
            done += 1
    progress(done, done)
    count = len(experiment.ways)
    ways = zip(experiment.ways, seconds[:count], strict=True)
    return Outcome(
        name=experiment.name,
        title=experiment.title,
        settings=experiment.settings,
        waits=experiment.waits,
        machine=machine,
        timings=tuple(Timing(way.name, way.against, tuple(taken)) for way, taken in ways),
        starts={name: tuple(taken) for name, taken in zip(experiment.starts, seconds[count:], strict=True)},
    )


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
