"""The whole way without an account: a generated mailbox on an embedded IMAP server, fetched, parsed, reported.

Only the mailbox is made up. It is fetched over a real socket by the real threads, and parsed by the real processes.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inboxstats.archive import Archive, Owner
from inboxstats.archive.layout import folder_name
from inboxstats.collection import open_collection
from inboxstats.demo.cast import ME
from inboxstats.demo.mailbox import generate
from inboxstats.demo.server import HOST, serve
from inboxstats.errors import UsageError, storage_errors
from inboxstats.fetch import Fetched, Watcher, fetch
from inboxstats.report import folder
from inboxstats.report.make import make
from inboxstats.report.model import Report
from inboxstats.selection import Selection
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.workers import Engine

ACCOUNT = "demo"
OWNER = Owner(HOST, ME.addr_spec)

OWNERS: tuple[dict[str, Owner], ...] = ({}, {ACCOUNT: OWNER})
"""What archive.toml says of a demo's archive: one that was interrupted early has no account yet."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo did: `folder` holds report.html. Times are in seconds."""

    fetched: Fetched
    report: Report
    folder: Path
    fetch_seconds: float
    report_seconds: float


def run(
    where: Path,
    *,
    messages: int,
    seed: int,
    threads: int,
    engine: Engine,
    workers: int | None,
    timezone: str,
    now: datetime,
    watcher: Watcher,
    progress: Callable[[int, int], None],
) -> Demo:
    """Fetch and report a generated mailbox of `messages`, in `where`, whose former demo is replaced.

    Waits for another demo in the same folder. Raises StorageError; UsageError where the extra `demo` is not installed,
    or where `where` holds an archive that is not a demo's.
    """
    with _emptied_archive(where / "archive") as archive:
        mailbox = generate(messages=messages, seed=seed, last_day=now.date())
        began = time.monotonic()
        with serve(mailbox) as server:
            address = Server(server.host, server.port, server.user, "none")
            fetched = fetch(
                archive,
                ACCOUNT,
                OWNER,
                ImapSource(address, server.password),
                mailboxes=("*",),
                threads=threads,
                watcher=watcher,
            )
        fetch_seconds = time.monotonic() - began
        if fetched.error is not None:
            raise fetched.error
        began = time.monotonic()
        report = make(
            open_collection(archive.path),
            Selection(timezone=timezone),
            generated=now,
            engine=engine,
            workers=workers,
            top=20,
            progress=progress,
        )
        written = folder.write(report, where / "report", ("html", "json", "csv"))
        return Demo(fetched, report, written, fetch_seconds, time.monotonic() - began)


@contextlib.contextmanager
def _emptied_archive(path: Path) -> Iterator[Archive]:
    """A demo's archive, new or without its former mail, and held against other runs; what else lies there is kept."""
    refusal = UsageError(f"{path} holds something else than a demo's archive. Choose another folder with --out.")
    try:
        archive = Archive.create(path, fsync=False)
    except UsageError as problem:
        raise refusal from problem
    if archive.owners not in OWNERS:  # told at once, without waiting for the run that may hold it
        raise refusal
    with archive.lock(wait=True):
        if archive.owners not in OWNERS:
            raise refusal
        with storage_errors("replace the former demo in", path):
            for former in (path / folder_name(ACCOUNT), archive.cache):
                if former.exists():
                    shutil.rmtree(former)
        yield archive
