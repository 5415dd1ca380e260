"""A TCP proxy that lies a round trip away, and lets a server send so many bytes a second on each connection.

Delay costs no throughput: a chunk leaves half a round trip after it came, however many are under way. A connection
opens as late as a handshake would make it. No loss, no window and no slow start: real links are a little slower.

    python -m inboxstats.bench.link PORT SERVER_PORT RTT_MS [BYTES_PER_SECOND]
"""

import asyncio
import sys
from multiprocessing.connection import Connection
from typing import cast

from inboxstats.workers import until_closed

HOST = "127.0.0.1"

PIECE = 16_384
ROOM = 16_000_000
"""Bytes under way in one direction before the sender is held up, as by a window."""
QUEUE_SECONDS = 0.2
"""What a slow link's queue holds."""


class End(asyncio.Protocol):
    """One end of a connection: what comes in here leaves at `other` half a round trip later."""

    other: "End"
    transport: asyncio.Transport

    def __init__(self, rtt: float, rate: float | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.delay, self.rate = rtt / 2, rate
        self.room = ROOM if rate is None else rate * (QUEUE_SECONDS + self.delay)
        self.free_at = self.due = 0.0
        self.held = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            self._send(data[start : start + PIECE])
        if self.held > self.room:
            self.transport.pause_reading()

    def _send(self, piece: bytes) -> None:
        sent = self.loop.time()
        if self.rate is not None:
            sent = self.free_at = max(sent, self.free_at) + len(piece) / self.rate
        # The loop's timers keep no order among equals.
        self.due = max(sent + self.delay, self.due + 1e-7)
        self.held += len(piece)
        self.loop.call_at(self.due, self._leave, piece)

    def _leave(self, piece: bytes) -> None:
        self.held -= len(piece)
        if not self.other.transport.is_closing():
            self.other.transport.write(piece)
        if self.held <= self.room and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.due = max(self.loop.time() + self.delay, self.due + 1e-7)
        self.loop.call_at(self.due, self._close_other)

    def _close_other(self) -> None:
        if hasattr(self, "other"):
            self.other.transport.close()


class Client(End):
    """The client's end, which finds the server a handshake later."""

    def __init__(self, server_port: int, rtt: float, rate: float | None) -> None:
        super().__init__(rtt, None)
        self.server_port, self.rtt, self.server_rate = server_port, rtt, rate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.opening = self.loop.create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(self.rtt * 1.5)
        server = End(self.rtt, self.server_rate)
        server.other, self.other = self, server
        try:
            await self.loop.create_connection(lambda: server, HOST, self.server_port)
        except OSError:
            self.transport.close()
            return
        self.transport.resume_reading()


async def _listening(port: int, server_port: int, rtt_ms: float, rate: float | None) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Client(server_port, rtt_ms / 1000, rate), HOST, port)


def serve(pipe: Connection, server_port: int, rtt_ms: float) -> None:
    """Serves on a port that it sends, until the pipe is closed. For `workers.beside`."""

    async def until_stopped() -> None:
        server = await _listening(0, server_port, rtt_ms, None)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(until_closed, pipe)
        server.close()

    asyncio.run(until_stopped())


async def _serve_forever(port: int, server_port: int, rtt_ms: float, rate: float | None) -> None:
    await (await _listening(port, server_port, rtt_ms, rate)).serve_forever()


if __name__ == "__main__":
    bytes_a_second = float(sys.argv[4]) if sys.argv[4:] else None
    asyncio.run(_serve_forever(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), bytes_a_second))
