"""Names of mailboxes and accounts by glob."""

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re.Pattern[str]":
    parts = (".*" if character == "*" else "." if character == "?" else re.escape(character) for character in pattern)
    return re.compile("".join(parts), re.DOTALL)


def matches(name: str, pattern: str) -> bool:
    """Whether a glob stands for a name. Only ``*`` and ``?`` are wild: ``[Gmail]/*`` begins with a bracket.

    INBOX is one in any case (RFC 9051, section 5.1).
    """
    if name.upper() == "INBOX" and pattern.upper() == "INBOX":
        return True
    return _compiled(pattern).fullmatch(name) is not None
