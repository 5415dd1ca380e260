"""Deadlines of many threads, kept by one."""

import threading
import time

from inboxstats.sources.imap.deadline import deadline, extend


def test_what_takes_too_long_is_called_back_and_told() -> None:
    called = threading.Event()
    with deadline(0.05, called.set) as overdue:
        assert called.wait(20)
        assert overdue.is_set()


def test_what_is_done_in_time_is_never_called_back() -> None:
    called = threading.Event()
    with deadline(0.05, called.set) as overdue:
        pass
    assert not called.wait(0.3)
    assert not overdue.is_set()


def test_an_earlier_deadline_is_not_held_up_by_a_later_one() -> None:
    called = threading.Event()
    with deadline(60, lambda: None), deadline(30, lambda: None):
        time.sleep(0.05)  # its thread sleeps by now
        with deadline(0.05, called.set):
            assert called.wait(20)


def test_time_that_a_thread_waits_by_its_own_will_does_not_count() -> None:
    called = threading.Event()
    began = time.monotonic()
    with deadline(0.2, called.set), deadline(30, lambda: None):
        extend(0.5)
        assert called.wait(20)
    assert time.monotonic() - began > 0.65


def test_all_deadlines_share_one_thread() -> None:
    with deadline(60, lambda: None):
        before = threading.active_count()
        with deadline(60, lambda: None), deadline(60, lambda: None), deadline(1, lambda: None):
            assert threading.active_count() == before
