"""Where a password comes from. The keyring's backends are real ones, or modules that fail as real ones do."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from inboxstats import credentials
from inboxstats.credentials import Login, password_for, split_command
from inboxstats.errors import CredentialsError, UsageError

CANARY = "canary-Zt9!"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No secret from the machine that runs the tests, and a keyring that has none."""
    for name in ("INBOXSTATS_PASSWORD", "CREDENTIALS_DIRECTORY", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def login(*command: str) -> Login:
    return Login("imap.example.org", "me@example.org", "work", command)


def found(*command: str) -> str:
    return password_for(login(*command), warn=lambda _: None)


def refusal(*command: str) -> str:
    with pytest.raises(CredentialsError) as caught:
        found(*command)
    assert caught.value.exit_code == 4
    return str(caught.value)


def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A keyring backend whose get_password is `body`."""
    lines = "\n        ".join(body.splitlines())
    (tmp_path / "tried.py").write_text(
        "import time\nimport keyring.backend\n\nclass Keyring(keyring.backend.KeyringBackend):\n"
        "    priority = 1\n    def set_password(self, *args): ...\n"
        f"    def get_password(self, service, user):\n        {lines}\n"
    )
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tried.Keyring")


def test_the_first_line_of_the_command_is_the_password() -> None:
    assert found(sys.executable, "-c", f"print('{CANARY}'); print('a note')") == CANARY


def test_a_command_runs_without_a_shell() -> None:
    assert found("echo", "$HOME; id") == "$HOME; id"


def test_an_option_is_split_as_a_shell_splits_words() -> None:
    assert split_command("pass show 'mail/my work'") == ("pass", "show", "mail/my work")
    with pytest.raises(UsageError, match="Check the quotes"):
        split_command("pass 'mail")
    with pytest.raises(UsageError, match="empty"):
        split_command("  ")


def test_each_failure_of_a_command_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not found" in refusal("no-such-program-at-all")
    assert "failed with exit code 3" in refusal(sys.executable, "-c", f"print('{CANARY}'); raise SystemExit(3)")
    assert "printed nothing" in refusal("true")
    monkeypatch.setattr(credentials, "PATIENCE", 0.5)
    began = time.monotonic()
    assert "took more than" in refusal("sleep", "30")
    assert time.monotonic() - began < 10


def test_systemd_hands_a_credential_over_under_the_accounts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").write_text(CANARY + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "the environment comes later")
    assert found() == CANARY


def test_the_keyring_is_asked_under_service_and_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend(tmp_path, monkeypatch, "return f'{service} {user}'")
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "the environment comes later")
    assert found() == "inboxstats me@example.org@imap.example.org"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return None", "the keyring has no entry for it"),
        (f"raise RuntimeError('{CANARY}')", r"the keyring failed \(RuntimeError\)"),
        ("import keyring.errors\nraise keyring.errors.KeyringLocked('x')", r"the keyring failed \(KeyringLocked\)"),
        ("import os\nos._exit(1)", "the keyring could not be asked"),
    ],
)
def test_each_failure_of_a_keyring_has_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, sentence: str
) -> None:
    backend(tmp_path, monkeypatch, body)
    with pytest.raises(CredentialsError, match=sentence) as caught:
        found()
    assert CANARY not in str(caught.value)


def test_a_keyring_that_hangs_is_left_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend(tmp_path, monkeypatch, "time.sleep(60)")
    monkeypatch.setattr(credentials, "PATIENCE", 2.0)
    began = time.monotonic()
    assert "did not answer within 2 s" in refusal()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("name", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_no_keyring_is_said(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    assert "this machine has no keyring" in refusal()


def test_a_keyring_that_stores_plain_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    entry = ("inboxstats", "me@example.org@imap.example.org")
    subprocess.run([sys.executable, "-m", "keyring", "set", *entry], input=CANARY, text=True, check=True)
    assert "stores plain text, so it is not used" in refusal()


def test_the_environment_is_taken_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setenv("INBOXSTATS_PASSWORD", CANARY)
    assert password_for(login(), warn=warnings.append) == CANARY
    assert len(warnings) == 1
    assert CANARY not in warnings[0]


def test_a_person_is_asked_last() -> None:
    prompts: list[str] = []
    assert password_for(login(), ask=lambda prompt: (prompts.append(prompt), CANARY)[1], warn=lambda _: None) == CANARY
    assert prompts == ["Password for me@example.org at imap.example.org: "]


def test_without_any_the_ways_are_named() -> None:
    sentence = refusal()
    for way in ("--password-command", "keyring set inboxstats me@example.org@imap.example.org", "INBOXSTATS_PASSWORD"):
        assert way in sentence
