"""What a server says that wants to be left alone for a while: RFC 5530's codes, and words of large providers."""

import re
from datetime import datetime, timedelta

from inboxstats.errors import ThrottledError

QUOTA_SECONDS = 24 * 3600.0
"""How long Gmail locks out who took too much, at most."""

LONGEST_SECONDS = 7 * 24 * 3600.0
"""More than this no server means."""

_CODE = re.compile(r"\[(OVERQUOTA|THROTTLED|LIMIT|UNAVAILABLE)\b", re.IGNORECASE)
_BACKOFF = re.compile(r"Suggested Backoff Time: *(\d{1,15}) *milliseconds", re.IGNORECASE)
# Not any "too many": a mailbox may be called so.
_TOO_MANY = re.compile(
    r"too many (?:\w+ )?(?:connections?|sessions|logins|users|requests|commands|failures)\b"
    r"|exceeded command or bandwidth limits",
    re.IGNORECASE,
)


def throttling(server: object, said: str, *, now: datetime) -> ThrottledError | None:
    """The complaint in a NO, a BAD or a BYE, with the time when to go on; ``None`` where there is none."""
    code, backoff = _CODE.search(said), _BACKOFF.search(said)
    if not (code or backoff or _TOO_MANY.search(said)):
        return None
    is_quota = (code is not None and code[1].upper() == "OVERQUOTA") or "bandwidth limits" in said.lower()
    wait = min(int(backoff[1]) / 1000, LONGEST_SECONDS) if backoff else None
    if wait is not None:
        when = f"Run again after {moment(wait, now=now)}."
    elif is_quota:
        when = f"That may last for up to 24 hours: run again after {moment(QUOTA_SECONDS, now=now)}."
    else:
        when = "Run again later."
    words = " ".join(said.split()).rstrip(".")
    return ThrottledError(f"{server} wants no more for now: {words}. {when}", wait=wait, is_quota=is_quota)


def moment(seconds: float, *, now: datetime) -> str:
    """So long after now, to the next minute: ``"14:32"``, on another day ``"2026-11-25 14:32"``."""
    when = now + timedelta(seconds=seconds)
    if when.second or when.microsecond:
        when = when.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return f"{when:%H:%M}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M}"
