"""The threads and their queue, against connections that fail as told. Real servers: tests/test_fetch.py."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from inboxstats.archive import MailboxFolder
from inboxstats.archive.layout import message_key
from inboxstats.download import Downloaded, Pool, Wanted, download
from inboxstats.download.admission import RECONNECTS
from inboxstats.download.chunks import CHUNK_BYTES, CHUNK_MESSAGES, chunks
from inboxstats.download.pool import NEAR_SECONDS
from inboxstats.errors import (
    CredentialsError,
    InboxstatsError,
    MailboxRefusedError,
    NetworkError,
    ServerRefusalError,
    StorageError,
    ThrottledError,
)
from inboxstats.mail import Content, Mailbox, MessageInfo, MessageKey, Part
from inboxstats.turns import waiting

INBOX = Mailbox("INBOX")


class Scripted:
    """A connection to a far server whose answers a test gives: `answer(keys)` is the messages, or raises."""

    def __init__(self, answer: Callable[[Sequence[MessageKey]], list[MessageKey]], *, refuses: int = 0) -> None:
        self.answer_to = answer
        self.refuses = refuses
        self.asked: list[list[MessageKey]] = []
        self.under_way: deque[list[MessageKey]] = deque()
        self.connects = 0
        self.prepared: list[Mailbox] = []
        self.closed = False
        self.aborted = threading.Event()

    def connect(self) -> None:
        self.connects += 1
        if self.refuses:
            self.refuses -= 1
            raise NetworkError("too many connections")

    def prepare(self, mailbox: Mailbox) -> None:
        self.prepared.append(mailbox)

    def ask(
        self, mailbox: Mailbox, keys: Sequence[MessageKey], part: Part = Part.WHOLE, *, expected_bytes: int = 0
    ) -> bool:
        assert (mailbox, part) == (INBOX, Part.WHOLE)
        assert expected_bytes >= 0
        self.asked.append(list(keys))
        self.under_way.append(list(keys))
        return True

    def answer(self, mailbox: Mailbox) -> Iterator[tuple[MessageKey, Content]]:
        assert mailbox == INBOX
        try:
            with waiting():
                if len(self.asked) == len(self.under_way):  # its first answer
                    time.sleep(NEAR_SECONDS * 2)  # a server that is not near
                answer = self.answer_to(self.under_way.popleft())
        except ServerRefusalError:
            raise
        except NetworkError:
            self.under_way.clear()
            raise
        for key in answer:
            yield key, body(key)

    def abort(self) -> None:
        self.aborted.set()

    def close(self) -> None:
        self.closed = True


def body(key: MessageKey) -> bytes:
    return f"Subject: {key}\r\n\r\n".encode()


def everything(keys: Sequence[MessageKey]) -> list[MessageKey]:
    return list(keys)


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    inbox = MailboxFolder(tmp_path / "INBOX", INBOX, fsync=False)
    inbox.note_name()
    return inbox


def wanted(folder: MailboxFolder, count: int, *, size: int = 1000) -> Wanted:
    infos = [MessageInfo(message_key(7, uid), size=size) for uid in range(1, count + 1)]
    return Wanted(folder, {info.key: info for info in infos})


def run(folder: MailboxFolder, count: int, *connections: Scripted) -> Downloaded:
    return download([wanted(folder, count)], connections, progress=lambda *_: None, wait=lambda _: None)


def test_chunks_are_bounded_by_count_and_by_bytes(folder: MailboxFolder) -> None:
    by_count = [len(chunk.left) for chunk in chunks(wanted(folder, 120, size=1))]
    assert by_count == [CHUNK_MESSAGES, CHUNK_MESSAGES, 120 - 2 * CHUNK_MESSAGES]
    by_bytes = [len(chunk.left) for chunk in chunks(wanted(folder, 5, size=CHUNK_BYTES // 2))]
    assert by_bytes == [2, 2, 1]
    assert [len(chunk.left) for chunk in chunks(wanted(folder, 2, size=CHUNK_BYTES * 3))] == [1, 1]


def test_every_message_is_stored_once_by_several_threads(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(4)]
    done = run(folder, 500, *connections)
    assert (done.stored, done.failed, done.left, done.error) == (500, (), 0, None)
    assert done.bytes == sum(len(body(key)) for key in wanted(folder, 500).messages)
    asked = [key for connection in connections for keys in connection.asked for key in keys]
    assert sorted(asked) == sorted(wanted(folder, 500).messages)
    assert folder.stored() == set(wanted(folder, 500).messages)
    assert all(connection.closed for connection in connections)


def test_there_are_no_more_threads_than_chunks(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(8)]
    run(folder, CHUNK_MESSAGES * 2, *connections)
    assert sum(connection.connects > 0 for connection in connections) <= 2


def test_a_dropped_connection_is_made_again_and_its_chunk_fetched(folder: MailboxFolder) -> None:
    drops = iter([NetworkError("dropped"), None])

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if problem := next(drops, None):
            raise problem
        return list(keys)

    done = run(folder, 10, Scripted(answer))
    assert (done.stored, done.error) == (10, None)


def test_a_message_that_breaks_its_chunk_is_found_and_the_others_are_stored(folder: MailboxFolder) -> None:
    bad = message_key(7, 13)

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if bad in keys:
            raise ServerRefusalError("NO, not that one")
        return list(keys)

    done = run(folder, CHUNK_MESSAGES, Scripted(answer))
    assert done.stored == CHUNK_MESSAGES - 1
    assert [(failure.mailbox, failure.key, failure.reason) for failure in done.failed] == [
        ("INBOX", bad, "NO, not that one")
    ]
    assert done.error is None


def test_all_messages_refused_are_all_named(folder: MailboxFolder) -> None:
    def refuse(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise ServerRefusalError("NO")

    done = run(folder, 40, Scripted(refuse))
    assert sorted(failure.key for failure in done.failed) == sorted(wanted(folder, 40).messages)
    assert (done.stored, done.left, done.error) == (0, 0, None)


def test_messages_left_out_of_an_answer_are_told_apart_from_failures(folder: MailboxFolder) -> None:
    done = run(folder, 3, Scripted(lambda keys: list(keys)[:2]))
    assert done.stored == 2
    assert done.absent == {"INBOX": frozenset({message_key(7, 3)})}
    assert done.failed == ()


def test_a_server_that_takes_fewer_connections_is_served_with_fewer(folder: MailboxFolder) -> None:
    willing, refused = Scripted(everything), Scripted(everything, refuses=100)
    done = run(folder, 500, willing, refused)
    assert (done.stored, done.error) == (500, None)
    assert refused.asked == []


def test_alone_a_thread_tries_again_for_a_while(folder: MailboxFolder) -> None:
    waits: list[float] = []
    connection = Scripted(everything, refuses=RECONNECTS)
    done = download([wanted(folder, 3)], [connection], progress=lambda *_: None, wait=waits.append)
    assert (done.stored, done.error) == (3, None)
    assert len(waits) == RECONNECTS
    assert all(0 <= wait <= 2**attempt for attempt, wait in enumerate(waits))


def test_a_server_that_stays_away_ends_the_run_and_says_what_is_left(folder: MailboxFolder) -> None:
    done = run(folder, 70, Scripted(everything, refuses=100))
    assert isinstance(done.error, NetworkError)
    assert (done.stored, done.left) == (0, 70)


def test_a_server_that_drops_every_fetch_ends_the_run(folder: MailboxFolder) -> None:
    def drop(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise NetworkError("dropped")

    done = run(folder, 200, Scripted(drop))
    assert isinstance(done.error, NetworkError)
    assert done.stored == 0
    assert done.left + len(done.failed) == 200


def test_a_wrong_password_is_tried_once(folder: MailboxFolder) -> None:
    class Refusing(Scripted):
        def connect(self) -> None:
            self.connects += 1
            raise CredentialsError("no")

    connection = Refusing(everything)
    done = run(folder, 3, connection)
    assert isinstance(done.error, CredentialsError)
    assert connection.connects == 1


def test_a_full_disk_ends_the_run_and_keeps_what_is_stored(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folder.store
    calls = []

    def store(messages: Iterator[tuple[MessageKey, bytes]]) -> list[MessageKey]:
        calls.append(1)
        if len(calls) > 2:
            raise StorageError("no space is left on the disk")
        return real(messages)

    monkeypatch.setattr(folder, "store", store)
    done = run(folder, CHUNK_MESSAGES * 4, Scripted(everything))
    assert isinstance(done.error, StorageError)
    assert (done.stored, done.left) == (CHUNK_MESSAGES * 2, CHUNK_MESSAGES * 2)
    assert len(folder.stored()) == CHUNK_MESSAGES * 2


def test_an_interrupt_stops_the_threads_and_keeps_whole_files(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(BaseException):
        pass

    stalled = threading.Event()
    connections: list[Scripted] = []

    def stall(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if message_key(7, 1) in keys:
            return list(keys)
        stalled.set()
        for connection in connections:
            connection.aborted.wait(30)
        raise NetworkError("cut")

    def progress(messages: int, size: int) -> None:
        assert (messages, size > 0) == (1, True)

    connections += [Scripted(stall), Scripted(stall)]
    real_wait = threading.Event.wait

    def interrupting_wait(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout == 0.2 and stalled.is_set() and not connections[0].aborted.is_set():
            raise Interrupted
        return real_wait(event, timeout)

    began = time.monotonic()
    monkeypatch.setattr(threading.Event, "wait", interrupting_wait)
    with pytest.raises(Interrupted):
        download([wanted(folder, CHUNK_MESSAGES * 6)], connections, progress=progress, wait=lambda _: None)
    assert time.monotonic() - began < 5
    assert all(connection.closed for connection in connections)
    assert {key: location.read() for key, location in folder.locations().items()} == {
        key: body(key) for key in folder.stored()
    }


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


def test_connections_are_made_while_the_work_is_still_being_found(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(8)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.expect(INBOX, CHUNK_MESSAGES * 3, round_trip=1)
        _await(lambda: sum(len(each.prepared) for each in connections) == 2, "two connections are made")
        assert connections[0].connects == 0  # it is the caller's
        assert connections[1].prepared == [INBOX]
        done = pool.run([wanted(folder, CHUNK_MESSAGES * 3)])
    assert (done.stored, done.error) == (CHUNK_MESSAGES * 3, None)
    assert [each.connects > 0 for each in connections] == [True] * 3 + [False] * 5
    assert all(each.closed for each in connections[:3])


def test_connections_for_which_there_is_no_work_are_closed() -> None:
    connections = [Scripted(everything) for _ in range(4)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.expect(INBOX, 1000, round_trip=1)
        assert pool.run(()) == Downloaded(stored=0, bytes=0, failed=(), absent={})
    assert [each.closed for each in connections] == [False, True, True, True]


def test_connections_are_closed_where_finding_the_work_fails() -> None:
    connections = [Scripted(everything) for _ in range(4)]
    with pytest.raises(ZeroDivisionError), Pool(connections, progress=lambda *_: None) as pool:  # noqa: PT012
        pool.expect(INBOX, 1000, round_trip=1)
        _await(lambda: sum(len(each.prepared) for each in connections) == 3, "three connections are made")
        raise ZeroDivisionError
    assert [each.closed for each in connections] == [False, True, True, True]


def test_connections_that_are_refused_early_leave_the_work_to_the_first(folder: MailboxFolder) -> None:
    connections = [Scripted(everything), *(Scripted(everything, refuses=100) for _ in range(3))]
    with Pool(connections, progress=lambda *_: None, wait=lambda _: None) as pool:
        pool.expect(INBOX, 1000, round_trip=1)
        _await(lambda: any(each.closed for each in connections[1:]), "one is refused")
        done = pool.run([wanted(folder, 500)])
    assert (done.stored, done.error) == (500, None)
    assert all(each.closed for each in connections)


class Clock:
    """A time that passes where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def test_a_server_that_throttles_is_left_alone_as_long_as_it_says(folder: MailboxFolder) -> None:
    clock, says = Clock(), iter([ThrottledError("slow down", wait=20)])

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if problem := next(says, None):
            raise problem
        return list(keys)

    connection = Scripted(answer)
    work = [wanted(folder, CHUNK_MESSAGES * 6)]
    done = download(work, [connection], progress=lambda *_: None, wait=clock.wait, clock=clock)
    assert (done.stored, done.failed, done.error) == (CHUNK_MESSAGES * 6, (), None)
    assert 20 <= sum(clock.waits) <= 21
    assert connection.closed
    assert min(map(len, connection.asked)) == CHUNK_MESSAGES  # none was halved


def test_what_is_given_back_waits_for_the_rests_end_though_another_thread_is_idle(folder: MailboxFolder) -> None:
    clock, asked_at = Clock(), list[float]()
    idle = Scripted(everything)

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        asked_at.append(clock.now)
        if len(asked_at) == 1:
            while not idle.connects:  # it has nothing to do but to wait for what comes back
                time.sleep(0.001)
            time.sleep(0.05)
            raise ThrottledError("slow down", wait=20)
        return list(keys)

    idle.answer_to = answer
    pool = Pool([Scripted(answer), idle], progress=lambda *_: None, wait=clock.wait, clock=clock)
    with pool:
        pool.expect(INBOX, CHUNK_MESSAGES * 2, round_trip=1.0)
        done = pool.run([wanted(folder, 1)])
    assert (done.stored, done.error) == (1, None)
    assert asked_at[0] + 20 <= asked_at[1]


@pytest.mark.parametrize("problem", [ThrottledError("until tomorrow", is_quota=True), ThrottledError("", wait=3600)])
def test_a_server_that_wants_a_long_rest_ends_the_run_at_once_and_keeps_what_is_stored(
    folder: MailboxFolder, problem: ThrottledError
) -> None:
    clock, says = Clock(), iter([None, None, problem])

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if complaint := next(says, None):
            raise complaint
        return list(keys)

    work = [wanted(folder, CHUNK_MESSAGES * 6)]
    done = download(work, [Scripted(answer)], progress=lambda *_: None, wait=clock.wait, clock=clock)
    assert (done.error, done.stored, done.left) == (problem, CHUNK_MESSAGES * 2, CHUNK_MESSAGES * 4)
    assert (done.failed, clock.waits) == ((), [])


def test_a_server_that_always_throttles_ends_the_run_and_no_message_is_blamed(folder: MailboxFolder) -> None:
    def throttle(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise ThrottledError("slow down")

    clock = Clock()
    connections = [Scripted(throttle) for _ in range(3)]
    done = download([wanted(folder, 500)], connections, progress=lambda *_: None, wait=clock.wait, clock=clock)
    assert isinstance(done.error, ThrottledError)
    assert (done.stored, done.left, done.failed) == (0, 500, ())


def test_a_chunk_that_alone_is_throttled_again_and_again_does_not_keep_its_other_messages(
    folder: MailboxFolder,
) -> None:
    bad, clock = message_key(7, 13), Clock()

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if bad in keys:
            raise ThrottledError("[UNAVAILABLE] not that one")
        return list(keys)

    work = [wanted(folder, CHUNK_MESSAGES * 2)]
    done = download(work, [Scripted(answer)], progress=lambda *_: None, wait=clock.wait, clock=clock)
    assert isinstance(done.error, ThrottledError)
    assert (done.stored, done.left) == (CHUNK_MESSAGES * 2 - 1, 1)


def test_connections_that_were_refused_come_back_once_the_server_bears_them(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxstats.pace.GROW_CHUNKS", 3)
    clock = Clock()
    second = Scripted(everything, refuses=4)
    first_asked_for = threading.Event()

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if second.connects >= 2 and not second.asked:  # refused twice, then parked
            first_asked_for.set()
            clock.now += 100
        time.sleep(0.005)
        return list(keys)

    done = download(
        [wanted(folder, 5000)], [Scripted(answer), second], progress=lambda *_: None, wait=lambda _: None, clock=clock
    )
    assert first_asked_for.is_set()
    assert (done.stored, done.error) == (5000, None)
    assert second.asked


def test_an_interrupt_during_a_rest_is_heard_at_once(folder: MailboxFolder) -> None:
    def throttle(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise ThrottledError("slow down", wait=50)

    pool = Pool([Scripted(throttle) for _ in range(3)], progress=lambda *_: None)
    began = time.monotonic()
    threading.Timer(0.3, pool._run.stop, kwargs={"bug": ZeroDivisionError()}).start()
    with pytest.raises(ZeroDivisionError), pool:
        pool.run([wanted(folder, 500)])
    assert time.monotonic() - began < 3


def test_what_is_under_way_behind_a_dropped_chunk_is_fetched_too_and_not_blamed(folder: MailboxFolder) -> None:
    drops = iter([None, NetworkError("one"), NetworkError("two")])

    def answer(keys: Sequence[MessageKey]) -> list[MessageKey]:
        if problem := next(drops, None):
            raise problem
        return list(keys)

    connection = Scripted(answer)
    done = run(folder, CHUNK_MESSAGES * 6, connection)
    assert (done.stored, done.failed, done.error) == (CHUNK_MESSAGES * 6, (), None)
    assert connection.connects >= 3
    assert max(map(len, connection.asked)) == CHUNK_MESSAGES
    assert min(map(len, connection.asked)) == CHUNK_MESSAGES  # none was halved


def test_a_near_server_is_served_by_one_thread(folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 10)
    monkeypatch.setattr("inboxstats.download.worker.WAITING", 1)
    connections = [Scripted(everything) for _ in range(4)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.expect(INBOX, 1000, round_trip=1)
        done = pool.run([wanted(folder, 1000)])
    assert (done.stored, done.error) == (1000, None)
    assert [each.connects > 0 for each in connections] == [True, False, False, False]


def test_a_near_server_that_is_slow_is_served_by_more_and_more(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 10)

    def slowly(keys: Sequence[MessageKey]) -> list[MessageKey]:
        time.sleep(0.2)
        return list(keys)

    connections = [Scripted(slowly) for _ in range(3)]
    assert run(folder, CHUNK_MESSAGES * 12, *connections).stored == CHUNK_MESSAGES * 12
    assert all(each.connects for each in connections)
    assert len(connections[0].asked) > len(connections[1].asked) > 1


def test_chunks_become_smaller_towards_the_end(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(4)]
    assert run(folder, 2000, *connections).stored == 2000
    sizes = sorted(len(keys) for connection in connections for keys in connection.asked)
    assert (sizes[0], sizes[-1]) == (1, CHUNK_MESSAGES)
    assert len(sizes) < 2000 // CHUNK_MESSAGES + 80


def test_a_million_messages_are_not_cut_before_they_are_asked_for(folder: MailboxFolder) -> None:
    taken = 0

    class Many(dict[MessageKey, MessageInfo]):
        def __len__(self) -> int:
            return 1_000_000

        def items(self) -> Iterator[tuple[MessageKey, MessageInfo]]:  # type: ignore[override]  # no view: counted
            nonlocal taken
            for uid in range(1, 1_000_001):
                taken += 1
                yield message_key(7, uid), MessageInfo(message_key(7, uid), size=1)

    def refuse(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise MailboxRefusedError("gone")

    done = download([Wanted(folder, Many())], [Scripted(refuse)] * 1, progress=lambda *_: None)
    assert done.refused == {"INBOX": ("gone", 1_000_000)}
    assert taken < 2000


def test_a_bug_in_a_thread_reaches_the_caller(folder: MailboxFolder) -> None:
    def bug(_: Sequence[MessageKey]) -> list[MessageKey]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(folder, 3, Scripted(bug))


def test_an_error_has_an_exit_code() -> None:
    assert {kind.__name__: int(kind("").exit_code) for kind in InboxstatsError.__subclasses__()} == {
        "StoppedError": 130,
        "UsageError": 2,
        "CredentialsError": 4,
        "NetworkError": 5,
        "StorageError": 6,
        "ArchiveBusyError": 7,
        "ArchiveDamagedError": 8,
        "TLSError": 9,
    }
