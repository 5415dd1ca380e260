"""Runs side by side."""

import threading
import time
from collections.abc import Callable

import pytest

from inboxstats import abreast as module
from inboxstats.abreast import Stop, abreast
from inboxstats.errors import StoppedError


def test_results_come_as_they_are_ready_and_all_run_at_once() -> None:
    second_is_told = threading.Event()
    together = threading.Barrier(3, timeout=30)

    def late() -> str:
        together.wait()
        assert second_is_told.wait(30)
        return "late"

    def early() -> str:
        together.wait()
        return "early"

    found = []
    for number, result in abreast([late, early, early], Stop()):
        found.append((number, result))
        if len(found) == 2:
            second_is_told.set()
    assert (sorted(found[:2]), found[2]) == ([(1, "early"), (2, "early")], (0, "late"))


def test_a_bug_in_one_is_raised_once_the_others_are_done() -> None:
    def broken() -> str:
        raise KeyError("a bug")

    found: list[str] = []
    with pytest.raises(KeyError, match="a bug"):
        found.extend(result for _, result in abreast([broken, lambda: "whole"], Stop()))
    assert found == ["whole"]


def test_who_leaves_early_stops_the_runs_and_wakes_those_that_wait() -> None:
    stop = Stop()
    ended: list[str] = []
    woken = threading.Event()

    def waits() -> None:
        try:
            stop.wait(60)
        except StoppedError:
            ended.append("waits")

    def listens() -> None:
        stop.wakes(woken.set)
        assert woken.wait(60)
        ended.append("listens")

    runs = abreast([waits, listens, lambda: None], stop)
    assert next(runs) == (2, None)
    with pytest.raises(KeyboardInterrupt):
        runs.throw(KeyboardInterrupt)
    assert sorted(ended) == ["listens", "waits"]
    with pytest.raises(StoppedError):
        stop.check()


def test_what_comes_to_listen_too_late_is_woken_at_once() -> None:
    stop, woken = Stop(), threading.Event()
    stop.tell()
    stop.wakes(woken.set)
    assert woken.is_set()


def test_a_run_that_cannot_be_woken_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    let_go = threading.Event()
    calls: list[Callable[[], object]] = [lambda: let_go.wait(60), lambda: None]
    runs = abreast(calls, Stop())
    next(runs)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runs.throw(KeyboardInterrupt)
    assert time.monotonic() - began < 30
    let_go.set()
