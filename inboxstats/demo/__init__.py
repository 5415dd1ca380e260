"""The whole way without an account: a generated mailbox on an embedded IMAP server, fetched, parsed, reported.

Only the mailbox is made up. It is fetched over a real socket by the real threads, and parsed by the real processes.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inboxstats.archive import Archive, Owner
from inboxstats.archive.files import storage_errors
from inboxstats.collection import open_collection
from inboxstats.dataset import Selection
from inboxstats.demo.mailbox import generate
from inboxstats.demo.server import serve
from inboxstats.fetch import Fetched, Watcher, fetch
from inboxstats.report import folder
from inboxstats.report.make import make
from inboxstats.report.model import Report
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.workers import Engine


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

    Raises StorageError; UsageError where the extra `demo` is not installed.
    """
    archive_path = where / "archive"
    with storage_errors("replace the former demo in", where):
        shutil.rmtree(archive_path, ignore_errors=True)
    mailbox = generate(messages=messages, seed=seed, last_day=now.date())
    began = time.monotonic()
    with serve(mailbox) as server:
        address = Server(server.host, server.port, server.user, "none")
        archive = Archive.create(archive_path, fsync=False)
        with archive.lock():
            fetched = fetch(
                archive,
                "demo",
                Owner(server.host, server.user),
                lambda: ImapSource(address, server.password),
                mailboxes=("*",),
                threads=threads,
                watcher=watcher,
            )
    fetch_seconds = time.monotonic() - began
    if fetched.error is not None:
        raise fetched.error
    began = time.monotonic()
    report = make(
        open_collection(archive_path),
        Selection(timezone=timezone),
        generated=now,
        engine=engine,
        workers=workers,
        top=20,
        progress=progress,
    )
    written = folder.write(report, where / "report", ("html", "json", "csv"))
    return Demo(fetched, report, written, fetch_seconds, time.monotonic() - began)
