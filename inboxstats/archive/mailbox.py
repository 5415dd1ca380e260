"""One mailbox of an archive: its messages, its manifest, and what the server last said of it.

What is missing is the listing less what is on disk; there is no other record of progress.
"""

import hashlib
import json
import os
import threading
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxstats.archive import listing, manifest
from inboxstats.archive.files import (
    fsync_folder,
    make_folder,
    write_into,
    write_state,
)
from inboxstats.archive.headers import Headers
from inboxstats.archive.known import KnownDigests
from inboxstats.archive.layout import IMPORTED, message_key, message_path
from inboxstats.archive.listing import LARGEST_UID, Listing, absent
from inboxstats.archive.stored import Stored, path_of, scan
from inboxstats.errors import storage_error, storage_errors
from inboxstats.mail import Content, Location, Mailbox, MessageInfo, MessageKey
from inboxstats.turns import waiting

if TYPE_CHECKING:  # heavy: listing.py imports it where a listing is read
    import pyarrow as pa

SAMPLE = 10
"""How many messages of a listing mailbox.json notes."""


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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete listing and the state to which it belongs: with an equal state later, it is still right."""

    state: MailboxState
    listing: Listing


class MailboxFolder:
    """A mailbox's folder. Several threads may write messages at once; the rest is for one thread."""

    def __init__(self, path: Path, mailbox: Mailbox, *, fsync: bool) -> None:
        self.path = path
        self.mailbox = mailbox
        self.headers = Headers(str(path), self.listed, fsync=fsync)
        self._fsync = fsync
        self._appending = threading.Lock()
        self._is_behind = False  # files are stored, and their rows could not be written
        self.has_lost_rows = False
        """Whether `sweep` found that the manifest had lost rows."""

    @property
    def _manifest(self) -> str:
        return str(self.path / "manifest.jsonl")

    def locations(self) -> dict[MessageKey, Location]:
        """Every complete message file. Raises StorageError."""
        with storage_errors("read", self.path):
            return {message_key(uidvalidity, uid): Location(path) for uidvalidity, uid, path in self._files()}

    def stored(self) -> Stored:
        """The keys of every complete message file. Raises StorageError."""
        with storage_errors("read", self.path):
            return scan(str(self.path))[0]

    def _files(self) -> Iterator[tuple[int, int, str]]:
        for generation in _folders(str(self.path)):
            if generation.name.isdecimal():
                uidvalidity = int(generation.name)
                for bucket in _folders(generation.path):
                    folder = os.path.join(bucket.path, "")
                    for name in os.listdir(bucket.path):
                        if name.endswith(".eml") and (stem := name[:-4]).isdecimal():
                            yield uidvalidity, int(stem), folder + name

    def sweep(self) -> Stored:
        """Make good what a dead run left: remove half-written files, enter complete ones into the manifest.

        Returns what is stored. Raises StorageError.
        """
        with storage_errors("read", self.path):
            stored, left = scan(str(self.path))
            for path in left:
                os.unlink(path)
            if not self._is_settled(stored):
                lacks_rows = self.lacks_rows()
                # One message without a row is what a killed run leaves, with the line that it was at.
                self.has_lost_rows = self._enter_left(stored) > 1 and lacks_rows
        return stored

    def lacks_rows(self) -> bool:
        """Whether rows are gone that were there when the mailbox was last settled. Raises OSError."""
        settled = self._record().get("settled")
        before = settled.get("manifest") if isinstance(settled, dict) else None
        return isinstance(before, int) and not manifest.begins_as(self._manifest, before)

    def unsettle(self) -> None:
        """Forget how everything was, so that the next run looks at all of it. Raises StorageError."""
        if self._record().get("settled"):
            self._note(settled=None)

    def _enter_left(self, stored: Stored) -> int:
        """Returns how many messages had no row."""
        rows, folders = [], set()
        for uidvalidity, uid, path in self._not_entered(stored):
            rows.append(manifest.describe(uidvalidity, uid, path.read_bytes(), now=datetime.now(UTC)))
            folders.add(str(path.parent))
        if rows:
            if self._fsync:  # the run that wrote them may have died before it came to this
                for folder in folders:
                    fsync_folder(folder)
            manifest.append(self._manifest, rows, fsync=self._fsync)
        return len(rows)

    def _not_entered(self, stored: Stored) -> Iterator[tuple[int, int, Path]]:
        known = {uidvalidity: array("I") for uidvalidity in stored.generations}
        for uidvalidity, uid in manifest.entered(self._manifest):
            if uidvalidity in known and uid <= LARGEST_UID:
                known[uidvalidity].append(uid)
        for uidvalidity, uids in stored.generations.items():
            for place in absent(uids, array("I", sorted(set(known[uidvalidity])))):
                path = Path(path_of(str(self.path), uidvalidity, uids[place]))
                if path.exists():  # else it was moved to another bucket by hand
                    yield uidvalidity, uids[place], path

    def store(self, messages: Iterable[tuple[MessageKey, Content]]) -> list[MessageKey]:
        """Write messages as they come, each whole or not at all, then their manifest rows.

        Returns what was stored. Whatever the iterable or a message's pieces raise leaves what came before stored and
        entered. Raises StorageError.
        """
        rows: list[manifest.ManifestRow] = []
        folders: dict[tuple[str, str], str] = {}
        try:
            for key, content in messages:
                generation, bucket, name = message_path(key)
                size = len(content) if isinstance(content, bytes) else content.size
                try:
                    folder = folders.get((generation, bucket)) or self._bucket(generation, bucket)
                    folders[generation, bucket] = folder
                    digest = _write(folder, name, content, fsync=self._fsync)
                except OSError as problem:
                    path = self.path / generation / bucket / name
                    raise storage_error(f"write the {size:,} bytes of", path, problem) from problem
                rows.append(manifest.ManifestRow(int(generation), int(name[:-4]), size, digest, _now()))
        finally:
            if rows:
                self._enter(rows, folders.values())
        return [message_key(row.uidvalidity, row.uid) for row in rows]

    def _bucket(self, generation: str, bucket: str) -> str:
        """Where messages are to be written, made if need be."""
        folder = os.path.join(self.path, generation, bucket)
        make_folder(folder, fsync=self._fsync)
        return folder

    def _enter(self, rows: list[manifest.ManifestRow], folders: Iterable[str]) -> None:
        try:
            with storage_errors("write", self._manifest), waiting():
                if self._fsync:
                    for folder in folders:
                        fsync_folder(folder)
                with self._appending:
                    manifest.append(self._manifest, rows, fsync=self._fsync)
        except BaseException:
            self._is_behind = True
            raise

    def state(self) -> MailboxState | None:
        """What the server last said; ``None`` where that was never noted or cannot be read: it is then asked again."""
        try:
            return MailboxState(**self._record()["status"])
        except (TypeError, KeyError):
            return None

    def note_name(self) -> None:
        """Write down the raw name before the first message, so that the folder's name can always be read back."""
        with storage_errors("create", self.path):
            make_folder(str(self.path), fsync=self._fsync)
        if not (self.path / "mailbox.json").exists():
            self._note()

    def note_listing(self, state: MailboxState, current: Mapping[MessageKey, MessageInfo]) -> None:
        """Keep a complete listing; messages that it no longer holds are marked as gone. Raises StorageError."""
        compact = current if isinstance(current, Listing) else Listing.of(current.values())
        before = self._content("listing.parquet")
        after = listing.to_bytes(listing.merge(listing.read(before) or (), compact))
        if after != before:
            write_state(self.path / "listing.parquet", after, fsync=self._fsync)
        places = range(0, len(compact), 1 + len(compact) // SAMPLE)
        sample = [[compact.uids[place], compact.instants[place], compact.sizes[place]] for place in places]
        if state != self.state() or sample != self._record().get("sample"):
            self._note(status=asdict(state), sample=sample)

    def note_imported(self, imported: Listing) -> None:
        """Keep what is known of imported messages, beside what the server says of its own. Raises StorageError."""
        before = self._content("listing.parquet")
        after = listing.to_bytes(listing.merge_imported(listing.read(before) or (), imported))
        if after != before:
            write_state(self.path / "listing.parquet", after, fsync=self._fsync)

    def imported(self) -> KnownDigests:
        """The UIDs of all messages that were ever imported, by SHA-256. Raises StorageError."""
        known = KnownDigests()
        with storage_errors("read", self._manifest):
            for row in manifest.rows(self._manifest):
                if row.uidvalidity == IMPORTED:
                    known.add(bytes.fromhex(row.sha256), row.uid)
        return known

    def sample(self) -> Listing:
        """A few messages of the last listing, without their flags, from its beginning to its end."""
        found = Listing(0)
        try:
            for uid, instant, size in self._record()["sample"]:
                found.add(uid, instant, size, frozenset())
        except (KeyError, TypeError, ValueError, OverflowError):
            return Listing(0)
        return found

    def begin(self, uidvalidity: int) -> None:
        """Make the folder of a UIDVALIDITY, so that its number is taken. Raises StorageError."""
        with storage_errors("create", self.path):
            make_folder(str(self.path / str(uidvalidity)), fsync=self._fsync)

    def settle(self, stored: Stored, *, complete: bool) -> None:
        """Note what is on disk at the end of a run, and whether that is all of the listing; drop spent headers.

        The note only saves work: a run that finds everything as it was need take apart neither manifest nor listing.
        Where files have no row yet nothing is noted, so that the next run enters them. Raises StorageError.
        """
        if self._is_behind:
            return
        self.headers.drop(stored)
        with storage_errors("read", self.path):
            settled = self._fingerprints(stored) | {"complete": complete}
        if settled != self._record().get("settled"):
            self._note(settled=settled)

    def is_complete(self, stored: Stored) -> bool:
        """Whether nothing of the listing was missing when the mailbox was settled, and no file has changed since."""
        settled = self._record().get("settled")
        with storage_errors("read", self.path):
            return bool(settled == self._fingerprints(stored) | {"complete": True})

    def _is_settled(self, stored: Stored) -> bool:
        settled = self._record().get("settled")
        return isinstance(settled, dict) and self._fingerprints(stored).items() <= settled.items()

    def _fingerprints(self, stored: Stored) -> dict[str, object]:
        return {
            "files": stored.digest(),
            "manifest": manifest.checksum(self._manifest),
            "listing": zlib.crc32(self._content("listing.parquet")),
        }

    def _content(self, name: str) -> bytes:
        """A state file's bytes; none where it is not there or cannot be read: it is then made again."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return b""

    def _record(self) -> dict[str, Any]:
        try:
            record = json.loads(self._content("mailbox.json"))
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}

    def _note(self, **changes: object) -> None:
        before = self._record()
        record = {
            "name": self.mailbox.name,
            "delimiter": self.mailbox.delimiter,
            "attributes": sorted(self.mailbox.attributes),
            "status": before.get("status"),
            "sample": before.get("sample"),
            "settled": before.get("settled"),
        }
        data = json.dumps(record | changes, ensure_ascii=True, indent=1).encode() + b"\n"
        write_state(self.path / "mailbox.json", data, fsync=self._fsync)

    def listing_table(self) -> "pa.Table | None":
        """listing.parquet with the column `key`, what is gone included; ``None`` where there is none."""
        return listing.table(self.path / "listing.parquet")

    def generations(self) -> list[listing.Generation]:
        """The last complete listing, what is gone included; empty where there is none."""
        return listing.read(self._content("listing.parquet")) or []

    def listed(self) -> Listing:
        """The last complete listing without what is gone; empty where there is none."""
        return listing.present(self.generations())


def _write(folder: str, name: str, content: Content, *, fsync: bool) -> str:
    """Write a message's file. Returns its SHA-256 in hex."""
    if isinstance(content, bytes):
        write_into(folder, name, content, fsync=fsync)
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    write_into(folder, name, _digested(content.pieces, digest), fsync=fsync)
    return digest.hexdigest()


def _digested(pieces: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _now() -> str:
    return _timestamp(int(time.time()))


@lru_cache(maxsize=1)
def _timestamp(seconds: int) -> str:
    return manifest.timestamp(datetime.fromtimestamp(seconds, UTC))


def _folders(path: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
