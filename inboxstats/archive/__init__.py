"""The archive: one .eml file a message, complete or absent, never rewritten; opened, locked, and owned by accounts.

ARCHIVE/archive.toml
ARCHIVE/ACCOUNT/.budget.json    what came today
ARCHIVE/ACCOUNT/MAILBOX/{mailbox.json, listing.parquet, manifest.jsonl, UIDVALIDITY/BUCKET/UID.eml}
ARCHIVE/.cache/    what can be made again from the files
"""

import json
import os
import shutil
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inboxstats.archive.budget import DailyBudget
from inboxstats.archive.files import FOLDER_MODE, TEMPORARY, make_folder, write_state
from inboxstats.archive.layout import folder_name, hashed_folder_name, name_of_folder
from inboxstats.archive.mailbox import MailboxFolder, MailboxState, Snapshot
from inboxstats.archive.stored import Stored
from inboxstats.errors import ArchiveBusyError, ArchiveDamagedError, UsageError, storage_errors
from inboxstats.mail import Mailbox

__all__ = [
    "FORMAT",
    "UNPROVED",
    "Archive",
    "DailyBudget",
    "MailboxFolder",
    "MailboxState",
    "Owner",
    "Snapshot",
    "Stored",
    "check_place",
    "is_archive",
]

FORMAT = 1
"""The layout's version. A newer one is refused; whoever raises it writes the way from the older one."""

A_MOMENT = 0.6
"""Seconds for which a run tries to take the lock that does not wait: who looks whether it is held has it meanwhile."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose mail an account of the archive is: the login at a host. Not the port, which may change."""

    host: str
    user: str

    def __str__(self) -> str:
        return f"{self.user} at {self.host}"


UNPROVED = Owner("", "")
"""Of an account into which mail was imported, and which no login has proved yet: the first one to do so has it."""


def is_archive(path: Path) -> bool:
    """Whether a folder says that it is one of ours."""
    return (path / "archive.toml").is_file()


def check_place(path: Path) -> None:
    """Make sure that an archive is or can be at a path: nobody's other files are there. Raises UsageError."""
    if is_archive(path) or not path.is_dir():
        return
    if any(name not in {".lock", ".cache"} and not name.endswith(TEMPORARY) for name in os.listdir(path)):
        raise UsageError(f"{path} holds other files and is no archive. Choose an empty folder with --archive.")


class Archive:
    """An archive's folder. To write to it, hold `lock()`."""

    def __init__(self, path: Path, *, owners: dict[str, Owner], fsync: bool = True) -> None:
        self.path = path
        self.owners = owners
        self._fsync = fsync
        self._admitting = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, fsync: bool = True) -> "Archive":
        """An archive that exists.

        Raises UsageError where there is none, ArchiveDamagedError where archive.toml cannot be read or is of a newer
        version, StorageError where it may not be read.
        """
        if not is_archive(path):
            raise UsageError(f"{path} is no archive: archive.toml is missing. Run `inboxstats fetch --archive {path}`.")
        return cls(path, owners=_read_owners(path / "archive.toml"), fsync=fsync)

    @classmethod
    def create(cls, path: Path, *, fsync: bool = True) -> "Archive":
        """The archive at `path`, made now unless it is there; an existing folder must be empty.

        Raises what `open` raises, and UsageError for a folder with other things in it.
        """
        if is_archive(path):
            return cls.open(path, fsync=fsync)
        with storage_errors("create the archive", path):
            check_place(path)
            make_folder(str(path), fsync=fsync)
        # Two first runs at once: the second finds what the first one made.
        with _held(path, wait=True):
            if not is_archive(path):
                with storage_errors("create the archive", path):
                    path.chmod(FOLDER_MODE)
                _write_owners(path, {}, fsync=fsync)
        return cls.open(path, fsync=fsync)

    @property
    def cache(self) -> Path:
        """The folder for what can be made again from the files."""
        return self.path / ".cache"

    @contextmanager
    def lock(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the archive against other runs; a dead run's lock is free (flock). Raises ArchiveBusyError."""
        with _held(self.path, wait=wait):
            self.owners = _read_owners(self.path / "archive.toml")  # the run before may have added one
            yield

    def is_held(self) -> bool:
        """Whether a run holds it, by taking it for an instant. Raises StorageError."""
        try:
            with _held(self.path, wait=False):
                return False
        except ArchiveBusyError:
            return True

    def check_owner(self, account: str, owner: Owner, *, may_join: bool) -> None:
        """Make sure, before any login, that the account's mail belongs in this archive.

        `may_join`: a new account may come to an archive that others own already. Raises UsageError.
        """
        known = self.owners.get(account)
        if known not in (None, UNPROVED, owner):
            raise UsageError(
                f"The account {account!r} of the archive {self.path} is {known}, not {owner}. "
                "Give the account another name, or choose another archive with --archive."
            )
        same = [name for name, other in self.owners.items() if other == owner and name != account]
        if known != owner and same:
            raise UsageError(
                f"The archive {self.path} has the mail of {owner} already, as the account {same[0]!r}. Give the "
                f"account that name ([accounts.{_quoted(same[0])}] in config.toml), or choose another archive with "
                "--archive."
            )
        if known is None and self.owners and not may_join:
            others = ", ".join(sorted(self.owners))
            raise UsageError(
                f"The archive {self.path} belongs to {others}. Choose another one for {owner} with --archive, "
                "or put both accounts into config.toml."
            )

    def admit(self, account: str, owner: Owner) -> None:
        """Note whose mail an account is, once a login has proved it. Several threads may do so.

        Raises UsageError where another account has been given that owner meanwhile, StorageError.
        """
        with self._admitting:
            if self.owners.get(account) != owner:
                if owner != UNPROVED:
                    self.check_owner(account, owner, may_join=True)
                self.owners = {**self.owners, account: owner}
                _write_owners(self.path, self.owners, fsync=self._fsync)

    def forget(self, account: str) -> None:
        """Delete the mail of an account, and all that was made from mail: hold `lock()`. Raises StorageError.

        One that was interrupted is finished by the next call.
        """
        folder = self.path / folder_name(account)
        doomed = folder.with_name(f".{folder.name}{TEMPORARY}")
        with storage_errors("delete", folder):
            if doomed.exists():
                shutil.rmtree(doomed)
            if folder.exists():
                folder.rename(doomed)  # so that no run takes what is half deleted for an account
                shutil.rmtree(doomed)
            if self.cache.exists():
                shutil.rmtree(self.cache)
        self.owners = {name: owner for name, owner in self.owners.items() if name != account}
        _write_owners(self.path, self.owners, fsync=self._fsync)

    def mailbox(self, account: str, mailbox: Mailbox) -> MailboxFolder:
        """The folder of a mailbox, which need not be there yet."""
        parent = self.path / folder_name(account)
        path = parent / folder_name(mailbox.name)
        # On a disk that folds case, "inbox" finds the folder of "INBOX": the later one gets a name of its own.
        if _raw_name(path) not in (None, mailbox.name):
            path = parent / hashed_folder_name(mailbox.name)
        return MailboxFolder(path, mailbox, fsync=self._fsync)

    def budget(self, account: str, daily_bytes: int) -> DailyBudget:
        """What an account may still bring today."""
        return DailyBudget(self.path / folder_name(account), daily_bytes, fsync=self._fsync)

    def accounts(self) -> list[str]:
        """The accounts that have mail here, by name."""
        return sorted(account for account in self.owners if (self.path / folder_name(account)).is_dir())

    def mailboxes(self, account: str) -> list[MailboxFolder]:
        """The mailboxes of an account that are in the archive, by name. Raises StorageError."""
        parent = self.path / folder_name(account)
        with storage_errors("read", parent):
            paths = [Path(entry.path) for entry in os.scandir(parent) if entry.is_dir()]
        found = [MailboxFolder(path, _mailbox_of(path), fsync=self._fsync) for path in paths]
        return sorted(found, key=lambda folder: folder.mailbox.name)


def _write_owners(path: Path, owners: Mapping[str, Owner], *, fsync: bool) -> None:
    lines = ["# An archive of inboxstats. Do not edit.", f"format = {FORMAT}"]
    for account, owner in sorted(owners.items()):
        lines += ["", f"[accounts.{_quoted(account)}]"]
        lines += [f"host = {_quoted(owner.host)}", f"user = {_quoted(owner.user)}"]
    write_state(path / "archive.toml", "\n".join([*lines, ""]).encode(), fsync=fsync)


@contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[None]:
    from filelock import FileLock, Timeout

    with storage_errors("lock", path):
        lock = FileLock(path / ".lock", timeout=-1 if wait else A_MOMENT, mode=0o600)
        try:
            lock.acquire()
        except Timeout as busy:
            raise ArchiveBusyError(
                f"Another run holds the archive {path}. Wait until it is done, or run with --wait."
            ) from busy
    try:
        yield
    finally:
        lock.release()


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, but for surrogate pairs and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read_owners(path: Path) -> dict[str, Owner]:
    with storage_errors("read", path):
        data = path.read_bytes()
    try:
        record = tomllib.loads(data.decode())
        version = int(record["format"])
        accounts = record.get("accounts", {})
        owners = {str(name): Owner(str(owner["host"]), str(owner["user"])) for name, owner in accounts.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ArchiveDamagedError(
            f"{path} cannot be read ({problem}). Restore it from a backup; the messages beside it are whole."
        ) from problem
    if version > FORMAT:
        raise ArchiveDamagedError(
            f"{path.parent} has format {version}, this program knows up to {FORMAT}. Install a newer inboxstats."
        )
    return owners


def _raw_name(path: Path) -> str | None:
    """The name that mailbox.json notes; ``None`` where there is none to be read."""
    try:
        name = json.loads((path / "mailbox.json").read_bytes())["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _mailbox_of(path: Path) -> Mailbox:
    try:
        record = json.loads((path / "mailbox.json").read_bytes())
        return Mailbox(str(record["name"]), record["delimiter"], frozenset(map(str, record["attributes"])))
    except (OSError, ValueError, KeyError, TypeError):
        return Mailbox(name_of_folder(path.name))
