"""Where a secret may be seen, and in which shapes."""

import base64
import threading
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Self


class ProcessList:
    """Every argument list on this machine, looked at again and again while the context lasts."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._done.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def shapes(secret: str) -> set[bytes]:
    """A secret as it is, as a form has it, and in base64, wherever it begins in what is encoded (RFC 4648)."""
    encoded = set()
    for before in range(3):
        code = base64.b64encode(b"x" * before + secret.encode())
        # A character holds bits of its neighbours where three octets are not all the secret's.
        encoded.add(code[4 if before else 0 : len(code) - 4])
    return {secret.encode(), urllib.parse.quote(secret, safe="").encode(), *encoded}


def showing(secrets: Iterable[str], texts: Iterable[bytes]) -> list[bytes]:
    """Those of the texts that show a secret in any shape."""
    wanted = [shape for secret in secrets for shape in shapes(secret)]
    return [text for text in texts if any(shape in text for shape in wanted)]


def files(folder: Path, *, but: Iterable[str] = ()) -> dict[Path, bytes]:
    """What all files below a folder hold, but for those of some names."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in but)
    return {path: path.read_bytes() for path in paths}
