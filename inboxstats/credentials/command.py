"""A command of the user's that prints a password: an argument list, run without a shell, within ten seconds."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence

from inboxstats.credentials import keyring
from inboxstats.errors import CredentialsError, UsageError, is_short_of_files, storage_error


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
    except OSError as problem:
        if is_short_of_files(problem):
            raise storage_error("run", repr(name), problem) from problem
        raise CredentialsError(f"The password command {name!r} cannot be run: {problem.strerror}.") from problem
    with contextlib.closing(process.stdout) if process.stdout else contextlib.nullcontext():
        try:
            out, _ = process.communicate(timeout=seconds)
        except BaseException as problem:
            _end(process, whole_group=is_alone)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise CredentialsError(
                    f"The password command {name!r} took more than {seconds:.0f} s. Does it wait for a person?"
                ) from None
            raise
    if process.returncode != 0:
        raise CredentialsError(f"The password command {name!r} failed with exit code {process.returncode}.")
    password = out.decode("utf-8", "surrogateescape").partition("\n")[0].rstrip("\r")
    if not password:
        raise CredentialsError(f"The password command {name!r} printed nothing.")
    return password


def _end(process: "subprocess.Popen[bytes]", *, whole_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if whole_group and os.name != "nt":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
