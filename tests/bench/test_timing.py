"""The order of the runs, and what the clock counts."""

import pytest

from inboxstats.bench import timing
from inboxstats.bench.model import Experiment, Name, Way

ONE, TWO = Name("sequence", 1), Name("threads", 2)


def test_ways_take_turns_after_a_warm_up_and_every_other_round_goes_backwards() -> None:
    calls: list[str] = []
    experiment = Experiment(
        name="x",
        title="X",
        settings={},
        ways=(Way(ONE, lambda: calls.append("one"), ONE), Way(TWO, lambda: calls.append("two"), ONE)),
        warm_up=lambda: calls.append("warm"),
        tidy=lambda: calls.append("tidy"),
        starts={"thread": lambda: calls.append("start")},
    )
    steps: list[tuple[int, int]] = []
    outcome = timing.measure(experiment, rounds=2, progress=lambda done, total: steps.append((done, total)))
    runs = [call for call in calls if call != "tidy"]
    assert runs == ["warm", "one", "two", "start", "start", "two", "one"]
    assert calls[1::2] == ["tidy"] * 7
    assert [each.name for each in outcome.timings] == [ONE, TWO]
    assert outcome.rounds == len(outcome.starts["thread"]) == 2
    assert steps == [(done, 6) for done in range(6)] + [(6, 6)]


def test_a_run_counts_and_what_tidies_up_after_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def passing(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    way = Way(ONE, lambda: passing(3), ONE)
    experiment = Experiment("x", "X", {}, (way,), warm_up=lambda: passing(50), tidy=lambda: passing(100))
    assert timing.measure(experiment, rounds=2, progress=lambda _done, _total: None).timings[0].seconds == (3.0, 3.0)
