"""Threads that take turns: one works at a time, and nobody keeps the others from it while waiting."""

import threading
from collections.abc import Callable

import pytest

from inboxstats.turns import Break, Turn, queued, waiting

SECONDS = 20.0


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_thread_waits_until_the_other_has_had_its_turn() -> None:
    order: list[str] = []
    asks = threading.Event()

    def other() -> None:
        asks.set()
        with Turn():
            order.append("other")

    with Turn():
        thread = started(other)
        assert asks.wait(SECONDS)
        thread.join(0.05)
        order.append("first")
    thread.join(SECONDS)
    assert order == ["first", "other"]


def test_while_a_thread_waits_others_have_their_turn_and_it_has_its_own_back() -> None:
    order: list[str] = []
    done = threading.Event()

    def other() -> None:
        with Turn():
            order.append("other")
        done.set()

    def late() -> None:
        with Turn():
            order.append("late")

    with Turn():
        thread = started(other)
        with waiting():
            assert done.wait(SECONDS)
        latecomer = started(late)
        latecomer.join(0.05)
        order.append("first")
    thread.join(SECONDS)
    latecomer.join(SECONDS)
    assert order == ["other", "first", "late"]


def test_a_thread_without_a_turn_may_wait_and_has_none_afterwards() -> None:
    with waiting():
        pass
    done = threading.Event()

    def other() -> None:
        with Turn():
            done.set()

    started(other)
    assert done.wait(SECONDS)


def test_a_turn_ends_with_what_is_raised_in_it() -> None:
    with pytest.raises(ValueError, match="a fault"), Turn(), waiting():
        raise ValueError("a fault")
    with Turn():
        pass  # nobody holds it


def test_what_a_thread_waited_for_its_turn_is_counted_for_it_alone() -> None:
    waited: list[float] = []
    asks = threading.Event()

    def other() -> None:
        asks.set()
        with Turn():
            waited.append(queued())

    before = queued()
    with Turn():
        thread = started(other)
        assert asks.wait(SECONDS)
        thread.join(0.2)
    thread.join(SECONDS)
    assert waited[0] > 0.1
    assert queued() == before


def test_a_break_that_never_begins_leaves_the_turn_where_it_is() -> None:
    order: list[str] = []

    def other() -> None:
        with Turn():
            order.append("other")

    with Turn():
        with Break():
            thread = started(other)
            thread.join(0.05)
        order.append("first")
    thread.join(SECONDS)
    assert order == ["first", "other"]
