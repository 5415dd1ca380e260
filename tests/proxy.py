"""A TCP proxy for tests: it passes on what client and server say, until it is told to misbehave.

    with Proxy(server.port) as proxy:
        proxy.faults[1] = Cut(after=5_000, reset=True)      # the first connection ends in a RST
        proxy.always = Stall(after=10, at=b"BODY[]")        # all others hear no more of the first body than 10 bytes
        proxy.before(b"UID FETCH", lambda: expunge(7))      # done before the server hears of the first FETCH
        ...  # a client of 127.0.0.1, proxy.port
        assert b"BODY" not in proxy.sent

What a server says wrongly is for scripted.py; this is for what networks do, and for real servers.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

BLOCK = 65_536
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Fault:
    """Begins `after` so many bytes of the server's, counted from the end of the first `at` where that is given."""

    after: int = 0
    at: bytes | None = None


@dataclass(frozen=True, slots=True)
class Cut(Fault):
    """Both see the connection end: by a FIN, or by a RST, which also takes what the client has not read yet."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """The client hears no more, and the connection stays."""


@dataclass(frozen=True, slots=True)
class Trickle(Fault):
    """The client hears a byte each so many seconds."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Flip(Fault):
    """One bit of one byte is another one."""

    bit: int = 0


class Proxy:
    """The proxy, in threads of its own while the context lasts.

    faults -- what befalls a connection, by its number from 1; `always` is for the others
    connections -- how many there were
    sent, received -- all that clients sent to the server, and what the server answered, whether or not it came through
    """

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        self.faults: dict[int, Fault] = {}
        self.always: Fault | None = None
        self.connections = 0
        self._server = (host, port)
        self._listener = socket.create_server((LOOPBACK, 0), backlog=50)
        self._hooks: list[tuple[bytes, Callable[[], None]]] = []
        self._sent: list[bytearray] = []
        self._received: list[bytearray] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    @property
    def sent(self) -> bytes:
        return b"".join(self._sent)

    @property
    def received(self) -> bytes:
        return b"".join(self._received)

    def forget(self) -> None:
        """What was said so far is not in `sent` and `received` any more."""
        self._sent.clear()
        self._received.clear()

    def before(self, request: bytes, action: Callable[[], None]) -> None:
        """Do something once, when a client has sent `request` and before the server hears of it."""
        self._hooks.append((request, action))

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            open_ones = [self._listener, *self._sockets]
        for each in open_ones:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in open_ones:
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server, timeout=10)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self.connections += 1
                sent, received = bytearray(), bytearray()
                with self._lock:
                    self._sockets += [client, server]
                    self._sent.append(sent)
                    self._received.append(received)
                self._start(self._up, client, server, sent)
                self._start(self._down, server, client, received, self.faults.get(self.connections, self.always))

    def _up(self, client: socket.socket, server: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(BLOCK):
                record += data
                for hook in [hook for hook in self._hooks if hook[0] in record]:
                    self._hooks.remove(hook)
                    hook[1]()
                server.sendall(data)
        _shut(server, socket.SHUT_WR)

    def _down(self, server: socket.socket, client: socket.socket, record: bytearray, fault: Fault | None) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(BLOCK):
                start = len(record)
                record += data
                place = None if fault is None else _place(fault, record)
                if fault is None or place is None or place >= len(record):
                    client.sendall(data)
                    continue
                well = max(0, place - start)
                client.sendall(data[:well])
                if not self._misbehave(fault, client, data[well:]):
                    break
                fault = fault if isinstance(fault, Trickle) else None
        _shut(client, socket.SHUT_WR)
        _shut(server, socket.SHUT_RD)

    def _misbehave(self, fault: Fault, client: socket.socket, data: bytes) -> bool:
        """Whether the connection goes on."""
        match fault:
            case Flip(bit=bit):
                client.sendall(bytes([data[0] ^ 1 << bit]) + data[1:])
                return True
            case Stall():
                self._stopping.wait()
            case Trickle(seconds=seconds):
                for byte in data:
                    if self._stopping.wait(seconds):
                        return False
                    client.sendall(bytes([byte]))
                return True
            case Cut(reset=True):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with self._lock:
                    self._sockets.remove(client)
                _shut(client, socket.SHUT_RD)  # the other thread lets go of it
                client.close()
        return False


def _place(fault: Fault, record: bytearray) -> int | None:
    """At which of the server's bytes a fault begins; ``None`` where `at` has not come yet."""
    if fault.at is None:
        return fault.after
    found = record.find(fault.at)
    return None if found < 0 else found + len(fault.at) + fault.after


def _shut(each: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(how)
