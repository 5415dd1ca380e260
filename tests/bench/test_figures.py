"""What is said of seconds: worked out by hand."""

from dataclasses import replace

import pytest

from bench.outcomes import QUIET, cpu, outcome
from inboxstats.bench.figures import amdahl, as_json, fitted, speedup, spread, verdict
from inboxstats.bench.model import Name, Timing

ONE, TWO = Name("sequence", 1), Name("threads", 2)


def timing(*seconds: float) -> Timing:
    return Timing(TWO, ONE, seconds)


def test_the_spread_is_the_median_with_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0, 2.5]) == type(spread([1]))(2.5, 1.0, 10.0)


def test_the_speed_up_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine became twice as slow in the third round: the ratios are 2, 2, 2, those of all medians would not be.
    found = outcome("x", {ONE: (4.0, 6.0, 12.0), TWO: (2.0, 3.0, 6.0)}, against={ONE: ONE, TWO: ONE})
    assert speedup(found, found.of(TWO)) == spread([2.0])
    assert speedup(found, found.of(ONE)) == spread([1.0])


def test_faster_is_what_never_was_as_slow_as_the_other() -> None:
    assert verdict(timing(2.0, 2.1, 2.2), timing(1.0, 1.9, 1.5)) == "faster"
    assert verdict(timing(1.0, 1.9, 1.5), timing(2.0, 2.1, 2.2)) == "slower"
    assert verdict(timing(2.0, 2.1, 2.2), timing(1.0, 1.1, 2.0)) == "within the noise"
    assert verdict(timing(2.0, 2.0), timing(1.0, 1.0)) == "too few rounds"


def test_amdahls_law_is_found_in_times_that_obey_it() -> None:
    # A fifth stays serial: S(n) = 1 / (0.2 + 0.8 / n).
    fit = fitted([(2, 1 / 0.6), (4, 1 / 0.4), (8, 1 / 0.3)])
    assert fit is not None
    assert fit.serial_share == pytest.approx(0.2)
    assert fit.error == pytest.approx(0)


def test_amdahls_fit_tells_by_how_much_it_is_off() -> None:
    # Two workers gave nothing, four gave all: the share between is (0.5·0.5 + 0·0.75) / (0.5² + 0.75²) = 0.3077.
    fit = fitted([(2, 1.0), (4, 4.0)])
    assert fit is not None
    assert fit.serial_share == pytest.approx(0.25 / 0.8125)
    assert fit.error == pytest.approx(4 * (0.25 + 0.75 * 0.25 / 0.8125) - 1)


@pytest.mark.parametrize(("gain", "share"), [(3.0, 0.0), (0.8, 1.0)])
def test_a_share_is_no_less_than_nothing_and_no_more_than_all(gain: float, share: float) -> None:
    fit = fitted([(2, gain)])
    assert fit is not None
    assert fit.serial_share == share


def test_workers_beyond_the_processors_count_where_the_work_waits_and_not_where_it_burns() -> None:
    seconds = {Name("sequence", 8): (8.0,), Name("threads", 8): (4.0,)}
    burning, waiting = outcome("x", seconds), outcome("x", seconds, waits=True)
    # Two processors: S = 2 leaves nothing serial. Eight workers: 1/2 − 1/8 = s · 7/8.
    assert [each.serial_share for each in (amdahl(burning, "threads"), amdahl(waiting, "threads")) if each] == [
        0.0,
        pytest.approx(3 / 7),
    ]


def test_one_worker_says_nothing_of_amdahls_law() -> None:
    seconds = {Name("sequence", 1): (1.0,), Name("processes", 1): (1.2,)}
    assert amdahl(outcome("x", seconds), "processes") is None
    on_one = replace(QUIET, cores=1)
    assert amdahl(cpu(threads=[2.0], processes=[2.0], machine=on_one), "processes") is None


def test_the_json_object_has_what_the_documentation_says() -> None:
    told = as_json(cpu(threads=[2.0, 2.1, 1.9], processes=[1.0, 1.25, 1.1]))
    assert (told["schema_version"], told["experiment"], told["rounds"]) == (1, "cpu", 3)
    assert told["machine"] == {
        "cores": 2, "python": "3.11.2", "implementation": "CPython", "gil": True, "system": "Linux",
        "architecture": "x86_64", "load": 0.1,
    }  # fmt: skip
    by_name = {(row["mode"], row["workers"]): row for row in told["results"]}
    assert by_name["processes", 2]["seconds"] == {"median": 1.1, "min": 1.0, "max": 1.25}
    assert by_name["processes", 2]["speedup"] == round(2 / 1.1, 3)
    assert by_name["processes", 2]["speedup_range"] == [1.6, 2.0]
    assert by_name["processes", 2]["verdict"] == "faster"
    assert by_name["threads", 2]["verdict"] == "within the noise"
    assert (by_name["sequence", 2]["speedup"], by_name["sequence", 2]["verdict"]) == (1.0, None)
    # 1.1/2 of the time − 1/2 = s · 1/2
    assert told["amdahl"] == [
        {"mode": "processes", "variant": None, "serial_share": 0.1, "error": 0.0},
        {"mode": "threads", "variant": None, "serial_share": 1.0, "error": 0.0},
    ]
    assert told["starts"]["process"] == {"median": 0.05, "min": 0.04, "max": 0.06}
