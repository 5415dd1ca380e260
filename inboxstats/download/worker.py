"""A thread's life: take chunks, ask for them, store what comes, until there are none."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator

from inboxstats.download.admission import Admission
from inboxstats.download.calls import Calls
from inboxstats.download.chunks import Chunk, halves
from inboxstats.download.records import Connection
from inboxstats.download.run import Run
from inboxstats.errors import (
    MailboxRefusedError,
    NetworkError,
    ServerRefusalError,
    StorageError,
    ThrottledError,
)
from inboxstats.mail import Content, MessageKey, Part
from inboxstats.turns import Turn, queued

UNDER_WAY, UNDER_WAY_BYTES = 12, 2_000_000
"""Up to how many chunks, and from how many bytes on no more of them, are under way on a connection. With only 3, which
are small towards the end, all takes 1.3 times as long at a round trip of 100 ms."""

WAITING = 0.8
"""One thread serves a near server; another joins for each chunk of which more than this part was spent waiting."""

TRIES, TRIES_ALONE = 2, 4
"""How often a chunk is asked for before it is halved; and how often a message whose connection drops each time: that
may be no fault of its own."""

HOPELESS = 20
"""How many chunks in a row may lose their connection without a single message stored in between."""


class Worker:
    """What a thread does with its connection. `waited_long` is called after a chunk that was mostly waited for."""

    def __init__(
        self, run: Run, admission: Admission, connection: Connection, *, waited_long: Callable[[], None]
    ) -> None:
        self._run = run
        self._admission = admission
        self._connection = connection
        self._waited_long = waited_long
        self._under_way: deque[Chunk] = deque()
        run.asked.append(self._under_way)

    def serve(self, calls: Calls) -> None:
        """Until there is nothing more to do. Logs in before it is called, opens the mailbox before there is work."""
        connection = self._connection
        try:
            is_connected = self._admission.connect(connection)
            if is_connected and not calls.is_called(connection):
                self._log_out()
                is_connected = calls.is_called_at_last(connection) and self._admission.connect(connection)
            if is_connected and self._run.queue is None and calls.mailbox is not None:
                with contextlib.suppress(NetworkError):  # what is wrong is seen again, once there is work
                    connection.prepare(calls.mailbox)
            while is_connected and self._step():
                is_connected = not self._run.stopped if self._under_way else self._admission.connect(connection)
        except BaseException as bug:  # noqa: BLE001 -- the border of the thread: the calling thread raises it again
            self._run.stop(bug=bug)
        finally:
            self._all_done()
            self._log_out()

    def _log_out(self) -> None:
        """Another may take its place."""
        self._admission.leave(self._connection)
        self._connection.close()

    def _step(self) -> bool:
        """Store what the oldest chunk under way brings, with others asked for behind it. False when all is done."""
        under_way = self._under_way
        try:
            self._ask()
            if not under_way:
                return False
            with Turn():
                self._store()
        except ThrottledError as problem:
            self._throttled(problem)
        except MailboxRefusedError as problem:
            self._run.give_up(under_way[0].folder, under_way, str(problem))
            self._all_done()
        except ServerRefusalError as problem:
            self._again(under_way.popleft(), problem)
        except NetworkError as problem:
            self._admission.lost(self._connection)
            # A server answers in order: it is the oldest that it failed at.
            self._again(under_way.popleft(), problem)
            self._all_done()
        except StorageError as problem:
            self._run.stop(error=problem)
        return True

    def _throttled(self, problem: ThrottledError) -> None:
        """Hang up and come back later. No message is to blame, unless it is always at this chunk."""
        self._admission.lost(self._connection)
        self._connection.close()
        oldest = self._under_way.popleft()
        oldest.throttled += 1
        self._admission.rest(problem, episode=oldest.episode)
        if oldest.throttled > TRIES and len(oldest.left) > 1:
            self._run.done(*halves(oldest, tries=TRIES - 1))
        else:
            self._run.done(oldest)
        self._all_done()

    def _ask(self) -> None:
        under_way = self._under_way
        while len(under_way) < UNDER_WAY and sum(chunk.size for chunk in under_way) < UNDER_WAY_BYTES:
            chunk = self._run.take(under_way, may_have_more=lambda: not self._admission.is_exceeded)
            if chunk is None:
                return
            if not self._connection.ask(chunk.folder.mailbox, list(chunk.left), chunk.part, expected_bytes=chunk.size):
                self._run.done(under_way.pop())
                return

    def _store(self) -> None:
        run, oldest = self._run, self._under_way[0]
        began, waited = time.monotonic(), 0.0

        def arriving() -> Iterator[tuple[MessageKey, Content]]:
            nonlocal waited
            since = began - queued()
            for key, content in self._connection.answer(oldest.folder.mailbox):
                if run.stopped:
                    return
                waited += time.monotonic() - queued() - since
                size = len(content) if isinstance(content, bytes) else content.size
                run.came(size)
                yield key, content
                if oldest.left.pop(key, None) is None:  # a server may answer a later command first
                    next(chunk.left for chunk in self._under_way if key in chunk.left).pop(key)
                run.count(size, oldest.part)
                since = time.monotonic() - queued()

        if oldest.part is Part.HEADER:
            sizes = {key: size for chunk in self._under_way for key, size in chunk.left.items()}
            oldest.folder.headers.store(arriving(), sizes)
        else:
            oldest.folder.store(arriving())
        if oldest.left and not run.stopped:
            run.left_out(oldest)
        run.done(self._under_way.popleft())
        with run.lock:
            if run.pace.grows():
                run.lock.notify_all()
        if waited > WAITING * (time.monotonic() - began):
            self._waited_long()

    def _again(self, chunk: Chunk, problem: NetworkError) -> None:
        """Queue what is left of a chunk that failed: as it is, then in halves, until the message at fault is alone."""
        run = self._run
        is_refused = isinstance(problem, ServerRefusalError)
        if not is_refused or chunk.part is Part.HEADER:
            with run.lock:
                run.misses += 1
                hopeless = run.misses > HOPELESS
            if hopeless and is_refused:
                run.give_up_headers(chunk)
                return
            if hopeless:
                run.done(chunk)
                run.stop(error=problem)
                return
        chunk.tries += 1
        if chunk.tries < (TRIES if is_refused or len(chunk.left) > 1 else TRIES_ALONE):
            run.done(chunk)
        elif len(chunk.left) > 1:
            run.done(*halves(chunk, tries=TRIES - 1))
        else:
            run.fail(chunk, str(problem))
            run.done()

    def _all_done(self) -> None:
        self._run.done(*self._under_way, of=len(self._under_way))
        self._under_way.clear()
