"""I/O threads: what a server has and the archive has not, in chunks from a shared queue.

Downloading waits for the network, so threads do it: one connection each, as SELECT is state of the connection. The
queue is shared, so that a slow connection holds nobody up; several chunks are under way on a connection, so that the
server never waits; and they are bounded by bytes, so that no thread is left behind with much of the work.
"""

import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Protocol, Self

from inboxstats.archive import MailboxFolder
from inboxstats.errors import (
    InboxstatsError,
    MailboxRefusedError,
    NetworkError,
    ServerRefusalError,
    StorageError,
    ThrottledError,
)
from inboxstats.mail import Content, Mailbox, MessageInfo, MessageKey
from inboxstats.pace import Pace

CHUNK_BYTES, CHUNK_MESSAGES = 1_000_000, 50
"""The bounds of one FETCH: batches win more than threads do, and beyond these sizes nothing (measured)."""

UNDER_WAY, UNDER_WAY_BYTES = 12, 2_000_000
"""Up to how many chunks, and from how many bytes on no more of them, are under way on a connection. With only 3, which
are small towards the end, all takes 1.3 times as long at a round trip of 100 ms."""

SHARES = 4
"""Towards the end a chunk is one of so many parts of a thread's share in what is left, so that all end together."""

NEAR_SECONDS, WAITING = 0.01, 0.8
"""A server whose first message comes so soon is near: one thread does more there than ten, which are in each other's
way (1.1 s against 0.7 s on loopback). Another joins for each chunk of which more than this part was spent waiting."""

TRIES, TRIES_ALONE = 2, 4
"""How often a chunk is asked for before it is halved; and how often a message whose connection drops each time: that
may be no fault of its own."""

RECONNECTS, LONGEST_WAIT = 5, 30.0
"""How often in a row a thread tries to connect again, and the longest pause between in seconds."""

HOPELESS = 20
"""How many chunks in a row may lose their connection without a single message stored in between."""

STOP_SECONDS = 4.0
"""How long threads may take to stop; what they have not finished by then is left to the next run."""


_LOG = logging.getLogger(__name__)


class Connection(Protocol):
    """What a thread needs of a source: see `sources.imap.ImapSource`."""

    def connect(self) -> None: ...
    def prepare(self, mailbox: Mailbox) -> None: ...
    def ask(self, mailbox: Mailbox, keys: Sequence[MessageKey], *, expected_bytes: int = 0) -> bool: ...
    def answer(self, mailbox: Mailbox) -> Iterator[tuple[MessageKey, Content]]: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Budget(Protocol):
    """How much may come, such as `archive.DailyBudget`: bytes of bodies."""

    def allows(self, size: int, *, promised: int) -> bool: ...
    def count(self, size: int) -> None: ...
    def spent(self) -> InboxstatsError: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """The messages of a mailbox that are to be stored in its folder."""

    folder: MailboxFolder
    messages: Mapping[MessageKey, MessageInfo]


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be fetched; the next run tries again."""

    mailbox: str
    key: MessageKey
    reason: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What came of a download.

    stored, bytes -- messages now in the archive, and their size
    failed -- messages that the server would not give
    refused -- by mailbox, why none of its messages could be had any more, and how many that costs
    absent -- by mailbox, messages that an answer left out: expunged, or to be tried again
    error -- what ended the download early; `left` messages were then not asked for
    """

    stored: int
    bytes: int
    failed: tuple[Failure, ...]
    absent: Mapping[str, frozenset[MessageKey]]
    refused: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    left: int = 0
    error: InboxstatsError | None = None


@dataclass(slots=True)
class Chunk:
    """Messages that one command asks for; `left` are those that are still to come, with their size where known.

    throttled -- how often the server wanted to be left alone instead of answering
    episode   -- that of the `Pace` in which it was asked for last
    """

    folder: MailboxFolder
    left: dict[MessageKey, int]
    tries: int = 0
    throttled: int = 0
    episode: int = 0

    @property
    def size(self) -> int:
        return sum(self.left.values())


def chunks(wanted: Wanted, most: Callable[[], int] = lambda: CHUNK_MESSAGES) -> Iterator[Chunk]:
    """Cut the messages of a mailbox into chunks within CHUNK_BYTES and `most()`, of one message at least."""
    left: dict[MessageKey, int] = {}
    bound = bytes_left = 0
    for info in wanted.messages.values():
        size = info.size or 0
        if left and (len(left) >= bound or size > bytes_left):
            yield Chunk(wanted.folder, left)
            left = {}
        if not left:
            bound, bytes_left = most(), CHUNK_BYTES
        left[info.key] = size
        bytes_left -= size
    if left:
        yield Chunk(wanted.folder, left)


def _halves(chunk: Chunk) -> tuple[Chunk, Chunk]:
    messages = list(chunk.left.items())
    middle = len(messages) // 2
    first, second = dict(messages[:middle]), dict(messages[middle:])
    return Chunk(chunk.folder, first, TRIES - 1), Chunk(chunk.folder, second, TRIES - 1)


@dataclass(slots=True)
class _Uncut:
    folder: MailboxFolder
    chunks: Iterator[Chunk]
    messages: int


class _Queue:
    """What is still to be asked for. Chunks are cut when they are taken: a million messages need no list of them."""

    def __init__(self, work: Sequence[Wanted], threads: int) -> None:
        self._uncut = deque(_Uncut(each.folder, chunks(each, self._most), len(each.messages)) for each in work)
        self._back: deque[Chunk] = deque()
        self._threads = max(1, threads)

    def __len__(self) -> int:
        """How many messages are left."""
        return self._fresh + sum(len(chunk.left) for chunk in self._back)

    @property
    def _fresh(self) -> int:
        return sum(each.messages for each in self._uncut)

    def _most(self) -> int:
        if self._threads == 1:
            return CHUNK_MESSAGES
        share = self._fresh // (self._threads * SHARES)
        return max(1, min(share, CHUNK_MESSAGES))

    def take(self, under_way: Sequence[Chunk] = ()) -> Chunk | None:
        """The next chunk; behind others only a fresh one, of the same mailbox, within a thread's share of the rest."""
        of = under_way[0].folder if under_way else None
        if of and sum(len(chunk.left) for chunk in under_way) >= max(CHUNK_MESSAGES, self._fresh // self._threads):
            return None
        while self._uncut and of in (None, self._uncut[0].folder):
            first = self._uncut[0]
            chunk = next(first.chunks, None)
            if chunk is not None:
                first.messages -= len(chunk.left)
                return chunk
            self._uncut.popleft()
        return self._back.popleft() if self._back and not under_way else None

    def give_back(self, *some: Chunk) -> None:
        """Chunks that came to nothing: others have their turn first."""
        self._back.extend(chunk for chunk in some if chunk.left)

    def give_up(self, folder: MailboxFolder) -> int:
        """Take a mailbox off the queue. Returns how many messages that costs."""
        before = len(self)
        self._uncut = deque(each for each in self._uncut if each.folder is not folder)
        self._back = deque(chunk for chunk in self._back if chunk.folder is not folder)
        return before - len(self)


class Pool:
    """Threads with a connection each. They may connect while it is still being found out what there is to do.

    `progress` is called from the threads with messages and bytes just stored. Leaving the context stops the threads
    within STOP_SECONDS, also by an exception (Ctrl-C); what is complete stays in the archive. `wait` and `clock` are
    the time, for tests.
    """

    def __init__(
        self,
        connections: Sequence[Connection],
        *,
        progress: Callable[[int, int], None],
        budget: Budget | None = None,
        wait: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._run = _Run(progress, Pace(len(connections), clock=clock), budget, wait)

    def __enter__(self) -> Self:
        return self

    def expect(self, mailbox: Mailbox, messages: int, *, round_trip: float) -> None:
        """So many will be wanted of a server that answers in so many seconds: connect already, unless it is near.

        The first connection is left to the caller, who has logged in.
        """
        if round_trip >= NEAR_SECONDS:
            self._run.expected = mailbox
            self._run.hold(self._connections[0])
            self._run.start(self._connections[1 : messages // CHUNK_MESSAGES])

    def run(self, work: Sequence[Wanted]) -> Downloaded:
        """Store all messages wanted. Returns what came of it, even where it ended early."""
        several = chain.from_iterable(map(chunks, work))
        threads = sum(1 for _ in islice(several, len(self._connections)))
        self._run.begin(_Queue(work, threads), self._connections[:threads])
        if threads and not self._run.begun.wait(NEAR_SECONDS):
            self._run.start(self._connections[:threads])
        self._run.leave()
        # Not Thread.join: an exception out of it makes Python 3.11 take a living thread for a finished one.
        while not self._run.ended.wait(0.2):
            if self._run.stopped:  # the others may wait long for their server
                self._abort()
        return self._run.result()

    def _abort(self) -> None:
        for connection in self._run.served:
            connection.abort()

    def __exit__(self, *_: object) -> None:
        if not self._run.ended.is_set():
            self._run.stop()
            self._abort()
            if self._run.queue is None:
                self._run.leave()
            self._run.ended.wait(STOP_SECONDS)


def download(
    work: Sequence[Wanted],
    connections: Sequence[Connection],
    *,
    progress: Callable[[int, int], None],
    budget: Budget | None = None,
    wait: Callable[[float], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Downloaded:
    """A `Pool` for work that is known."""
    with Pool(connections, progress=progress, budget=budget, wait=wait, clock=clock) as pool:
        return pool.run(work)


@dataclass(slots=True)
class _Run:
    """What the threads share: the queue, and what came of it. All of it changes under the lock.

    held      -- connections that are there or being made; the threads of others are parked
    connected -- those that are there
    asked     -- the chunks under way on each connection
    is_spent  -- the budget allows no more
    """

    progress: Callable[[int, int], None]
    pace: Pace
    budget: Budget | None
    wait_as_told: Callable[[float], object] | None
    queue: _Queue | None = None
    expected: Mailbox | None = None
    reserve: deque[Connection] = field(default_factory=deque)
    begun: threading.Event = field(default_factory=threading.Event)
    served: list[Connection] = field(default_factory=list)
    alive: int = 1  # the threads, and the caller until all work is known
    lock: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)
    in_flight: int = 0
    held: set[Connection] = field(default_factory=set)
    connected: set[Connection] = field(default_factory=set)
    asked: list[deque[Chunk]] = field(default_factory=list)
    is_spent: bool = False
    stored: int = 0
    bytes: int = 0
    misses: int = 0
    failed: list[Failure] = field(default_factory=list)
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    absent: dict[str, set[MessageKey]] = field(default_factory=dict)
    error: InboxstatsError | None = None
    bug: BaseException | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def stopped(self) -> bool:
        return self.stopping.is_set()

    def wait(self, seconds: float) -> None:
        """Let time pass, but no more of it once the run is stopped."""
        (self.wait_as_told or self.stopping.wait)(seconds)

    def hold(self, connection: Connection) -> None:
        """It is there, for the caller made it."""
        with self.lock:
            self.held.add(connection)
            self.connected.add(connection)

    def begin(self, queue: _Queue, connections: Sequence[Connection]) -> None:
        """All work is known; the first of the connections begins with it, the others stand by."""
        with self.lock:
            self.queue = queue
            self.reserve.extend(connections[1:])
            self.lock.notify_all()
        self.start(connections[:1])

    def start(self, connections: Iterable[Connection]) -> None:
        """A thread for each connection that has none."""
        for connection in connections:
            with self.lock:
                if connection in self.served:
                    continue
                self.served.append(connection)
                self.alive += 1
                name = f"download-{len(self.served)}"
            threading.Thread(target=self.serve, args=(connection,), name=name, daemon=True).start()

    def leave(self) -> None:
        """A thread has ended, or the caller knows of no more work."""
        with self.lock:
            self.alive -= 1
            if not self.alive:
                self.begun.set()
                self.ended.set()

    def serve(self, connection: Connection) -> None:
        """A thread's life: take chunks, fetch them, store them, until there are none."""
        under_way: deque[Chunk] = deque()
        self.asked.append(under_way)
        try:
            is_connected = self._connect(connection)
            if is_connected and self.queue is None and self.expected is not None:
                with contextlib.suppress(NetworkError):  # what is wrong is seen again, once there is work
                    connection.prepare(self.expected)
            while is_connected and self._step(connection, under_way):
                is_connected = not self.stopped if under_way else self._connect(connection)
        except BaseException as bug:  # noqa: BLE001 -- the border of the thread: the calling thread raises it again
            self.stop(bug=bug)
        finally:
            self._all_done(under_way)
            with self.lock:
                self._let_go(connection)
            connection.close()
            self.leave()

    def _connect(self, connection: Connection) -> bool:
        """Whether the thread has a connection to go on with; it waits until the server may be asked for one.

        While others are connected, one that is refused twice is parked: a server that has enough connections is served
        with fewer, until the pace grows. Alone a thread tries for a while, and then ends the download.
        """
        attempt = 0
        while self._admitted(connection):
            episode = self.pace.episode
            try:
                connection.connect()
            except InboxstatsError as problem:
                if not self._may_try_again(connection, problem, attempt=attempt, episode=episode):
                    return False
                attempt = attempt + 1 if connection in self.held else 1  # it was parked
            else:
                with self.lock:
                    self.connected.add(connection)
                return True
        return False

    def _admitted(self, connection: Connection) -> bool:
        """Wait until the server bears this connection. False where there is nothing more to do."""
        while True:
            with self.lock:
                is_surplus = connection in self.held and len(self.held) > self.pace.allowed
                if is_surplus:
                    self._let_go(connection)
            if is_surplus:
                connection.close()
            with self.lock:
                while not (connection in self.held or self.stopped or self._is_over()):
                    if len(self.held) < self.pace.allowed:
                        break
                    self.lock.wait()
                if self.stopped or self._is_over():
                    return False
                self.held.add(connection)
                rest = self.pace.rest()
            if not rest:
                return True
            self.wait(rest)

    def _is_over(self) -> bool:
        return self.is_spent or (self.queue is not None and not len(self.queue) and not self.in_flight)

    def _let_go(self, connection: Connection) -> None:
        """Another may take its place. Under the lock; to be closed without it, as that may take its time."""
        self.held.discard(connection)
        self.connected.discard(connection)
        self.lock.notify_all()

    def _may_try_again(self, connection: Connection, problem: InboxstatsError, *, attempt: int, episode: int) -> bool:
        """What to do about a connection that cannot be made. False where the thread is to end."""
        with self.lock:
            self.connected.discard(connection)
            alone = not self.connected
            is_parked = not alone and (attempt > 0 or isinstance(problem, ThrottledError))
            if is_parked:
                self._let_go(connection)
                self.pace.refused(len(self.held))
        if is_parked:
            connection.close()
            return isinstance(problem, NetworkError)
        if isinstance(problem, ThrottledError):
            return self._rest(problem, episode=episode)
        if alone and (attempt >= RECONNECTS or not isinstance(problem, NetworkError)):
            self.stop(error=problem)
            return False
        # Full jitter, so that threads which lost a server together do not return together.
        self.wait(random.uniform(0, min(LONGEST_WAIT, 2.0**attempt)))  # noqa: S311 -- no secret
        return True

    def _rest(self, problem: ThrottledError, *, episode: int) -> bool:
        """Leave the server alone for a while; False where that ends the run."""
        with self.lock:
            goes_on = self.pace.throttled(problem, episode=episode)
        _LOG.info("%s", problem)
        if not goes_on:
            self.stop(error=problem)
        return goes_on

    def _step(self, connection: Connection, under_way: deque[Chunk]) -> bool:
        """Store what the oldest chunk under way brings, with others asked for behind it. False when all is done."""
        try:
            self._ask(connection, under_way)
            if not under_way:
                return False
            self._store(connection, under_way)
        except ThrottledError as problem:
            self._throttled(connection, under_way, problem)
        except MailboxRefusedError as problem:
            self._give_up_mailbox(under_way, str(problem))
        except ServerRefusalError as problem:
            self._again(under_way.popleft(), problem)
        except NetworkError as problem:
            with self.lock:
                self.connected.discard(connection)
            # A server answers in order: it is the oldest that it failed at.
            self._again(under_way.popleft(), problem)
            self._all_done(under_way)
        except StorageError as problem:
            self.stop(error=problem)
        return True

    def _throttled(self, connection: Connection, under_way: deque[Chunk], problem: ThrottledError) -> None:
        """Hang up and come back later. No message is to blame, unless it is always at this chunk."""
        with self.lock:
            self.connected.discard(connection)
        connection.close()
        oldest = under_way.popleft()
        oldest.throttled += 1
        self._rest(problem, episode=oldest.episode)
        if oldest.throttled > TRIES and len(oldest.left) > 1:
            self._done(*_halves(oldest))
        else:
            self._done(oldest)
        self._all_done(under_way)

    def _ask(self, connection: Connection, under_way: deque[Chunk]) -> None:
        while len(under_way) < UNDER_WAY and sum(chunk.size for chunk in under_way) < UNDER_WAY_BYTES:
            chunk = self._take(under_way)
            if chunk is None:
                return
            if not connection.ask(chunk.folder.mailbox, list(chunk.left), expected_bytes=chunk.size):
                self._done(under_way.pop())
                return

    def _take(self, under_way: deque[Chunk]) -> Chunk | None:
        """The next chunk, which is under way then.

        With none before it, it waits: until all work is known, while one in flight may come back, and until the server
        may be asked again.
        """
        with self.lock:
            while not (self.stopped or self.is_spent):
                rest = self.pace.rest()
                if under_way and (rest or len(self.held) > self.pace.allowed):
                    break
                if rest:
                    self._wait_unlocked(rest)
                    continue
                if self.queue is not None:
                    chunk = self.queue.take(under_way)
                    if chunk is not None:
                        if not self._affords(chunk):
                            break
                        self.in_flight += 1
                        under_way.append(chunk)
                        chunk.episode = self.pace.episode
                        return chunk
                    if under_way or not self.in_flight:
                        break
                self.lock.wait()
            return None

    def _wait_unlocked(self, seconds: float) -> None:
        """Let time pass in the midst of what is done under the lock."""
        self.lock.release()
        try:
            self.wait(seconds)
        finally:
            self.lock.acquire()

    def _affords(self, chunk: Chunk) -> bool:
        """Whether the budget allows it, after all that is under way; else nobody takes any more. Under the lock."""
        if self.budget is not None:
            promised = sum(each.size for under_way in self.asked for each in under_way.copy())
            if not self.budget.allows(chunk.size, promised=promised):
                self.is_spent = True
                assert self.queue is not None
                self.queue.give_back(chunk)
                self.lock.notify_all()
        return not self.is_spent

    def _store(self, connection: Connection, under_way: deque[Chunk]) -> None:
        folder, left = under_way[0].folder, under_way[0].left
        began, waited = time.monotonic(), 0.0

        def arriving() -> Iterator[tuple[MessageKey, Content]]:
            nonlocal waited
            since = began
            for key, content in connection.answer(folder.mailbox):
                if self.stopped:
                    return
                waited += time.monotonic() - since
                self.begun.set()
                if self.budget is not None:
                    self.budget.count(len(content) if isinstance(content, bytes) else content.size)
                yield key, content
                # A server may answer a later command first.
                next(chunk.left for chunk in under_way if key in chunk.left).pop(key)
                self._count(len(content) if isinstance(content, bytes) else content.size)
                since = time.monotonic()

        folder.store(arriving())
        if left and not self.stopped:
            with self.lock:
                self.absent.setdefault(folder.mailbox.name, set()).update(left)
            left.clear()
        self._done(under_way.popleft())
        with self.lock:
            if self.pace.grows():
                self.lock.notify_all()
        if self.reserve and waited > WAITING * (time.monotonic() - began):
            self.start([self.reserve.popleft()])

    def _count(self, size: int) -> None:
        with self.lock:
            self.stored += 1
            self.bytes += size
            self.misses = 0
            self.pace.stored()
            self.progress(1, size)

    def _give_up_mailbox(self, under_way: deque[Chunk], reason: str) -> None:
        """Take a mailbox off the queue: it is gone, and asking for each message would change nothing."""
        folder = under_way[0].folder
        with self.lock:
            assert self.queue is not None
            lost = self.queue.give_up(folder) + sum(len(chunk.left) for chunk in under_way)
            first, before = self.refused.get(folder.mailbox.name, (reason, 0))
            self.refused[folder.mailbox.name] = (first, before + lost)
            for chunk in under_way:
                chunk.left.clear()
        self._all_done(under_way)

    def _again(self, chunk: Chunk, problem: NetworkError) -> None:
        """Queue what is left of a chunk that failed: as it is, then in halves, until the message at fault is alone."""
        is_refused = isinstance(problem, ServerRefusalError)
        if not is_refused:
            with self.lock:
                self.misses += 1
                hopeless = self.misses > HOPELESS
            if hopeless:
                self._done(chunk)
                self.stop(error=problem)
                return
        chunk.tries += 1
        if chunk.tries < (TRIES if is_refused or len(chunk.left) > 1 else TRIES_ALONE):
            self._done(chunk)
        elif len(chunk.left) > 1:
            self._done(*_halves(chunk))
        else:
            with self.lock:
                mailbox = chunk.folder.mailbox.name
                self.failed += [Failure(mailbox, key, str(problem)) for key in chunk.left]
            self._done()

    def _done(self, *left: Chunk, of: int = 1) -> None:
        """Chunks, so many of them, are no longer in flight; what is left of them goes to the end of the queue."""
        with self.lock:
            self.in_flight -= of
            if self.queue is not None:
                self.queue.give_back(*left)
            self.lock.notify_all()

    def _all_done(self, under_way: deque[Chunk]) -> None:
        self._done(*under_way, of=len(under_way))
        under_way.clear()

    def stop(self, *, error: InboxstatsError | None = None, bug: BaseException | None = None) -> None:
        """End the work; the first reason given is the one reported."""
        with self.lock:
            self.error = self.error or error
            self.bug = self.bug or bug
            self.stopping.set()
            self.lock.notify_all()

    def result(self) -> Downloaded:
        if self.bug is not None:
            raise self.bug
        if self.error is None and self.is_spent and self.budget is not None:
            self.error = self.budget.spent()
        return Downloaded(
            stored=self.stored,
            bytes=self.bytes,
            failed=tuple(self.failed),
            refused=self.refused,
            absent={mailbox: frozenset(keys) for mailbox, keys in self.absent.items()},
            left=len(self.queue or ()),
            error=self.error,
        )
