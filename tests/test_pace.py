"""The pace: fewer connections where a server complains, more again where it bears them. With a clock of its own."""

import pytest

from inboxstats.errors import ThrottledError
from inboxstats.pace import GROW_CHUNKS, GROW_SECONDS, LONGEST_REST, THROTTLES, Pace


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def grown(pace: Pace, chunks: int = GROW_CHUNKS) -> bool:
    return any(pace.grows() for _ in range(chunks))


def test_a_pace_begins_with_all_connections_and_no_rest(clock: Clock) -> None:
    pace = Pace(8, clock=clock)
    assert (pace.allowed, pace.rest()) == (8, 0)


def test_a_time_that_the_server_names_is_waited_for_with_half_of_the_connections(clock: Clock) -> None:
    pace = Pace(8, clock=clock)
    assert pace.throttled(ThrottledError("", wait=5), episode=pace.episode)
    assert pace.allowed == 4
    assert 5 <= pace.rest() <= 6
    clock.now += 6
    assert pace.rest() == 0


def test_what_several_connections_hear_of_one_trouble_counts_once(clock: Clock) -> None:
    pace = Pace(8, clock=clock)
    for wait in (5.0, 20.0, None):
        assert pace.throttled(ThrottledError("", wait=wait), episode=0)
    assert pace.allowed == 4
    assert pace.rest() >= 20


def test_where_no_time_is_named_the_rest_is_jittered_and_grows(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low == 0) * high)
    pace = Pace(8, clock=clock)
    rests = []
    for _ in range(THROTTLES):
        assert pace.throttled(ThrottledError(""), episode=pace.episode)
        rests.append(pace.rest())
        clock.now += pace.rest()
    assert rests == [2, 4, 8, 16]
    assert pace.allowed == 1
    assert not pace.throttled(ThrottledError(""), episode=pace.episode)


def test_a_message_in_between_makes_the_server_a_willing_one_again(clock: Clock) -> None:
    pace = Pace(2, clock=clock)
    for _ in range(THROTTLES * 3):
        assert pace.throttled(ThrottledError("", wait=1), episode=pace.episode)
        clock.now += 5
        pace.stored()


@pytest.mark.parametrize(
    "problem", [ThrottledError("", wait=LONGEST_REST + 1), ThrottledError("", is_quota=True, wait=1)]
)
def test_a_long_wait_and_a_quota_end_the_run(clock: Clock, problem: ThrottledError) -> None:
    pace = Pace(8, clock=clock)
    assert not pace.throttled(problem, episode=pace.episode)
    assert pace.rest() == 0


def test_a_refusal_leaves_those_that_are_held_and_one_at_least(clock: Clock) -> None:
    pace = Pace(8, clock=clock)
    pace.refused(5)
    assert pace.allowed == 5
    pace.refused(0)
    assert pace.allowed == 1


def test_it_grows_by_one_after_time_and_chunks_without_a_complaint_up_to_the_cap(clock: Clock) -> None:
    pace = Pace(3, clock=clock)
    pace.refused(1)
    clock.now += GROW_SECONDS
    assert not grown(pace, GROW_CHUNKS - 1)
    assert grown(pace, 1)
    assert pace.allowed == 2
    assert not grown(pace)  # no time has passed
    clock.now += GROW_SECONDS
    assert grown(pace, 1)
    clock.now += GROW_SECONDS
    assert not grown(pace)
    assert pace.allowed == 3


def test_a_server_that_refuses_again_and_again_is_asked_more_and_more_seldom(clock: Clock) -> None:
    pace = Pace(3, clock=clock)
    waited = []
    for _ in range(4):
        pace.refused(2)
        before = clock.now
        while not grown(pace):
            clock.now += GROW_SECONDS / 2
        waited.append(clock.now - before)
    assert waited == [GROW_SECONDS, GROW_SECONDS * 2, GROW_SECONDS * 4, GROW_SECONDS * 8]
