"""The refresh token in the keyring, whole and in pieces."""

import json
from pathlib import Path

import filekeyring
import pytest

from inboxstats.errors import CredentialsError
from inboxstats.oauth import keeping
from inboxstats.oauth.keeping import Kept, forget, keep, kept

ENTRY = "oauth ann@imap.example.org"
LONG = Kept("r" * 3_000, "client")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in filekeyring.environment(tmp_path / "keyring.json").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "keyring.json"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILE_KEYRING_LIMIT", "1")
    monkeypatch.setattr(keeping, "PIECE", 1_200)


def test_what_is_kept_comes_back_and_nothing_is_there_before() -> None:
    assert kept(ENTRY) is None
    keep(ENTRY, LONG)
    assert kept(ENTRY) == LONG
    assert "rrr" not in repr(LONG)


@pytest.mark.usefixtures("windows")
def test_where_secrets_are_short_it_is_kept_in_pieces_that_follow_each_other(path: Path) -> None:
    keep(ENTRY, LONG)
    assert kept(ENTRY) == LONG
    assert len(json.loads(path.read_text())) == 4, "3,052 characters are three pieces of 1,200, and their names"
    keep(ENTRY, Kept("short"))
    assert kept(ENTRY) == Kept("short")
    assert len(json.loads(path.read_text())) == 1, "the pieces are gone"
    keep(ENTRY, LONG)
    forget(ENTRY)
    assert json.loads(path.read_text()) == {}


@pytest.mark.usefixtures("windows")
def test_a_run_that_dies_between_two_pieces_leaves_the_old_token(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(ENTRY, LONG)
    real, stored = keeping.keyring.store, []

    def store(entry: str, secret: str) -> None:
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(entry)
        real(entry, secret)

    monkeypatch.setattr(keeping.keyring, "store", store)
    with pytest.raises(KeyboardInterrupt):
        keep(ENTRY, Kept("n" * 3_000))
    assert kept(ENTRY) == LONG


@pytest.mark.usefixtures("windows")
def test_a_lost_piece_is_no_token(path: Path) -> None:
    keep(ENTRY, LONG)
    entries = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in entries.items() if not name.endswith(" 2")}))
    assert kept(ENTRY) is None


def test_a_keyring_that_cannot_be_asked_is_not_taken_for_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(CredentialsError, match="switched off"):
        kept(ENTRY)
    with pytest.raises(CredentialsError, match="is not stored"):
        keep(ENTRY, LONG)
