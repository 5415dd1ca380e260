"""I/O threads: what a server has and the archive has not, in chunks from a shared queue.

Downloading waits for the network, so threads do it: one connection each, as SELECT is state of the connection. The
queue is shared, so that a slow connection holds nobody up, and chunks are bounded by bytes, so that memory stays flat.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inboxstats.archive import MailboxFolder
from inboxstats.errors import InboxstatsError, MailboxRefusedError, NetworkError, ServerRefusalError, StorageError
from inboxstats.mail import Mailbox, MessageInfo, MessageKey

CHUNK_BYTES, CHUNK_MESSAGES = 1_000_000, 50
"""The bounds of one FETCH: batches win more than threads do, and beyond these sizes nothing (measured)."""

TRIES = 2
"""How often a chunk is asked for before it is halved, or, of one message, given up."""

RECONNECTS, LONGEST_WAIT = 5, 30.0
"""How often in a row a thread tries to connect again, and the longest pause between in seconds."""

HOPELESS = 20
"""How many chunks in a row may lose their connection without a single message stored in between."""

STOP_SECONDS = 4.0
"""How long threads may take to stop; what they have not finished by then is left to the next run."""


class Connection(Protocol):
    """What a thread needs of a source: see `sources.imap.ImapSource`."""

    def connect(self) -> None: ...
    def fetch(
        self, mailbox: Mailbox, keys: Sequence[MessageKey], *, expected_bytes: int = 0
    ) -> Iterator[tuple[MessageKey, bytes]]: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


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
class _Chunk:
    folder: MailboxFolder
    infos: list[MessageInfo]
    tries: int = 0

    @property
    def bytes(self) -> int:
        return sum(info.size or 0 for info in self.infos)


def chunks(wanted: Wanted) -> Iterator[_Chunk]:
    """Cut the messages of a mailbox into chunks within CHUNK_BYTES and CHUNK_MESSAGES, of one message at least."""
    chunk: list[MessageInfo] = []
    size = 0
    for info in wanted.messages.values():
        if chunk and (len(chunk) == CHUNK_MESSAGES or size + (info.size or 0) > CHUNK_BYTES):
            yield _Chunk(wanted.folder, chunk)
            chunk, size = [], 0
        chunk.append(info)
        size += info.size or 0
    if chunk:
        yield _Chunk(wanted.folder, chunk)


def download(
    work: Sequence[Wanted],
    connections: Sequence[Connection],
    *,
    progress: Callable[[int, int], None],
    wait: Callable[[float], None] = time.sleep,
) -> Downloaded:
    """Store all messages wanted, with a thread a connection. Returns what came of it, even where it ended early.

    `progress` is called from the threads with messages and bytes just stored. An exception in the calling thread
    (Ctrl-C) stops the threads within STOP_SECONDS, leaves what is complete in the archive, and goes on upwards.
    """
    run = _Run(work, progress, wait)
    run.threads = max(1, min(len(connections), len(run.queue)))
    for number, connection in enumerate(connections[: run.threads], start=1):
        threading.Thread(target=run.serve, args=(connection,), name=f"download-{number}", daemon=True).start()
    try:
        # Not Thread.join: an exception out of it makes Python 3.11 take a living thread for a finished one.
        while not run.ended.wait(0.2):
            if run.stopped:  # the others may wait long for their server
                for connection in connections:
                    connection.abort()
    except BaseException:
        run.stop()
        for connection in connections:
            connection.abort()
        run.ended.wait(STOP_SECONDS)
        raise
    return run.result()


@dataclass(slots=True)
class _Run:
    """What the threads share: the queue, and what came of it. All of it changes under the lock."""

    work: Sequence[Wanted]
    progress: Callable[[int, int], None]
    wait: Callable[[float], None]
    lock: threading.Condition = field(default_factory=threading.Condition)
    queue: deque[_Chunk] = field(default_factory=deque)
    threads: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    in_flight: int = 0
    connected: set[Connection] = field(default_factory=set)
    stored: int = 0
    bytes: int = 0
    misses: int = 0
    failed: list[Failure] = field(default_factory=list)
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    absent: dict[str, set[MessageKey]] = field(default_factory=dict)
    error: InboxstatsError | None = None
    bug: BaseException | None = None
    stopped: bool = False

    def __post_init__(self) -> None:
        for wanted in self.work:
            self.queue.extend(chunks(wanted))

    def serve(self, connection: Connection) -> None:
        """A thread's life: take a chunk, fetch it, store it, until there is none."""
        try:
            while self._connect(connection) and (chunk := self._take()) is not None:
                self._handle(connection, chunk)
        except BaseException as bug:  # noqa: BLE001 -- the border of the thread: the calling thread raises it again
            self.stop(bug=bug)
        finally:
            with self.lock:
                self.connected.discard(connection)
            connection.close()
            with self.lock:
                self.threads -= 1
                if not self.threads:
                    self.ended.set()

    def _connect(self, connection: Connection) -> bool:
        """Whether the thread has a connection to go on with.

        While others are connected it tries twice and leaves the work to them: a server that has enough connections is
        served with fewer. Alone it tries for a while, and then ends the download.
        """
        for attempt in range(RECONNECTS + 1):
            with self.lock:
                if self.stopped:
                    return False
            try:
                connection.connect()
            except InboxstatsError as problem:
                with self.lock:
                    self.connected.discard(connection)
                    alone = not self.connected
                if not alone and attempt > 0:
                    return False
                if alone and (attempt == RECONNECTS or not isinstance(problem, NetworkError)):
                    self.stop(error=problem)
                    return False
                # Full jitter, so that threads which lost a server together do not return together.
                self.wait(random.uniform(0, min(LONGEST_WAIT, 2.0**attempt)))  # noqa: S311 -- no secret
            else:
                with self.lock:
                    self.connected.add(connection)
                return True
        return False

    def _take(self) -> _Chunk | None:
        """The next chunk; ``None`` when all is done. Waits while a chunk in flight may yet come back."""
        with self.lock:
            while not self.queue and self.in_flight and not self.stopped:
                self.lock.wait()
            if self.stopped or not self.queue:
                return None
            self.in_flight += 1
            return self.queue.popleft()

    def _handle(self, connection: Connection, chunk: _Chunk) -> None:
        left = {info.key: info for info in chunk.infos}

        def arriving() -> Iterator[tuple[MessageKey, bytes]]:
            for key, data in connection.fetch(chunk.folder.mailbox, list(left), expected_bytes=chunk.bytes):
                if self.stopped:
                    return
                yield key, data
                del left[key]
                self._count(len(data))

        try:
            chunk.folder.store(arriving())
        except MailboxRefusedError as problem:
            self._give_up_mailbox(chunk.folder, len(left), str(problem))
        except NetworkError as problem:
            with self.lock:
                self.connected.discard(connection)
            self._again(_Chunk(chunk.folder, list(left.values()), chunk.tries + 1), problem)
        except StorageError as problem:
            self._done(_Chunk(chunk.folder, list(left.values())))
            self.stop(error=problem)
        else:
            if left and not self.stopped:
                with self.lock:
                    self.absent.setdefault(chunk.folder.mailbox.name, set()).update(left)
                left.clear()
            self._done(_Chunk(chunk.folder, list(left.values())))

    def _count(self, size: int) -> None:
        with self.lock:
            self.stored += 1
            self.bytes += size
            self.misses = 0
            self.progress(1, size)

    def _give_up_mailbox(self, folder: MailboxFolder, left: int, reason: str) -> None:
        """Take the chunks of a mailbox off the queue: it is gone, and asking for each message would change nothing."""
        with self.lock:
            of_it = [chunk for chunk in self.queue if chunk.folder is folder]
            self.queue = deque(chunk for chunk in self.queue if chunk.folder is not folder)
            first, before = self.refused.get(folder.mailbox.name, (reason, 0))
            self.refused[folder.mailbox.name] = (first, before + left + sum(len(chunk.infos) for chunk in of_it))
        self._done()

    def _again(self, chunk: _Chunk, problem: NetworkError) -> None:
        """Queue what is left of a chunk that failed: as it is, then in halves, until the message at fault is alone."""
        if not isinstance(problem, ServerRefusalError):
            with self.lock:
                self.misses += 1
                hopeless = self.misses > HOPELESS
            if hopeless:
                self._done(chunk)
                self.stop(error=problem)
                return
        if chunk.tries < TRIES:
            self._done(chunk)
        elif len(chunk.infos) > 1:
            middle = len(chunk.infos) // 2
            halves = (chunk.infos[:middle], chunk.infos[middle:])
            self._done(*(_Chunk(chunk.folder, half, TRIES - 1) for half in halves))
        else:
            with self.lock:
                mailbox = chunk.folder.mailbox.name
                self.failed += [Failure(mailbox, info.key, str(problem)) for info in chunk.infos]
            self._done()

    def _done(self, *left: _Chunk) -> None:
        """A chunk is no longer in flight; what is left of it goes to the end of the queue."""
        with self.lock:
            self.in_flight -= 1
            self.queue.extend(chunk for chunk in left if chunk.infos)
            self.lock.notify_all()

    def stop(self, *, error: InboxstatsError | None = None, bug: BaseException | None = None) -> None:
        """End the work; the first reason given is the one reported."""
        with self.lock:
            self.error = self.error or error
            self.bug = self.bug or bug
            self.stopped = True
            self.lock.notify_all()

    def result(self) -> Downloaded:
        if self.bug is not None:
            raise self.bug
        return Downloaded(
            stored=self.stored,
            bytes=self.bytes,
            failed=tuple(self.failed),
            refused=self.refused,
            absent={mailbox: frozenset(keys) for mailbox, keys in self.absent.items()},
            left=sum(len(chunk.infos) for chunk in self.queue),
            error=self.error,
        )
