"""The program as a user runs it: another process, a home folder of its own, no secret from this machine."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """What a run left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Inboxstats:
    """Runs inboxstats with `home` as the user's home folder."""

    home: Path

    def environment(self, *, password: str | None = None, **more: str) -> dict[str, str]:
        """The variables that a run sees; the keyring has no entry."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("INBOXSTATS_", "XDG_", "PYTHON"))
        }
        own = {"HOME": str(self.home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "TZ": "UTC"}
        return kept | own | ({} if password is None else {"INBOXSTATS_PASSWORD": password}) | more

    def __call__(self, *arguments: str, password: str | None = None, stdin: str = "", **environment: str) -> Done:
        """Run to the end."""
        done = subprocess.run(
            [sys.executable, "-m", "inboxstats", *arguments],
            env=self.environment(password=password, **environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, password: str | None = None, **environment: str) -> "subprocess.Popen[str]":
        """Start, for a test that interrupts it; SIGINT reaches it even where the tests' own is ignored."""
        return subprocess.Popen(
            [sys.executable, "-m", "inboxstats", *arguments],
            env=self.environment(password=password, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
