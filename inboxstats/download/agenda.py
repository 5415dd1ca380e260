"""In which order things are asked for: messages, and before them headers, where an `Overture` says so."""

import time
from collections.abc import Sequence

from inboxstats.archive import MailboxFolder
from inboxstats.download.chunks import CHUNK_HEADERS, CHUNK_MESSAGES, Chunk, Queue
from inboxstats.download.records import Overture, Wanted
from inboxstats.mail import Part

MEASURED_SECONDS = 5.0
"""So long after the first message the speed of a download is known, and whether headers should come before the rest."""


class Agenda:
    """The queues of messages and of headers. While there are headers to come no message is asked for."""

    def __init__(self, work: Sequence[Wanted], threads: int, overture: Overture | None = None) -> None:
        self._messages = Queue(work, threads, largest=CHUNK_MESSAGES)
        self._headers: Queue | None = None
        self._threads = threads
        self._overture = overture
        self._is_undecided = overture is not None
        self._began: float | None = None
        if overture is not None:
            self._precede(overture.at_once())

    def _precede(self, headers: Sequence[Wanted]) -> None:
        if headers:
            self._is_undecided = False
            self._headers = Queue(headers, self._threads, largest=CHUNK_HEADERS)

    def __len__(self) -> int:
        """How many messages are left."""
        return len(self._messages)

    def take(self, under_way: Sequence[Chunk], *, in_flight: int, stored_bytes: int) -> Chunk | None:
        """The next chunk for a connection, which has headers under way or messages, not both.

        in_flight    -- the chunks under way on all connections
        stored_bytes -- of messages, so far
        """
        if self._headers is not None and not len(self._headers) and not in_flight:
            assert self._overture is not None
            self._headers = None
            self._overture.is_over()
        if self._is_undecided and stored_bytes:
            self._decide(stored_bytes)
        part, queue = (Part.WHOLE, self._messages) if self._headers is None else (Part.HEADER, self._headers)
        return None if under_way and under_way[0].part is not part else queue.take(under_way)

    def _decide(self, stored_bytes: int) -> None:
        self._began = self._began or time.monotonic()
        seconds = time.monotonic() - self._began
        if seconds >= MEASURED_SECONDS:
            assert self._overture is not None
            self._is_undecided = False
            self._precede(self._overture.after(stored_bytes, seconds))

    def give_back(self, *some: Chunk) -> None:
        """Chunks that came to nothing: others have their turn first."""
        for chunk in some:
            self._queue(chunk.part).give_back(chunk)

    def give_up(self, folder: MailboxFolder, part: Part) -> int:
        """Take a mailbox off the queue. Returns how many messages that costs."""
        return self._queue(part).give_up(folder)

    def stored_header(self) -> None:
        """One of the headers is here."""
        assert self._overture is not None
        self._overture.stored()

    def give_up_headers(self) -> None:
        """The server does not give them: the messages need not wait any longer."""
        if self._headers is not None:
            self._headers = Queue((), 1, largest=1)

    def _queue(self, part: Part) -> Queue:
        queue = self._messages if part is Part.WHOLE else self._headers
        assert queue is not None, "headers are in flight, but none are to come"
        return queue
