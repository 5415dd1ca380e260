"""Which messages are on disk: the names alone, in one pass, as a mailbox may have a million of them."""

import hashlib
import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from inboxstats.archive.files import TEMPORARY
from inboxstats.archive.layout import IMPORTED, as_given, message_key, message_path
from inboxstats.archive.listing import LARGEST_UID
from inboxstats.archive.parquet import Integers
from inboxstats.mail import MessageKey


class Stored(AbstractSet[MessageKey]):
    """The keys of complete message files: by UIDVALIDITY the UIDs, ascending."""

    __slots__ = ("generations",)

    def __init__(self, generations: Mapping[int, Integers]) -> None:
        self.generations = generations

    def uids(self, uidvalidity: int) -> Integers:
        """The UIDs under one UIDVALIDITY, ascending."""
        return self.generations.get(uidvalidity) or array("I")

    def generation(self, uidvalidity: int) -> int:
        """The latest generation of a UIDVALIDITY: see `layout.next_generation`."""
        first = as_given(uidvalidity)
        ours = (each for each in self.generations if as_given(each) == first and each != IMPORTED)
        return max(ours, default=first)

    def __len__(self) -> int:
        return sum(map(len, self.generations.values()))

    def __iter__(self) -> Iterator[MessageKey]:
        return (message_key(uidvalidity, uid) for uidvalidity, uids in self.generations.items() for uid in uids)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        generation, _, uid = key.partition("-")
        if not (_is_number(generation) and _is_number(uid)):
            return False
        uids = self.uids(int(generation))
        place = bisect_left(uids, int(uid))
        return place < len(uids) and key == message_key(generation, uids[place])

    def digest(self) -> str:
        """Equal for the same messages."""
        found = hashlib.sha256()
        for uidvalidity, uids in sorted(self.generations.items()):
            found.update(b"%d %d %d\n" % (uidvalidity, len(uids), uids.itemsize))
            found.update(uids.tobytes())
        return f"{sys.byteorder} {found.hexdigest()}"


def scan(mailbox: str) -> tuple[Stored, list[str]]:
    """The messages in a mailbox's folder, and the paths of half-written files. Raises OSError."""
    generations, left = {}, []
    folders, files = _entries(mailbox)
    left += _half_written(mailbox, files)
    for name in filter(_is_number, folders):
        generation = os.path.join(mailbox, name)
        uids = array("I")
        buckets, files = _entries(generation)
        left += _half_written(generation, files)
        for bucket in sorted(buckets, key=lambda each: (len(each), each)):
            names = os.listdir(os.path.join(generation, bucket))
            found, others = _uids(names)
            left += _half_written(os.path.join(generation, bucket), others)
            if uids and found and found[0] <= uids[-1]:  # a file that was moved by hand
                found = array("I", sorted({*uids, *found}))
                uids = array("I")
            uids.extend(found)
        generations[int(name)] = uids
    return Stored(generations), left


def path_of(mailbox: str, uidvalidity: int, uid: int) -> str:
    """Where a message's file stands."""
    return os.path.join(mailbox, *message_path(message_key(uidvalidity, uid)))


def _entries(path: str) -> tuple[list[str], list[str]]:
    """The names of the folders and of all else; none where there is no such folder."""
    folders: list[str] = []
    others: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                (folders if entry.is_dir() else others).append(entry.name)
    except FileNotFoundError:
        pass
    return folders, others


def _half_written(folder: str, names: Sequence[str]) -> list[str]:
    return [os.path.join(folder, name) for name in names if name.endswith(TEMPORARY)]


def _uids(names: list[str]) -> tuple[Integers, list[str]]:
    """The UIDs that files are named after, ascending, and the names of other files."""
    # 1,000 names at once: three times as fast as one by one.
    text = "\n".join(names)
    stems = text.split(".eml")
    if len(stems) == len(names) + 1 and not stems[-1] and _is_digits("".join(stems)) and "\n0" not in f"\n{text}":
        with suppress(ValueError, OverflowError):
            return array("I", sorted(map(int, stems[:-1]))), []
    found = {name: int(name[:-4]) for name in names if name.endswith(".eml") and _is_number(name[:-4])}
    others = [name for name in names if found.get(name, LARGEST_UID + 1) > LARGEST_UID]
    return array("I", sorted(uid for uid in found.values() if uid <= LARGEST_UID)), others


def _is_digits(text: str) -> bool:
    return text.isascii() and text.replace("\n", "").isdecimal()


def _is_number(name: str) -> bool:
    return name.isdecimal() and name.isascii() and len(name) < 20 and str(int(name)) == name
