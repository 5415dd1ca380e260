"""A run of `inboxstats verify` for one account: the archive against its manifest, and against the server if asked to.

Changes nothing on the server. What is damaged is set aside by `archive.verify`, and fetched again by the next run.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from inboxstats.archive import Archive, MailboxFolder, Owner
from inboxstats.archive.files import TEMPORARY
from inboxstats.archive.layout import folder_name, is_imported, message_key, server_uidvalidity, uid_of
from inboxstats.archive.verify import Checked, Finding, Kind, check, readers
from inboxstats.errors import (
    ExitCode,
    InboxstatsError,
    ServerRefusalError,
    UnreadableAnswerError,
    UsageError,
    storage_errors,
)
from inboxstats.globs import matches
from inboxstats.mail import MessageInfo, MessageKey, Source

__all__ = ["Checked", "Compared", "Finding", "Kind", "Online", "Server", "Verified", "Watcher", "strangers", "verify"]


class Server(Source, Protocol):
    """A `mail.Source` with a connection: `sources.imap.ImapSource`."""

    def connect(self) -> None: ...
    def close(self) -> None: ...


class Watcher(Protocol):
    """Is told how a run goes on, for a progress bar."""

    def begin(self, mailbox: str, messages: int) -> None:
        """A mailbox of so many messages is being checked."""

    def checked(self, messages: int, size: int) -> None:
        """So many more are checked."""

    def listing(self, mailbox: str) -> None:
        """A mailbox is being listed on the server."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A mailbox held against the server's listing.

    missing -- on the server when it was last listed, or before, and yet not in the archive
    new     -- messages that came to the server since
    sizes   -- messages whose size is another one than the server says: servers are often wrong there
    gone    -- messages of the archive that the server no longer has; they stay
    """

    mailbox: str
    listed: int
    missing: tuple[MessageKey, ...]
    new: int
    sizes: tuple[MessageKey, ...]
    gone: int


@dataclass(slots=True)
class Online:
    """What the server said. `absent` are mailboxes that it no longer has, `error` what ended the comparison early."""

    compared: list[Compared] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    error: InboxstatsError | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of a run for one account; `online` is ``None`` where no server was asked."""

    account: str
    mailboxes: tuple[Checked, ...]
    online: Online | None = None

    @property
    def findings(self) -> list[Finding]:
        """All that is not as it was stored."""
        return [finding for checked in self.mailboxes for finding in checked.findings]

    @property
    def exit_code(self) -> ExitCode:
        """DAMAGED above all; then what kept the run from looking; PARTLY where the server has more than we."""
        if self.findings:
            return ExitCode.DAMAGED
        if self.online is not None and self.online.error is not None:
            return self.online.error.exit_code
        if any(checked.denied for checked in self.mailboxes):
            return ExitCode.STORAGE
        if self.online is not None and (self.online.troubles or any(each.missing for each in self.online.compared)):
            return ExitCode.PARTLY
        return ExitCode.DONE


def verify(
    archive: Archive,
    account: str,
    *,
    watcher: Watcher,
    mailboxes: Sequence[str] = ("*",),
    read_data: bool = False,
    dry_run: bool = False,
    owner: Owner | None = None,
    server: Server | None = None,
) -> Verified:
    """Check an account of the archive, whose lock the caller holds.

    mailboxes -- names or globs of mailboxes in the archive
    read_data -- hold the content of each file against its SHA-256; else its name and size alone
    dry_run   -- only tell, and set nothing aside
    owner, server -- whose mail it is, and where to list it; `server` is closed afterwards

    Raises UsageError for a pattern that matches nothing or another account's archive, StorageError. What goes wrong
    with the server is told by the result.
    """
    folders = _chosen(archive, account, mailboxes)
    online = None
    if server is not None and owner is not None:
        archive.check_owner(account, owner, may_join=True)
        online = _greeted(server)
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(readers()) if read_data else None
        found = []
        for folder in folders:
            name = folder.mailbox.name
            found.append(
                check(
                    folder,
                    pool=pool,
                    dry_run=dry_run,
                    progress=watcher.checked,
                    expect=partial(watcher.begin, name),
                )
            )
    if online is not None and server is not None and online.error is None:
        found = _compare(online, server, list(zip(folders, found, strict=True)), watcher)
    if not dry_run and any(finding.kind is Kind.DAMAGED for checked in found for finding in checked.findings):
        _forget_parsed(archive)
    return Verified(account, tuple(found), online)


def strangers(archive: Archive) -> list[Path]:
    """What lies in the archive's folder and belongs to none of its accounts."""
    ours = {"archive.toml", ".lock", ".cache", *map(folder_name, archive.owners)}
    with storage_errors("read", archive.path):
        names = sorted(os.listdir(archive.path))
    return [archive.path / name for name in names if name not in ours and not name.endswith(TEMPORARY)]


def _chosen(archive: Archive, account: str, patterns: Sequence[str]) -> list[MailboxFolder]:
    folders = archive.mailboxes(account)
    names = [folder.mailbox.name for folder in folders]
    for pattern in patterns:
        if pattern != "*" and not any(matches(name, pattern) for name in names):
            there = ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
            raise UsageError(f"The archive has no mailbox {pattern!r} of {account}. There are: {there or 'none'}.")
    return [folder for folder in folders if any(matches(folder.mailbox.name, pattern) for pattern in patterns)]


def _greeted(server: Server) -> Online:
    """A login before the long work, which shows that there can be one afterwards."""
    online = Online()
    try:
        server.connect()
    except InboxstatsError as problem:
        online.error = problem
    finally:
        server.close()  # no server waits for as long as reading all files may take
    return online


def _compare(
    online: Online, server: Server, mailboxes: list[tuple[MailboxFolder, Checked]], watcher: Watcher
) -> list[Checked]:
    """Fill in what the server says, and return what was found with what the server has of it."""
    found = [checked for _, checked in mailboxes]
    try:
        there = {mailbox.name: mailbox for mailbox in server.mailboxes()}
        for number, (folder, checked) in enumerate(mailboxes):
            mailbox = there.get(folder.mailbox.name)
            if mailbox is None:
                online.absent.append(folder.mailbox.name)
                continue
            watcher.listing(mailbox.name)
            try:
                listing = _as_stored(folder, server.listing(mailbox))
            except (ServerRefusalError, UnreadableAnswerError) as problem:
                online.troubles.append((mailbox.name, str(problem)))
                continue
            online.compared.append(_compared(folder, listing, known={each.key for each in checked.findings}))
            current = [replace(each, on_server=each.key in listing) if each.key else each for each in checked.findings]
            found[number] = replace(checked, findings=current)
    except InboxstatsError as problem:
        online.error = problem
    finally:
        server.close()
    return found


def _as_stored(folder: MailboxFolder, listing: Mapping[MessageKey, MessageInfo]) -> dict[MessageKey, int | None]:
    """The sizes by the keys that the archive has for the messages, whose UIDVALIDITY may be a later generation."""
    stored = folder.stored()
    numbers = {given: stored.generation(given) for given in set(map(server_uidvalidity, listing))}
    return {message_key(numbers[server_uidvalidity(key)], uid_of(key)): info.size for key, info in listing.items()}


def _compared(
    folder: MailboxFolder, listing: dict[MessageKey, int | None], *, known: set[MessageKey | None]
) -> Compared:
    """What the listing has that the archive has not, without the messages that are `known` to be damaged."""
    stored = folder.locations()
    state = folder.state()
    wanted = [key for key in listing if key not in stored and key not in known]
    new = {key for key in wanted if state is None or _is_new(key, state.uidvalidity, state.uidnext)}
    here = [(key, size) for key, size in listing.items() if key in stored and key not in known and size is not None]
    return Compared(
        mailbox=folder.mailbox.name,
        listed=len(listing),
        missing=tuple(key for key in wanted if key not in new),
        new=len(new),
        sizes=tuple(key for key, size in here if stored[key].size() != size),
        gone=sum(key not in listing and not is_imported(key) for key in stored),
    )


def _is_new(key: MessageKey, uidvalidity: int | None, uidnext: int | None) -> bool:
    """Whether a message came after the last complete listing; without one, nothing was promised."""
    return server_uidvalidity(key) != (uidvalidity or 0) or uidnext is None or uid_of(key) >= uidnext


def _forget_parsed(archive: Archive) -> None:
    """Drop the message table, which may hold what was read of a damaged file; the next report makes it again."""
    for part in (archive.cache / "messages").glob("part-*.parquet"):
        with contextlib.suppress(OSError):
            part.unlink()
