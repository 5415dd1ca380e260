"""What every server needs: free ports, a start that is waited for, an end that is certain."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
BELOW_EPHEMERAL = range(20_000, 32_768)
"""Linux gives outgoing connections the ports from 32768 on, so that none of these is taken between choice and use."""


class UnavailableError(Exception):
    """The server cannot be had on this machine. The text says what to install."""


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(BELOW_EPHEMERAL)
        if port not in ports and _is_free(port):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def greets(port: int) -> bool:
    """Whether a server speaks first, as IMAP's does once it can serve."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as client:
            return client.recv(1) == b"*"
    except OSError:
        return False


@contextmanager
def running(command: Sequence[str], *, ready: Callable[[], bool], log: Path, seconds: float = 60) -> Iterator[int]:
    """The process id of `command` from the moment that it is `ready`; its output goes to `log`.

    Raises RuntimeError, with the end of the log, where it ends or where the seconds pass before that.
    """
    with open(log, "ab") as output:
        # A session of its own: Ctrl-C reaches the tests alone, and at the end nothing of the server is left over.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _await(process, ready, log, seconds)
        yield process.pid
    finally:
        _stop(process)


def _await(process: "subprocess.Popen[bytes]", ready: Callable[[], bool], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} was not ready after {seconds:g} s:\n{tail(log)}")
        time.sleep(0.02)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(100):  # until the last of them is gone, and with it their ports; a zombie may stay for ever
            os.killpg(process.pid, 0)
            time.sleep(0.01)
    process.wait()


def tail(log: Path, lines: int = 40) -> str:
    """The end of a log, or nothing where there is none yet."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
