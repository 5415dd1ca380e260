"""A keyring backend for tests, in a JSON file, where wanted with the limit of Windows: 2,560 bytes of UTF-16."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class Keyring(KeyringBackend):
    priority = 1.0

    def _entries(self) -> dict[str, str]:
        path = Path(os.environ["FILE_KEYRING"])
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _keep(self, entries: dict[str, str]) -> None:
        Path(os.environ["FILE_KEYRING"]).write_text(json.dumps(entries))

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}: {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        if "FILE_KEYRING_LIMIT" in os.environ and len(password.encode("utf-16-le")) > 2_560:
            raise ValueError("the stub received bad data")
        self._keep(self._entries() | {f"{service}: {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if entries.pop(f"{service}: {username}", None) is None:
            raise PasswordDeleteError("there is none")
        self._keep(entries)


def environment(path: Path) -> dict[str, str]:
    """The variables with which a process uses it, in the file given."""
    return {
        "PYTHON_KEYRING_BACKEND": "filekeyring.Keyring",
        "PYTHONPATH": str(Path(__file__).parent),
        "FILE_KEYRING": str(path),
    }
