"""Changes to config.toml that keep the rest of it: comments, foreign lines, order.

One change at a time (a lock beside the file), complete or not at all (a temporary file, renamed), readable by the user
alone.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable, InlineTable

from inboxstats import config
from inboxstats.archive.files import fsync_folder, make_folder, write_whole
from inboxstats.errors import UsageError, storage_errors

LOCK_SECONDS = 10.0
"""How long another change is waited for."""

BEGINNING = "# The configuration of inboxstats: https://toml.io, and `inboxstats config validate` checks it.\n"


def add_account(path: Path, name: str, settings: Mapping[str, Any], *, replace: bool = False) -> None:
    """Write ``[accounts.NAME]`` with these settings. `replace` sets them in an account that is there.

    Raises UsageError where the account is there, or the file is no configuration; StorageError.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        accounts = document.setdefault("accounts", tomlkit.table(is_super_table=True))
        if not isinstance(accounts, AbstractTable):
            raise UsageError(f"{path}: accounts is no table. Write [accounts.NAME] for each account.")
        if name not in accounts:
            table = tomlkit.inline_table() if isinstance(accounts, InlineTable) else tomlkit.table()
            table.update(settings)
            accounts[name] = table
        elif replace:
            _replace(accounts[name], settings)
        else:
            raise UsageError(
                f"{path} has an account {name!r} already. Give this one another name by --name, or say --replace."
            )

    edit(path, change)


def remove_account(path: Path, name: str) -> None:
    """Take an account out. Raises UsageError where it is not there, or the file is no configuration; StorageError."""

    def change(document: tomlkit.TOMLDocument) -> None:
        accounts = document.get("accounts", {})
        if name not in accounts:
            raise UsageError(f"{path} has no account {name!r}.")
        del accounts[name]
        if not accounts:
            del document["accounts"]

    edit(path, change)


def edit(path: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    """Have `change` made to the file, which is begun where there is none.

    What comes out must be a configuration; else nothing is changed. Raises UsageError, StorageError.
    """
    with held(path) as target:
        before = config.text_of(target) or BEGINNING
        config.parsed(before, path)
        document = tomlkit.parse(before)
        change(document)
        after = tomlkit.dumps(document)
        config.parsed(after, path)
        write(target, after)


@contextmanager
def held(path: Path) -> Iterator[Path]:
    """Nobody else of us changes the file meanwhile. Gives where it really stands, which a link may lead to.

    Raises StorageError.
    """
    from filelock import FileLock, Timeout

    target = path.resolve()
    with storage_errors("write", path):
        make_folder(str(target.parent), fsync=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=LOCK_SECONDS, mode=0o600)
        try:
            lock.acquire()
        except Timeout as busy:
            raise UsageError(f"Another program is changing {path}. Run again when it is done.") from busy
    try:
        yield target
    finally:
        lock.release()


def write(target: Path, text: str) -> None:
    """The whole file, as it is from now on, for the user alone. Raises StorageError."""
    with storage_errors("write", target):
        write_whole(str(target), text.encode(), fsync=True)
        fsync_folder(str(target.parent))


def _replace(table: AbstractTable, settings: Mapping[str, Any]) -> None:
    """These settings and no others of those that `account add` writes; comments and the user's own stay."""
    for key in ("port", "security", "tls_fingerprint", "auth", "client_id", "password_command"):
        if key in table and key not in settings:
            del table[key]
    for key, value in settings.items():
        table[key] = value
