"""The program as a user runs it: another process, a home folder of its own, no secret from this machine."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
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
    """Runs inboxstats with `home` as the user's home folder. `through` is a program that runs it elsewhere."""

    home: Path
    through: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """What a run is started by."""
        return [*self.through, sys.executable, "-m", "inboxstats", *arguments]

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
            self.command(*arguments),
            env=self.environment(password=password, **environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def at_terminal(
        self, *arguments: str, answers: Sequence[tuple[str, str]] = (), **environment: str
    ) -> tuple[Done, list[str]]:
        """Run at a terminal of 100 columns where a person answers: each answer once its question has appeared.

        stdin and stderr are the terminal; `err` is what appeared there. Second: the questions that were never asked.
        """
        leader, follower = os.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

        def own_the_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # getpass asks the controlling terminal

        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**environment),
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=follower,
            start_new_session=True,
            preexec_fn=own_the_terminal,
        )
        os.close(follower)
        waiting = list(answers)
        appeared = seen = ""
        while True:
            try:
                data = os.read(leader, 4096)
            except OSError:  # EIO: nobody has the other end any more
                break
            if not data:
                break
            appeared += data.decode("utf-8", "replace")
            while waiting and waiting[0][0] in appeared[len(seen) :]:
                seen = appeared
                os.write(leader, waiting.pop(0)[1].encode() + b"\n")
        out, _ = process.communicate(timeout=240)
        os.close(leader)
        done = Done(process.returncode, out.decode(), appeared.replace("\r\n", "\n"))
        return done, [question for question, _ in waiting]

    def start(self, *arguments: str, password: str | None = None, **environment: str) -> "subprocess.Popen[str]":
        """Start, for a test that interrupts it; SIGINT reaches it even where the tests' own is ignored."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(password=password, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
