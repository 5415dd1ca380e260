"""OAuth 2.0 (RFC 6749) with the user's own client id: access tokens for a login, made of a refresh token that is kept.

`microsoft` and `google` ask the providers; `keeping` is where the refresh token stays. Nothing here is ever written
into a file, a log line or an error's text.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from inboxstats.errors import CredentialsError, UsageError
from inboxstats.oauth.keeping import Kept, keep

__all__ = ["Client", "Granted", "Kept", "Service", "Show", "Tokens", "command_tokens", "kept_tokens", "service_of"]

MARGIN = 120.0
"""Seconds before its end from which an access token is not used for a login any more."""

MISSING = "OAuth needs two more packages: pip install 'inboxstats[oauth]'."

_LOG = logging.getLogger(__name__)

Kind = Literal["google", "microsoft"]


@dataclass(frozen=True, slots=True)
class Client:
    """The user's registration with a provider.

    login     -- whose mail it is, for the provider to suggest
    authority -- ``https://HOST/TENANT`` of Microsoft's sign-in; of no use to Google
    """

    client_id: str
    login: str
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token for so many seconds; a refresh token where there is a new one."""

    access_token: str = field(repr=False)
    seconds: float
    refresh_token: str | None = field(default=None, repr=False)


Show = Callable[[str], None]
"""Tells a person what to do in a browser."""


class Service(Protocol):
    """A provider's way to tokens: the modules `microsoft` and `google`.

    Both functions raise CredentialsError where the provider says no, NetworkError where it says nothing that helps,
    UsageError where the packages are missing.
    """

    def login(self, client: Client, client_secret: str, *, show: Show, port: int, open_browser: bool) -> Granted:
        """Ask the person, who signs in with a browser. `port` is where a browser on this machine finds us."""
        ...

    def refresh(self, client: Client, kept: Kept) -> Granted:
        """An access token for a refresh token."""
        ...


def service_of(kind: Kind) -> Service:
    """The module of a provider. Raises UsageError where what it needs is not installed."""
    try:
        if kind == "microsoft":
            from inboxstats.oauth import microsoft

            return microsoft
        from inboxstats.oauth import google

        return google
    except ModuleNotFoundError as problem:
        raise UsageError(MISSING) from problem


class Tokens:
    """The access token of one login, for all its connections.

    mend -- a sentence for the person whose login is refused in spite of all
    """

    def __init__(self, ask: Callable[[], Granted], *, mend: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.mend = mend
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._end = 0.0
        self._refusal: CredentialsError | None = None

    def current(self) -> str:
        """A token that is still good for a while. Raises CredentialsError, NetworkError."""
        with self._lock:
            if self._token is not None and self._clock() < self._end:
                return self._token
            return self._new()

    def renewed(self, refused: str) -> str:
        """Another token than the one that the server refused; several threads may come with it. Raises as `current`."""
        with self._lock:
            return self._new() if self._token in (None, refused) else self._token or ""

    def _new(self) -> str:
        if self._refusal is not None:  # the others need not ask again
            raise self._refusal
        try:
            granted = self._ask()
        except CredentialsError as problem:
            self._refusal = problem
            raise
        self._token, self._end = granted.access_token, self._clock() + granted.seconds - MARGIN
        return self._token


def kept_tokens(client: Client, service: Service, entry: str, kept: Kept, *, mend: str) -> Tokens:
    """Tokens for a login whose refresh token is in the keyring, where a new one takes its place."""
    state = [kept]

    def ask() -> Granted:
        try:
            granted = service.refresh(client, state[0])
        except CredentialsError as problem:
            raise CredentialsError(f"{problem} {mend}") from None
        if granted.refresh_token and granted.refresh_token != state[0].refresh_token:
            state[0] = Kept(granted.refresh_token, state[0].client_secret)
            try:
                keep(entry, state[0])
            except CredentialsError as problem:  # this run has what it needs, and the old token may do for the next
                _LOG.warning("%s", problem)
        return granted

    return Tokens(ask, mend=mend)


def command_tokens(run: Callable[[], str], *, mend: str) -> Tokens:
    """Tokens that a program of the user's prints. It is run again when the server refuses one."""
    return Tokens(lambda: Granted(run(), float("inf")), mend=mend)
