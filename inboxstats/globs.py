"""Which mailboxes or accounts a pattern names, the same for every command. Standard library only."""

import re
from fnmatch import translate
from functools import lru_cache


def matches(name: str, pattern: str) -> bool:
    """Whether ``*`` (anything, ``/`` too) and ``?`` (one character) make the pattern the name.

    A bracket is a bracket, as in ``[Gmail]/*``. Case counts, but not for INBOX (RFC 9051, section 5.1).
    """
    return _compiled(pattern, ignore_case=name.lower() == "inbox").match(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")), re.IGNORECASE if ignore_case else 0)
