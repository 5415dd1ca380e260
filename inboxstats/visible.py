"""Text from mail and servers made harmless for where a reader sees it: a terminal, a figure, a page, a spreadsheet.

Escaping for a format (HTML, JSON, CSV) is left to those who write it. Standard library only.
"""

import re
from base64 import b64decode

_SPACES = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_COMMANDS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: ESC among them, and CSI in one byte
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides, isolates: they reorder the text around them (UAX #9)
    "\u200b\u2060-\u2064\u206a-\u206f\ufeff"  # not to be seen, and no part of any letter or emoji
    "\u2028\u2029"  # end a line where \n does not
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"  # not allowed in XML, so a figure that holds them is broken
)

_FORMULA = re.compile("[\t\r]|[\\s\x00-\x1f\u200b\ufeff]*[=+\\-@＝＋－＠]")
"""What makes a spreadsheet read a cell as a formula (OWASP, "CSV Injection"), some after they have trimmed it."""


def visible(text: str) -> str:
    """`text` on one line, without a character that commands: each becomes U+FFFD, line ends become a space."""
    return _COMMANDS.sub("\ufffd", _SPACES.sub(" ", text))


def spelled_out(json: str) -> str:
    r"""JSON text whose commanding characters are escaped, as in ``\u202e``: the same value, safe to look at."""
    return _COMMANDS.sub(lambda match: match.group() if match.group() == "\n" else f"\\u{ord(match.group()):04x}", json)


def defused(text: str) -> str:
    """`text` for a CSV cell: a single quote in front where a spreadsheet would run it as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2,3}={0,2})?")


def without_secret(text: str, secret: str) -> str:
    """What a server said without the secret, which it may repeat: as it is, or in base64 as AUTHENTICATE sends it."""
    if not secret:
        return text
    return _BASE64.sub(lambda word: "…" if _holds(word[0], secret) else word[0], text.replace(secret, "…"))


def _holds(word: str, secret: str) -> bool:
    return secret.encode() in b64decode(word.rstrip("=") + "==")  # more padding than is needed is passed over
