"""The cap on bytes a second, with a clock of its own."""

import threading

import pytest

from inboxstats.bandwidth import Bandwidth, bytes_per_second


@pytest.mark.parametrize(
    ("text", "rate"),
    [("500k", 500_000), ("2M", 2_000_000), ("1.5m", 1_500_000), ("250000", 250_000), (" 1 MB/s ", 1_000_000)],
)
def test_a_bandwidth_is_read_in_every_usual_form(text: str, rate: int) -> None:
    assert bytes_per_second(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "999", "-5M", "1e9", "2 T", "٣M", "1" * 50, "5kk", "nan"])
def test_another_bandwidth_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match="is no bandwidth; write bytes a second such as 500k or 2M, 1k at least"):
        bytes_per_second(text)


def test_all_who_share_it_get_so_much_together() -> None:
    now = 0.0
    waits: list[float] = []
    bandwidth = Bandwidth(1000, clock=lambda: now, wait=waits.append)
    assert [bandwidth.take(250) for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    assert waits == [0.25, 0.5, 0.75]
    now = 0.5
    assert bandwidth.take(250) == 0.5


def test_what_was_not_used_is_not_saved_up() -> None:
    now = 0.0
    bandwidth = Bandwidth(1000, clock=lambda: now, wait=lambda _: None)
    now = 100.0
    assert [bandwidth.take(1000) for _ in range(2)] == [0, 1]


def test_threads_wait_for_each_other() -> None:
    total = 0.0
    lock = threading.Lock()
    bandwidth = Bandwidth(1000, clock=lambda: 0.0, wait=lambda _: None)

    def take() -> None:
        nonlocal total
        for _ in range(100):
            seconds = bandwidth.take(10)
            with lock:
                total = max(total, seconds)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == pytest.approx(3.99)
