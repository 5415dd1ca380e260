"""Where a password comes from. The keyring's backends are real ones, or modules that fail as real ones do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from open_files import no_more_files
from servers.secret_service import SecretService

from inboxstats.credentials import Login, Secret, keyring, password_for, secret_for, split_command
from inboxstats.errors import CredentialsError, StorageError, UsageError

CANARY = "canary-Zt9!"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No secret from the machine that runs the tests, and a keyring that has none."""
    for name in ("INBOXSTATS_PASSWORD", "CREDENTIALS_DIRECTORY", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(keyring, "PATIENCE", 120.0)  # what a busy machine takes to start a child is no matter here


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
    assert "holds a NUL" in refusal("echo", "a\0b")
    monkeypatch.setattr(keyring, "PATIENCE", 0.5)
    began = time.monotonic()
    assert "took more than" in refusal("sleep", "30")
    assert time.monotonic() - began < 10


def test_a_command_that_prints_without_end_is_ended_at_once() -> None:
    assert "printed more than 65,536 bytes" in refusal("yes")


@pytest.mark.parametrize("way", ["command", "systemd", "environment"])
def test_a_password_that_is_not_utf_8_is_refused_wherever_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    latin = b"canary-p\xe4ss"
    (tmp_path / "work").write_bytes(latin)
    match way:
        case "command":
            sentence = refusal("cat", str(tmp_path / "work"))
        case "systemd":
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
            sentence = refusal()
        case _:
            monkeypatch.setenv("INBOXSTATS_PASSWORD", os.fsdecode(latin))
            sentence = refusal()
    assert "is not UTF-8" in sentence
    assert "canary" not in sentence


def test_systemd_hands_a_credential_over_under_the_accounts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").write_text(CANARY + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "the environment comes later")
    assert found() == CANARY


def test_a_credential_that_cannot_be_read_is_no_reason_to_try_another_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "another one")
    assert "systemd's credential" in refusal()


def test_a_credential_of_another_account_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text(CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "No password for me@example.org" in refusal()


def test_the_environments_password_is_handed_to_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOXSTATS_PASSWORD", CANARY)
    assert found(sys.executable, "-c", "import os; print(os.environ.get('INBOXSTATS_PASSWORD'))") == "None"


def test_a_command_that_takes_too_long_leaves_no_process_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "PATIENCE", 1.0)
    alive = tmp_path / "alive"  # a pipe has a reader as long as the grandchild lives
    os.mkfifo(alive)
    program = f"exec 3<>{alive}; sleep 600 3<{alive} & wait"
    assert "took more than 1 s" in refusal("sh", "-c", program)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.close(os.open(alive, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # ENXIO: nobody reads any more
            return
        time.sleep(0.05)
    pytest.fail("the command's child goes on")


def test_the_keyring_is_asked_under_service_and_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend(tmp_path, monkeypatch, "return f'{service} {user}'")
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "the environment comes later")
    assert found() == "inboxstats me@example.org@imap.example.org"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return None", "the keyring has no entry for it"),
        (f"raise RuntimeError('{CANARY}')", r"the keyring failed \(RuntimeError\)"),
        (
            "import keyring.errors\nraise keyring.errors.KeyringLocked('x')",
            "the keyring is locked, and nobody is there to unlock it",
        ),
        (
            "import keyring.errors\nraise keyring.errors.InitError('x')",
            "the keyring is locked, and nobody is there to unlock it",
        ),
        ("import getpass\nreturn getpass.getpass()", "the keyring is locked, and nobody is there to unlock it"),
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
    monkeypatch.setattr(keyring, "PATIENCE", 2.0)
    began = time.monotonic()
    assert "did not answer within 2 s" in refusal()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("keyring.backends.fail.Keyring", "this machine has no keyring"),
        ("keyring.backends.null.Keyring", "the keyring is switched off: its null backend keeps nothing"),
        ("no_such_module.Keyring", r"the keyring's backend cannot be loaded \(ModuleNotFoundError\)"),
        ("keyring.backends.null.NoSuchClass", r"the keyring's backend cannot be loaded \(AttributeError\)"),
    ],
)
def test_no_keyring_is_said(monkeypatch: pytest.MonkeyPatch, name: str, sentence: str) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    with pytest.raises(CredentialsError, match=sentence):
        found()
    with pytest.raises(CredentialsError, match=f"is not stored: {sentence}"):
        keyring.store(login().entry, CANARY)


def test_a_keyring_that_stores_plain_text_is_refused_for_reading_and_for_storing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    entry = ("inboxstats", "me@example.org@imap.example.org")
    subprocess.run([sys.executable, "-m", "keyring", "set", *entry], input=CANARY, text=True, check=True)
    assert "(keyrings.alt.file) stores plain text, so it is not used" in refusal()
    with pytest.raises(CredentialsError, match=r"\(keyrings\.alt\.file\) stores plain text"):
        keyring.store("someone@else", CANARY)
    assert "someone" not in (tmp_path / "python_keyring" / "keyring_pass.cfg").read_text()


def test_a_chain_of_backends_is_used_without_those_that_store_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tried.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Plaintext(KeyringBackend):\n"
        "    priority = 2\n"
        "    def set_password(self, *args): ...\n"
        "    def get_password(self, *args): return 'of the plain one'\n"
        "class Safe(KeyringBackend):\n"
        "    priority = 1\n"
        "    def set_password(self, *args): ...\n"
        "    def get_password(self, service, user): return f'{service} {user}'\n"
        "class Keyring(Safe):\n"
        "    priority = 3\n"
        "    backends = [Plaintext(), Safe()]\n"
    )
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tried.Keyring")
    assert found() == "inboxstats me@example.org@imap.example.org"


def test_the_real_encrypted_keyring_keeps_a_password_that_its_file_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "tried.py").write_text(
        "from keyrings.alt.file import EncryptedKeyring\n"
        "class Keyring(EncryptedKeyring):\n"
        "    keyring_key = 'as typed by a person'\n"
    )
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tried.Keyring")
    assert "the keyring has no entry for it" in refusal()
    for password in (CANARY, "cänary-Zt9!\u20ac"):
        keyring.store(login().entry, password)
        assert secret_for(login(), warn=lambda _: None).way == "keyring"
        assert found() == password
    kept = (tmp_path / "python_keyring" / "crypted_pass.cfg").read_bytes()
    assert b"nary-Zt9" not in kept
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.EncryptedKeyring")
    assert "the keyring is locked, and nobody is there to unlock it" in refusal()
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tried.Keyring")
    assert keyring.remove(login().entry)
    assert not keyring.remove(login().entry)
    assert "the keyring has no entry for it" in refusal()


def test_the_secret_service_of_a_desktop_keeps_a_password_until_it_is_locked(
    keyring_service: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    for name, value in keyring_service.environment.items():
        monkeypatch.setenv(name, value)
    assert "the keyring has no entry for it" in refusal()
    keyring.store(login().entry, CANARY)
    assert secret_for(login(), warn=lambda _: None) == Secret(CANARY, "keyring")
    files = [path for path in keyring_service.folder.rglob("*.keyring") if path.is_file()]
    assert files
    assert all(CANARY.encode() not in path.read_bytes() for path in files)
    keyring_service.lock()
    assert "the keyring is locked, and nobody is there to unlock it" in refusal()
    with pytest.raises(CredentialsError, match="may still be in the keyring: the keyring is locked"):
        keyring.remove(login().entry)


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


@pytest.mark.parametrize("way", ["command", "systemd", "keyring"])
def test_a_way_that_could_not_be_looked_at_for_want_of_files_is_not_at_fault(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "systemd":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "work").write_text(CANARY)
    with no_more_files(), pytest.raises(StorageError, match=r"too many files are open\. Raise the limit") as caught:
        found(*["cat"] if way == "command" else [])
    assert caught.value.exit_code == 6
