"""Any tree of .eml files: each folder that holds some is a mailbox, named by its path below the root."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from inboxstats.errors import storage_errors
from inboxstats.mail import Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import as_text, distinct, plain_listing, read_messages, relative_name
from inboxstats.sources.maildir import PARTS, is_maildir


class EmlTree:
    """The .eml files at or below a folder, or a single one; the messages of Maildirs are left to `Maildir`.

    A link to a folder is not followed, so there is no way in circles.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, dict[MessageKey, Location]] | None = None

    def mailboxes(self) -> list[Mailbox]:
        """The folders that hold .eml files, by name. Raises StorageError."""
        return [Mailbox(name, "/") for name in sorted(self._walked())]

    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
        return plain_listing(self, mailbox)

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        return read_messages(self, mailbox, keys)

    def locations(self, mailbox: Mailbox) -> Mapping[MessageKey, Location]:
        return self._walked().get(mailbox.name, {})

    def _walked(self) -> dict[str, dict[MessageKey, Location]]:
        if self._found is None:
            with storage_errors("read", self._root):
                self._found = _walk(self._root)
        return self._found


def _walk(root: Path) -> dict[str, dict[MessageKey, Location]]:
    if root.is_file():
        return {relative_name(str(root.parent), root.parent): _messages(str(root.parent), [root.name])}
    found: dict[str, dict[MessageKey, Location]] = {}
    parts_of_maildirs: set[str] = set()
    for folder, below, names in os.walk(root, onerror=_refuse):
        below.sort()
        if is_maildir(below):
            parts_of_maildirs.update(os.path.join(folder, part) for part in PARTS)
        if folder not in parts_of_maildirs and (messages := _messages(folder, names)):
            found[distinct(relative_name(folder, root), found)] = messages
    return found


def _messages(folder: str, names: Iterable[str]) -> dict[MessageKey, Location]:
    found: dict[MessageKey, Location] = {}
    prefix = os.path.join(folder, "")
    for name in sorted(names):
        if name.lower().endswith(".eml"):
            found[MessageKey(distinct(as_text(name), found))] = _location(prefix + name)
    return found


def _location(path: str) -> Location:
    try:
        status = os.stat(path)
    except OSError:
        return Location(path)  # reading it will tell why
    return Location(path, version=f"{status.st_size}-{status.st_mtime_ns}")


def _refuse(problem: OSError) -> None:
    """A folder that may not be read is no folder without mail: it is named."""
    with storage_errors("read", problem.filename):
        raise problem
