"""What mail lies at a PATH, mailbox by mailbox, as a stream of messages."""

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inboxstats.archive import is_archive
from inboxstats.errors import StorageError, UsageError, storage_errors
from inboxstats.importing import mbox
from inboxstats.importing.letters import Letter, Spool, Unreadable, letter_of_file
from inboxstats.importing.mbox import Quoting, begins_as_mbox
from inboxstats.mail import LocalSource, Mailbox
from inboxstats.sources.eml import EmlTree
from inboxstats.sources.local import as_text
from inboxstats.sources.maildir import Maildir
from inboxstats.sources.mbox import packed_kind

_MBOX_NAMES = (".mbox", ".mbox.gz")


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox of the user's files. `letters` can be called once; the argument is where large messages wait."""

    mailbox: Mailbox
    letters: Callable[[Path], Generator[Letter | Unreadable]]


def check(paths: list[Path], archive: Path) -> None:
    """Make sure that each path is there and none is, or holds, the archive itself. Raises UsageError."""
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path} does not exist. Give an mbox, a Maildir or a folder of .eml files.")
        if is_archive(path):
            raise UsageError(f"{path} is an archive of inboxstats. Report on it as it is: inboxstats report {path}")
        if archive.resolve().is_relative_to(path.resolve()):
            raise UsageError(f"{path} holds the archive itself ({archive}). Give the folders beside it one by one.")


def boxes(path: Path, quoting: Quoting) -> Iterator[Box | Unreadable]:
    """The mailboxes at a path; what cannot be read, and a path without mail, is told as such."""
    try:
        if path.is_dir():
            with storage_errors("read", path):
                os.listdir(path)  # a folder that may not be read says so here, not by being empty
            yield from _in_folder(path, quoting)
        else:
            yield _in_file(path, quoting)
    except StorageError as problem:
        yield Unreadable(str(path), _reason(problem))
    except OSError as problem:
        yield Unreadable(str(path), problem.strerror or str(problem))


def _in_file(path: Path, quoting: Quoting) -> Box | Unreadable:
    if path.name.lower().endswith(".eml"):
        tree = EmlTree(path)
        return _box(tree, tree.mailboxes()[0])
    if not path.is_file():
        return Unreadable(str(path), "neither a folder nor a regular file")
    if not begins_as_mbox(path):
        if packed_kind(path) == "files":
            return Unreadable(str(path), "many files in one; unpack it first, and give the folder that comes out")
        return Unreadable(str(path), "no mbox: it does not begin with a line `From …` (a single message ends in .eml)")
    return _mbox_box(as_text(_without_ending(path.name)), path, quoting)


def _in_folder(root: Path, quoting: Quoting) -> Iterator[Box | Unreadable]:
    found = False
    for source in (Maildir(root), EmlTree(root)):
        for mailbox in source.mailboxes():
            found = True
            yield _box(source, mailbox)
    for path in _mbox_files(root):
        found = True
        if begins_as_mbox(path):
            yield _mbox_box(as_text(_without_ending(str(path.relative_to(root)))).replace(os.sep, "/"), path, quoting)
        elif path.stat().st_size:
            yield Unreadable(str(path), "no mbox: it does not begin with a line `From …`")
    if not found:
        yield Unreadable(str(root), "no mail: no Maildir (cur, new), no .eml and no .mbox file")


def _mbox_files(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted(names):
            if name.lower().endswith(_MBOX_NAMES) and os.path.isfile(os.path.join(folder, name)):
                yield Path(folder, name)


def _without_ending(name: str) -> str:
    """``"Takeout/All mail.mbox.gz"`` → ``"Takeout/All mail"``; a compressed mbox is the same mailbox as a plain one."""
    for ending in (*reversed(_MBOX_NAMES), ".gz"):
        if name.lower().endswith(ending) and os.path.basename(name)[: -len(ending)]:
            return name[: -len(ending)]
    return name


def _mbox_box(name: str, path: Path, quoting: Quoting) -> Box:
    return Box(Mailbox(name, "/"), lambda folder: mbox.letters(path, folder, quoting))


def _box(source: LocalSource, mailbox: Mailbox) -> Box:
    return Box(mailbox, partial(_letters, source, mailbox))


def _letters(source: LocalSource, mailbox: Mailbox, folder: Path) -> Generator[Letter | Unreadable]:
    try:
        locations = source.locations(mailbox)
        listed = source.listing(mailbox)
    except StorageError as problem:
        yield Unreadable(mailbox.name, _reason(problem))
        return
    is_delivered = isinstance(source, Maildir)
    for key, location in locations.items():
        flags = listed[key].flags if key in listed else frozenset()
        with Spool(folder) as spool:
            yield _letter(location.path, spool, flags=flags, is_delivered=is_delivered)


def _letter(path: str, spool: Spool, *, flags: frozenset[str], is_delivered: bool) -> Letter | Unreadable:
    try:
        return letter_of_file(path, spool, flags=flags, is_delivered=is_delivered)
    except OSError as problem:
        return Unreadable(path, problem.strerror or str(problem))


def _reason(problem: StorageError) -> str:
    return str(problem).rstrip(".")
