"""Between the program and the file operations of the operating system: notes them, lets one fail, or stops the program.

    with watched(archive, before):      # `before` hears of each operation that changes anything below the folder
        ...                             # it may raise an OSError in the operation's place, or never return

Functions of `os` are replaced while the context lasts; the package has no switch for tests. The first write into a file
takes half of the bytes, as the operating system may, so that a stop can leave half a file.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BY_PATH = ("mkdir", "rmdir", "unlink", "remove", "chmod", "truncate", "utime", "symlink", "link", "rename", "replace")
BY_DESCRIPTOR = ("fsync", "fdatasync", "ftruncate", "writev", "pwrite")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True, slots=True)
class Operation:
    """What is about to be done: the function's name in `os`, and the path; the new one of a rename."""

    name: str
    path: str


Before = Callable[[Operation], None]


@contextlib.contextmanager
def watched(folder: Path, before: Before) -> Iterator[None]:
    """Tell `before` of each operation below `folder`, from whichever thread does it."""
    layer = _Layer(os.path.abspath(folder), before)
    replaced = {name: getattr(os, name) for name in ("open", "close", "write", *BY_PATH, *BY_DESCRIPTOR)}
    for name, real in replaced.items():
        setattr(os, name, layer.instead_of(name, real))
    try:
        yield
    finally:
        for name, real in replaced.items():
            setattr(os, name, real)


class _Layer:
    def __init__(self, folder: str, before: Before) -> None:
        self._folder = folder
        self._before = before
        self._paths: dict[int, str] = {}
        self._begun: set[int] = set()

    def instead_of(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        if name in BY_PATH:
            return lambda *paths, **more: self._by_path(name, real, *paths, **more)
        if name in BY_DESCRIPTOR:
            return lambda descriptor, *more: self._by_descriptor(name, real, descriptor, *more)
        return {"open": self._open, "close": self._close, "write": self._write}[name](real)

    def _is_below(self, path: str) -> bool:
        return (os.path.abspath(path) + os.sep).startswith(self._folder + os.sep)

    def _by_path(self, name: str, real: Callable[..., Any], *paths: Any, **more: Any) -> Any:
        last = [each for each in paths if isinstance(each, str | bytes | os.PathLike)][-1:]
        if last and self._is_below(os.fsdecode(last[0])):
            self._before(Operation(name, os.fsdecode(last[0])))
        return real(*paths, **more)

    def _by_descriptor(self, name: str, real: Callable[..., Any], descriptor: int, *more: Any) -> Any:
        if descriptor in self._paths:
            self._before(Operation(name, self._paths[descriptor]))
        return real(descriptor, *more)

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def instead(path: Any, flags: int, *more: Any, **named: Any) -> int:
            name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else None
            is_below = name is not None and self._is_below(name)
            if is_below and flags & WRITING:
                self._before(Operation("open", str(name)))
            descriptor = real(path, flags, *more, **named)
            if is_below:
                self._paths[descriptor] = str(name)
            return descriptor

        return instead

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def instead(descriptor: int) -> None:
            # Before, as another thread may be given the same number at once.
            self._paths.pop(descriptor, None)
            self._begun.discard(descriptor)
            real(descriptor)

        return instead

    def _write(self, real: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def instead(descriptor: int, data: Any) -> int:
            if descriptor not in self._paths:
                return real(descriptor, data)
            self._before(Operation("write", self._paths[descriptor]))
            view = memoryview(data)
            if descriptor in self._begun or view.nbytes < 2:
                return real(descriptor, view)
            self._begun.add(descriptor)
            return real(descriptor, view[: view.nbytes // 2])

        return instead


def stopping_at(number: int) -> Before:
    """The program is gone at its operation of that number (from 1), as by SIGKILL: nothing is tidied up."""
    lock = threading.Lock()
    left = number

    def before(_: Operation) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                os._exit(137)

    return before


def failing(name: str, ending: str, number: int, *, first: int = 1) -> Before:
    """From the `first` on, operations of that name on paths that end so fail with that errno."""
    lock = threading.Lock()
    seen = 0

    def before(operation: Operation) -> None:
        nonlocal seen
        if operation.name != name or not operation.path.endswith(ending):
            return
        with lock:
            seen += 1
            if seen >= first:
                raise OSError(number, os.strerror(number), operation.path)

    return before


def noting(journal: Path) -> Before:
    """Each operation is a line of a file, its name and its path, in the order of their beginning."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    write = os.write

    def before(operation: Operation) -> None:
        write(descriptor, f"{operation.name} {operation.path}\n".encode())

    return before
