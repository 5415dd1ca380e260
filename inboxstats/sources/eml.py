"""Any tree of .eml files: each folder that holds some is a mailbox, named by its path below the root."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from inboxstats.archive.files import storage_errors
from inboxstats.mail import Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import as_text, plain_listing, read_messages, relative_name


class EmlTree:
    """The .eml files at or below a folder. A link to a folder is not followed, so there is no way in circles."""

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
    found: dict[str, dict[MessageKey, Location]] = {}
    for folder, _, names in os.walk(root, onerror=_raise):
        messages = {
            MessageKey(as_text(name)): _location(os.path.join(folder, name))
            for name in sorted(names)
            if name.lower().endswith(".eml")
        }
        if messages:
            found[relative_name(folder, root)] = messages
    return found


def _location(path: str) -> Location:
    try:
        status = os.stat(path)
    except OSError:
        return Location(path)  # reading it will tell why
    return Location(path, version=f"{status.st_size}-{status.st_mtime_ns}")


def _raise(problem: OSError) -> None:
    raise problem
