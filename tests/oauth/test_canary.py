"""A token, a device code, a client secret: in no output, log, process list, state file or traceback; in no shape."""

import re
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace

import pytest
from canary import ProcessList, files, showing
from command import Done
from servers.certificates import Certificates
from servers.signin import SignIn

from inboxstats.oauth import Client, Granted, Kept, Tokens
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.sources.imap.login import TokenLogin

from .conftest import Ann

CLIENT_SECRET = "canary-client-5f1d0c7a9b"
KEYRING = "keyring.json"

_PROGRAM = """\
import sys
from inboxstats import cli
from inboxstats.oauth import google
base, breaks = sys.argv[1:3]
google.AUTHORIZE, google.TOKEN = base + "/authorize", base + "/token"
def bug(*_, **__):
    raise RuntimeError("a bug")
{breaks}
sys.argv = ["inboxstats", *sys.argv[3:]]
cli.main()
"""
BREAKS = {
    "": "",
    "at the mail server": "from inboxstats.sources.imap import ImapSource; ImapSource.connect = bug",
    "in the conversation": "from inboxstats.sources.imap.login import TokenLogin; TokenLogin.__call__ = bug",
    "in Microsoft's package": "import msal; msal.PublicClientApplication.acquire_token_by_refresh_token = bug",
    "in Google's package": "from google.oauth2.credentials import Credentials; Credentials.refresh = bug",
    "at the keyring": "from inboxstats.credentials import keyring; keyring.store = bug",
}


class Program:
    """inboxstats, with Google's addresses on loopback, and broken where a test wants it."""

    def __init__(self, ann: Ann, signin: SignIn) -> None:
        self._ann, self._signin = ann, signin

    def start(self, *arguments: str, breaks: str = "") -> "subprocess.Popen[str]":
        command = [
            *(sys.executable, "-c", _PROGRAM.format(breaks=BREAKS[breaks])),
            *(self._signin.authority, breaks, *arguments, "--config", str(self._ann.folder / "config.toml")),
        ]
        return subprocess.Popen(
            command,
            env=self._ann.inboxstats.environment(**self._ann.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, breaks: str = "") -> Done:
        process = self.start(*arguments, breaks=breaks)
        out, err = process.communicate(timeout=240)
        return Done(process.returncode, out, err)


@pytest.fixture
def program(ann: Ann, signin: SignIn) -> Program:
    signin.secrets.append(CLIENT_SECRET)
    (ann.folder / "the secret").write_text(CLIENT_SECRET)
    return Program(ann, signin)


def assert_nowhere(ann: Ann, signin: SignIn, done: list[Done], processes: ProcessList | None = None) -> None:
    assert len(signin.secrets) > 2
    assert showing(signin.secrets, [(each.out + each.err).encode() for each in done]) == []
    left = files(ann.folder, but=(KEYRING, "the secret"))
    assert ann.folder / "config.toml" in left
    assert [path for path, data in left.items() if showing(signin.secrets, [data])] == []
    if processes is not None:
        assert any(b"inboxstats.credentials.child" in each for each in processes.seen)
        assert showing(signin.secrets, processes.seen) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_sign_in_by_device_code_and_all_that_uses_it_show_no_secret(ann: Ann, signin: SignIn) -> None:
    commands = (
        ["account", "login", "work", "-vv"],
        ["account", "list"],
        ["account", "test", "-vv"],
        ["config", "show", "--origin"],
        ["doctor", "--json"],
        ["fetch", "-vv"],
        ["nightly", "-vv"],
        ["status", "--json"],
    )
    with ProcessList() as processes:
        done = [ann(*command) for command in commands]
    assert [each.code for each in done] == [0] * len(done), [each.err for each in done if each.code]
    assert ann.stored() == 3
    assert len(list(ann.inboxstats.home.rglob("nightly.log"))) == 1
    signin.audience = "graph"
    refused = ann("fetch", "-vv")
    signin.audience, signin.says = "imap", ("invalid_grant", "AADSTS700082: expired")
    over = ann("fetch", "-vv")
    assert (refused.code, over.code) == (4, 4)
    assert any(secret.startswith("canary-device-") for secret in signin.secrets)
    assert_nowhere(ann, signin, [*done, refused, over], processes)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_sign_in_with_a_browser_and_a_client_secret_shows_no_secret(
    ann: Ann, signin: SignIn, program: Program, certificates: Certificates
) -> None:
    import ssl

    ann.configure(sign_in="google", tenant="")
    secret = f"cat '{ann.folder}/the secret'"
    with ProcessList() as processes:
        signing_in = program.start("account", "login", "work", "--no-browser", "--client-secret-command", secret, "-vv")
        assert signing_in.stderr is not None
        shown = ""
        while "Open this in a browser" not in shown:
            line = signing_in.stderr.readline()
            assert line, shown
            shown += line
        found = re.search(r"https://\S+", shown)
        assert found
        context = ssl.create_default_context(cafile=certificates.ca_file)
        address = found[0]
        browser = threading.Thread(target=lambda: urllib.request.urlopen(address, timeout=60, context=context).close())
        browser.start()
        out, err = signing_in.communicate(timeout=240)
        browser.join()
        done = [Done(signing_in.returncode, out, shown + err), program("fetch", "-vv"), program("account", "test")]
    assert [each.code for each in done] == [0, 0, 0], done
    assert ann.stored() == 3
    assert CLIENT_SECRET in next(iter(ann.keyring().values()))
    signin.says = ("invalid_client", "Unauthorized")
    done.append(program("fetch", "-vv"))
    assert done[-1].code == 4
    assert_nowhere(ann, signin, done, processes)


@pytest.mark.parametrize(
    ("breaks", "command"),
    [
        ("at the mail server", ["account", "login", "work"]),
        ("at the keyring", ["account", "login", "work"]),
        ("in the conversation", ["fetch", "-vv"]),
        ("in Microsoft's package", ["fetch", "-vv"]),
        ("in Google's package", ["fetch", "-vv"]),
    ],
)
def test_a_bug_in_the_way_of_a_token_gives_a_traceback_without_it(
    ann: Ann, signin: SignIn, program: Program, breaks: str, command: list[str]
) -> None:
    if command[0] == "fetch":
        assert ann("account", "login", "work").code == 0
    if "Google" in breaks:
        ann.configure(sign_in="google", tenant="")
    done = program(*command, breaks=breaks)
    assert done.code == 1, done
    assert "Traceback" in done.err
    assert "RuntimeError: a bug" in done.err
    assert_nowhere(ann, signin, [done])


def test_what_holds_a_token_does_not_show_it() -> None:
    token, refresh, client_secret = "canary-access", "canary-refresh", "canary-client"
    granted = Granted(token, 3600.0, refresh)
    tokens = Tokens(lambda: granted, mend="Mend.")
    assert tokens.current() == token
    kept = Kept(refresh, client_secret)
    source = ImapSource(Server("localhost", 1, "ann", "none"), tokens)
    conversation = TokenLogin("XOAUTH2", "ann", token, host="localhost", port=1)
    holding = (granted, replace(granted, seconds=1.0), tokens, kept, source, conversation, Client("id", "ann"))
    shown = [(repr(each) + str(each)).encode() for each in holding]
    assert showing((token, refresh, client_secret), shown) == []


def test_the_shapes_of_a_secret_are_known() -> None:
    import base64

    secret = "canary-access-00c0ffee"
    for before in ("", "a", "ab", "abc", "user=ann\1auth=Bearer "):
        for after in ("", "\1", "\1\1", "xyz"):
            text = base64.b64encode((before + secret + after).encode())
            assert showing([secret], [b"> " + text]) == [b"> " + text]
    assert showing([secret], [b"canary", b"nothing"]) == []
    assert showing(["a/b"], [b"token=a%2Fb"]) == [b"token=a%2Fb"]
