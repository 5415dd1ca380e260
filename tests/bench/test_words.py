"""The sentences follow from the figures: the opposite figures give the opposite sentences."""

from dataclasses import replace

import pytest

from bench.outcomes import QUIET, cpu, outcome
from inboxstats.bench.model import Name, Outcome
from inboxstats.bench.words import duration, lessons, machine_line, sentences, times

FREE = replace(QUIET, python="3.14.0", gil=False)


def told(found: Outcome) -> str:
    return " ".join(sentences(found))


def test_threads_that_gain_nothing_under_a_gil_are_explained_by_it() -> None:
    text = told(cpu(threads=[2.0, 2.1, 1.9], processes=[1.0, 1.25, 1.1]))
    assert "2 runs in 2 threads, against one after the other: 2.00 s against 2.00 s: a difference within the" in text
    assert "one thread at a time runs Python" in text
    assert "2 runs in 2 processes, against one after the other: 1.10 s against 2.00 s: 1.82 times as fast" in text
    assert "By Amdahl's law 10% of the work in processes stays serial: no number of workers makes it more than" in text
    assert "To start a process and end it took 50 ms (40 ms to 60 ms), a thread 0.1 ms" in text


def test_threads_that_gain_without_a_gil_are_explained_by_that() -> None:
    text = told(cpu(threads=[1.0, 1.1, 1.05], processes=[2.5, 2.6, 2.7], machine=FREE))
    assert "This interpreter has no GIL: its threads run Python side by side." in text
    assert "one thread at a time" not in text
    assert "2.60 s against 2.00 s: slower, it took 1.30 times as long" in text
    assert "of its own; 2 processors" not in text
    assert "Amdahl" not in text


def test_threads_that_gain_under_a_gil_are_not_explained_by_its_absence() -> None:
    text = told(cpu(threads=[1.0, 1.1, 1.05], processes=[1.0, 1.0, 1.0]))
    assert "not by running Python side by side, which this interpreter's GIL prevents" in text
    assert "next to nothing of the work in processes stays serial" in text


def test_of_too_few_rounds_nothing_is_concluded() -> None:
    found = cpu(threads=[1.0, 1.0], processes=[1.0, 1.0])
    assert "in too few rounds to tell that from noise" in told(found)
    assert "side by side" not in told(found)
    assert dict(lessons([found]))["When do threads win?"] == "There were too few rounds to say."


ONE = Name("sequence", 1, "1 a FETCH")
BATCHED = Name("sequence", 1, "50 a FETCH")
ARTICLE, OURS = Name("article", 10, "1 a FETCH"), Name("ours", 8)


@pytest.mark.parametrize(("batched", "is_said"), [((0.2, 0.2, 0.3), True), ((2.0, 2.1, 2.2), False)])
def test_batches_come_first_only_where_they_did(batched: tuple[float, ...], *, is_said: bool) -> None:
    seconds = {ONE: (4.0, 4.1, 4.2), ARTICLE: (0.5, 0.6, 0.7), BATCHED: batched, OURS: (0.1, 0.1, 0.1)}
    text = told(outcome("download", seconds, against=dict.fromkeys(seconds, ONE), waits=True))
    assert ("batches come first" in text) is is_said
    assert "10 threads, one message a FETCH, against one: 600 ms against 4.10 s: 6.8 times as fast" in text
    assert "inboxstats, which does both, against one by one: 100 ms against 4.10 s: 41.0 times as fast" in text


def test_the_lessons_name_who_won_and_who_did_not() -> None:
    waiting = outcome("io", {Name("sequence", 8): (8.0, 8.0, 8.0), Name("threads", 8): (1.0, 1.0, 1.0)}, waits=True)
    burning = cpu(threads=[2.0, 2.1, 1.9], processes=[1.0, 1.25, 1.1])
    answers = dict(lessons([burning, waiting]))
    assert answers["When do threads win?"] == (
        "Here they did with a job called io (8× in threads: 8.0 times as fast). "
        "No gain beyond the noise with a job called cpu (2× in threads: 1.00 times as fast)."
    )
    assert answers["When do processes win?"] == (
        "Here they did with a job called cpu (2× in processes: 1.82 times as fast)."
    )


def test_a_fit_that_is_far_off_is_told_as_none() -> None:
    seconds = {
        Name("sequence", 2): (2.0,) * 3, Name("threads", 2): (1.0,) * 3,
        Name("sequence", 8): (8.0,) * 3, Name("threads", 8): (4.0,) * 3,
        Name("processes", 8): (8.0,) * 3,
    }  # fmt: skip
    text = told(outcome("io", seconds, waits=True))
    assert "Amdahl's law does not describe the work in threads" in text
    assert "stays serial" not in text


def test_a_busy_machine_is_told() -> None:
    assert machine_line(QUIET) == "2 processors (Linux, x86_64), CPython 3.11.2 with a GIL; load 0.1 at the start."
    assert machine_line(replace(FREE, load=1.9, cores=1)) == (
        "1 processor (Linux, x86_64), CPython 3.14.0 without a GIL; load 1.9 at the start: others were at work."
    )
    assert machine_line(replace(QUIET, load=None)).endswith("with a GIL.")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00012, "0.12 ms"), (0.0451, "45 ms"), (1.234, "1.23 s"), (215.04, "215.0 s")]
)
def test_times_are_told_with_few_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(0.953, "0.95"), (3.61, "3.6"), (183.2, "183")])
def test_ratios_are_told_with_few_digits(ratio: float, text: str) -> None:
    assert times(ratio) == text
