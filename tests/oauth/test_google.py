"""Google's loopback flow and its refresh, against a sign-in service on loopback; the test is the browser."""

import os
import re
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from servers.certificates import Certificates
from servers.signin import SignIn, signin_server

from inboxstats.errors import CredentialsError, NetworkError
from inboxstats.oauth import Client, Granted, Kept, google

CLIENT = Client("1234.apps.example.com", "ann@gmail.com")


@pytest.fixture
def signin(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignIn]:
    with signin_server(certificates.good) as service:
        monkeypatch.setattr(google, "AUTHORIZE", f"{service.authority}/authorize")
        monkeypatch.setattr(google, "TOKEN", f"{service.authority}/token")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))
        yield service


class Browser:
    """Goes where it is sent, and comes back with what the consent page gives it."""

    def __init__(self, forge: bool = False) -> None:
        self.query: dict[str, str] = {}
        self.page = b""
        self._forge = forge
        self._thread: threading.Thread | None = None

    def __call__(self, shown: str) -> None:
        found = re.search(r"https://\S+", shown)
        assert found
        self.query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(found[0]).query))
        address = found[0]
        if self._forge:
            address = f"{self.query['redirect_uri']}?code=stolen&state=another"
        self._thread = threading.Thread(target=self._go, args=(address,))
        self._thread.start()

    def _go(self, address: str) -> None:
        with urllib.request.urlopen(
            address, timeout=60, context=ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
        ) as answer:
            self.page = answer.read()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(60)


def sign_in(browser: Browser) -> Granted:
    try:
        return google.login(CLIENT, "client secret", show=browser, port=0, open_browser=False)
    finally:
        browser.join()


def test_a_browser_on_this_machine_signs_in_and_comes_back(signin: SignIn) -> None:
    signin.approve("ann@gmail.com")
    browser = Browser()
    granted = sign_in(browser)
    assert signin.access[granted.access_token] == ("ann@gmail.com", "imap")
    assert granted.refresh_token in signin.refresh
    assert 3_500 < granted.seconds < 3_602
    assert browser.query["scope"] == "https://mail.google.com/"
    assert (browser.query["access_type"], browser.query["prompt"]) == ("offline", "consent")
    assert browser.query["redirect_uri"].startswith("http://127.0.0.1:")
    assert browser.query["code_challenge_method"] == "S256", "RFC 7636"
    assert b"Close this page" in browser.page
    assert granted.access_token not in repr(granted)
    (asked,) = signin.asked
    assert (asked["grant_type"], asked["client_secret"]) == ("authorization_code", "client secret")
    assert "code_verifier" in asked


def test_who_says_no_gives_no_token(signin: SignIn) -> None:
    with pytest.raises(CredentialsError, match="access_denied"):
        sign_in(Browser())
    assert signin.asked == []


def test_an_answer_that_nobody_asked_for_is_refused(signin: SignIn) -> None:
    signin.approve("ann@gmail.com")
    with pytest.raises(CredentialsError, match="mismatching_state"):
        sign_in(Browser(forge=True))
    assert signin.asked == []


def test_a_refresh_gives_a_token_and_keeps_the_old_refresh_token(signin: SignIn) -> None:
    signin.rotates = False
    kept = signin.granted("ann@gmail.com")["refresh_token"]
    granted = google.refresh(CLIENT, Kept(kept, "client secret"))
    assert signin.access[granted.access_token] == ("ann@gmail.com", "imap")
    assert granted.refresh_token == kept


def test_a_refresh_that_google_refuses_is_told_from_one_that_may_be_tried_again(signin: SignIn) -> None:
    with pytest.raises(CredentialsError, match="Google's sign-in says invalid_grant"):
        google.refresh(CLIENT, Kept("an old one", ""))
    signin.says, signin.status = ("internal_failure", "busy"), 500
    with pytest.raises(NetworkError, match="internal_failure"):
        google.refresh(CLIENT, Kept("an old one", ""))


@pytest.mark.usefixtures("signin")
def test_a_sign_in_that_is_out_of_reach_is_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")  # nobody vouches for it
    with pytest.raises(NetworkError, match="cannot be reached") as told:
        google.refresh(CLIENT, Kept("canary", "canary"))
    assert "canary" not in str(told.value)
    assert told.value.__cause__ is None
