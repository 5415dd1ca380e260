"""How bytes come from a socket: in large reads, during which other threads have their turn."""

import imaplib
import io
import socket

from inboxstats.turns import Break

READ = 262_144
"""Bytes that are read at once, where so many are there: imaplib's 8 KB are two calls of the kernel a message."""

LONGEST_LINE = 1_000_000
"""Of a line of an answer, as in imaplib."""


class Incoming(io.RawIOBase):
    """What a socket brings. Raises what the socket raises.

    pause -- begins with the first read, so that a message that comes in many pieces is waited for once
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.pause = Break()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase promises any buffer, BufferedReader gives this one
        self.pause.begin()
        return self.socket.recv_into(buffer)


class Transport:
    """What imaplib documents for whoever replaces its own: `read` and `readline`, over bytes as they come."""

    def __init__(self, incoming: Incoming) -> None:
        self._pause = incoming.pause
        self._file = io.BufferedReader(incoming, READ)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end of the stream."""
        with self._pause:
            return self._file.read(size)

    def readline(self) -> bytes:
        """A line with its end. Raises imaplib's error for a longer one than it would take."""
        with self._pause:
            line = self._file.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise imaplib.IMAP4.error(f"got more than {LONGEST_LINE} bytes")
        return line

    def has_unread(self) -> bool:
        """Whether something has come that nobody has read yet. Asks the socket where the buffer is empty."""
        with self._pause:
            return bool(self._file.peek(1))
