"""The errors whose cause is known: each class knows its exit code, each sentence says what to do.

Whatever is not one of these is a bug, and leaves with a traceback and exit code 1.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from enum import IntEnum


class ExitCode(IntEnum):
    """What the program's exit status means; the README lists the same table."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTLY = 3
    CREDENTIALS = 4
    NETWORK = 5
    STORAGE = 6
    BUSY = 7
    DAMAGED = 8
    TLS = 9
    INTERRUPTED = 130
    TERMINATED = 143


class InboxstatsError(Exception):
    """An expected failure. Its text is one or more sentences for the person who must mend it."""

    exit_code = ExitCode.BUG


class UsageError(InboxstatsError):
    """A wrong option, path or mailbox name, or a configuration that does not hold together."""

    exit_code = ExitCode.USAGE


class CredentialsError(InboxstatsError):
    """No password to be had, or one that the server refuses."""

    exit_code = ExitCode.CREDENTIALS


class NetworkError(InboxstatsError):
    """The server cannot be reached, or does not go on: running again later may help."""

    exit_code = ExitCode.NETWORK


class ServerRefusalError(NetworkError):
    """The server says NO or BAD to a command; the connection is as good as before."""


class MailboxRefusedError(ServerRefusalError):
    """The mailbox cannot be opened any more, or was renumbered: none of its messages can be had in this run."""


class ThrottledError(NetworkError):
    """The server wants to be left alone: for `wait` seconds, where it says so; `is_quota`, until the next day or so."""

    def __init__(self, sentence: str, *, wait: float | None = None, is_quota: bool = False) -> None:
        super().__init__(sentence)
        self.wait = wait
        self.is_quota = is_quota


class UnreadableAnswerError(NetworkError):
    """The server's answer is no IMAP; the connection is thrown away, as nobody knows where the next answer begins."""


class StorageError(InboxstatsError):
    """The disk is full, a folder is not writable, a file cannot be read."""

    exit_code = ExitCode.STORAGE


class DamagedPartError(StorageError):
    """A part of the message table cannot be read, and is removed: its rows are made again from the mail."""


class ArchiveBusyError(InboxstatsError):
    """Another run holds the archive."""

    exit_code = ExitCode.BUSY


class ArchiveDamagedError(InboxstatsError):
    """The archive's own records contradict each other or cannot be read."""

    exit_code = ExitCode.DAMAGED


class TLSError(InboxstatsError):
    """No verified channel; nothing secret was sent. `fingerprint` is that of the certificate, where one was shown."""

    exit_code = ExitCode.TLS

    def __init__(self, sentence: str, *, fingerprint: str | None = None) -> None:
        super().__init__(sentence)
        self.fingerprint = fingerprint


class StoppedError(InboxstatsError):
    """The run was stopped by its caller."""

    exit_code = ExitCode.INTERRUPTED


@contextlib.contextmanager
def storage_errors(doing: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an OSError into a StorageError: see `storage_error`."""
    try:
        yield
    except OSError as problem:
        raise storage_error(doing, path, problem) from problem


def is_short_of_files(problem: OSError) -> bool:
    """Whether nothing can be opened, whatever it is: the limit of open files is reached, not that thing at fault."""
    return problem.errno in (errno.EMFILE, errno.ENFILE)


def storage_error(doing: str, path: str | os.PathLike[str], problem: OSError) -> StorageError:
    """The sentence for the person who must mend it. Where `is_short_of_files`, `path` may be anything to be opened."""
    return StorageError(f"Cannot {doing} {os.fspath(path)}: {_advice(problem)}")


def _advice(problem: OSError) -> str:
    if is_short_of_files(problem):
        return "too many files are open. Raise the limit (ulimit -n), or use fewer --threads."
    match problem.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "no space is left on the disk. Free some and run again; all that is complete is kept."
        case errno.EACCES | errno.EPERM:
            return "permission denied. Give yourself the right to it, or choose another place."
        case errno.EROFS:
            return "the file system is read-only. Choose another place."
        case errno.EFBIG:
            return "the file would be larger than this system allows (ulimit -f)."
        case errno.ENOTDIR | errno.EEXIST:
            return "a part of the path is a file, not a folder. Choose another place."
        case _:
            return f"{problem.strerror or problem}."
