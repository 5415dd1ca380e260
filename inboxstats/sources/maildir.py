"""Maildirs: a folder with cur and new, or any tree with such folders, as mbsync, Dovecot and notmuch keep them.

Read-only: nothing is moved from new to cur, and no flag is set.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from inboxstats.errors import storage_errors
from inboxstats.mail import Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import as_text, distinct, read_messages, relative_name

PARTS = ("cur", "new", "tmp")
"""The folders that make a Maildir; those in tmp are still being delivered."""

# The info part of a file's name, ":2,FS" (";2," or "!2," where a colon is not allowed), in IMAP's words.
_FLAGS = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


class Maildir:
    """The Maildirs at or below a folder; the one at the root is INBOX."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, str] | None = None

    def mailboxes(self) -> list[Mailbox]:
        """The Maildirs, by name: their path below the root, Maildir++'s ``.Sent.2026`` as ``Sent/2026``."""
        return [Mailbox(name, "/") for name in sorted(self._walked())]

    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
        """The messages with the flags that their names hold."""
        return {
            key: MessageInfo(key, flags=_flags(os.path.basename(location.path)))
            for key, location in self.locations(mailbox).items()
        }

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        return read_messages(self, mailbox, keys)

    def locations(self, mailbox: Mailbox) -> Mapping[MessageKey, Location]:
        """By the unique part of the name, which stays when flags change and the file is renamed.

        A folder alone is passed over: whatever else is there and cannot be read is told by reading it.
        """
        folder = self._walked().get(mailbox.name)
        found: dict[MessageKey, Location] = {}
        if folder is not None:
            for part in ("new", "cur"):
                path = os.path.join(folder, part)
                with storage_errors("read", path), os.scandir(path) as entries:
                    for entry in sorted(entries, key=lambda each: each.name):
                        if not entry.name.startswith(".") and not _is_folder(entry):
                            found[_key(entry.name, found)] = Location(entry.path)
        return found

    def _walked(self) -> dict[str, str]:
        if self._folders is None:
            with storage_errors("read", self._root):
                self._folders = {}
                for folder in maildirs(self._root):
                    self._folders[distinct(_name(folder, self._root), self._folders)] = folder
        return self._folders


def maildirs(root: Path) -> Iterator[str]:
    """Every Maildir at or below a folder, without looking into their cur, new and tmp."""
    for folder, below, _ in os.walk(root):
        below.sort()
        if is_maildir(below):
            below[:] = [name for name in below if name not in PARTS]
            yield folder


def is_maildir(below: Collection[str]) -> bool:
    """Whether a folder with these folders in it is a Maildir; tmp may be left out, as by some backups."""
    return "cur" in below and "new" in below


def _name(folder: str, root: Path) -> str:
    if os.path.samefile(folder, root):
        return "INBOX"
    parent, name = os.path.split(folder)
    if not name.startswith("."):
        return relative_name(folder, root)
    inner = as_text(name[1:].replace(".", "/"))
    return inner if os.path.samefile(parent, root) else f"{relative_name(parent, root)}/{inner}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in circles
        return False


def _key(name: str, found: Mapping[MessageKey, Location]) -> MessageKey:
    key = as_text(_unique(name))
    if key in found and not os.path.lexists(found[MessageKey(key)].path):
        return MessageKey(key)  # it went from new to cur while we looked
    return MessageKey(distinct(key, found))


def _unique(name: str) -> str:
    for separator in ":;!":
        head, found, _ = name.rpartition(f"{separator}2,")
        if found:
            return head
    return name


def _flags(name: str) -> frozenset[str]:
    letters = name[len(_unique(name)) :].removeprefix(":2,").removeprefix(";2,").removeprefix("!2,")
    return frozenset(_FLAGS[letter] for letter in letters if letter in _FLAGS)
