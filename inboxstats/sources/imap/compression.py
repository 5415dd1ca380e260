"""COMPRESS=DEFLATE (RFC 4978): an imaplib connection whose bytes are deflated both ways.

Worth it on a slow link alone: over a fast one a server deflates more slowly than it sends.
"""

import imaplib
import socket
import zlib
from typing import TYPE_CHECKING

from inboxstats.sources.imap.transport import Incoming, Transport

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

RAW = -zlib.MAX_WBITS
"""Neither header nor checksum."""


def compress(imap: imaplib.IMAP4) -> bool:
    """Deflate from now on, where the server agrees. No command may be under way. Raises what imaplib raises."""
    status, _ = imap.xatom("COMPRESS", "DEFLATE")
    if status != "OK":
        return False
    # The methods that imaplib documents for whoever replaces its transport. Nothing stands in its buffer: this end
    # speaks first.
    transport = Deflated(imap.sock)
    transported = (transport.read, transport.readline, transport.send)
    imap.read, imap.readline, imap.send = transported  # type: ignore[method-assign]  # imaplib documents them for this
    return True


class Deflated(Transport):
    """A transport as imaplib.IMAP4 has it, over a socket."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(_Inflating(sock))
        self._socket = sock
        self._deflate = zlib.compressobj(wbits=RAW)

    def send(self, data: "Buffer") -> None:
        self._socket.sendall(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))


class _Inflating(Incoming):
    """What a socket brings, inflated as far as there is room for it."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._inflate = zlib.decompressobj(wbits=RAW)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase promises any buffer
        self.pause.begin()  # zlib, too, runs beside other threads
        room = len(buffer)
        data = self._inflate.decompress(self._inflate.unconsumed_tail, room)
        while not data:
            deflated = self.socket.recv(65_536)
            if not deflated:
                return 0
            data = self._inflate.decompress(deflated, room)
        buffer[: len(data)] = data
        return len(data)
