"""What is said to log in: a password, or an OAuth token (RFC 7628; XOAUTH2 is what Gmail and Microsoft had before)."""

import json
from collections.abc import Collection
from typing import Protocol

MECHANISMS = ("OAUTHBEARER", "XOAUTH2")
"""The better one first."""


class Tokens(Protocol):
    """Access tokens for a login: `oauth.Tokens`. `mend` says what a person does whose login is refused."""

    mend: str

    def current(self) -> str: ...
    def renewed(self, refused: str) -> str: ...


Credential = str | Tokens
"""A password, or where tokens come from."""


def mechanism(offered: Collection[str]) -> str | None:
    """The way by which a server takes a token; ``None`` where it takes none."""
    return next((name for name in MECHANISMS if f"AUTH={name}" in offered), None)


class TokenLogin:
    """One conversation that offers a token. imaplib calls it with what the server says.

    said -- why the server refuses the token, as far as it tells (RFC 7628, section 3.2.2)
    """

    def __init__(self, name: str, user: str, token: str, *, host: str, port: int) -> None:
        self.said = ""
        self._first: bytes | None = _first(name, user, token, host=host, port=port).encode()
        # The error's end: RFC 7628, section 3.2.3; an empty line in XOAUTH2.
        self._last = b"\1" if name == "OAUTHBEARER" else b""

    def __call__(self, challenge: bytes) -> bytes:
        if self._first is not None:
            answer, self._first = self._first, None
            return answer
        self.said = _status(challenge)
        return self._last


def _first(name: str, user: str, token: str, *, host: str, port: int) -> str:
    if name == "XOAUTH2":
        return f"user={user}\1auth=Bearer {token}\1\1"
    identity = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801, section 4
    return f"n,a={identity},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"


def _status(challenge: bytes) -> str:
    """``{"status": "invalid_token", "scope": "…"}`` → ``"invalid_token"``."""
    try:
        record = json.loads(challenge)
        return str(record["status"])[:100]
    except (ValueError, KeyError, TypeError):
        return ""
