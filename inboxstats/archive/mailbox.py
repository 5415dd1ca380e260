"""One mailbox of an archive: its messages, its manifest, and what the server last said of it.

What is missing is the listing less what is on disk; there is no other record of progress.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inboxstats.archive import listing, manifest
from inboxstats.archive.files import (
    TEMPORARY,
    fsync_folder,
    make_folder,
    storage_errors,
    write_state,
    write_whole,
)
from inboxstats.archive.layout import message_key, message_path
from inboxstats.mail import Content, Location, Mailbox, MessageInfo, MessageKey

if TYPE_CHECKING:  # heavy: listing.py imports it where a listing is read
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class MailboxState:
    """What STATUS said when the mailbox was last listed completely (RFC 9051, section 6.3.11).

    ``None`` where the server did not say. Equal UIDVALIDITY, UIDNEXT and `messages` mean the same set of UIDs;
    an equal HIGHESTMODSEQ (RFC 7162) means the same flags, too.
    """

    uidvalidity: int | None
    uidnext: int | None = None
    messages: int | None = None
    highestmodseq: int | None = None


class MailboxFolder:
    """A mailbox's folder. Several threads may write messages at once; the rest is for one thread."""

    def __init__(self, path: Path, mailbox: Mailbox, *, fsync: bool) -> None:
        self.path = path
        self.mailbox = mailbox
        self._fsync = fsync
        self._appending = threading.Lock()

    @property
    def _manifest(self) -> str:
        return str(self.path / "manifest.jsonl")

    def locations(self) -> dict[MessageKey, Location]:
        """Every complete message file. Raises StorageError."""
        with storage_errors("read", self.path):
            return {message_key(uidvalidity, uid): Location(path) for uidvalidity, uid, path in self._files()}

    def stored(self) -> set[MessageKey]:
        """The keys of every complete message file. Raises StorageError."""
        with storage_errors("read", self.path):
            return {message_key(uidvalidity, uid) for uidvalidity, uid, _ in self._files()}

    def _files(self) -> Iterator[tuple[int, int, str]]:
        for generation in _folders(str(self.path)):
            if generation.name.isdecimal():
                for bucket in _folders(generation.path):
                    with os.scandir(bucket.path) as entries:
                        for entry in entries:
                            stem, extension = os.path.splitext(entry.name)
                            if extension == ".eml" and stem.isdecimal():
                                yield int(generation.name), int(stem), entry.path

    def sweep(self) -> None:
        """Make good what a dead run left: remove half-written files, enter complete ones into the manifest."""
        with storage_errors("read", self.path):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if name.endswith(TEMPORARY):
                        os.unlink(os.path.join(folder, name))
            known, now = manifest.entered(self._manifest), datetime.now(UTC)
            unentered = [each for each in self._files() if each[:2] not in known]
            rows = [
                manifest.describe(uidvalidity, uid, Path(path).read_bytes(), now=now)
                for uidvalidity, uid, path in unentered
            ]
            if rows:
                if self._fsync:  # the run that wrote them may have died before it came to this
                    for folder in {os.path.dirname(path) for _, _, path in unentered}:
                        fsync_folder(folder)
                manifest.append(self._manifest, rows, fsync=self._fsync)

    def store(self, messages: Iterable[tuple[MessageKey, Content]]) -> list[MessageKey]:
        """Write messages as they come, each whole or not at all, then their manifest rows.

        Returns what was stored. Whatever the iterable or a message's pieces raise leaves what came before stored and
        entered. Raises StorageError.
        """
        rows: list[manifest.ManifestRow] = []
        folders: set[str] = set()
        try:
            for key, content in messages:
                generation, bucket, name = message_path(key)
                folder = os.path.join(self.path, generation, bucket)
                path = os.path.join(folder, name)
                size = len(content) if isinstance(content, bytes) else content.size
                digest = hashlib.sha256()
                with storage_errors(f"write the {size:,} bytes of", path):
                    if folder not in folders:
                        make_folder(folder, fsync=self._fsync)
                        folders.add(folder)
                    write_whole(path, _digested(content, digest), fsync=self._fsync)
                stored = manifest.timestamp(datetime.now(UTC))
                rows.append(manifest.ManifestRow(int(generation), int(name[:-4]), size, digest.hexdigest(), stored))
        finally:
            if rows:
                self._enter(rows, folders)
        return [message_key(row.uidvalidity, row.uid) for row in rows]

    def _enter(self, rows: list[manifest.ManifestRow], folders: set[str]) -> None:
        with storage_errors("write", self._manifest):
            if self._fsync:
                for folder in folders:
                    fsync_folder(folder)
            with self._appending:
                manifest.append(self._manifest, rows, fsync=self._fsync)

    def state(self) -> MailboxState | None:
        """What the server last said; ``None`` where that was never noted or cannot be read: it is then asked again."""
        try:
            record = json.loads((self.path / "mailbox.json").read_bytes())
            return MailboxState(**record["status"]) if record["status"] else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def note_name(self) -> None:
        """Write down the raw name before the first message, so that the folder's name can always be read back."""
        with storage_errors("create", self.path):
            make_folder(str(self.path), fsync=self._fsync)
        if not (self.path / "mailbox.json").exists():
            self._write_record(None)

    def note_listing(self, state: MailboxState, current: Mapping[MessageKey, MessageInfo]) -> None:
        """Keep a complete listing; messages that it no longer holds are marked as gone. Raises StorageError."""
        path = self.path / "listing.parquet"
        before = listing.read(path)
        after = listing.merge(before, current)
        if before is None or not after.equals(before):
            write_state(path, listing.to_bytes(after), fsync=self._fsync)
        if state != self.state():
            self._write_record(state)

    def _write_record(self, state: MailboxState | None) -> None:
        record = {
            "name": self.mailbox.name,
            "delimiter": self.mailbox.delimiter,
            "attributes": sorted(self.mailbox.attributes),
            "status": asdict(state) if state else None,
        }
        data = json.dumps(record, ensure_ascii=True, indent=1).encode() + b"\n"
        write_state(self.path / "mailbox.json", data, fsync=self._fsync)

    def listing_table(self) -> "pa.Table | None":
        """listing.parquet with the column `key`, what is gone included; ``None`` where there is none."""
        table = listing.read(self.path / "listing.parquet")
        return None if table is None else listing.with_keys(table)

    def listed(self) -> dict[MessageKey, MessageInfo]:
        """The last complete listing without what is gone; empty where there is none."""
        table = listing.read(self.path / "listing.parquet")
        return {} if table is None else listing.present(table)


def _digested(content: Content, digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in (content,) if isinstance(content, bytes) else content.pieces:
        digest.update(piece)
        yield piece


def _folders(path: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
