"""The queue of what is to be asked for, in chunks that are cut when they are taken.

They are bounded by bytes, so that no thread is left behind with much of the work.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from inboxstats.archive import MailboxFolder
from inboxstats.download.records import Wanted
from inboxstats.mail import MessageKey, Part

CHUNK_BYTES, CHUNK_MESSAGES = 1_000_000, 50
"""The bounds of one FETCH: batches win more than threads do, and beyond these sizes nothing (measured)."""

CHUNK_HEADERS, HEADER_BYTES = 500, 1_000
"""Headers in one FETCH, whose UIDs are then within the 8,192 bytes of a command line that servers bear (RFC 7162,
section 4); and what the fields that are asked for come to, as nobody says it before."""

SHARES = 4
"""Towards the end a chunk is one of so many parts of a thread's share in what is left, so that all end together."""


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
    part: Part = Part.WHOLE

    @property
    def size(self) -> int:
        """The bytes that are expected."""
        return sum(self.left.values()) if self.part is Part.WHOLE else HEADER_BYTES * len(self.left)


def chunks(wanted: Wanted, most: Callable[[], int] = lambda: CHUNK_MESSAGES) -> Iterator[Chunk]:
    """Cut the messages of a mailbox into chunks within CHUNK_BYTES and `most()`, of one message at least.

    Headers are small: `most()` alone bounds them.
    """
    left: dict[MessageKey, int] = {}
    bound = bytes_left = 0
    for key, size in wanted.sized():
        if left and (len(left) >= bound or (size > bytes_left and wanted.part is Part.WHOLE)):
            yield Chunk(wanted.folder, left, part=wanted.part)
            left = {}
        if not left:
            bound, bytes_left = most(), CHUNK_BYTES
        left[key] = size
        bytes_left -= size
    if left:
        yield Chunk(wanted.folder, left, part=wanted.part)


def halves(chunk: Chunk, *, tries: int) -> tuple[Chunk, Chunk]:
    """What is left of a chunk as two, each of which has been tried so often."""
    messages = list(chunk.left.items())
    middle = len(messages) // 2
    first, second = dict(messages[:middle]), dict(messages[middle:])
    one, other = (Chunk(chunk.folder, left, tries, part=chunk.part) for left in (first, second))
    return one, other


@dataclass(slots=True)
class _Uncut:
    folder: MailboxFolder
    chunks: Iterator[Chunk]
    messages: int


class Queue:
    """What is still to be asked for. Chunks are cut when they are taken: a million messages need no list of them.

    `largest` bounds a chunk's messages.
    """

    def __init__(self, work: Sequence[Wanted], threads: int, *, largest: int) -> None:
        self._largest = largest
        self._uncut: deque[_Uncut] = deque()
        self._back: deque[Chunk] = deque()
        self._threads = max(1, threads)
        for wanted in work:
            self.add(wanted)

    def add(self, wanted: Wanted) -> None:
        """More, at its end."""
        self._uncut.append(_Uncut(wanted.folder, chunks(wanted, self._most), len(wanted.messages)))

    def __len__(self) -> int:
        """How many messages are left."""
        return self._fresh + sum(len(chunk.left) for chunk in self._back)

    @property
    def _fresh(self) -> int:
        return sum(each.messages for each in self._uncut)

    def _most(self) -> int:
        if self._threads == 1:
            return self._largest
        share = self._fresh // (self._threads * SHARES)
        return max(1, min(share, self._largest))

    def take(self, under_way: Sequence[Chunk] = ()) -> Chunk | None:
        """The next chunk; behind others only a fresh one, of the same mailbox, within a thread's share of the rest."""
        of = under_way[0].folder if under_way else None
        if of and sum(len(chunk.left) for chunk in under_way) >= max(self._largest, self._fresh // self._threads):
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
