"""Gmail and Google Workspace: the loopback flow for installed programs (RFC 8252), with a browser on this machine."""

import webbrowser
from datetime import UTC, datetime
from typing import Any

import google.auth.exceptions
import requests
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
from oauthlib.oauth2 import OAuth2Error

from inboxstats.errors import CredentialsError, NetworkError
from inboxstats.oauth import Client, Granted, Kept, Show

SCOPES = ["https://mail.google.com/"]
"""The only one with which IMAP lets a program in."""

AUTHORIZE = "https://accounts.google.com/o/oauth2/auth"
TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address

PATIENCE = 300
"""Seconds that a person has for signing in."""

LIFETIME = 3_600.0
"""Seconds, where Google does not say for how long a token is."""


class _Flow(InstalledAppFlow):  # type: ignore[misc]  # the library has no types
    """The library's flow, which would print its address among our data."""

    show: Show

    def authorization_url(self, **parameters: Any) -> tuple[str, str]:
        url, state = super().authorization_url(**parameters)
        self.show(f"Open this in a browser on this machine: {url}")
        return url, state


def login(client: Client, client_secret: str, *, show: Show, port: int, open_browser: bool) -> Granted:
    """See `Service`. The browser comes back to 127.0.0.1, as it must (RFC 8252, section 7.3)."""
    registration = {"client_id": client.client_id, "client_secret": client_secret}
    flow = _Flow.from_client_config(
        {"installed": registration | {"auth_uri": AUTHORIZE, "token_uri": TOKEN}}, scopes=SCOPES
    )
    flow.show = show
    try:
        credentials = flow.run_local_server(
            host="127.0.0.1",
            port=port,
            open_browser=open_browser,
            authorization_prompt_message="",
            success_message="inboxstats may read your mail now. Close this page.",
            timeout_seconds=PATIENCE,
            access_type="offline",
            prompt="consent",  # else Google gives a refresh token the first time alone
            login_hint=client.login,
        )
    except WSGITimeoutError:
        raise CredentialsError(f"Nobody signed in within {PATIENCE // 60} minutes. Run it again.") from None
    except OAuth2Error as problem:
        raise CredentialsError(f"Google's sign-in says {problem.error}. Run it again.") from None
    except Warning:  # oauthlib's way to say that another scope was granted
        raise CredentialsError("Google's sign-in gives no access to the mail: tick it on its page.") from None
    except webbrowser.Error:
        raise CredentialsError("No browser can be started here. Run it again with --no-browser.") from None
    except requests.RequestException as problem:
        raise NetworkError(f"Google's sign-in cannot be reached ({type(problem).__name__}). Run again.") from None
    except OSError as problem:
        raise NetworkError(f"Cannot listen on 127.0.0.1 for the browser: {problem.strerror}. Try --port.") from None
    return _granted(credentials)


def refresh(client: Client, kept: Kept) -> Granted:
    """See `Service`."""
    credentials = Credentials(  # type: ignore[no-untyped-call]  # the library has no types
        None,
        refresh_token=kept.refresh_token,
        token_uri=TOKEN,
        client_id=client.client_id,
        client_secret=kept.client_secret,
        scopes=SCOPES,
    )
    try:
        credentials.refresh(Request())  # type: ignore[no-untyped-call]  # the library has no types
    except google.auth.exceptions.RefreshError as problem:
        error = _error(problem)
        if getattr(problem, "retryable", False):
            raise NetworkError(f"Google's sign-in says {error}. Run again later.") from None
        raise CredentialsError(f"Google's sign-in says {error}.") from None
    except google.auth.exceptions.TransportError:
        raise NetworkError("Google's sign-in cannot be reached. Run again.") from None
    return _granted(credentials)


def _granted(credentials: Any) -> Granted:
    # The library's expiry is naive, and UTC.
    end = credentials.expiry
    seconds = LIFETIME if end is None else (end.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    return Granted(str(credentials.token), seconds, credentials.refresh_token)


def _error(problem: google.auth.exceptions.RefreshError) -> str:
    """``invalid_grant``, and what Google says of it."""
    return str(problem.args[0] if problem.args else "no token").strip().splitlines()[0][:200]
