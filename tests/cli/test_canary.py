"""A secret, however it comes, is in no output, log, process list, state file or traceback."""

import ast
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from canary import ProcessList, files, showing
from command import Done, Inboxstats
from servers.dovecot import Dovecot
from servers.raw import Login
from servers.secret_service import SecretService

import inboxstats as inboxstats_package

PART = secrets.token_hex(8)
SECRET = re.compile(r"(^|_)(password|secret|token|credential)s?$")
CANARY = f"cänary {PART}!"
"""Of this run alone: the process list shows what other tests run, too."""


@pytest.fixture
def user(dovecot: Dovecot) -> Login:
    user = dovecot.add_user(password=CANARY)
    dovecot.fill(user, "INBOX", [b"Subject: x\r\n\r\n"] * 2)
    return user


def leaks(folder: Path) -> list[Path]:
    return [path for path, data in files(folder).items() if showing([PART], [data])]


def shown(*done: Done) -> list[bytes]:
    return showing([PART], [(each.out + each.err).encode() for each in done])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_secret_from_the_keyring_or_a_pipe_is_nowhere_to_be_seen(
    inboxstats: Inboxstats, user: Login, keyring_service: SecretService
) -> None:
    bus = "DBUS_SESSION_BUS_ADDRESS"
    keyring = {
        bus: keyring_service.environment[bus],
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }
    add = ["account", "add", user.user, "--host", user.host, "--port", str(user.port), "--security", "none", "-v"]
    with ProcessList() as processes:
        done = [inboxstats(*add, "--password-stdin", "-v", stdin=CANARY, **keyring)]
        commands = (
            ["account", "list"],
            ["account", "test", "-vv"],
            ["config", "show", "--origin"],
            ["doctor", "--json"],
            ["fetch", "-vv"],
            ["verify"],
            ["report", "--format", "json"],
        )
        done += [inboxstats(*command, **keyring) for command in commands]
    assert [each.code for each in done] == [0] * len(done), [each.err for each in done if each.code]
    assert any(b"inboxstats.credentials.child" in each for each in processes.seen)
    assert showing([PART], processes.seen) == shown(*done) == []
    assert leaks(inboxstats.home) == leaks(keyring_service.folder) == []


def test_a_secret_that_is_refused_is_in_no_message(inboxstats: Inboxstats, user: Login, tmp_path: Path) -> None:
    wrong = f"{PART}-wrong"
    (tmp_path / "secret").write_text(wrong)
    add = ["account", "add", user.user, "--host", user.host, "--port", str(user.port), "--security", "none", "-vv"]
    for arguments, environment in (
        ([*add, "--password-command", f"cat {tmp_path}/secret"], {}),
        ([*add, "--password-command", f"sh -c 'cat {tmp_path}/secret; exit 3'"], {}),
        ([*add], {"INBOXSTATS_PASSWORD": wrong}),
        ([*add, "--name", "secret"], {"CREDENTIALS_DIRECTORY": str(tmp_path)}),
    ):
        done = inboxstats(*arguments, **environment)
        assert done.code == 4, done
        assert shown(done) == []
    assert leaks(inboxstats.home) == []


def test_a_secret_is_in_no_traceback(tmp_path: Path) -> None:
    """The program breaks where it holds the secret; typer would print the local variables, unless told not to."""
    program = (
        "import sys\n"
        "from inboxstats import cli\n"
        "from inboxstats.sources import imap\n"
        "def broken(self): raise RuntimeError('a bug')\n"
        "imap.ImapSource.connect = broken\n"
        "sys.argv = ['inboxstats', 'account', 'add', 'me@example.org', '--host', 'localhost', '--security', 'none',\n"
        "            '--port', sys.argv[1], '--password-command', f'cat {sys.argv[2]}']\n"
        "imap.ImapSource.reach = lambda self: None\n"
        "cli.main()\n"
    )
    (tmp_path / "secret").write_text(CANARY)
    done = subprocess.run(
        [sys.executable, "-c", program, "1", str(tmp_path / "secret")],
        env=Inboxstats(tmp_path).environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RuntimeError: a bug" in done.stderr
    assert PART not in done.stdout + done.stderr


def test_no_record_shows_the_secret_that_it_holds() -> None:
    """A traceback, a log or a failed assertion of anybody's may have its repr."""
    fields = {}
    for path in Path(inboxstats_package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list):
                for line in node.body:
                    if isinstance(line, ast.AnnAssign) and SECRET.search(name := ast.unparse(line.target)):
                        fields[f"{node.name}.{name}"] = line.value is not None and ast.unparse(line.value)
    assert {"Granted.access_token", "Kept.client_secret", "Outgoing.password"} <= set(fields)
    assert {name for name, value in fields.items() if "repr=False" not in (value or "")} == set()
