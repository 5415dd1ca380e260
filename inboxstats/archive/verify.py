"""A mailbox of an archive held against its manifest; what is damaged is set aside, so that it is fetched again.

Nothing is ever deleted: a damaged ``42.eml`` becomes ``42.eml.damaged`` beside it, which no reader takes for a message.
"""

import errno
import hashlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from inboxstats.archive import headers, listing, manifest
from inboxstats.archive.files import BINARY, FILE_MODE, TEMPORARY, fsync_folder, write_all
from inboxstats.archive.layout import message_key, message_path
from inboxstats.archive.mailbox import MailboxFolder
from inboxstats.errors import storage_errors
from inboxstats.mail import MessageKey

ASIDE = ".damaged"
"""How the name of a file ends that was set aside; a number follows where there is one already."""

READERS, FILES_AT_ONCE, WHOLE = 8, 32, 4_000_000
"""Threads that read, how many files one takes at a time, and up to how many bytes a file is read in one piece."""


_DAMAGE = {0, errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)}
"""What a disk says of what it has lost. A file that may not be read is no damaged one."""


class Kind(Enum):
    """What a finding is about: a file, a file that is not there, one of the archive's own records."""

    DAMAGED = "damaged"
    MISSING = "missing"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was stored.

    path  -- the file, wherever it should be
    aside -- the name that it has now; ``None`` where it was left, or is not there
    on_server -- whether the server had the message when it was last listed; ``None`` is unknown
    """

    kind: Kind
    mailbox: str
    key: MessageKey | None
    path: str
    reason: str
    aside: str | None = None
    on_server: bool | None = None


@dataclass(slots=True)
class Checked:
    """What a look at a mailbox found.

    messages, bytes -- files that are as the manifest says (their content too, where it was read)
    entered   -- whole files without a row, as a killed run leaves them; they have one now, unless nothing is written
    kept_aside -- messages set aside earlier that the server no longer has
    denied    -- files that could not be read, with the reason
    temporary -- half-written files, which the next fetch removes
    strange   -- files that are none of ours
    is_torn   -- the manifest's last line broke off; the next row takes its place
    """

    mailbox: str
    messages: int = 0
    bytes: int = 0
    entered: int = 0
    kept_aside: int = 0
    temporary: int = 0
    is_torn: bool = False
    findings: list[Finding] = field(default_factory=list)
    denied: list[tuple[str, str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    uidvalidity: int
    uid: int
    path: str
    status: os.stat_result

    @property
    def is_plain(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)


@contextmanager
def readers() -> Iterator[Executor]:
    """The threads that read files; they stop early when the caller leaves early."""
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="verify")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def check(
    folder: MailboxFolder,
    *,
    pool: Executor | None,
    dry_run: bool,
    progress: Callable[[int, int], None] = lambda _messages, _bytes: None,
    expect: Callable[[int], None] = lambda _messages: None,
) -> Checked:
    """Hold a mailbox's files against its manifest. The caller holds the archive's lock.

    pool    -- reads the content of every file; ``None`` looks at names and sizes alone
    dry_run -- only tell, and write nothing
    expect, progress -- are told how many messages there should be, then how many are done, and their bytes

    Raises StorageError where a folder cannot be read or nothing can be set aside.
    """
    return _Check(folder, pool, dry_run=dry_run).run(progress, expect)


class _Check:
    """One look at one mailbox."""

    def __init__(self, folder: MailboxFolder, pool: Executor | None, *, dry_run: bool) -> None:
        self._folder = folder
        self._path = str(folder.path)
        self._pool = pool
        self._dry_run = dry_run
        self._checked = Checked(folder.mailbox.name)
        self._gone: dict[MessageKey, bool] | None = None
        self._sizes: dict[MessageKey, int | None] = {}
        self._lacks_rows = False
        self._stop = threading.Event()

    def run(self, progress: Callable[[int, int], None], expect: Callable[[int], None]) -> Checked:
        self._check_records()
        latest = self._manifest()
        expect(sum(len(rows) for rows in latest.buckets.values()) // manifest.PACKED_SIZE)
        on_disk: dict[tuple[int, int], list[str]] = {}
        for generation, bucket, path in self._buckets():  # "000042" and, by a hand, "42" are the same
            on_disk.setdefault((generation, bucket), []).append(path)
        try:
            for place in sorted({*latest.buckets, *on_disk}):
                self._check_bucket(latest, place, on_disk.get(place, []), progress)
        finally:
            self._stop.set()
        self._check_lost_rows(latest)
        self._check_set_aside(latest)
        return self._checked

    # The archive's own records.

    def _check_records(self) -> None:
        """mailbox.json and listing.parquet, which the next fetch makes again from what the server says."""
        for name, is_readable in (("mailbox.json", _is_json), ("listing.parquet", _is_listing)):
            path = os.path.join(self._path, name)
            with storage_errors("read", path):
                if os.path.lexists(path) and not is_readable(path):
                    self._found(Kind.RECORD, None, path, "cannot be read", aside=self._set_aside(path))

    def _manifest(self) -> manifest.Latest:
        path = os.path.join(self._path, "manifest.jsonl")
        with storage_errors("read", path):
            latest = _latest(path)
            self._lacks_rows = self._folder.lacks_rows()
        if latest.unreadable:
            lines = f"{latest.unreadable:,} {'line' if latest.unreadable == 1 else 'lines'}"
            aside = None if self._dry_run else self._renewed_manifest(path)
            self._found(Kind.RECORD, None, path, f"{lines} cannot be read", aside=aside)
        self._checked.is_torn = latest.is_torn
        if latest.is_torn and not self._dry_run:
            self._append([])  # cuts it off
        return latest

    def _check_lost_rows(self, latest: manifest.Latest) -> None:
        """A manifest that is gone or was cut: what its messages were when they came is not known any more.

        One message without a row is what a killed run leaves, with the line that it was at.
        """
        if self._lacks_rows and self._checked.entered > 1 and not latest.unreadable:
            reason = f"{self._checked.entered:,} lines are gone; whether their messages are as they came, nobody knows"
            self._found(Kind.RECORD, None, os.path.join(self._path, "manifest.jsonl"), reason)
        if self._lacks_rows and not self._dry_run:
            self._folder.unsettle()  # it is told once

    def _renewed_manifest(self, path: str) -> str:
        """The manifest with its readable lines; the old one is set aside."""
        temporary = os.path.join(self._path, f".manifest.jsonl{TEMPORARY}")
        with storage_errors("write", path):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, FILE_MODE)
            try:
                with open(path, "rb") as lines:
                    for line in lines:
                        if manifest.parsed(line) is not None:
                            write_all(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            aside = self._renamed(path)
            os.replace(temporary, path)
            fsync_folder(self._path)
        return aside

    def _append(self, rows: Iterable[manifest.ManifestRow | manifest.SetAside]) -> None:
        path = os.path.join(self._path, "manifest.jsonl")
        with storage_errors("write", path):
            manifest.append(path, rows, fsync=True)

    # The files.

    def _buckets(self) -> Iterator[tuple[int, int, str]]:
        with storage_errors("read", self._path):
            for name in sorted(os.listdir(self._path)):
                generation = os.path.join(self._path, name)
                if name.endswith(TEMPORARY):
                    self._checked.temporary += 1
                elif os.path.isdir(generation) and name.isascii() and name.isdecimal():
                    for bucket in sorted(os.listdir(generation)):
                        path = os.path.join(generation, bucket)
                        if bucket.isascii() and bucket.isdecimal() and os.path.isdir(path):
                            yield int(name), int(bucket), path
                        elif bucket.endswith(TEMPORARY):
                            self._checked.temporary += 1
                        elif ASIDE not in bucket and not headers.is_name(bucket):
                            self._checked.strange.append(path)

    def _check_bucket(
        self, latest: manifest.Latest, place: tuple[int, int], paths: list[str], progress: Callable[[int, int], None]
    ) -> None:
        expected = latest.stored_in(*place)
        whole: list[tuple[_File, bytes]] = []
        unentered: list[_File] = []
        rows: list[manifest.ManifestRow | manifest.SetAside] = []
        for file in (file for path in paths for file in self._files(path, place[0])):
            row = expected.pop(file.uid, None) if self._is_in_place(file) else None
            if (reason := self._wrong(file, row)) is not None:
                rows += self._damaged(file, reason, is_known=row is not None)
            elif row is None:
                unentered.append(file)
            else:
                whole.append((file, row[1]))
        progress(len(expected), 0)
        rows += self._missing(place[0], expected)
        rows += self._compared(whole, progress)
        rows += self._entered(unentered)
        if rows and not self._dry_run:
            for path in paths:
                with storage_errors("write", path):
                    fsync_folder(path)
            self._append(rows)

    def _files(self, bucket: str, uidvalidity: int) -> list[_File]:
        files = []
        with storage_errors("read", bucket), os.scandir(bucket) as entries:
            for entry in entries:
                stem, extension = os.path.splitext(entry.name)
                if extension == ".eml" and stem.isdecimal():
                    files.append(_File(uidvalidity, int(stem), entry.path, entry.stat(follow_symlinks=False)))
                elif entry.name.endswith(TEMPORARY):
                    self._checked.temporary += 1
                elif f".eml{ASIDE}" not in entry.name:
                    self._checked.strange.append(entry.path)
        return files

    def _is_in_place(self, file: _File) -> bool:
        return file.path == self._place(file.uidvalidity, file.uid)

    def _place(self, uidvalidity: int, uid: int) -> str:
        return os.path.join(self._path, *message_path(message_key(uidvalidity, uid)))

    def _wrong(self, file: _File, row: tuple[int, bytes] | None) -> str | None:
        """What is wrong with a file as it can be seen from outside; ``None`` is nothing."""
        if not self._is_in_place(file):
            return "stands where no message of that number belongs"
        if not file.is_plain:
            return "is a folder" if stat.S_ISDIR(file.status.st_mode) else "is no regular file"
        size = file.status.st_size
        if row is not None and size != row[0]:
            return f"{size:,} bytes, {row[0]:,} were stored"
        if row is None and size == 0 and self._listed_size(file):
            return f"0 bytes, {self._listed_size(file):,} on the server"
        return None

    def _compared(
        self, files: list[tuple[_File, bytes]], progress: Callable[[int, int], None]
    ) -> Iterator[manifest.ManifestRow | manifest.SetAside]:
        """Count what is whole, and set aside what is not."""
        for file, problem in self._problems(files):
            if problem is None:
                self._checked.messages += 1
                self._checked.bytes += file.status.st_size
            elif problem.errno in _DAMAGE:
                yield from self._damaged(file, problem.strerror or str(problem), is_known=True)
            else:
                self._checked.denied.append((file.path, problem.strerror or str(problem)))
            progress(1, file.status.st_size)

    def _problems(self, files: list[tuple[_File, bytes]]) -> Iterator[tuple[_File, OSError | None]]:
        if self._pool is None:
            yield from ((file, None) for file, _ in files)
            return
        some = [files[first : first + FILES_AT_ONCE] for first in range(0, len(files), FILES_AT_ONCE)]
        for batch, problems in zip(some, self._pool.map(self._read, some), strict=True):
            yield from ((file, problem) for (file, _), problem in zip(batch, problems, strict=True))

    def _read(self, files: list[tuple[_File, bytes]]) -> list[OSError | None]:
        """What is wrong with the content of each file. Runs in a thread of the pool."""
        return [None if self._stop.is_set() else _unlike(file.path, digest) for file, digest in files]

    # What follows from it.

    def _damaged(self, file: _File, reason: str, *, is_known: bool) -> Iterator[manifest.SetAside]:
        key = message_key(file.uidvalidity, file.uid)
        aside = self._set_aside(file.path)
        self._found(Kind.DAMAGED, key, file.path, reason, aside=aside)
        if is_known:
            yield self._row(file.uidvalidity, file.uid, reason, aside)

    def _missing(self, uidvalidity: int, uids: Iterable[int]) -> Iterator[manifest.SetAside]:
        for uid in sorted(uids):
            self._found(Kind.MISSING, message_key(uidvalidity, uid), self._place(uidvalidity, uid), "is not there")
            yield self._row(uidvalidity, uid, "is not there", None)

    def _entered(self, files: list[_File]) -> Iterator[manifest.ManifestRow]:
        for file in files:
            if not self._dry_run:
                with storage_errors("read", file.path):
                    data = Path(file.path).read_bytes()
                yield manifest.describe(file.uidvalidity, file.uid, data, now=datetime.now(UTC))
            self._checked.entered += 1

    def _check_set_aside(self, latest: manifest.Latest) -> None:
        """Messages set aside in an earlier run that were not fetched again since."""
        for (uidvalidity, uid), row in sorted(latest.set_aside.items()):
            path, key = self._place(uidvalidity, uid), message_key(uidvalidity, uid)
            if os.path.lexists(path):
                continue
            if self._is_on_server(key) is False:
                self._checked.kept_aside += 1
            else:
                reason = f"is not fetched again since {row.set_aside[:10]} ({row.reason})"
                self._found(Kind.MISSING, key, path, reason)

    def _row(self, uidvalidity: int, uid: int, reason: str, aside: str | None) -> manifest.SetAside:
        name = os.path.basename(aside) if aside else None
        return manifest.SetAside(uidvalidity, uid, manifest.timestamp(datetime.now(UTC)), reason, name)

    def _found(self, kind: Kind, key: MessageKey | None, path: str, reason: str, *, aside: str | None = None) -> None:
        on_server = None if key is None else self._is_on_server(key)
        self._checked.findings.append(Finding(kind, self._checked.mailbox, key, path, reason, aside, on_server))

    def _set_aside(self, path: str) -> str | None:
        if self._dry_run:
            return None
        with storage_errors("set aside", path):
            return self._renamed(path)

    def _renamed(self, path: str) -> str:
        aside, number = f"{path}{ASIDE}", 1
        while os.path.lexists(aside):
            number += 1
            aside = f"{path}{ASIDE}-{number}"
        os.rename(path, aside)
        return aside

    def _is_on_server(self, key: MessageKey) -> bool | None:
        self._read_listing()
        assert self._gone is not None
        gone = self._gone.get(key)
        return None if gone is None else not gone

    def _listed_size(self, file: _File) -> int | None:
        self._read_listing()
        return self._sizes.get(message_key(file.uidvalidity, file.uid))

    def _read_listing(self) -> None:
        """What the server said last, read where something is wrong; most runs need none of it."""
        if self._gone is None:
            self._gone = {}
            for generation in self._folder.generations():
                for info, gone in zip(generation.listing.values(), generation.gone, strict=True):
                    self._gone[info.key], self._sizes[info.key] = bool(gone), info.size


def _latest(path: str) -> manifest.Latest:
    try:
        with open(path, "rb") as lines:
            return manifest.latest_rows(lines)
    except FileNotFoundError:
        return manifest.Latest()


def _is_listing(path: str) -> bool:
    return listing.is_readable(Path(path))


def _is_json(path: str) -> bool:
    with open(path, "rb") as file:
        data = file.read()
    try:
        record = json.loads(data)
    except ValueError:
        return False
    return isinstance(record, dict) and isinstance(record.get("name"), str)


def _unlike(path: str, digest: bytes) -> OSError | None:
    """Why the content of a file is not what was stored; ``None`` where it is."""
    try:
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= WHOLE:
                found = hashlib.sha256(file.read()).digest()
            else:
                found = hashlib.file_digest(file, "sha256").digest()
    except OSError as problem:
        return problem
    return None if found == digest else OSError(0, "the content is not what was stored (SHA-256)")
