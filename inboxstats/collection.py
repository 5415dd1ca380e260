"""A PATH of mail opened for analysis: what is in it, its message table kept up to date, and its rows.

PATH is an archive, a Maildir, an mbox, a single .eml file, or any tree with .eml files, Maildirs and .mbox files.
Nothing is written beside a user's mail: only an archive of ours holds its own table.
"""

import hashlib
import logging
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxstats.archive import Archive, is_archive
from inboxstats.entries import LISTED_BY, Entry
from inboxstats.errors import UsageError, storage_errors
from inboxstats.mail import LocalSource, Mailbox
from inboxstats.parse import Limits
from inboxstats.sources.archived import ArchivedAccount
from inboxstats.sources.eml import EmlTree
from inboxstats.sources.local import as_text, distinct, without_surrogates
from inboxstats.sources.maildir import Maildir
from inboxstats.sources.mbox import Mbox, is_mbox, packed_kind
from inboxstats.table import MessageTable, Updated
from inboxstats.workers import Engine, default_workers

if TYPE_CHECKING:  # heavy: parsing begins without them
    import pandas as pd
    import pyarrow as pa

_LOG = logging.getLogger(__name__)

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Collection:
    """Mail on this machine.

    root    -- the folder or file that was opened
    cache   -- where its message table stands
    sources -- by account, ``None`` where the mail says nothing of accounts
    limits  -- how much of a message is read; where they change, all is parsed again
    """

    root: Path
    cache: Path
    sources: tuple[tuple[str | None, LocalSource], ...]
    limits: Limits

    def mailboxes(self) -> Iterator[tuple[str | None, str]]:
        """Account and name of every mailbox, as the table has them. Raises StorageError."""
        for account, _, _, name in self._mailboxes():
            yield account, name

    def _mailboxes(self) -> Iterator[tuple[str | None, LocalSource, Mailbox, str]]:
        """Every mailbox with its name in the table: valid text, and one of its own in its account.

        An mbox may have the name of a folder beside it, and a server's name lone surrogates (a broken modified UTF-7).
        """
        taken: dict[str | None, set[str]] = {}
        for account, source in self.sources:
            names = taken.setdefault(account, set())
            for mailbox in source.mailboxes():
                name = distinct(without_surrogates(mailbox.name), names)
                names.add(name)
                yield account, source, mailbox, name

    def labels(self) -> set[str]:
        """Every label that a listing tells. Raises StorageError."""
        import pyarrow.compute as pc

        columns = (table["labels"] for _, _, table in self._listings())
        return {label for column in columns for label in pc.list_flatten(column).unique().to_pylist()}

    def entries(self) -> Iterator[Entry]:
        """Every message file, and every header whose message has not arrived yet. Raises StorageError."""
        base = os.path.join(self.root if self.root.is_dir() else self.root.parent, "")
        for account, source, mailbox, name in self._mailboxes():
            # First, as a message may arrive meanwhile, and its header go.
            headers = source.headers(mailbox) if isinstance(source, ArchivedAccount) else {}
            for key, location in {**headers, **source.locations(mailbox)}.items():
                place = f"@{location.start}" if location.length is not None else ""
                file = as_text(location.path.removeprefix(base)) + place
                yield Entry(account, name, key, location, file)

    def update(
        self,
        *,
        engine: Engine = "processes",
        workers: int | None = None,
        progress: Callable[[int, int], None] = lambda _parsed, _total: None,
        columns: Sequence[str] | None = None,
    ) -> Updated:
        """Parse what is new; the rows of all, with `columns` of the table (``None``: all), of listing and predictions.

        Raises StorageError.
        """
        if columns is None:
            from inboxstats.schema import SCHEMA

            columns = SCHEMA.names
        wanted = tuple(dict.fromkeys((*LISTED_BY, *columns)))
        updated = MessageTable(self.cache, self.limits).update(
            self.entries(), engine=engine, worker_count=workers or default_workers(), progress=progress, columns=wanted
        )
        _LOG.info("%d messages, %d of them parsed now; table in %s", len(updated.rows), updated.parsed, self.cache)
        from inboxstats import predictions
        from inboxstats.current import with_listing, with_predictions

        rows = with_predictions(with_listing(updated.rows, self._listings()), predictions.read(self.cache))
        unwanted = [name for name in wanted if name not in columns]
        return replace(updated, rows=rows.drop_columns(unwanted))

    def messages(self, **selection: Any) -> "pd.DataFrame":
        """The messages as a typed DataFrame, a row a message, ordered by time: see `dataset.Dataset`.

        `selection` are the fields of `dataset.Selection`, as in ``messages(since=date(2026, 1, 1), clock="date")``.
        The first call parses; later ones parse what is new. Raises StorageError.
        """
        from inboxstats.dataset import select
        from inboxstats.schema import decoded
        from inboxstats.selection import Selection

        return select(decoded(self.update().rows), Selection(**selection)).messages

    def _listings(self) -> "Iterator[tuple[str | None, str, pa.Table]]":
        """What the servers said last of the messages, with account and mailbox."""
        for account, source, mailbox, name in self._mailboxes():
            if isinstance(source, ArchivedAccount):
                table = source.folder(mailbox).listing_table()
                if table is not None:
                    yield account, name, table


def open_collection(path: Path, limits: Limits = _DEFAULT_LIMITS) -> Collection:
    """The mail at a path, of each message as much as `limits` allow.

    Raises UsageError where there is nothing, or no mail; StorageError where it may not be read; ArchiveDamagedError.
    """
    with storage_errors("read", path):
        if not path.exists():
            raise UsageError(f"{path} does not exist. Give an archive, a Maildir, an mbox or a folder of .eml files.")
        if path.is_file():
            return Collection(path, _user_cache(path), ((None, _single_file(path)),), limits)
        if not path.is_dir():
            raise UsageError(
                f"{path} is no file or folder, but a pipe or a device. Write what comes out of it into a file first."
            )
        if is_archive(path):
            archive = Archive.open(path)
            accounts = tuple((account, ArchivedAccount(archive, account)) for account in archive.accounts())
            return Collection(path, archive.cache, accounts, limits)
        os.listdir(path)  # a folder that may not be read says so here, not by being empty
        sources = (Maildir(path), EmlTree(path), Mbox(_mbox_files(path)))
    filled = tuple((None, source) for source in sources if source.mailboxes())
    if not filled:
        hint = "Check the path."
        if any(path.rglob("*.mbox.gz")):
            hint = f"To read its .mbox.gz, say: inboxstats import {shlex.quote(str(path))} --account NAME"
        raise UsageError(f"{path} holds no mail: no archive, no Maildir (cur, new), no .eml and no .mbox file. {hint}")
    return Collection(path, _user_cache(path), filled, limits)


def _single_file(path: Path) -> LocalSource:
    if path.name.lower().endswith(".eml"):
        return EmlTree(path)
    if is_mbox(path):
        return Mbox({as_text(path.stem): path})
    kind = packed_kind(path)
    if kind == "mbox":
        raise UsageError(
            f"{path} is compressed. Bring it in by `inboxstats import {shlex.quote(str(path))} --account NAME` and "
            "report on the archive, or unpack it (gunzip --keep) and give the mbox that comes out."
        )
    if kind == "files":
        raise UsageError(f"{path} is many files in one. Unpack it first, and give the folder that comes out.")
    raise UsageError(
        f"{path} is no mbox: it does not begin with a line `From …`. A single message must have a name in .eml."
    )


def _mbox_files(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.mbox")):
        if path.is_file() and is_mbox(path):
            found[distinct(as_text(str(path.relative_to(root).with_suffix(""))), found)] = path
    return found


def _user_cache(path: Path) -> Path:
    """A folder for a path's table: nothing is ever written beside a user's mail."""
    import platformdirs

    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    return platformdirs.user_cache_path("inboxstats") / f"{digest}"
