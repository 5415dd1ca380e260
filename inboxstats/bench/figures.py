"""From seconds to what can be said of them: median and spread, speed-up, noise, Amdahl's fit. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from inboxstats.bench.model import Mode, Name, Outcome, Timing

SCHEMA_VERSION = 1
"""Of the JSON object."""

FEWEST_ROUNDS = 3
"""Of fewer rounds nothing is said but that they are too few."""

Verdict = Literal["faster", "slower", "within the noise", "too few rounds"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the most."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Amdahl's law fitted: T(n) = T(1) · (s + (1 − s) / n), where `serial_share` is s, from 0 to 1.

    error -- by how much of the measured time the fitted one is off at most: 0.1 is a tenth
    """

    serial_share: float
    error: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values))


def speedup(outcome: Outcome, timing: Timing, against: Name | None = None) -> Spread:
    """How many times as fast as one worker with the same work: of the rounds' own ratios, as a machine's pace varies.

    `against` names another way to compare with.
    """
    one = outcome.of(against or timing.against)
    return spread([before / after for before, after in zip(one.seconds, timing.seconds, strict=True)])


def verdict(one: Timing, other: Timing) -> Verdict:
    """What `other` is, compared with `one`: faster where its slowest run was faster than the fastest of `one`.

    Of two that are equal chance makes one of them such once in 10 experiments of 3 rounds, once in 126 of 5.
    """
    if len(one.seconds) < FEWEST_ROUNDS:
        return "too few rounds"
    if max(other.seconds) < min(one.seconds):
        return "faster"
    return "slower" if min(other.seconds) > max(one.seconds) else "within the noise"


def amdahl(outcome: Outcome, mode: Mode, variant: str | None = None) -> Fit | None:
    """The fit to all ways of a mode; ``None`` where no way of it has two workers at work.

    Of work that burns the processor, workers beyond the processors are none.
    """
    points = []
    for timing in outcome.timings:
        name = timing.name
        if (name.mode, name.variant) == (mode, variant):
            workers = name.workers if outcome.waits else min(name.workers, outcome.machine.cores)
            if workers > 1:  # one worker that is a process pays for its start, of which the law knows nothing
                points.append((workers, speedup(outcome, timing).median))
    return fitted(points)


def fitted(points: Sequence[tuple[int, float]]) -> Fit | None:
    """Amdahl's law through speed-ups by workers (two or more of them): least squares in the time that is left.

    ``None`` without points.
    """
    if not points:
        return None
    # 1/S − 1/n = s · (1 − 1/n), a line through the origin.
    across = [1 - 1 / workers for workers, _ in points]
    up = [1 / gain - 1 / workers for workers, gain in points]
    slope = sum(x * y for x, y in zip(across, up, strict=True)) / sum(x * x for x in across)
    share = min(max(slope, 0.0), 1.0)
    errors = [abs((share + (1 - share) / workers) * gain - 1) for workers, gain in points]
    return Fit(share, max(errors))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The object of `--json`; docs/threads-and-processes.md says what is in it."""
    machine = outcome.machine
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": outcome.name,
        "machine": {name: getattr(machine, name) for name in machine.__slots__},
        "title": outcome.title,
        "settings": dict(outcome.settings),
        "rounds": outcome.rounds,
        "results": [_row(outcome, timing) for timing in outcome.timings],
        "amdahl": list(_fits(outcome)),
        "starts": {name: _seconds(spread(seconds)) for name, seconds in outcome.starts.items()},
    }


def _row(outcome: Outcome, timing: Timing) -> dict[str, Any]:
    name, gain = timing.name, speedup(outcome, timing)
    row: dict[str, Any] = {"mode": name.mode, "workers": name.workers}
    if name.variant is not None:
        row["variant"] = name.variant
    row["seconds"] = _seconds(spread(timing.seconds))
    row["speedup"] = round(gain.median, 3)
    row["speedup_range"] = [round(gain.min, 3), round(gain.max, 3)]
    row["verdict"] = None if name == timing.against else verdict(outcome.of(timing.against), timing)
    return row


def _fits(outcome: Outcome) -> Any:
    for mode, variant in dict.fromkeys((timing.name.mode, timing.name.variant) for timing in outcome.timings):
        fit = None if mode == "sequence" else amdahl(outcome, mode, variant)
        if fit is not None:
            yield {
                "mode": mode,
                "variant": variant,
                "serial_share": round(fit.serial_share, 4),
                "error": round(fit.error, 4),
            }


def _seconds(each: Spread) -> dict[str, float]:
    return {name: round(getattr(each, name), 6) for name in ("median", "min", "max")}
