"""The archive as a command that writes to it opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when there is something to store
    from inboxstats.archive import Archive


@contextmanager
def opened_archive(path: Path, *, fsync: bool, wait: bool, dry_run: bool) -> Iterator["Archive"]:
    """The archive, locked before any login; a dry run neither makes nor locks one."""
    from inboxstats.archive import Archive, check_place, is_archive

    if dry_run:
        check_place(path)
        yield Archive.open(path) if is_archive(path) else Archive(path, owners={})
        return
    archive = Archive.create(path, fsync=fsync)
    with archive.lock(wait=wait):
        yield archive
