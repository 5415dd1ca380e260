"""The program as a process of its own that starts in milliseconds: forked from one that has imported it already.

    with forking_server() as start:                        # the fixture `start` in tests/faults/conftest.py
        running = start("fetch", "--host", …, settings={"RECONNECTS": 1})
        running.send_signal(signal.SIGKILL)
        assert running.wait().code == -9

The process is a real one: it can be killed, limited and stopped dead, and has its own view of the clock. What tests of
faults change in it stands in `Conditions`; the package itself knows nothing of them. The price: nothing is imported
anew, so what the imports do is tested by tests/command.py's way of starting it.
"""

import contextlib
import importlib
import json
import os
import pwd
import random
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import filelayer

PATIENCE = 60.0
"""Seconds after which a program that does not end fails its test."""

SHORT_WAIT = 0.02
"""The longest pause between two tries; the jitter of real ones is up to half a minute."""

_IMPORTED = (
    *("inboxstats.cli", "inboxstats.config", "inboxstats.credentials", "inboxstats.fetch", "inboxstats.sources.imap"),
    *("pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet"),
    *("filelock", "filelock._api", "filelock._unix", "encodings.idna"),
)
"""Before the fork, as each child would import it for itself."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is different in the process.

    settings  -- the package's constants, such as ``{"RECONNECTS": 1}``, in whichever modules know the name
    limits    -- resource limits, such as ``{"RLIMIT_FSIZE": 8192}``
    nobody    -- it runs without root's rights
    watch     -- the folder whose file operations `stop_at`, `fail` and `journal` are about; see filelayer.py
    stop_at   -- the number of the operation at which it is gone
    fail      -- name, ending of the path, errno, and the first that fails
    journal   -- the file that notes the operations
    syncs     -- whether fsync reaches the disk; a kill cannot tell, and a hundred runs take less without
    clock     -- "wild": the time of day jumps by years between two looks at it
    """

    settings: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    nobody: bool = False
    watch: str | None = None
    stop_at: int | None = None
    fail: tuple[str, str, int, int] | None = None
    journal: str | None = None
    syncs: bool = True
    clock: Literal["wild"] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a run left: its exit code (that of a signal is negative), what it wrote, by how much its memory grew."""

    code: int
    out: str
    err: str
    grown_bytes: int


class Running:
    """A run that was started."""

    def __init__(self, connection: socket.socket, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._answers = connection.makefile("r")
        self.pid = int(self._answers.readline())

    def send_signal(self, number: int) -> None:
        """Does nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> Done:
        """What it left, once it has ended; it fails where that takes too long, and where a process is left behind."""
        self._connection.settimeout(seconds)
        try:
            code = int(self._answers.readline())
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            raise AssertionError(f"it did not end within {seconds:g} s:\n{self._written('err')}") from None
        finally:
            self._connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
            raise AssertionError("it left a process behind")
        return Done(code, self._written("out"), self._written("err"), int(self._written("grown") or 0))

    def _written(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(slots=True)
class Start:
    """Starts the program: `start("fetch", …)`, with `environment` as all that it sees of one."""

    address: str
    folder: Path
    environment: Mapping[str, str]
    _numbers: "count[int]" = field(default_factory=count)

    def __call__(self, *arguments: str, **conditions: Any) -> Running:
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        folder.chmod(0o777)  # for nobody
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        request = {"arguments": arguments, "environment": dict(self.environment), "folder": str(folder)}
        request["conditions"] = asdict(Conditions(**conditions))
        connection.sendall(json.dumps(request).encode() + b"\n")
        return Running(connection, folder)


@contextlib.contextmanager
def forking_server() -> Iterator[str]:
    """The address of the process that the others are forked from; it ends with the tests, however they end."""
    with tempfile.TemporaryDirectory(prefix="forked-") as name:
        address = os.path.join(name, "socket")
        python = {variable: value for variable, value in os.environ.items() if not variable.startswith("INBOXSTATS_")}
        process = subprocess.Popen(
            [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=python | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield address
        finally:
            process.stdin.close()
            process.wait(timeout=10)
            process.stdout.close()


def _serve(address: str) -> None:
    """In the process that the others are forked from. It has one thread, so that forking is safe."""
    for name in _IMPORTED:
        importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(50)
    looking = selectors.DefaultSelector()
    looking.register(sys.stdin, selectors.EVENT_READ)
    looking.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in looking.select():
            if key.fileobj is sys.stdin:  # the tests are over
                os._exit(0)
            if key.fileobj is listener:
                connection, _ = listener.accept()
                pid = _forked(json.loads(connection.makefile().readline()))
                connection.sendall(f"{pid}\n".encode())
                looking.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
            else:
                pid, connection = key.data
                looking.unregister(key.fd)
                os.close(key.fd)
                _, status = os.waitpid(pid, 0)
                with connection, contextlib.suppress(OSError):  # a test that failed listens no more
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _forked(request: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _run(request)
    return pid


def _run(request: Mapping[str, Any]) -> None:
    """The program itself. Never returns."""
    os.setpgid(0, 0)
    os.closerange(3, 1000)
    conditions = Conditions(**request["conditions"])
    folder = Path(request["folder"])
    for number, path in enumerate((os.devnull, folder / "out", folder / "err")):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    random.seed()
    memory = os.open("/proc/self/status", os.O_RDONLY)
    grown = os.open(folder / "grown", os.O_WRONLY | os.O_CREAT)
    resident = _bytes(memory, "VmRSS")
    code = 1
    try:
        with _under(conditions):
            sys.argv = ["inboxstats", *request["arguments"]]
            from inboxstats.cli import main

            main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 -- the border of the process
        traceback.print_exc()
    os.write(grown, str(_bytes(memory, "VmHWM") - resident).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def _under(conditions: Conditions) -> Iterator[None]:
    jitter = random.uniform
    # Never below `low`: that is what a server asked for, and not jitter.
    random.uniform = lambda low, high: jitter(low, max(low, min(high, SHORT_WAIT)))  # type: ignore[assignment]
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "inboxstats"]
    for name, value in conditions.settings.items():
        holders = [module for module in ours if hasattr(module, name)]
        assert holders, f"no module has a {name} any more"
        for module in holders:
            setattr(module, name, value)
    for name, most in conditions.limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    if not conditions.syncs:
        os.fsync = lambda _: None
    if conditions.clock == "wild":
        time.time = lambda: random.uniform(0, 4e9)  # type: ignore[assignment]
    if conditions.nobody and os.geteuid() == 0:
        owner = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
    if conditions.watch is None:
        yield
        return
    with filelayer.watched(Path(conditions.watch), _before(conditions)):
        yield


def _before(conditions: Conditions) -> filelayer.Before:
    if conditions.stop_at is not None:
        return filelayer.stopping_at(conditions.stop_at)
    if conditions.fail is not None:
        name, ending, number, first = conditions.fail
        return filelayer.failing(name, ending, number, first=first)
    assert conditions.journal is not None
    return filelayer.noting(Path(conditions.journal))


def _bytes(memory: int, line: str) -> int:
    """From the kernel's book-keeping. VmHWM, the most that was ever resident, begins anew at a fork."""
    status = os.pread(memory, 65_536, 0).decode()
    return int(status.partition(f"{line}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    _serve(sys.argv[1])
