"""What an experiment says, in plain words. Every sentence follows from what was measured, whichever way it went."""

from collections.abc import Iterator, Sequence

from inboxstats.bench.download import BATCHED, ONE
from inboxstats.bench.figures import FEWEST_ROUNDS, Fit, amdahl, speedup, spread, verdict
from inboxstats.bench.machine import Machine
from inboxstats.bench.model import Mode, Name, Outcome
from inboxstats.bench.parse import OURS, STANDARD

_POOR_FIT = 0.15
"""A fit that is off by more than so much of a time describes nothing."""

_SETTINGS = {
    "numbers": "{:,} numbers",
    "delay_ms": "{:g} ms until a page comes",
    "pages": "{:,} pages a run",
    "messages": "{:,} messages",
    "bytes": "{:,} bytes",
    "link": "{}",
    "trees": "{:,} trees",
    "samples": "{:,} samples",
    "features": "{:,} features",
    "classes": "{:,} classes",
}


def duration(seconds: float) -> str:
    """``0.0451`` → ``"45 ms"``; three digits at most, but for long times."""
    if seconds < 0.01:
        return f"{seconds * 1000:.2g} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def times(ratio: float) -> str:
    """``3.61`` → ``"3.6"``; ``0.953`` → ``"0.95"``."""
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def counted(number: int, noun: str) -> str:
    """``2, "thread"`` → ``"2 threads"``; ``2, "process"`` → ``"2 processes"``."""
    return f"{number:,} {noun if number == 1 else noun + ('es' if noun.endswith('s') else 's')}"


def label(experiment: str, name: Name) -> str:
    """What a way is called in tables and charts."""
    match experiment, name.mode:
        case (("cpu" | "io"), _):
            return f"{name.workers}× in {name.mode}"
        case "download", "sequence":
            return f"1 connection, {name.variant}"
        case "download", "article":
            return f"{counted(name.workers, 'thread')}, {name.variant}"
        case "download", _:
            return f"inboxstats, up to {counted(name.workers, 'thread')}"
        case "forest", _:
            return counted(name.workers, "job")
    prefix = f"{name.variant}, " if name.variant else ""
    if name.mode == "sequence":
        return f"{prefix}in series"
    return f"{prefix}{counted(name.workers, 'thread' if name.mode == 'threads' else 'process')}"


def machine_line(machine: Machine) -> str:
    """What ran it, and whether it had other work."""
    lock = "with a GIL" if machine.gil else "without a GIL"
    text = (
        f"{counted(machine.cores, 'processor')} ({machine.system}, {machine.architecture}), "
        f"{machine.implementation} {machine.python} {lock}"
    )
    if machine.load is None:
        return f"{text}."
    return f"{text}; load {machine.load:.1f} at the start{': others were at work' if machine.is_busy else ''}."


def settings_line(outcome: Outcome) -> str:
    """What the work was, and how often it was done."""
    told = ", ".join(_SETTINGS[name].format(value) for name, value in outcome.settings.items())
    return f"{told}; {counted(outcome.rounds, 'round')}."


def compared(outcome: Outcome, name: Name, against: Name) -> str:
    """How a way did beside another one, and whether that is more than noise."""
    one, other = outcome.of(against), outcome.of(name)
    gain = speedup(outcome, other, against)
    took = f"{duration(spread(other.seconds).median)} against {duration(spread(one.seconds).median)}"
    span = f"{times(gain.min)} to {times(gain.max)}"
    match verdict(one, other):
        case "faster":
            return f"{took}: {times(gain.median)} times as fast ({span})"
        case "slower":
            return f"{took}: slower, it took {times(1 / gain.median)} times as long"
        case "within the noise":
            return f"{took}: a difference within the noise ({span} times as fast)"
        case _:
            return f"{took}: {times(gain.median)} times as fast, in too few rounds to tell that from noise"


def sentences(outcome: Outcome) -> list[str]:
    """What was seen in an experiment."""
    tellers = {"cpu": _cpu, "io": _io, "download": _download, "parse": _parse, "forest": _forest}
    return list(tellers[outcome.name](outcome))


def _is_faster(outcome: Outcome, name: Name, against: Name) -> bool:
    return verdict(outcome.of(against), outcome.of(name)) == "faster"


def _most(outcome: Outcome) -> int:
    return max(timing.name.workers for timing in outcome.timings)


def _runs(outcome: Outcome, mode: Mode) -> str:
    most = _most(outcome)
    noun = {"threads": "thread", "processes": "process"}[mode]
    how = compared(outcome, Name(mode, most), Name("sequence", most))
    return f"{most} runs in {counted(most, noun)}, against one after the other: {how}."


def _cpu(outcome: Outcome) -> Iterator[str]:
    most, machine = _most(outcome), outcome.machine
    yield _runs(outcome, "threads")
    if _is_faster(outcome, Name("threads", most), Name("sequence", most)):
        yield (
            "That is not by running Python side by side, which this interpreter's GIL prevents."
            if machine.gil
            else "This interpreter has no GIL: its threads run Python side by side."
        )
    elif machine.gil:
        yield "This interpreter has a GIL: one thread at a time runs Python, the others stand in line."
    yield _runs(outcome, "processes")
    if _is_faster(outcome, Name("processes", most), Name("sequence", most)):
        at_once = counted(machine.cores, "processor")
        yield f"Each process has an interpreter of its own; {at_once} can be at work at once."
        yield from _serial(amdahl(outcome, "processes"), "in processes")
    how = compared(outcome, Name("processes", 1), Name("sequence", 1))
    yield f"One run in a process of its own, against one here: {how}."
    yield from start_cost(outcome)


def start_cost(outcome: Outcome) -> Iterator[str]:
    """What starting a worker costs, where that was measured."""
    if set(outcome.starts) == {"thread", "process"}:
        thread, process = (spread(outcome.starts[name]) for name in ("thread", "process"))
        yield (
            f"To start a process and end it took {duration(process.median)} ({duration(process.min)} to "
            f"{duration(process.max)}), a thread {duration(thread.median)}: shorter work is not worth a process."
        )


def _io(outcome: Outcome) -> Iterator[str]:
    most = _most(outcome)
    yield _runs(outcome, "threads")
    if _is_faster(outcome, Name("threads", most), Name("sequence", most)):
        yield "Who waits for the network needs no processor: while one thread waits, the others go on."
        yield from _serial(amdahl(outcome, "threads"), "in threads")
    yield _runs(outcome, "processes")
    how = compared(outcome, Name("threads", most), Name("processes", most))
    yield f"Threads against processes, both {most}: {how}."


def _download(outcome: Outcome) -> Iterator[str]:
    one, batched = Name("sequence", 1, ONE), Name("sequence", 1, BATCHED)
    article, ours = (
        next(timing.name for timing in outcome.timings if timing.name.mode == mode) for mode in ("article", "ours")
    )
    yield f"{counted(article.workers, 'thread')}, one message a FETCH, against one: {compared(outcome, article, one)}."
    yield f"One connection, 50 messages a FETCH, against one message a FETCH: {compared(outcome, batched, one)}."
    yield (
        f"That one connection against the {counted(article.workers, 'thread')}: {compared(outcome, batched, article)}."
    )
    if _is_faster(outcome, batched, article):
        yield "Asking for many at once saves more round trips than asking for one in many places: batches come first."
    yield f"inboxstats, which does both, against one by one: {compared(outcome, ours, one)}."
    yield f"inboxstats against the {counted(article.workers, 'thread')}: {compared(outcome, ours, article)}."


def _parse(outcome: Outcome) -> Iterator[str]:
    for parser in (STANDARD, OURS):
        one = Name("sequence", 1, parser)
        for timing in outcome.timings:
            if timing.name.variant == parser and timing.name != one:
                what = label(outcome.name, timing.name)
                yield f"{what[0].upper()}{what[1:]}, against in series: {compared(outcome, timing.name, one)}."
        if _is_faster(outcome, Name("processes", _most(outcome), parser), one):
            yield from _serial(amdahl(outcome, "processes", parser), f"in processes by {_the(parser)}")
    best = min((timing for timing in outcome.timings), key=lambda timing: spread(timing.seconds).median)
    series = Name("sequence", 1, STANDARD)
    how = compared(outcome, Name("sequence", 1, OURS), series)
    yield f"Our parser against the standard library, both in series: {how}."
    if best.name != series:
        yield (
            f"The fastest, {label(outcome.name, best.name)}, against the standard library in series: "
            f"{compared(outcome, best.name, series)}."
        )


def _the(parser: str) -> str:
    return f"the {parser}" if parser == STANDARD else parser


def _forest(outcome: Outcome) -> Iterator[str]:
    one = outcome.timings[0].name
    for timing in outcome.timings[1:]:
        beyond = ", more than there are processors," if timing.name.workers > outcome.machine.cores else ""
        yield f"{counted(timing.name.workers, 'job')}{beyond} against 1: {compared(outcome, timing.name, one)}."
    if any(_is_faster(outcome, timing.name, one) for timing in outcome.timings[1:]):
        yield "These jobs are threads: a tree grows in compiled code, which lets go of the GIL."
        yield from _serial(amdahl(outcome, "threads"), "in jobs")


def _serial(fit: Fit | None, where: str) -> Iterator[str]:
    if fit is None:
        return
    if fit.error > _POOR_FIT:
        yield f"Amdahl's law does not describe the work {where}: its best fit is off by {fit.error:.0%}."
        return
    if fit.serial_share < 0.001:
        yield f"By Amdahl's law next to nothing of the work {where} stays serial."
        return
    limit = f"no number of workers makes it more than {times(1 / fit.serial_share)} times as fast"
    share = f"{fit.serial_share:.1%}" if fit.serial_share < 0.1 else f"{fit.serial_share:.0%}"
    yield f"By Amdahl's law {share} of the work {where} stays serial: {limit}. (The fit is off by {fit.error:.0%}.)"


def lessons(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Question and answer over all experiments: when threads win, when processes win, what a process costs."""
    found = [
        ("When do threads win?", _winners(outcomes, ("threads", "article"))),
        ("When do processes win?", _winners(outcomes, ("processes",))),
    ]
    found += [("What does a process cost?", told) for outcome in outcomes for told in start_cost(outcome)]
    return found


def _winners(outcomes: Sequence[Outcome], modes: Sequence[Mode]) -> str:
    faster: list[str] = []
    not_faster: list[str] = []
    for outcome in outcomes:
        compared_ones = [timing for timing in outcome.timings if timing.name.mode in modes]
        if not compared_ones:
            continue
        # Those with the most workers alone: the best of many comparisons would often be chance.
        most = max(timing.name.workers for timing in compared_ones)
        compared_ones = [timing for timing in compared_ones if timing.name.workers == most]
        better = [timing for timing in compared_ones if _is_faster(outcome, timing.name, timing.against)]
        best = max(better or compared_ones, key=lambda timing: speedup(outcome, timing).median)
        gain = times(speedup(outcome, best).median)
        text = f"{outcome.title.lower()} ({label(outcome.name, best.name)}: {gain} times as fast)"
        (faster if better else not_faster).append(text)
    if any(outcome.rounds < FEWEST_ROUNDS for outcome in outcomes):
        return "There were too few rounds to say."
    told = f"Here they did with {_listed(faster)}." if faster else "Here they never did."
    return f"{told} No gain beyond the noise with {_listed(not_faster)}." if not_faster else told


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
