"""An IMAP server for the demo, in this process: plain IMAP on loopback, gone when the context ends.

How pymap is filled and served stands in pymap_server.py, which is imported only where the extra is installed.
"""

import asyncio
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection

from inboxstats.demo.cast import ME
from inboxstats.demo.mailbox import DemoMessage, generate
from inboxstats.errors import UsageError
from inboxstats.workers import beside, until_closed

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DemoServer:
    """Where it listens, and who may log in: the password is a new one each time."""

    port: int
    user: str
    password: str = field(repr=False)
    host: str = HOST


@contextmanager
def serve_beside(*, messages: int, seed: int, last_day: date) -> Iterator[DemoServer]:
    """Serves a generated mailbox from a process of its own, which takes no time of this one's threads.

    Raises UsageError where the extra `demo` is not installed.
    """
    with beside(_serve_until_closed, messages, seed, last_day) as server:
        yield server


def _serve_until_closed(pipe: Connection, messages: int, seed: int, last_day: date) -> None:
    try:
        with serve(generate(messages=messages, seed=seed, last_day=last_day)) as server:
            pipe.send(server)
            until_closed(pipe)
    except UsageError as problem:
        pipe.send(problem)


@contextmanager
def serve(messages: Sequence[DemoMessage]) -> Iterator[DemoServer]:
    """Serves the messages, each in its mailbox, with UIDs in the order given.

    Raises UsageError where the extra `demo` is not installed.
    """
    try:
        from inboxstats.demo.pymap_server import listening
    except ModuleNotFoundError as exc:
        raise UsageError("The demo needs an IMAP server of its own: pip install 'inboxstats[demo]'") from exc

    user, password = ME.addr_spec, secrets.token_urlsafe(12)
    started: Future[int] = Future()
    stop: Future[None] = Future()  # unlike asyncio's, it can be set before there is a loop

    async def until_stopped() -> None:
        try:
            async with listening(messages, HOST, user, password) as port:
                started.set_result(port)
                await asyncio.wrap_future(stop)
        except Exception as exc:
            if started.done():
                raise
            started.set_exception(exc)  # the caller's thread raises it

    thread = threading.Thread(target=asyncio.run, args=(until_stopped(),), name="demo server", daemon=True)
    try:
        thread.start()  # in here, as Ctrl-C may come while the thread is already on its way
        yield DemoServer(started.result(), user, password)
    finally:
        stop.set_result(None)
        if started.done():  # else Ctrl-C came while it starts: it ends by itself, and nobody waits for it
            thread.join()
