"""Who may be connected to the server, and when a connection that cannot be made is tried again."""

import logging
import random

from inboxstats.download.records import Connection
from inboxstats.download.run import Run
from inboxstats.errors import InboxstatsError, NetworkError, ThrottledError

RECONNECTS, LONGEST_WAIT = 5, 30.0
"""How often in a row a thread tries to connect again, and the longest pause between in seconds."""

_LOG = logging.getLogger(__name__)


class Admission:
    """The connections of a run, as many as its `Pace` allows. They change under the run's lock.

    held      -- connections that are there or being made; the threads of others are parked
    connected -- those that are there
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held: set[Connection] = set()
        self._connected: set[Connection] = set()

    @property
    def is_exceeded(self) -> bool:
        """Whether more connections are held than the server bears now. Under the lock."""
        return len(self._held) > self._run.pace.allowed

    def connecting(self) -> frozenset[Connection]:
        """Those that are being made."""
        with self._run.lock:
            return frozenset(self._held - self._connected)

    def hold(self, connection: Connection) -> None:
        """It is there, for the caller made it."""
        with self._run.lock:
            self._held.add(connection)
            self._connected.add(connection)

    def lost(self, connection: Connection) -> None:
        """It is not there any more, and may be made again."""
        with self._run.lock:
            self._connected.discard(connection)

    def leave(self, connection: Connection) -> None:
        """It is not wanted any more; another may take its place. To be closed afterwards."""
        with self._run.lock:
            self._let_go(connection)

    def connect(self, connection: Connection) -> bool:
        """Whether the thread has a connection to go on with; it waits until the server may be asked for one.

        While others are connected, one that is refused twice is parked: a server that has enough connections is served
        with fewer, until the pace grows. Alone a thread tries for a while, and then ends the download.
        """
        attempt = 0
        while self._admitted(connection):
            episode = self._run.pace.episode
            try:
                connection.connect()
            except InboxstatsError as problem:
                if not self._may_try_again(connection, problem, attempt=attempt, episode=episode):
                    return False
                attempt = attempt + 1 if connection in self._held else 1  # it was parked
            else:
                with self._run.lock:
                    self._connected.add(connection)
                return True
        return False

    def rest(self, problem: ThrottledError, *, episode: int) -> bool:
        """Leave the server alone for a while; False where that ends the run."""
        with self._run.lock:
            goes_on = self._run.pace.throttled(problem, episode=episode)
        _LOG.info("%s", problem)
        if not goes_on:
            self._run.stop(error=problem)
        return goes_on

    def _admitted(self, connection: Connection) -> bool:
        """Wait until the server bears this connection. False where there is nothing more to do."""
        run = self._run
        while True:
            with run.lock:
                is_surplus = connection in self._held and self.is_exceeded
                if is_surplus:
                    self._let_go(connection)
            if is_surplus:
                connection.close()
            with run.lock:
                while not (connection in self._held or run.stopped or run.is_over):
                    if len(self._held) < run.pace.allowed:
                        break
                    run.lock.wait()
                if run.stopped or run.is_over:
                    return False
                self._held.add(connection)
                rest = run.pace.rest()
            if not rest:
                return True
            run.wait(rest)

    def _let_go(self, connection: Connection) -> None:
        """Another may take its place. Under the lock; to be closed without it, as that may take its time."""
        self._held.discard(connection)
        self._connected.discard(connection)
        self._run.lock.notify_all()

    def _may_try_again(self, connection: Connection, problem: InboxstatsError, *, attempt: int, episode: int) -> bool:
        """What to do about a connection that cannot be made. False where the thread is to end."""
        run = self._run
        with run.lock:
            if run.stopped or run.is_over:
                return False
            self._connected.discard(connection)
            alone = not self._connected
            is_parked = not alone and (attempt > 0 or isinstance(problem, ThrottledError))
            if is_parked:
                self._let_go(connection)
                run.pace.refused(len(self._held))
        if is_parked:
            connection.close()
            return isinstance(problem, NetworkError)
        if isinstance(problem, ThrottledError):
            return self.rest(problem, episode=episode)
        if alone and (attempt >= RECONNECTS or not isinstance(problem, NetworkError)):
            run.stop(error=problem)
            return False
        # Full jitter, so that threads which lost a server together do not return together.
        run.wait(random.uniform(0, min(LONGEST_WAIT, 2.0**attempt)))  # noqa: S311 -- no secret
        return True
