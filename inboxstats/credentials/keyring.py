"""The platform's keyring: get, store and remove a secret, each within ten seconds, and why it cannot be done.

Asked in a child process, see `child`: a locked keyring asks on a screen that a timer has not, and hangs.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field

from inboxstats.errors import CredentialsError, storage_errors

SERVICE = "inboxstats"
"""The entries' service name; the entry's user name is ``user@host``."""

PATIENCE = 10.0
"""Seconds that a keyring, or a command, has for its answer."""

SECRET_VARIABLE = "INBOXSTATS_PASSWORD"  # noqa: S105 -- the variable's name
"""Not handed on to any child: each has another way to its secret."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, or why there is none: `trouble` is a clause for the end of a sentence.

    `usable` says that the keyring works, and could keep one.
    """

    secret: str | None = field(default=None, repr=False)
    trouble: str = ""
    usable: bool = True


def get(user: str) -> Found:
    """The secret of an entry."""
    verdict, secret = _ask("get", user)
    if verdict == ["found"] and secret:
        return Found(secret)
    if verdict in (["found"], ["missing"]):
        return Found(None, "the keyring has no entry for it.")
    return Found(None, _trouble(verdict), usable=False)


def store(user: str, secret: str) -> None:
    """Keep a secret, in the place of an older one. Raises CredentialsError."""
    verdict, _ = _ask("set", user, secret)
    if verdict != ["stored"]:
        raise CredentialsError(f"The password of {user} is not stored: {_trouble(verdict)} {ELSEWHERE}")


def remove(user: str) -> bool:
    """Whether an entry was there; it is gone now. Raises CredentialsError where the keyring cannot be asked."""
    verdict, _ = _ask("delete", user)
    if verdict not in (["removed"], ["missing"], ["none"], ["null"]):
        raise CredentialsError(f"The password of {user} may still be in the keyring: {_trouble(verdict)}")
    return verdict == ["removed"]


ELSEWHERE = "Give a command that prints it: --password-command."


def child_environment() -> dict[str, str]:
    """This process's environment, without the secret that may stand in it."""
    return {name: value for name, value in os.environ.items() if name != SECRET_VARIABLE}


def _ask(operation: str, user: str, secret: str = "") -> tuple[list[str], str]:
    """The verdict's words, and the secret that follows. Raises StorageError where no child can be started."""
    # With -P, so that no keyring.py of the folder where the user happens to be is taken for it; in a session without a
    # terminal, so that no backend asks a question there that looks like one of ours.
    command = [sys.executable, "-P", "-m", "inboxstats.credentials.child", operation, SERVICE, user]
    try:
        with storage_errors("run", sys.executable):
            done = subprocess.run(  # noqa: S603 -- our own interpreter
                command,
                input=secret.encode(),
                capture_output=True,
                timeout=PATIENCE,
                check=False,
                start_new_session=True,
                env=child_environment(),
            )
    except subprocess.TimeoutExpired:
        return ["hangs"], ""
    verdict, _, rest = done.stdout.decode("utf-8", "replace").partition("\n")
    return verdict.split(), rest


def _trouble(verdict: list[str]) -> str:
    match verdict:
        case ["plaintext", module]:
            return f"the keyring's backend ({module}) stores plain text, so it is not used."
        case ["null"]:
            return "the keyring is switched off: its null backend keeps nothing (`keyring diagnose` says where)."
        case ["none"]:
            return "this machine has no keyring."
        case ["locked"]:
            return "the keyring is locked, and nobody is there to unlock it."
        case ["hangs"]:
            return f"the keyring did not answer within {PATIENCE:.0f} s (locked, with nobody to unlock it?)."
        case ["unloadable", name]:
            return (
                f"the keyring's backend cannot be loaded ({name}); PYTHON_KEYRING_BACKEND or keyringrc.cfg names one "
                "that is not installed."
            )
        case ["error", name]:
            return f"the keyring failed ({name})."
        case _:
            return "the keyring could not be asked."
