"""The refresh token in the keyring, in pieces where it is long: Windows limits a secret to 2,560 bytes of UTF-16.

    entry             {"refresh_token": "…", "client_secret": "…"}, or
    entry             pieces 3 1a2b3c4d
    entry 1a2b3c4d 1  the first piece; and so on

New pieces are written before the entry that names them, so that a run that dies leaves the old token or the new one.
"""

import json
import re
import secrets
import sys
from dataclasses import dataclass, field

from inboxstats.credentials import keyring
from inboxstats.errors import CredentialsError

PIECE = 1_200 if sys.platform == "win32" else None
"""Characters, of 1,280; elsewhere a secret may be of any length, and each piece takes a quarter of a second."""

_PIECES = re.compile(r"pieces (\d{1,3}) ([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Kept:
    """A refresh token, and the client secret where the provider wants one beside the client id."""

    refresh_token: str = field(repr=False)
    client_secret: str = field(default="", repr=False)


def keep(entry: str, kept: Kept) -> None:
    """Store them in the place of those that were there. Raises CredentialsError."""
    text = json.dumps({"refresh_token": kept.refresh_token, "client_secret": kept.client_secret}, separators=(",", ":"))
    if PIECE is None:
        keyring.store(entry, text)
        return
    before = keyring.get(entry).secret or ""
    if len(text) > PIECE:
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        mark = secrets.token_hex(4)
        for number, piece in enumerate(pieces, start=1):
            keyring.store(f"{entry} {mark} {number}", piece)
        text = f"pieces {len(pieces)} {mark}"
    keyring.store(entry, text)
    _remove_pieces(entry, before)


def kept(entry: str) -> Kept | None:
    """What was stored; ``None`` where nothing was. Raises CredentialsError where the keyring does not tell."""
    found = keyring.get(entry)
    if found.secret is None:
        if found.usable:
            return None
        raise CredentialsError(f"The OAuth token of {entry.removeprefix('oauth ')} cannot be had: {found.trouble}")
    text: str | None = found.secret
    if match := _PIECES.fullmatch(found.secret):
        pieces = [keyring.get(f"{entry} {match[2]} {number}").secret for number in range(1, int(match[1]) + 1)]
        text = None if None in pieces else "".join(filter(None, pieces))
    try:
        record = json.loads(text or "")
        return Kept(str(record["refresh_token"]), str(record["client_secret"]))
    except (ValueError, KeyError, TypeError):
        return None  # a piece is lost: a new login makes all good


def forget(entry: str) -> None:
    """Remove it. Raises CredentialsError where the keyring cannot be asked."""
    before = keyring.get(entry).secret or ""
    keyring.remove(entry)
    _remove_pieces(entry, before)


def _remove_pieces(entry: str, text: str) -> None:
    if match := _PIECES.fullmatch(text):
        for number in range(1, int(match[1]) + 1):
            keyring.remove(f"{entry} {match[2]} {number}")
