"""The headers of messages whose text has not arrived yet, so that a report need not wait for ten years of mail.

    ACCOUNT/MAILBOX/UIDVALIDITY/headers-UID.z    of some hundred messages, the first of them UID

zlib's format, which ends in a checksum: a line of JSON, ``[[UID, size of the message or null, length], …]``, then the
headers one after the other. A file is complete or absent. It is no part of the mail: a header counts only while the
listing has its message and the archive has not, and a file of which none counts any more is removed.
"""

import json
import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from inboxstats.archive.files import fsync_folder, make_folder, write_whole
from inboxstats.archive.layout import message_key, uid_of
from inboxstats.archive.listing import LARGEST_UID, Listing
from inboxstats.archive.stored import Stored, path_of
from inboxstats.errors import storage_errors
from inboxstats.mail import HEADER_ALONE, Content, HeaderLocation, MessageKey

NAME, ENDING = "headers-", ".z"

LONGEST = 262_144
"""Bytes of a header that are kept: as many as the parser reads, unless it is told to read more."""

MOST_BYTES = 4_000_000
"""Of the headers in a file, which is put together in memory."""


class Header(NamedTuple):
    """A header in a file: its message's UID and size as the server says, and where it stands in what is packed."""

    uid: int
    size: int | None
    start: int
    length: int


def is_name(name: str) -> bool:
    """Whether a file is called as ours are."""
    return name.startswith(NAME) and name.endswith(ENDING)


class Headers:
    """Those of one mailbox; `listed` gives its last listing, which takes its time and is asked for as seldom as can be.

    Several threads may store at once; the rest is for one thread. All of it raises StorageError.
    """

    def __init__(self, mailbox: str, listed: Callable[[], Listing], *, fsync: bool) -> None:
        self._mailbox = mailbox
        self._listed = listed
        self._fsync = fsync

    def store(self, messages: Iterable[tuple[MessageKey, Content]], sizes: Mapping[MessageKey, int]) -> None:
        """Keep headers as they come, with the sizes of their messages, 0 for an unknown one.

        Whatever the iterable raises leaves what came before stored.
        """
        held: dict[MessageKey, bytes] = {}
        room = MOST_BYTES
        try:
            for key, content in messages:
                data = content if isinstance(content, bytes) else next(content.pieces, b"")
                held[key] = data[:LONGEST]
                room -= len(held[key])
                if room < 0:
                    full, held, room = held, {}, MOST_BYTES
                    self._write(full, sizes)
        finally:
            if held:
                self._write(held, sizes)

    def _write(self, held: Mapping[MessageKey, bytes], sizes: Mapping[MessageKey, int]) -> None:
        keys = sorted(held, key=uid_of)
        index = [[uid_of(key), sizes[key] or None, len(held[key])] for key in keys]
        line = json.dumps(index, separators=(",", ":")).encode() + b"\n"
        data = zlib.compress(line + b"".join(held[key] for key in keys))
        folder = os.path.join(self._mailbox, keys[0].partition("-")[0])
        path = os.path.join(folder, f"{NAME}{uid_of(keys[0])}{ENDING}")
        with storage_errors(f"write the {len(data):,} bytes of", path):
            make_folder(folder, fsync=self._fsync)
            write_whole(path, data, fsync=self._fsync)
            if self._fsync:
                fsync_folder(folder)

    def locations(self) -> dict[MessageKey, HeaderLocation]:
        """Where those that count stand. To be read before the messages, some of which may have arrived by then."""
        found: dict[MessageKey, HeaderLocation] = {}
        with storage_errors("read", self._mailbox):
            paths = self._paths()
            listing = self._listed() if paths else Listing(0)
            for path in paths.get(listing.uidvalidity, ()):
                for header in _counted(path, listing):
                    text = path_of(self._mailbox, listing.uidvalidity, header.uid)
                    location = HeaderLocation(path, header.start, header.length, HEADER_ALONE, header.size, text)
                    found[message_key(listing.uidvalidity, header.uid)] = location
        return found

    def missing(self, messages: Listing) -> Listing:
        """Those of the messages of which not even the header is here."""
        with storage_errors("read", self._mailbox):
            paths = self._paths().get(messages.uidvalidity, ())
            uids = {header.uid for path in paths for header in _counted(path, messages)}
        return messages.without(array("I", sorted(uids)))

    def drop(self, stored: Stored) -> None:
        """Remove the files of which no header counts any more, now that these messages are there; damaged ones, too."""
        with storage_errors("remove headers in", self._mailbox):
            paths = self._paths()
            listing = self._listed() if paths else Listing(0)
            left = listing.without(stored.uids(listing.uidvalidity))
            for uidvalidity, of_generation in paths.items():
                for path in of_generation:
                    if uidvalidity != left.uidvalidity or not any(_counted(path, left)):
                        os.unlink(path)

    def discard(self, stored: Stored) -> int:
        """Remove all files: no message comes any more. Returns how many headers counted, with these messages there."""
        found = sum(key not in stored for key in self.locations())
        with storage_errors("remove headers in", self._mailbox):
            for of_generation in self._paths().values():
                for path in of_generation:
                    os.unlink(path)
        return found

    def _paths(self) -> dict[int, list[str]]:
        """The files, by UIDVALIDITY."""
        found: dict[int, list[str]] = {}
        if not os.path.isdir(self._mailbox):  # nothing of it was ever stored
            return found
        with os.scandir(self._mailbox) as generations:
            for generation in generations:
                if generation.name.isdecimal() and generation.is_dir():
                    names = sorted(filter(is_name, os.listdir(generation.path)))
                    if names:
                        found[int(generation.name)] = [os.path.join(generation.path, name) for name in names]
        return found


def _counted(path: str, listing: Listing) -> Iterator[Header]:
    """The headers of messages that the listing has; with the size that they had, lest a UID was given to another."""
    for header in _read(path):
        place = listing.place(header.uid)
        if place is not None and max(listing.sizes[place], 0) == (header.size or 0):  # an unknown size is below 0
            yield header


def _read(path: str) -> list[Header]:
    """What a file holds: nothing where it is damaged, or was removed meanwhile."""
    try:
        with open(path, "rb") as file:
            content = zlib.decompress(file.read())
        line, _, headers = content.partition(b"\n")
        start, found = len(line) + 1, []
        for uid, size, length in json.loads(line):
            found.append(Header(uid, size, start, length))
            start += length
        is_whole = start == len(content) == len(line) + 1 + len(headers) and all(map(_is_possible, found))
    except (FileNotFoundError, zlib.error, ValueError, TypeError):
        return []
    return found if is_whole else []


def _is_possible(header: Header) -> bool:
    numbers = (header.uid, header.size or 0, header.length)
    return all(isinstance(number, int) and 0 <= number <= LARGEST_UID for number in numbers)
