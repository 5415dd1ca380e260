"""Where a password comes from, in this order: a command, systemd, the keyring, the environment, a prompt.

A password is never an option's value, never in config.toml, and never part of an error's text.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from inboxstats.credentials import keyring
from inboxstats.credentials.command import first_line, password_in, split_command
from inboxstats.errors import CredentialsError, is_short_of_files, storage_error

__all__ = ["ENVIRONMENT", "Login", "Secret", "password_for", "password_in", "secret_for", "split_command"]

ENVIRONMENT = keyring.SECRET_VARIABLE

Way = Literal["command", "systemd", "keyring", "environment", "prompt"]


@dataclass(frozen=True, slots=True)
class Login:
    """Whose password is wanted. `command` is an argument list that prints it, run without a shell.

    `is_only` says that no other account is fetched in this run: INBOXSTATS_PASSWORD names no account, and one account's
    password must not be sent to another one's server. `ways` says how to give one, where it is no account's.
    """

    host: str
    user: str
    account: str
    command: tuple[str, ...] = ()
    is_only: bool = True
    ways: str = ""

    @property
    def entry(self) -> str:
        """The user name of the keyring's entry."""
        return f"{self.user}@{self.host}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, and the way it came."""

    text: str = field(repr=False)
    way: Way


def password_for(login: Login, *, ask: Callable[[str], str] | None = None, warn: Callable[[str], None]) -> str:
    """The password of a login. `ask` prompts a person, where there is one. Raises what `secret_for` does."""
    return secret_for(login, ask=ask, warn=warn).text


def secret_for(login: Login, *, ask: Callable[[str], str] | None = None, warn: Callable[[str], None]) -> Secret:
    """The password of a login and where it was. `ask` prompts a person, where there is one.

    Raises CredentialsError, naming the ways; StorageError where too many files are open to look.
    """
    if login.command:
        return Secret(first_line(login.command, is_alone=ask is None), "command")
    if (password := _from_systemd(login.account)) is not None:
        return Secret(password, "systemd")
    found = keyring.get(login.entry)
    if found.secret is not None:
        return Secret(found.secret, "keyring")
    if login.is_only and (password := os.environ.get(ENVIRONMENT)):
        warn(f"The password comes from {ENVIRONMENT}, which other programs of yours can read; a keyring is safer.")
        return Secret(password_in(os.fsencode(password), ENVIRONMENT), "environment")
    if ask is not None and (password := ask(f"Password for {login.user} at {login.host}: ")):
        return Secret(password, "prompt")
    ways = login.ways or (
        f"--password-command, by `keyring set {keyring.SERVICE} {login.entry}`, or, for a single account, in "
        f"{ENVIRONMENT}"
    )
    raise CredentialsError(f"No password for {login.user} at {login.host}: {found.trouble} Give one by {ways}.")


def _from_systemd(account: str) -> str | None:
    """The credential that a unit's LoadCredential= hands over under the account's name (systemd.exec(5)).

    Raises CredentialsError or StorageError where it cannot be read: another way's password might be another one.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder or "/" in account or account.startswith("."):
        return None
    path = Path(folder) / account
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        if is_short_of_files(problem):
            raise storage_error("read", path, problem) from problem
        raise CredentialsError(
            f"systemd's credential {path} cannot be read: {problem.strerror}. Check LoadCredential= of the unit."
        ) from problem
    return password_in(data, f"systemd's credential {path}") or None
