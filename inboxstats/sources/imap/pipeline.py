"""Several FETCH commands under way on one connection: the server sends without ever waiting for the next one.

It speaks over imaplib's connection, by the methods that imaplib documents for whoever replaces its transport: `send`,
`read`, `readline`. While a command is under way here, imaplib itself must not be used.
"""

import imaplib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from inboxstats.bandwidth import Bandwidth
from inboxstats.mail import Content, MessageKey, Part
from inboxstats.sources.imap.bodies import Body, Completion, Stream, answers
from inboxstats.sources.imap.compression import compress
from inboxstats.sources.imap.deadline import extend
from inboxstats.turns import queued, waiting

WARM_UP, SAMPLE = 1_000_000, 1_000_000
"""Bytes that come before a connection has its speed, and bytes by which it is then measured."""

SLOW = 2_200_000
"""Bytes a second on a connection below which compression wins: 1.6 times at 2 MB/s; on loopback it loses 14 times."""

SECTIONS = {
    Part.WHOLE: b"",
    Part.HEADER: b"HEADER.FIELDS (FROM SUBJECT DATE MESSAGE-ID IN-REPLY-TO REFERENCES LIST-ID LIST-UNSUBSCRIBE"
    b" CONTENT-TYPE)",
}
"""Of a header what a report counts by, and Content-Type for the charset of what is not encoded: a sixth of it all."""

_LOG = logging.getLogger(__name__)


class _Capped:
    """A stream that is read no faster than a cap allows. Lines are free: nearly all bytes are in literals."""

    def __init__(self, stream: Stream, bandwidth: Bandwidth) -> None:
        self._stream = stream
        self._bandwidth = bandwidth

    def read(self, size: int) -> bytes:
        pieces = []
        while size:
            wanted = min(size, self._bandwidth.slice)
            with waiting():
                self._bandwidth.take(wanted, told=extend)
            pieces.append(self._stream.read(wanted))
            size -= wanted
            if len(pieces[-1]) < wanted:
                break
        return b"".join(pieces)

    def readline(self) -> bytes:
        return self._stream.readline()


class Pipeline:
    """The FETCH commands of one selected mailbox. Belongs to its connection, and is thrown away with it."""

    def __init__(self, imap: imaplib.IMAP4, bandwidth: Bandwidth | None = None) -> None:
        self.imap = imap
        self._answers = answers(imap if bandwidth is None else _Capped(imap, bandwidth))
        self._numbers = count(1)
        self._asked: dict[bytes, tuple[tuple[int, ...], int]] = {}
        self._completed: dict[bytes, Completion] = {}
        self._wanted: dict[int, MessageKey] = {}
        self.part = Part.WHOLE
        self.completion: Completion | None = None
        self._has_tried = False
        self._came = 0
        self._waited = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether the connection is known to be slow, by the time that was spent waiting for it."""
        return self._came > WARM_UP + SAMPLE and self._came - WARM_UP < SLOW * self._waited

    @property
    def wants_compression(self) -> bool:
        """Whether compression shall be tried once nothing is under way. It is tried once."""
        return self.is_slow and not self._has_tried

    def compress(self, *, is_offered: bool) -> None:
        """Try it. Raises what imaplib raises."""
        self._has_tried = True
        is_compressed = is_offered and compress(self.imap)
        _LOG.info("a slow connection, %s", "compressed from now on" if is_compressed else "and no compression offered")

    def __len__(self) -> int:
        """How many commands are under way."""
        return len(self._asked)

    @property
    def expected_bytes(self) -> int:
        """What the oldest command is expected to bring."""
        return next(iter(self._asked.values()))[1]

    def ask(self, wanted: Mapping[int, MessageKey], part: Part = Part.WHOLE, *, expected_bytes: int) -> None:
        """Send for messages by UID, without waiting; all under way are of one `part`. Raises OSError."""
        self.part = part
        # imaplib's own tags have four letters.
        tag = b"B%d" % next(self._numbers)
        self.imap.send(b"%b UID FETCH %b (UID BODY.PEEK[%b])\r\n" % (tag, sequence_set(wanted), SECTIONS[part]))
        self._asked[tag] = (tuple(wanted), expected_bytes)
        self._wanted.update(wanted)

    def answer(self) -> Iterator[tuple[MessageKey, Content]]:
        """The messages of the oldest command, each once, up to its end, which is then `completion`.

        A server may answer commands side by side (RFC 9051, section 5.5): among them may be those of a later command.
        Raises OSError and MalformedAnswerError.
        """
        tag = next(iter(self._asked))
        while tag not in self._completed:
            began = time.monotonic() - queued()
            answer = next(self._answers)
            if isinstance(answer, Body):
                self._note(answer.content, time.monotonic() - queued() - began)
                key = self._wanted.pop(answer.uid, None) if answer.part is self.part else None
                if key is not None:
                    yield key, answer.content
            elif answer.tag in self._asked:
                self._completed[answer.tag] = answer
        for uid in self._asked.pop(tag)[0]:
            self._wanted.pop(uid, None)
        self.completion = self._completed.pop(tag)

    def _note(self, content: Content, seconds: float) -> None:
        if isinstance(content, bytes):  # the others are still to come
            if self._came > WARM_UP:
                self._waited += seconds
            self._came += len(content)


def sequence_set(uids: Iterable[int]) -> bytes:
    """UIDs as FETCH takes them: ``1, 2, 3, 7`` → ``b"1:3,7"``."""
    spans: list[list[int]] = []
    for uid in sorted(uids):
        if spans and uid == spans[-1][1] + 1:
            spans[-1][1] = uid
        else:
            spans.append([uid, uid])
    return ",".join(f"{first}:{last}" if last > first else str(first) for first, last in spans).encode()
