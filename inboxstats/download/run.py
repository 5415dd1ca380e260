"""What the threads of a download share: the queue, what is in flight, and what came of it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inboxstats.archive import MailboxFolder
from inboxstats.download.agenda import Agenda
from inboxstats.download.chunks import CHUNK_MESSAGES, Chunk, Queue
from inboxstats.download.records import Budget, Downloaded, Failure, Overture, Wanted
from inboxstats.errors import InboxstatsError
from inboxstats.mail import MessageKey, Part
from inboxstats.pace import Pace

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """All of it changes under the lock.

    queue    -- all that is to be done, ``None`` until it is known
    early    -- what may be asked for before; `taken` are the messages that are or were under way out of there
    begun    -- the first message has come
    asked    -- the chunks under way on each connection
    is_spent -- the budget allows no more
    misses   -- how many chunks in a row lost their connection
    """

    progress: Callable[[int, int], None]
    pace: Pace
    budget: Budget | None
    wait_as_told: Callable[[float], object] | None
    queue: Agenda | None = None
    early: Queue = field(default_factory=lambda: Queue((), 1, largest=CHUNK_MESSAGES))
    taken: set[MessageKey] = field(default_factory=set)
    begun: threading.Event = field(default_factory=threading.Event)
    lock: threading.Condition = field(default_factory=threading.Condition)
    in_flight: int = 0
    asked: list[deque[Chunk]] = field(default_factory=list)
    is_spent: bool = False
    stored: int = 0
    bytes: int = 0
    stored_headers: int = 0
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

    @property
    def _source(self) -> Queue | Agenda:
        return self.early if self.queue is None else self.queue

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do any more. Under the lock."""
        return self.is_spent or (self.queue is not None and not len(self.queue) and not self.in_flight)

    def wait(self, seconds: float) -> None:
        """Let time pass, but no more of it once the run is stopped."""
        (self.wait_as_told or self.stopping.wait)(seconds)

    def offer(self, wanted: Wanted) -> None:
        """Some of the work is known. What nobody takes of it before `begin` is forgotten."""
        with self.lock:
            self.early.add(wanted)
            self.lock.notify_all()

    def begin(self, work: Sequence[Wanted], threads: int, overture: Overture | None) -> None:
        """All work is known."""
        with self.lock:
            left = [each.without(self.taken) for each in work] if self.taken else work
            self.queue = Agenda(left, threads, overture)
            self.lock.notify_all()

    def take(self, under_way: deque[Chunk], *, may_have_more: Callable[[], bool]) -> Chunk | None:
        """The next chunk for a thread, which is under way then.

        With none before it, it waits: until all work is known, while one in flight may come back, and until the server
        may be asked again. Behind others there is none where the thread's connection may not have more.
        """
        with self.lock:
            while not (self.stopped or self.is_spent):
                rest = self.pace.rest()
                if under_way and (rest or not may_have_more()):
                    break
                if rest:
                    self._wait_unlocked(rest)
                    continue
                chunk = self._next(under_way)
                if chunk is not None:
                    if not self._affords(chunk):
                        break
                    if self.queue is None:
                        self.taken.update(chunk.left)
                    self.in_flight += 1
                    under_way.append(chunk)
                    chunk.episode = self.pace.episode
                    return chunk
                if under_way or (self.queue is not None and not self.in_flight):
                    break
                self.lock.wait()
            return None

    def _next(self, under_way: deque[Chunk]) -> Chunk | None:
        if self.queue is None:
            return self.early.take(under_way)
        return self.queue.take(under_way, in_flight=self.in_flight, stored_bytes=self.bytes)

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
                self._give_back(chunk)
                self.lock.notify_all()
        return not self.is_spent

    def came(self, size: int) -> None:
        """A message of so many bytes is here."""
        if not self.begun.is_set():
            self.begun.set()
        if self.budget is not None:
            self.budget.count(size)

    def count(self, size: int, part: Part) -> None:
        """A message or header of so many bytes is stored."""
        with self.lock:
            self.misses = 0
            self.pace.stored()
            if part is Part.WHOLE:
                self.stored += 1
                self.bytes += size
                self.progress(1, size)
            else:
                assert self.queue is not None
                self.stored_headers += 1
                self.queue.stored_header()

    def left_out(self, chunk: Chunk) -> None:
        """The answer to a chunk is complete, and what is left of it was not in there.

        Of a header nothing follows: its message is still to be asked for.
        """
        with self.lock:
            if chunk.part is Part.WHOLE:
                self.absent.setdefault(chunk.folder.mailbox.name, set()).update(chunk.left)
        chunk.left.clear()

    def fail(self, chunk: Chunk, reason: str) -> None:
        """What is left of a chunk is not to be had; of a header, too, its message will tell."""
        if chunk.part is Part.HEADER:
            _LOG.info("%s: no header of %s: %s", chunk.folder.mailbox.name, ", ".join(chunk.left), reason)
            return
        with self.lock:
            self.failed += [Failure(chunk.folder.mailbox.name, key, reason) for key in chunk.left]

    def give_up(self, folder: MailboxFolder, under_way: deque[Chunk], reason: str) -> None:
        """Take a mailbox off the queue: it is gone, and asking for each message would change nothing."""
        with self.lock:
            part = under_way[0].part
            lost = sum(len(chunk.left) for chunk in under_way)
            if self.queue is not None:
                lost += self.queue.give_up(folder, part)
            else:  # it is part of what will be known, and lost then
                self.early.give_up(folder)
            if part is Part.WHOLE:
                first, before = self.refused.get(folder.mailbox.name, (reason, 0))
                self.refused[folder.mailbox.name] = (first, before + lost)
            for chunk in under_way:
                chunk.left.clear()

    def give_up_headers(self, chunk: Chunk) -> None:
        """The server refuses one chunk of headers after the other, this one last; the messages may fare better."""
        with self.lock:
            assert self.queue is not None
            self.queue.give_up_headers()
            self.misses = 0
        chunk.left.clear()
        self.done()

    def done(self, *left: Chunk, of: int = 1) -> None:
        """Chunks, so many of them, are no longer in flight; what is left of them goes to the end of the queue."""
        with self.lock:
            self.in_flight -= of
            self._give_back(*left)
            self.lock.notify_all()

    def _give_back(self, *some: Chunk) -> None:
        if self.queue is None:
            self.taken.difference_update(*(chunk.left for chunk in some))
        self._source.give_back(*some)

    def stop(self, *, error: InboxstatsError | None = None, bug: BaseException | None = None) -> None:
        """End the work; the first reason given is the one reported."""
        with self.lock:
            self.error = self.error or error
            self.bug = self.bug or bug
            self.stopping.set()
            self.lock.notify_all()

    def result(self) -> Downloaded:
        """What came of it. Raises what was a bug in a thread."""
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
            headers=self.stored_headers,
            error=self.error,
        )
