"""A command of the user's that prints a password: an argument list, run without a shell, within ten seconds."""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from inboxstats.credentials import keyring
from inboxstats.errors import CredentialsError, UsageError, is_short_of_files, storage_error

MOST_BYTES = 65_536
"""Of what a command prints: no secret is as long, and one that prints without end must not fill the memory."""


def split_command(text: str) -> tuple[str, ...]:
    """An option's text as an argument list, split as a shell splits words. Raises UsageError."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as problem:
        raise UsageError(f"--password-command cannot be split into words: {problem}. Check the quotes.") from problem
    if not words:
        raise UsageError("--password-command is empty. Give a command that prints the password.")
    return words


def first_line(command: Sequence[str], *, is_alone: bool) -> str:
    """The first line that a command prints. Raises CredentialsError, StorageError.

    `is_alone`: no person is there whom it might ask, so that it and its children may be ended as a group.
    """
    name, seconds = command[0], keyring.PATIENCE
    try:
        process = subprocess.Popen(  # noqa: S603 -- the user's own command, as an argument list
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=keyring.child_environment(),
            start_new_session=is_alone,
        )
    except FileNotFoundError as problem:
        raise CredentialsError(f"The password command {name!r} is not found. Check its path.") from problem
    except ValueError as problem:
        raise CredentialsError(f"The password command {name!r} holds a NUL. Write it anew.") from problem
    except OSError as problem:
        if is_short_of_files(problem):
            raise storage_error("run", repr(name), problem) from problem
        raise CredentialsError(f"The password command {name!r} cannot be run: {problem.strerror}.") from problem
    try:
        out = _printed(process, name, seconds)
    except BaseException as problem:
        _end(process, whole_group=is_alone)
        if isinstance(problem, subprocess.TimeoutExpired):
            raise CredentialsError(
                f"The password command {name!r} took more than {seconds:.0f} s. Does it wait for a person?"
            ) from None
        raise
    if process.returncode != 0:
        raise CredentialsError(f"The password command {name!r} failed with exit code {process.returncode}.")
    password = password_in(out, f"What the password command {name!r} prints")
    if not password:
        raise CredentialsError(f"The password command {name!r} printed nothing.")
    return password


def password_in(data: bytes, what: str) -> str:
    """The first line of what holds a password; `what` begins the sentence. Raises CredentialsError."""
    try:
        return data.partition(b"\n")[0].rstrip(b"\r").decode()
    except UnicodeDecodeError:
        raise CredentialsError(f"{what} is not UTF-8, as a mail server wants a password. Store it anew.") from None


def _printed(process: "subprocess.Popen[bytes]", name: str, seconds: float) -> bytes:
    """What the process prints until it ends. Raises subprocess.TimeoutExpired, CredentialsError."""
    deadline = time.monotonic() + seconds
    printed: list[bytes] = []

    def read(stream: IO[bytes]) -> None:
        with stream:
            printed.append(stream.read(MOST_BYTES + 1))

    # In a thread, as a read cannot be given a deadline everywhere. It owns the stream: where a child of the command
    # keeps that open, it waits on.
    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(seconds)
    if reader.is_alive():
        raise subprocess.TimeoutExpired(process.args, seconds)
    if len(printed[0]) > MOST_BYTES:
        raise CredentialsError(
            f"The password command {name!r} printed more than {MOST_BYTES:,} bytes, which is no password."
        )
    process.wait(max(0.0, deadline - time.monotonic()))
    return printed[0]


def _end(process: "subprocess.Popen[bytes]", *, whole_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if whole_group and os.name != "nt":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
