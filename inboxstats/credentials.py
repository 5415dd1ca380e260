"""Where a password comes from, in this order: a command, systemd, the keyring, the environment, a prompt.

A password is never an option's value, never in config.toml, and never part of an error's text.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inboxstats.errors import CredentialsError, UsageError

SERVICE = "inboxstats"
"""The keyring's service name; the entry's user name is ``user@host``."""

ENVIRONMENT = "INBOXSTATS_PASSWORD"

PATIENCE = 10.0
"""Seconds for a command or the keyring: a locked keyring asks on a screen that a timer has not, and hangs."""

# Run as a child, since a keyring that hangs cannot be interrupted; with -P, so that no keyring.py of the folder where
# the user happens to be is taken for it. Prints "found" and the password, or a reason.
_KEYRING_PROGRAM = """
import sys
import keyring, keyring.errors
try:
    backend = keyring.get_keyring()
    backends = getattr(backend, "backends", [backend])
    modules = {type(each).__module__ for each in backends}
    if any(module.startswith("keyrings.alt") for module in modules):
        print("plaintext"); sys.exit()
    if modules <= {"keyring.backends.fail", "keyring.backends.null"}:
        print("none"); sys.exit()
    password = keyring.get_password(sys.argv[1], sys.argv[2])
except keyring.errors.NoKeyringError:
    print("none")
except Exception as problem:
    print("error", type(problem).__name__)
else:
    print("missing" if password is None else "found\\n" + password, end="")
"""


@dataclass(frozen=True, slots=True)
class Login:
    """Whose password is wanted. `command` is an argument list that prints it, run without a shell.

    `is_only` says that no other account is fetched in this run: INBOXSTATS_PASSWORD names no account, and one account's
    password must not be sent to another one's server.
    """

    host: str
    user: str
    account: str
    command: tuple[str, ...] = ()
    is_only: bool = True


def split_command(text: str) -> tuple[str, ...]:
    """An option's text as an argument list, split as a shell splits words. Raises UsageError."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as problem:
        raise UsageError(f"--password-command cannot be split into words: {problem}. Check the quotes.") from problem
    if not words:
        raise UsageError("--password-command is empty. Give a command that prints the password.")
    return words


def password_for(login: Login, *, ask: Callable[[str], str] | None = None, warn: Callable[[str], None]) -> str:
    """The password of a login. `ask` prompts a person, where there is one. Raises CredentialsError, naming the ways."""
    if login.command:
        return _from_command(login.command)
    if (password := _from_systemd(login.account)) is not None:
        return password
    password, trouble = _from_keyring(login)
    if password is not None:
        return password
    if login.is_only and (password := os.environ.get(ENVIRONMENT)):
        warn(f"The password comes from {ENVIRONMENT}, which other programs of yours can read; a keyring is safer.")
        return password
    if ask is not None and (password := ask(f"Password for {login.user} at {login.host}: ")):
        return password
    raise CredentialsError(
        f"No password for {login.user} at {login.host}: {trouble} Give one by --password-command, "
        f"by `keyring set {SERVICE} {login.user}@{login.host}`, or, for a single account, in {ENVIRONMENT}."
    )


def _from_command(command: Sequence[str]) -> str:
    """The first line that a command prints."""
    try:
        done = subprocess.run(  # noqa: S603 -- the user's own command, as an argument list
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE, check=False
        )
    except FileNotFoundError as problem:
        raise CredentialsError(f"The password command {command[0]!r} is not found. Check its path.") from problem
    except OSError as problem:
        raise CredentialsError(f"The password command {command[0]!r} cannot be run: {problem.strerror}.") from problem
    except subprocess.TimeoutExpired:
        raise CredentialsError(
            f"The password command {command[0]!r} took more than {PATIENCE:.0f} s. Does it wait for a person?"
        ) from None
    if done.returncode != 0:
        raise CredentialsError(f"The password command {command[0]!r} failed with exit code {done.returncode}.")
    password = done.stdout.decode("utf-8", "surrogateescape").partition("\n")[0].rstrip("\r")
    if not password:
        raise CredentialsError(f"The password command {command[0]!r} printed nothing.")
    return password


def _from_systemd(account: str) -> str | None:
    """The credential that a unit's LoadCredential= hands over under the account's name (systemd.exec(5))."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder or "/" in account or account.startswith("."):
        return None
    try:
        return (Path(folder) / account).read_text().rstrip("\r\n") or None
    except OSError:
        return None


def _from_keyring(login: Login) -> tuple[str | None, str]:
    """The keyring's password, or ``None`` and why there is none."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own interpreter
            [sys.executable, "-P", "-c", _KEYRING_PROGRAM, SERVICE, f"{login.user}@{login.host}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"the keyring did not answer within {PATIENCE:.0f} s (locked, with nobody to unlock it?)."
    verdict, _, rest = done.stdout.partition("\n")
    match verdict.split():
        case ["found"] if rest:
            return rest, ""
        case ["found"] | ["missing"]:
            return None, "the keyring has no entry for it."
        case ["plaintext"]:
            return None, "the keyring's backend (keyrings.alt) stores plain text, so it is not used."
        case ["none"]:
            return None, "this machine has no keyring."
        case ["error", name]:
            return None, f"the keyring failed ({name})."
        case _:
            return None, "the keyring could not be asked."
