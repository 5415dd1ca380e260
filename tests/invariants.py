"""What holds of an archive after every run, whatever befell it; read from the files alone, with nothing of the package.

Each row of the manifest has its file, with that size and SHA-256; no file under a final name is partial; nothing that
was stored is lost; no secret is in any file. After a clean run there are besides no temporary files, every file has its
row, and all that the server has is there.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scripted_mailbox import Box


class Key(NamedTuple):
    """A message, as a server numbers it."""

    mailbox: str
    uidvalidity: int
    uid: int


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(slots=True)
class Witness:
    """Remembers what servers had and what the archive held, and looks at the archive after each run.

    served -- the SHA-256 of each message that a server ever had
    """

    archive: Path
    secret: bytes
    served: dict[Key, str] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    def knows(self, boxes: Mapping[str, Box]) -> set[Key]:
        """Take down what a server has now. Returns the keys."""
        there = {
            Key(name, int(each.uid_validity or 0), uid): sha256(message.data)
            for name, each in boxes.items()
            for uid, message in list(each.messages.items())
        }
        self.served |= there
        return set(there)

    def forget(self) -> None:
        """The archive is another one: what was stored so far need not be in it."""
        self._held.clear()

    def look(self) -> dict[Key, str]:
        """What holds after any run, one that was killed too. Returns what is stored."""
        mailboxes = _mailboxes(self.archive)
        stored = {key: sha256(path.read_bytes()) for key, path in _files(mailboxes)}
        wrong = [key for key, digest in stored.items() if self.served.get(key) != digest]
        assert not wrong, f"partial, or not what the server has: {wrong[:5]}"
        entered = {(key, size, digest) for key, size, digest in _rows(mailboxes)}
        sizes = {key: path.stat().st_size for key, path in _files(mailboxes)}
        alone = [row for row in entered if row[1:] != (sizes.get(row[0]), stored.get(row[0]))]
        assert not alone, f"rows without their file: {alone[:5]}"
        lost = self._held - set(stored.values())
        assert not lost, f"{len(lost)} messages were stored and are lost"
        self._held = set(stored.values())
        for path in self.archive.rglob("*"):
            if path.is_file() and path.suffix != ".eml":
                assert self.secret not in path.read_bytes(), f"the password is in {path}"
        return stored

    def look_whole(self, present: Iterable[Key]) -> None:
        """What holds besides after a clean run; `present` is what the server has."""
        stored, there = self.look(), set(present)
        missing = there - stored.keys()
        assert not missing, f"not fetched: {sorted(missing)[:5]}"
        mailboxes = _mailboxes(self.archive)
        without_row = stored.keys() - {key for key, _, _ in _rows(mailboxes)}
        assert not without_row, f"files without a row: {sorted(without_row)[:5]}"
        temporary = [path for path in self.archive.rglob("*") if path.name.endswith(".part")]
        # Headers of messages that are all there; but a mailbox that is suddenly empty, or gone, changes nothing.
        for name in {key.mailbox for key in there} & mailboxes.keys():
            temporary += mailboxes[name].glob("*/headers-*")
        assert not temporary, f"left over: {temporary[:5]}"


def everything(archive: Path) -> dict[str, tuple[int, int]]:
    """Each file with its time of change and its size: equal where nothing was written. The lock does not count."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in archive.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def _mailboxes(archive: Path) -> dict[str, Path]:
    """The mailboxes' folders, by the names that stand in them."""
    return {json.loads(path.read_bytes())["name"]: path.parent for path in archive.glob("*/*/mailbox.json")}


def _files(mailboxes: Mapping[str, Path]) -> list[tuple[Key, Path]]:
    return [
        (Key(name, int(path.parent.parent.name), int(path.stem)), path)
        for name, folder in mailboxes.items()
        for path in folder.glob("*/*/*.eml")
        if not path.name.startswith(".")
    ]


def _rows(mailboxes: Mapping[str, Path]) -> list[tuple[Key, int, str]]:
    """Key, size and SHA-256 of each row; a last line without its end, and one that is no JSON, are none."""
    rows = []
    for name, folder in mailboxes.items():
        manifest = folder / "manifest.jsonl"
        whole = manifest.read_bytes().rpartition(b"\n")[0] if manifest.exists() else b""
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                rows.append((Key(name, row["uidvalidity"], row["uid"]), row["size"], row["sha256"]))
    return rows
