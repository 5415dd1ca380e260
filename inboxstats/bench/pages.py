"""A web server on loopback that takes its time: every page comes a chosen delay after it was asked for."""

import asyncio
import contextlib
from multiprocessing.connection import Connection

from inboxstats.workers import until_closed

HOST = "127.0.0.1"
PAGE = b"<!doctype html><title>A page</title><p>" + b"Lorem ipsum dolor sit amet. " * 700
"""20 kB, as much as a page without its pictures has."""


def serve(pipe: Connection, delay: float) -> None:
    """Serves until the pipe is closed, `delay` seconds a page; sends the port. For `workers.beside`."""
    asyncio.run(_serve(pipe, delay))


async def _serve(pipe: Connection, delay: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who asked has gone, or the server ends while they wait.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(delay)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0, backlog=100)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(until_closed, pipe)
    server.close()
