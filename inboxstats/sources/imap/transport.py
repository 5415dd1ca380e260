"""How bytes come from a socket: in large reads, during which other threads have their turn."""

import imaplib
import io
import socket

from inboxstats.turns import waiting

READ = 262_144
"""Bytes that are read at once, where so many are there: imaplib's 8 KB are two calls of the kernel a message."""

LONGEST_LINE = 1_000_000
"""Of a line of an answer, as in imaplib."""


class Incoming(io.RawIOBase):
    """What a socket brings. Raises what the socket raises."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase promises any buffer, BufferedReader gives this one
        with waiting():
            return self._socket.recv_into(buffer)


class Transport:
    """What imaplib documents for whoever replaces its own: `read` and `readline`, over bytes as they come."""

    def __init__(self, incoming: io.RawIOBase) -> None:
        self._file = io.BufferedReader(incoming, READ)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end of the stream."""
        return self._file.read(size)

    def readline(self) -> bytes:
        """A line with its end. Raises imaplib's error for a longer one than it would take."""
        line = self._file.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise imaplib.IMAP4.error(f"got more than {LONGEST_LINE} bytes")
        return line

    def has_unread(self) -> bool:
        """Whether something has come that nobody has read yet. Asks the socket where the buffer is empty."""
        return bool(self._file.peek(1))
