"""What the sources on this machine share: reading at a location, and names that are text whatever the disk holds."""

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from inboxstats.errors import storage_errors
from inboxstats.mail import LocalSource, Mailbox, MessageInfo, MessageKey


def read_messages(
    source: LocalSource, mailbox: Mailbox, keys: Sequence[MessageKey]
) -> Iterator[tuple[MessageKey, bytes]]:
    """`Source.fetch` for a local source: what is gone is left out. Raises StorageError."""
    locations = source.locations(mailbox)
    for key in keys:
        if (location := locations.get(key)) is not None:
            with storage_errors("read", location.path):
                try:
                    data = location.read()
                except FileNotFoundError:
                    continue
            yield key, data


def plain_listing(source: LocalSource, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
    """`Source.listing` for files that say nothing about themselves but that they are there."""
    return {key: MessageInfo(key) for key in source.locations(mailbox)}


def as_text(name: str) -> str:
    r"""A file's name without lone surrogates: bytes that are not UTF-8 become ``\xNN``."""
    if name.isascii():
        return name
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no file has such a name, but the caller may hold one from elsewhere
        return without_surrogates(name)


def without_surrogates(name: str) -> str:
    r"""A name that a server gave, each lone surrogate as ``\udNNN``."""
    return name.encode("utf-8", "backslashreplace").decode()


def distinct(name: str, taken: Container[str]) -> str:
    """The name, or the first of ``name (2)``, ``name (3)`` … that is free: nothing is lost for reading like another."""
    if name not in taken:
        return name
    return next(other for number in count(2) if (other := f"{name} ({number})") not in taken)


def relative_name(folder: str, root: Path) -> str:
    """A folder as a mailbox name: its path below the root with ``/``; the root's own name for the root itself."""
    below = os.path.relpath(folder, root)
    return as_text(root.resolve().name if below == os.curdir else below.replace(os.sep, "/"))
