"""The Secret Service of freedesktop.org as GNOME's keyring provides it, on a D-Bus of its own, without a screen."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import UnavailableError, running

_NAME, _ROOT = "org.freedesktop.secrets", "/org/freedesktop/secrets"


@dataclass(frozen=True, slots=True)
class SecretService:
    """A keyring that runs and is unlocked. `environment` is what a program needs to find it; `folder` has its files."""

    environment: dict[str, str]
    folder: Path

    def is_ready(self) -> bool:
        """Whether it answers already."""
        asked = self._send("org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", f"string:{_NAME}")
        return "boolean true" in asked

    def lock(self) -> None:
        """From now on it asks a person for its password, on a screen that is not there."""
        self._send(_NAME, _ROOT, "org.freedesktop.Secret.Service.Lock", f"array:objpath:{_ROOT}/collection/login")

    def _send(self, name: str, path: str, *message: str) -> str:
        command = ["dbus-send", "--session", "--print-reply", f"--dest={name}", path, *message]
        done = subprocess.run(command, env=os.environ | self.environment, check=True, capture_output=True, text=True)
        return done.stdout


@contextmanager
def secret_service(log: Path) -> Iterator[SecretService]:
    """A keyring of one's own. Raises UnavailableError where D-Bus or GNOME's keyring is not installed."""
    for program, package in (("dbus-daemon", "dbus"), ("gnome-keyring-daemon", "gnome-keyring")):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is missing. Install it (Debian: apt-get install {package}).")
    # Not in pytest's folder: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="keyring-") as name:
        socket = Path(name) / "bus"
        address = f"unix:path={socket}"
        environment = {
            "DBUS_SESSION_BUS_ADDRESS": address,
            **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"), name),
        }
        service = SecretService(environment, Path(name))
        bus = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"]
        # --unlock reads the password from its stdin, and makes the keyring with it.
        daemon = "gnome-keyring-daemon --foreground --unlock --components=secrets"
        keyring = f"printf %s 'the password of the login' | exec {daemon}"
        variables = [f"{name}={value}" for name, value in environment.items()]
        with (
            running(bus, ready=socket.exists, log=log),
            running(["env", *variables, "sh", "-c", keyring], ready=service.is_ready, log=log),
        ):
            yield service
