"""Bytes to text when the label is missing, unknown or a lie. Never raises; never gives a lone surrogate."""

import re
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9][a-z0-9_:.+-]{1,39}")

# A subset's label is read as the superset that its senders use (WHATWG Encoding Standard, section 4.2, says the same).
_SUPERSETS = {
    "us-ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "big5": "cp950",
    "x-big5": "cp950",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "tis-620": "cp874",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
}
# Python knows these as text encodings, but no mail is written in them, and two of them take quadratic time.
_NOT_MAIL = re.compile(r"idna|punycode|unicode_?-?escape|raw_?-?unicode|undefined|mbcs|oem|ansi$|dbcs")
# How the names begin of charsets that have no surrogates: a look for them takes half as long as to decode.
_WITHOUT_SURROGATES = ("utf-8", "cp125", "iso-8859-", "koi8-", "windows-125")

_ESCAPE_TO_JAPANESE = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
_GUESS_FROM = 4_096


@lru_cache(maxsize=256)
def codec(label: str) -> str | None:
    """Python's name for a charset label as it stands in mail; ``None`` where it names no charset."""
    name = label.strip(" \t\"'").lower().removeprefix("charset=")
    name = _SUPERSETS.get(name, name)
    if not _LABEL.fullmatch(name) or _NOT_MAIL.match(name):
        return None
    try:
        b"a".decode(name, "replace")
    except (LookupError, ValueError):
        return None
    return name


def decode(data: bytes, label: str | None = None) -> str:
    """The text of bytes that claim to be in a charset; ``None`` is no claim."""
    name = codec(label) if label else None
    if data.isascii() and name in (None, "ascii", "utf-8", "cp1252"):
        return data.decode("ascii") if b"\x1b" not in data else _guessed(data)
    if name is None or name == "ascii":
        return _guessed(data)
    try:
        text = data.decode(name)
        return text if name.startswith(_WITHOUT_SURROGATES) else scrubbed(text)
    except UnicodeError:
        text = scrubbed(data.decode(name, "replace"))
    return _guessed(data) if name == "utf-8" and _is_mislabelled(text) else text


def scrubbed(text: str) -> str:
    """The text with lone surrogates replaced: they can be written to no file and no table."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _is_mislabelled(text: str) -> bool:
    """More that is no UTF-8 than is: a cut-off character leaves one, another charset leaves nothing else."""
    bad = text.count("\ufffd")
    return bad > sum(1 for character in text[:_GUESS_FROM] if character > "\x7f") - bad


def _guessed(data: bytes) -> str:
    if any(escape in data for escape in _ESCAPE_TO_JAPANESE):
        return data.decode("iso2022_jp_ext", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Cut inside its last character, by a limit of ours or of the sender.
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data" and error.start > 0:
            return data.decode("utf-8", "replace")
    import cchardet  # few messages need it

    found = cchardet.detect(data[:_GUESS_FROM])["encoding"]
    name = codec(found) if found else None
    if name is not None:
        try:
            return scrubbed(data.decode(name))
        except UnicodeError:
            pass
    return data.decode("cp1252", "replace")
