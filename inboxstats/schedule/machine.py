"""The machine that a timer is made for, and the steps that make one: data first, so that a dry run can show them."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path

from inboxstats.archive.files import make_folder, write_whole
from inboxstats.errors import UsageError, storage_errors
from inboxstats.schedule.clock import is_same

PATIENCE = 60.0
"""Seconds for one command of a scheduler."""

RETRIES = 3
"""How often a night tries an account again whose server cannot be reached: a machine that wakes has no network yet."""

NOT_FOUND = 127
"""The exit code that a shell gives a command that is not there."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    code: int
    out: bytes = b""
    err: bytes = b""

    @property
    def complaint(self) -> str:
        """The last line that it wrote, for a sentence."""
        lines = (self.err or self.out).decode(errors="replace").strip().splitlines()
        return lines[-1].strip().rstrip(".") if lines else f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a timer is made.

    platform -- as in sys.platform
    uid      -- the user's number; ``None`` on Windows
    zone     -- the user's, as TZ may say
    clock    -- the machine's own, by which its schedulers go, but for systemd, which can be told
    run      -- a command with what it gets on stdin; a command that is not there leaves NOT_FOUND
    """

    platform: str
    home: Path
    config_home: Path
    data_home: Path
    temporary: Path
    uid: int | None
    zone: tzinfo
    clock: tzinfo
    run: Callable[[Sequence[str], bytes], Ran]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to run every night.

    program -- by its absolute path
    config  -- config.toml, by its absolute path
    path    -- the PATH that it sees
    folders -- the base folders that the user has elsewhere than usual, see `base_folders`. Nothing else of the user's
               environment is kept, so no secret can be
    """

    program: tuple[str, ...]
    config: Path
    at: time
    path: str
    folders: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sees, beside those that the scheduler gives."""
        return {"PATH": self.path, **dict(self.folders)}

    @property
    def nightly(self) -> tuple[str, ...]:
        """The command of the night."""
        return (*self.program, "nightly", "--quiet", "--retries", str(RETRIES), "--config", str(self.config))

    @property
    def tell(self) -> tuple[str, ...]:
        """The command that tells what a run that was killed could not."""
        return (*self.program, "status", "--quiet", "--tell", "--config", str(self.config))


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is installed.

    at         -- the local time; ``None`` where somebody has changed it to something else
    last, next -- when it ran and will run, aware; ``None`` where the scheduler does not tell
    trouble    -- why it does not run, with the mend
    notes      -- what its user should know
    """

    kind: str
    at: time | None = None
    last: datetime | None = None
    next: datetime | None = None
    trouble: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """A file, private to the user."""

    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """A file that need not be there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Run:
    """A command. `may_fail`: what it would undo may be undone already."""

    command: tuple[str, ...]
    stdin: bytes = b""
    may_fail: bool = False


Step = Write | Delete | Run


def carry_out(steps: Iterable[Step], machine: Machine) -> None:
    """Do what the steps say. Raises StorageError, and UsageError for a scheduler that refuses."""
    for step in steps:
        match step:
            case Write(path, data):
                with storage_errors("write", path):
                    make_folder(str(path.parent), fsync=False)
                    write_whole(str(path), data, fsync=False)
            case Delete(path):
                with storage_errors("remove", path), suppress(FileNotFoundError):
                    path.unlink()
            case Run(command, stdin, may_fail):
                ran = machine.run(command, stdin)
                if ran.code and not may_fail:
                    raise UsageError(f"`{shlex.join(command)}` failed: {ran.complaint}.")


def described(steps: Iterable[Step]) -> str:
    """The steps as a person reads them, before they are done."""
    return "\n".join(line for step in steps for line in _described(step))


def _described(step: Step) -> Iterable[str]:
    match step:
        case Write(path, data):
            text = data.decode("utf-16" if data.startswith(b"\xff\xfe") else "utf-8")
            return (f"write {path}:", *(f"    {line}" for line in text.splitlines()))
        case Delete(path):
            return (f"remove {path}",)
        case Run(command, stdin):
            lines = stdin.decode(errors="replace").splitlines()
            return (f"run {shlex.join(command)}{' with:' if lines else ''}", *(f"    {line}" for line in lines))


def this_machine() -> Machine:
    """The machine that the program runs on, for the user who runs it."""
    import tempfile

    home = Path.home()
    zone = _zone()
    return Machine(
        platform=sys.platform,
        home=home,
        config_home=_xdg("XDG_CONFIG_HOME", home / ".config"),
        data_home=_xdg("XDG_DATA_HOME", home / ".local" / "share"),
        temporary=Path(tempfile.gettempdir()),
        uid=os.getuid() if hasattr(os, "getuid") else None,
        zone=zone,
        clock=_clock(zone, Path("/etc/localtime")) if os.environ.get("TZ") else zone,
        run=_run,
    )


def _zone() -> tzinfo:
    import tzlocal

    try:
        return tzlocal.get_localzone()
    except (LookupError, ValueError):  # a zone of the machine's own making
        return UTC


def _clock(users: tzinfo, localtime: Path) -> tzinfo:
    """The zone of the machine, whatever TZ says (localtime(5)); the user's where it is the same, or not known."""
    from zoneinfo import ZoneInfo

    name = str(localtime.resolve()).partition("zoneinfo/")[2] if localtime.exists() else "UTC"
    try:
        clock = ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # a copy, without a name; or no Unix
        return users
    return users if is_same(users, clock, datetime.now(UTC).year) else clock


def _xdg(name: str, default: Path) -> Path:
    """A base directory, which counts only where it is absolute (XDG Base Directory Specification)."""
    given = os.environ.get(name, "")
    return Path(given) if os.path.isabs(given) else default


def _run(command: Sequence[str], stdin: bytes) -> Ran:
    try:
        done = subprocess.run(  # noqa: S603 -- the schedulers' own commands, as argument lists
            command,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        return Ran(NOT_FOUND, err=f"{command[0]} is not installed".encode())
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Ran(1, err=f"{command[0]}: {type(problem).__name__}".encode())
    return Ran(done.returncode, done.stdout, done.stderr)


def this_program() -> tuple[str, ...]:
    """How this very installation is started from anywhere: the script beside its Python, else Python itself."""
    python = Path(os.path.abspath(sys.executable))
    for script in (python.with_name("inboxstats"), python.with_name("inboxstats.exe")):
        if os.access(script, os.X_OK):
            return (str(script),)
    return (str(python), "-m", "inboxstats")


def base_folders(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Where the user has data, state, cache and configuration, where that is said (XDG Base Directory Specification).

    Without them a timer would fill another archive than the one that the user sees.
    """
    names = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    return tuple((name, environment[name]) for name in names if os.path.isabs(environment.get(name, "")))


def plain_path(path: str) -> str:
    """The absolute folders of a PATH that are there, each once; the system's own where none is."""
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder) and os.path.isdir(folder)]
    return os.pathsep.join(dict.fromkeys(folders)) or "/usr/local/bin:/usr/bin:/bin"
