"""A run of `inboxstats import`: mail in the user's own files into the archive, each message once.

A message is known by its SHA-256 in the manifest: what was imported before is passed over, and a run that was
interrupted is completed by the next one. Nothing of the user's is written, moved or locked.
"""

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from inboxstats.archive import UNPROVED, Archive, MailboxFolder
from inboxstats.archive.files import make_folder
from inboxstats.archive.layout import IMPORTED, message_key
from inboxstats.archive.listing import LARGEST_UID, Listing, microseconds
from inboxstats.archive.parquet import UNKNOWN
from inboxstats.archive.stored import Stored
from inboxstats.errors import ExitCode, InboxstatsError, StorageError, storage_errors
from inboxstats.importing.letters import IN_MEMORY, Letter, Unreadable
from inboxstats.importing.mbox import Quoting
from inboxstats.importing.places import Box, boxes, check
from inboxstats.mail import Content, MessageKey, Pieces

__all__ = ["Counts", "Imported", "Quoting", "Unreadable", "Watcher", "check", "import_mail"]

AT_ONCE = 50
"""Messages that share a line of the manifest's fsync, as in `download`."""


class Watcher(Protocol):
    """Is told how a run goes on, for a progress bar."""

    def begin(self, mailbox: str) -> None:
        """A mailbox is being read."""

    def read(self, messages: int, size: int) -> None:
        """So many more messages are read."""


@dataclass(slots=True)
class Counts:
    """What came of a mailbox: messages that were read, those that were new, and the new ones' bytes."""

    messages: int = 0
    stored: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Imported:
    """What came of a run. `unreadable` gave nothing; `error` ended it early."""

    account: str
    mailboxes: dict[str, Counts] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    error: InboxstatsError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the run's exit status is: its error's, else PARTLY where something could not be read."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.PARTLY if self.unreadable else ExitCode.DONE


def import_mail(
    archive: Archive,
    account: str,
    paths: Iterable[Path],
    *,
    watcher: Watcher,
    quoting: Quoting = "mboxrd",
    dry_run: bool = False,
) -> Imported:
    """Bring the mail at some paths into an account of the archive, whose lock the caller holds.

    quoting -- how mbox files quote lines that read like a separator
    dry_run -- only count, and write no message

    Whoever calls it has called `check`. What goes wrong is told by the result.
    """
    done = Imported(account)
    try:
        spool = Path(tempfile.gettempdir()) if dry_run else archive.cache
        if not dry_run:
            with storage_errors("create", spool):
                make_folder(str(spool), fsync=False)
            if account not in archive.owners:
                archive.admit(account, UNPROVED)
        for path in paths:
            for box in boxes(path, quoting):
                if isinstance(box, Unreadable):
                    done.unreadable.append(box)
                else:
                    watcher.begin(box.mailbox.name)
                    _import_box(archive, box, done, watcher, spool=spool, dry_run=dry_run)
    except StorageError as problem:
        done.error = problem
    return done


def _import_box(archive: Archive, box: Box, done: Imported, watcher: Watcher, *, spool: Path, dry_run: bool) -> None:
    folder = archive.mailbox(done.account, box.mailbox)
    counts = done.mailboxes.setdefault(box.mailbox.name, Counts())
    if not dry_run:
        folder.note_name()
    stored = folder.stored() if dry_run else folder.sweep()
    run = _Run(folder, stored, counts, dry_run=dry_run)
    try:
        with closing(box.letters(spool)) as letters:
            for letter in letters:
                if isinstance(letter, Unreadable):
                    done.unreadable.append(letter)
                else:
                    run.take(letter)
                    watcher.read(1, letter.size)
        run.flush()
    except BaseException:
        with suppress(StorageError):  # what ended the run is what is told
            run.note()
        raise
    run.note()


class _Run:
    """One mailbox on its way in."""

    def __init__(self, folder: MailboxFolder, stored: Stored, counts: Counts, *, dry_run: bool) -> None:
        self._folder = folder
        self._stored = stored
        self._counts = counts
        self._dry_run = dry_run
        self._known = folder.imported()
        self._first = self._next = 1 + max(self._known.highest, *stored.uids(IMPORTED)[-1:], 0)
        self._restored: set[int] = set()
        self._waiting: list[tuple[MessageKey, Content]] = []
        self._waiting_bytes = 0
        self._listed = _Listed()

    def take(self, letter: Letter) -> None:
        """Store a message, unless it is there. Raises StorageError."""
        self._counts.messages += 1
        known = self._known.uid(letter.digest)
        uid = self._next if known is None else known
        if uid > LARGEST_UID:
            raise StorageError(f"{self._folder.path} is full: a mailbox has {LARGEST_UID:,} messages at most.")
        self._listed.add(uid, letter)
        if known is None:
            self._known.add(letter.digest, uid)
            self._next += 1
        elif self._is_there(uid):
            return
        else:  # set aside by `verify`, or removed by hand: it gets its old place
            self._restored.add(uid)
        self._waiting.append((message_key(IMPORTED, uid), letter.content))
        self._waiting_bytes += letter.size
        if len(self._waiting) >= AT_ONCE or self._waiting_bytes > IN_MEMORY:
            self.flush()

    def _is_there(self, uid: int) -> bool:
        return uid >= self._first or uid in self._restored or message_key(IMPORTED, uid) in self._stored

    def flush(self) -> None:
        """Store what waits. Raises StorageError."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if self._dry_run:
            for _ in self._counted(waiting):
                pass
        else:
            self._folder.store(self._counted(waiting))

    def _counted(self, waiting: list[tuple[MessageKey, Content]]) -> Iterator[tuple[MessageKey, Content]]:
        for key, content in waiting:
            yield key, content
            # Asked for the next one, it has stored this one.
            self._counts.stored += 1
            self._counts.bytes += content.size if isinstance(content, Pieces) else len(content)

    def note(self) -> None:
        """Keep what the files said of the messages. Raises StorageError."""
        if not self._dry_run:
            self._folder.note_imported(self._listed.listing())


class _Listed:
    """What files said of messages, in the order of the files, in 28 bytes a message."""

    def __init__(self) -> None:
        self._uids, self._marked = array("I"), array("I")
        self._instants, self._sizes = array("q"), array("q")
        self._marks = Listing(IMPORTED)

    def add(self, uid: int, letter: Letter) -> None:
        self._uids.append(uid)
        self._instants.append(UNKNOWN if letter.internal_date is None else microseconds(letter.internal_date))
        self._sizes.append(letter.size)
        self._marked.append(self._marks.number((letter.flags, letter.labels)))

    def listing(self) -> Listing:
        """By ascending UID; of a message that came twice, what was said last."""
        found = Listing(IMPORTED)
        latest = {uid: place for place, uid in enumerate(self._uids)}
        for uid in sorted(latest):
            place = latest[uid]
            flags, labels = self._marks.meanings[self._marked[place]]
            found.add(uid, self._instants[place], self._sizes[place], flags, labels)
        return found
