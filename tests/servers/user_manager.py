"""A systemd that runs for one user, as a login starts it: `systemd --user`, with a home of its own.

It lives in namespaces of its own (mounts, processes, control groups), so that it needs no systemd as the machine's
first process, meets no other manager, and takes everything with it that it ever started.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import UnavailableError, running, tail

_SYSTEMD = Path("/lib/systemd/systemd")
_SPACES = {"mount": "mnt", "pid": "pid_for_children", "cgroup": "cgroup"}
"""What nsenter(1) calls a namespace, and its file in /proc."""

# $1 is a folder for the tree of control groups, $2 the group: systemd believes that it may manage the whole of what it
# sees, and moves every process there.
_OUTER = """
mount --make-rprivate / && mount -t cgroup2 cgroup2 "$1" && mkdir -p "$1/$2" && echo 0 >"$1/$2/cgroup.procs" || exit
exec unshare --cgroup --pid --fork --kill-child --mount-proc sh -c "$4" sh "$3"
"""
# The first process of a namespace: when it ends, the kernel kills all others. A user's systemd refuses to start where
# /run/systemd/system is missing (sd_booted(3)). A file system cannot be mounted upon itself, so upon another. The
# services share the mounts, as on any machine: credentials come to them in this way.
_INNER = """
mount -t tmpfs tmpfs /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
mkdir -p /run/systemd && mount -t tmpfs -o mode=755 tmpfs /run/systemd && mkdir /run/systemd/system || exit
mount --make-rshared / || exit
trap 'exit 0' TERM
"$1" --user --log-target=console --log-level=info &
wait
"""
_SWEEP = """
mount --make-rprivate / && mount -t cgroup2 cgroup2 "$1" && test -d "$1/$2" || exit 0
for _ in $(seq 50); do find "$1/$2" -depth -type d -exec rmdir {} + && exit; sleep 0.1; done
exit 1
"""
_TRIED = "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mount -t cgroup2 cgroup2 /mnt"


@dataclass(frozen=True, slots=True)
class UserManager:
    """One that runs. `environment` is what a user's shell has; `through` runs a program where the manager is."""

    folder: Path
    environment: dict[str, str]
    through: tuple[str, ...]
    log: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def systemctl(self, *arguments: str) -> str:
        """What `systemctl --user` answers. Raises RuntimeError where it says that something failed."""
        done = self._systemctl(*arguments)
        if done.returncode:
            raise RuntimeError(f"systemctl --user {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Of a unit, as the manager has them in its memory."""
        shown = self.systemctl("show", "--timestamp=unix", f"--property={','.join(names)}", unit)
        return dict(line.split("=", 1) for line in shown.splitlines())

    def await_start(self) -> None:
        """Until all of it is up, whether or not a unit of the machine's, which is not ours, has failed meanwhile."""
        told = self._systemctl("is-system-running", "--wait").stdout.strip()
        if told not in ("running", "degraded"):
            raise RuntimeError(f"The user's systemd is {told or 'silent'}:\n{tail(self.log)}")

    def _systemctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.through, "systemctl", "--user", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextmanager
def user_manager(log: Path) -> Iterator[UserManager]:
    """A manager of one's own, with an empty home. Raises UnavailableError where this machine lets nobody start one."""
    _check_machine()
    # Not in pytest's folder: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="user-") as name:
        folder = Path(name)
        for each in ("home", "runtime", "cgroup"):
            (folder / each).mkdir(mode=0o700)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "LC_ALL": "C.UTF-8",
        }
        group = (str(folder / "cgroup"), folder.name)
        outer = ["unshare", "--mount", "sh", "-c", _OUTER, "sh", *group, str(_SYSTEMD), _INNER]
        command = ["env", "-i", *(f"{key}={value}" for key, value in environment.items()), *outer]
        ready = folder / "runtime" / "systemd" / "private"
        try:
            with running(command, ready=ready.exists, log=log) as pid:
                spaces = (f"--{kind}=/proc/{pid}/ns/{file}" for kind, file in _SPACES.items())
                manager = UserManager(folder, environment, ("nsenter", *spaces, "--"), log)
                manager.await_start()
                yield manager
        finally:
            subprocess.run(["unshare", "--mount", "sh", "-c", _SWEEP, "sh", *group], check=True)


def _check_machine() -> None:
    if not _SYSTEMD.exists():
        raise UnavailableError("systemd is missing. Install it (Debian: apt-get install systemd).")
    for program in ("unshare", "nsenter"):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is missing. Install it (Debian: apt-get install util-linux).")
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--cgroup", "--fork", "sh", "-c", _TRIED], capture_output=True, text=True
    )
    if tried.returncode:
        raise UnavailableError(f"A user's systemd needs namespaces of its own, for which one is root: {tried.stderr}")
