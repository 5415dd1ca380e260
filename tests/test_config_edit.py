"""config.toml is changed without losing a line of it, completely or not at all."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inboxstats import config, config_edit
from inboxstats.config_edit import add_account, remove_account
from inboxstats.errors import StorageError, UsageError

SETTINGS = {"host": "imap.example.net", "user": "you@example.net"}

WRITTEN = """\
# Mine, since 2024
archive = "~/Mail"   # on the big disk

[accounts.work]  # the boss's
host = "imap.example.org"
user   =   'me@example.org'
# not too many
threads = 2

[report]
# formats = ["html"]
keep = 30
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_an_account_is_added_and_all_that_was_there_stays(path: Path) -> None:
    path.write_text(WRITTEN)
    add_account(path, "you@example.net", SETTINGS)
    lines = path.read_text().splitlines()
    assert [line for line in WRITTEN.splitlines() if line not in lines] == []
    found = config.read(path)
    assert list(found.accounts) == ["work", "you@example.net"]
    assert (found.accounts["you@example.net"].host, found.report.keep) == ("imap.example.net", 30)
    assert found.accounts["work"].threads == 2


def test_adding_and_removing_leaves_the_file_as_it_was(path: Path) -> None:
    path.write_text(WRITTEN)
    add_account(path, "home", SETTINGS)
    remove_account(path, "home")
    assert path.read_text().split() == WRITTEN.split()


def test_removing_an_account_leaves_the_others_with_their_comments(path: Path) -> None:
    path.write_text(WRITTEN + '\n[accounts.home]\nhost = "h"\nuser = "u"\n')
    remove_account(path, "work")
    text = path.read_text()
    assert list(config.read(path).accounts) == ["home"]
    assert '# Mine, since 2024\narchive = "~/Mail"   # on the big disk\n' in text
    assert '[report]\n# formats = ["html"]\nkeep = 30\n' in text
    remove_account(path, "home")
    assert config.read(path).accounts == {}
    with pytest.raises(UsageError, match="has no account 'home'"):
        remove_account(path, "home")


@pytest.mark.parametrize("name", ["work", "you@example.net", 'quo"ted', "a.b", "ünï", "new\nline", ""])
def test_a_name_of_any_kind_is_written_so_that_it_is_read_again(path: Path, name: str) -> None:
    add_account(path, name, SETTINGS)
    assert list(config.read(path).accounts) == [name]


def test_a_new_file_and_its_folder_are_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    add_account(path, "a", {**SETTINGS, "port": 1143, "password_command": ["pass", "show", "mail/a b"]})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    account = config.read(path).accounts["a"]
    assert (account.port, account.password_command) == (1143, ("pass", "show", "mail/a b"))


def test_a_file_that_others_could_read_is_the_users_alone_afterwards(path: Path) -> None:
    path.write_text(WRITTEN)
    path.chmod(0o644)
    add_account(path, "home", SETTINGS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_account_that_is_there_is_replaced_only_when_that_is_said(path: Path) -> None:
    path.write_text(WRITTEN)
    with pytest.raises(UsageError, match=r"has an account 'work' already.*--replace"):
        add_account(path, "work", SETTINGS)
    assert path.read_text() == WRITTEN
    add_account(path, "work", {**SETTINGS, "port": 1993}, replace=True)
    add_account(path, "work", SETTINGS, replace=True)
    account = config.read(path).accounts["work"]
    assert (account.host, account.user, account.port, account.threads) == (
        "imap.example.net",
        "you@example.net",
        None,
        2,
    )
    assert "# not too many" in path.read_text()


@pytest.mark.parametrize("text", ["archiv = 'x'\n", "[accounts.a]\nhost = 'h'\n", "archive = \n", "accounts = 3\n"])
def test_a_file_with_a_mistake_is_not_touched(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError):
        add_account(path, "b", SETTINGS)
    assert path.read_text() == text


def test_settings_that_are_no_account_are_not_written(path: Path) -> None:
    path.write_text(WRITTEN)
    with pytest.raises(UsageError, match=r"accounts\.b\.port"):
        add_account(path, "b", {**SETTINGS, "port": 0})
    assert path.read_text() == WRITTEN


def test_accounts_in_one_line_are_changed_as_well(path: Path) -> None:
    path.write_text('accounts = { a = { host = "h", user = "u" } }\n')
    add_account(path, "b", SETTINGS)
    assert list(config.read(path).accounts) == ["a", "b"]


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    kept = tmp_path / "dotfiles" / "inboxstats.toml"
    kept.parent.mkdir()
    kept.write_text(WRITTEN)
    path.symlink_to(kept)
    add_account(path, "home", SETTINGS)
    assert path.is_symlink()
    assert list(config.read(kept).accounts) == ["work", "home"]


def test_of_many_changes_at_once_none_is_lost(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from inboxstats.config_edit import add_account\n"
        "for n in range(5): add_account(Path(sys.argv[1]), f'{sys.argv[2]}{n}', {'host': 'h', 'user': 'u'})"
    )
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(
            lambda who: subprocess.run(
                [sys.executable, "-c", program, str(path), who], check=True, capture_output=True
            ),
            "abcd",
        )
        assert len(list(done)) == 4
    assert set(config.read(path).accounts) == {f"{who}{n}" for who in "abcd" for n in range(5)}


def test_a_write_that_fails_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(WRITTEN)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="no space is left"):
        add_account(path, "b", SETTINGS)
    assert path.read_text() == WRITTEN
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".part"] == []


def test_a_change_that_waits_too_long_for_another_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_edit, "LOCK_SECONDS", 0.1)
    with config_edit.held(path), pytest.raises(UsageError, match="Another program is changing"):
        add_account(path, "b", SETTINGS)
