"""A Dovecot that takes OAuth tokens, the service that it asks whose they are, and a user with an account there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filekeyring
import pytest
from command import Done, Inboxstats
from servers.certificates import Certificates
from servers.dovecot import Dovecot, dovecot_server
from servers.raw import Login
from servers.signin import SignIn, signin_server

MESSAGES = [f"Subject: {number}\r\n\r\nHello\r\n".encode() for number in range(1, 4)]

_PASSDB = """
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {path}
}}
"""
_OAUTH = """
tokeninfo_url = {service.tokeninfo}
introspection_mode = auth
username_attribute = email
active_attribute = active
active_value = true
timeout_msecs = 30000
"""


@pytest.fixture(scope="module")
def signin(certificates: Certificates) -> Iterator[SignIn]:
    with signin_server(certificates.good) as service:
        yield service


@pytest.fixture(scope="module")
def oauth_dovecot(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, signin: SignIn
) -> Iterator[Dovecot]:
    folder = tmp_path_factory.mktemp("oauth")
    folder.chmod(0o755)
    (folder / "oauth2.conf").write_text(_OAUTH.format(service=signin))
    settings = _PASSDB.format(path=folder / "oauth2.conf")
    with dovecot_server(folder / "log", certificates.good, settings=settings) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Ann:
    """A user whose account is set up for OAuth, with a keyring of her own."""

    inboxstats: Inboxstats
    folder: Path
    login: Login
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> Done:
        done = self.inboxstats(*arguments, "--config", str(self.folder / "config.toml"), **self.environment)
        assert "Traceback" not in done.err, done.err
        return done

    def configure(self, **more: str) -> None:
        keys = {
            "host": self.login.host, "user": self.login.user, "security": "none", "auth": "oauth",
            "sign_in": "microsoft", "client_id": "11111111-2222-3333-4444-555555555555", "tenant": "example.org",
        } | more  # fmt: skip
        lines = [f"{key} = {value if value.startswith('[') else repr(value)}" for key, value in keys.items() if value]
        text = "\n".join(
            [f"archive = '{self.folder / 'archive'}'", "[accounts.work]", f"port = {self.login.port}", *lines]
        )
        (self.folder / "config.toml").write_text(text)

    def stored(self) -> int:
        return len(list((self.folder / "archive").rglob("*.eml")))

    def keyring(self) -> dict[str, str]:
        path = Path(self.environment["FILE_KEYRING"])
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def ann(
    inboxstats: Inboxstats, tmp_path: Path, oauth_dovecot: Dovecot, signin: SignIn, certificates: Certificates
) -> Ann:
    login = oauth_dovecot.add_user()
    oauth_dovecot.fill(login, "INBOX", MESSAGES)
    environment = filekeyring.environment(tmp_path / "keyring.json")
    ann = Ann(inboxstats, tmp_path, login, environment | {"REQUESTS_CA_BUNDLE": str(certificates.ca_file)})
    ann.configure(authority=signin.authority)
    signin.says, signin.audience, signin.rotates = None, "imap", True
    signin.approve(login.user)
    return ann
