"""A function that burns the processor, run once and several times: in sequence, in threads, in processes."""

from functools import partial
from random import Random

from inboxstats import workers
from inboxstats.bench.model import Experiment, Mode, Name, Way
from inboxstats.workers import Engine

TIMES = (1, 2, 4, 8)
"""How often the function runs; but in sequence, by as many workers."""

ENGINES: dict[Mode, Engine] = {"sequence": "serial", "threads": "threads", "processes": "processes"}


def multiplied(numbers: int) -> int:
    """Multiplies up so many random whole numbers from 1 to 100, always the same. Returns the bits of the product."""
    rng = Random(numbers)  # noqa: S311 -- work, not a key
    product = 1
    for number in [rng.randint(1, 100) for _ in range(numbers)]:
        product *= number
    return product.bit_length()


def nothing(item: int) -> int:
    """What a worker does whose start is measured."""
    return item


def experiment(*, numbers: int) -> Experiment:
    """The list has so many numbers."""

    def run(mode: Mode, times: int) -> None:
        workers.together(multiplied, [numbers] * times, engine=ENGINES[mode], workers=times)

    def warm_up() -> None:
        for mode in ENGINES:
            run(mode, 1)

    return Experiment(
        name="cpu",
        title="A job that burns the processor",
        settings={"numbers": numbers},
        ways=tuple(
            Way(Name(mode, times), partial(run, mode, times), against=Name("sequence", times))
            for times in TIMES
            for mode in ENGINES
        ),
        warm_up=warm_up,
        starts={
            "thread": partial(workers.together, nothing, [0], engine="threads", workers=1),
            "process": partial(workers.together, nothing, [0], engine="processes", workers=1),
        },
    )
