"""The threads: when each begins, and how they end."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Self

from inboxstats.download.admission import Admission
from inboxstats.download.calls import Calls
from inboxstats.download.chunks import CHUNK_MESSAGES, chunks
from inboxstats.download.records import Budget, Connection, Downloaded, Overture, Wanted
from inboxstats.download.run import Run
from inboxstats.download.worker import Worker
from inboxstats.mail import Mailbox, MessageKey
from inboxstats.pace import Pace

NEAR_SECONDS = 0.01
"""A server whose first message comes so soon is near: one thread does more there than ten, which are in each other's
way (1.1 s against 0.7 s on loopback)."""

MOST_EARLY, MANY = 20_000, 1_000
"""How many messages may be offered early, as each of them is noted; and from how many expected on it is of use: of few
the threads would have unequal shares."""

STOP_SECONDS, LOGIN_SECONDS = 4.0, 1.5
"""How long threads may take to stop; what they have not finished by then is left to the next run. And how long of it
those have that are logging in: who hangs up without a login may be taken for an attacker (fail2ban), and banned."""


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
        self._run = Run(progress, Pace(len(connections), clock=clock), budget, wait)
        self._admission = Admission(self._run)
        self._calls = Calls(self._run)
        self._offered: set[MessageKey] = set()
        self._takes_offers = False
        self._reserve: deque[Connection] = deque()
        self._served: list[Connection] = []
        self._alive = 1  # the threads, and the caller until all work is known
        self._ended = threading.Event()
        self._ending_since: float | None = None

    def __enter__(self) -> Self:
        return self

    def dial(self, *, round_trip: float) -> None:
        """Work is likely to come, of a server that took so many seconds to let the caller in: log in already.

        Where that turns out to be in vain they log out. Not for a near server: a login is some work, and so takes it
        longer than NEAR_SECONDS. The first connection is left to the caller.
        """
        if round_trip >= 2 * NEAR_SECONDS:
            self._admission.hold(self._connections[0])
            self._begin(self._connections[1:])

    def expect(self, mailbox: Mailbox, messages: int, *, round_trip: float) -> None:
        """So many will be wanted of a server that answers in so many seconds: connect already, unless it is near.

        The first connection is left to the caller, who has logged in.
        """
        if round_trip >= NEAR_SECONDS:
            self._calls.mailbox = mailbox
            self._admission.hold(self._connections[0])
            self._start(self._connections[1 : messages // CHUNK_MESSAGES])
            self._takes_offers = messages >= MANY

    def offer(self, wanted: Wanted) -> None:
        """Some of what will be wanted, while the rest is still being listed: connections that wait may have it.

        It must be part of what `run` is given, unless all comes to nothing. Twice the same is once.
        """
        if not self._takes_offers or len(self._offered) + len(wanted.messages) > MOST_EARLY:
            return
        if not self._offered.isdisjoint(wanted.messages):
            wanted = Wanted(
                wanted.folder, {key: info for key, info in wanted.messages.items() if key not in self._offered}
            )
        self._offered.update(wanted.messages)
        self._run.offer(wanted)

    def run(self, work: Sequence[Wanted], overture: Overture | None = None) -> Downloaded:
        """Store all messages wanted. Returns what came of it, even where it ended early.

        `overture` says which headers come first.
        """
        several = chain.from_iterable(map(chunks, work))
        threads = sum(1 for _ in islice(several, len(self._connections)))
        self._reserve.extend(self._connections[1:threads])
        self._run.begin(work, threads, overture)
        # The first of the connections begins, the others stand by.
        self._start(self._connections[:threads][:1])
        if threads and not self._run.begun.wait(NEAR_SECONDS):
            self._start(self._connections[:threads])
        self._calls.settle()
        self._leave()
        # Not Thread.join: an exception out of it makes Python 3.11 take a living thread for a finished one.
        while not self._ended.wait(0.2):
            if self._run.stopped:  # the others may wait long for their server
                self._abort()
            elif self._is_over() and self._patience() <= 0:  # they wait for a login that is of no use any more
                break
        return self._run.result()

    def stop(self) -> None:
        """End `run` early; what is complete stays. For another thread to call. Never raises."""
        self._run.stop()

    def __exit__(self, *_: object) -> None:
        if not self._ended.is_set():
            self._run.stop()
            self._abort()
            if self._run.queue is None:
                self._leave()
            if not self._ended.wait(max(0.0, self._patience())):
                self._abort()
                self._ended.wait(STOP_SECONDS - LOGIN_SECONDS)

    def _is_over(self) -> bool:
        with self._run.lock:
            return self._run.is_over

    def _patience(self) -> float:
        """How many more seconds those have who are logging in, from the end of the run on."""
        now = time.monotonic()
        self._ending_since = self._ending_since or now
        return self._ending_since + LOGIN_SECONDS - now

    def _abort(self) -> None:
        """Wake up those who wait for their server, and those who are logging in once they have had their time."""
        spared = self._admission.connecting() if self._patience() > 0 else frozenset()
        for connection in self._served:
            if connection not in spared:
                connection.abort()

    def _start(self, connections: Sequence[Connection]) -> None:
        """Have these serve."""
        for connection in connections:
            self._calls.call(connection)
        self._begin(connections)

    def _begin(self, connections: Sequence[Connection]) -> None:
        """A thread for each connection that has none, which connects, and serves once it is called."""
        for connection in connections:
            with self._run.lock:
                if connection in self._served:
                    continue
                self._served.append(connection)
                self._alive += 1
                name = f"download-{len(self._served)}"
            threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            Worker(self._run, self._admission, connection, waited_long=self._start_another).serve(self._calls)
        finally:
            self._leave()

    def _start_another(self) -> None:
        """A thread is mostly waiting: one of those that stand by begins."""
        with self._run.lock:
            joining = [self._reserve.popleft()] if self._reserve else []
        self._start(joining)

    def _leave(self) -> None:
        """A thread has ended, or the caller knows of no more work."""
        with self._run.lock:
            self._alive -= 1
            if not self._alive:
                self._run.begun.set()
                self._ended.set()


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
