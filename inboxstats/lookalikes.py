"""Addresses and names that read like others (UTS 39), shown so that a reader is not fooled. Standard library only.

What commands a terminal is for visible.py. What looks alike in one script (l and I, rn and m) is not marked.
"""

import re
import unicodedata

# Scripts that are written together (UTS 39, section 5.2, "Highly Restrictive").
_TOGETHER = (
    {"Latin", "Cjk", "Hiragana", "Katakana"},
    {"Latin", "Cjk", "Hangul"},
    {"Latin", "Cjk", "Bopomofo"},
)
_SCRIPTS = {"IDEOGRAPHIC": "Cjk", "KATAKANA-HIRAGANA": "Katakana"}
_COMMON = {"MICRO", "MODIFIER", "FEMININE", "MASCULINE", "OHM", "KELVIN", "ANGSTROM", "DOUBLE-STRUCK", "SCRIPT"}

# Letters of other scripts that read as Latin ones, after Chromium's list: a label of them reads as another domain.
_LIKE_LATIN = frozenset("аысԁеԍһіюјӏорԗԛѕԝхуъьҽпгѵѡαικνορτυωχγεηօսոհցզգյլ")
_BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")  # no control characters, and yet not to be seen

_SEPARATORS = re.compile(r"([\s@<>()\[\]\",;:/\\]+)")
_WORDS = re.compile(r"[^\W\d_]+")
_LONGEST_LABEL = 63  # RFC 1035, section 2.3.4; and punycode takes quadratic time


def unmistakable(text: str) -> str:
    """`text` with each domain that could be taken for another in its ASCII form, ``xn--…``.

    Where a word mixes scripts, the text gets their names in front, ``[Cyrillic+Latin] раураl``: what is too long is cut
    at its end.
    """
    if text.isascii():
        return text
    pieces = _SEPARATORS.split(text)
    mixed: set[str] = set()
    for at in range(0, len(pieces), 2):
        piece = pieces[at]
        if "." in piece or (at and pieces[at - 1].endswith("@")):
            pieces[at] = _domain(piece)
        elif at + 1 < len(pieces) and pieces[at + 1].startswith("@"):
            pieces[at] = "".join("\ufffd" if _is_invisible(character) else character for character in piece)
        if pieces[at] == piece:
            mixed.update(*(scripts for word in _WORDS.findall(piece) if _clash(scripts := _scripts(word))))
    mark = f"[{'+'.join(sorted(mixed))}] " if mixed else ""
    return mark + "".join(pieces)


def _domain(domain: str) -> str:
    labels = domain.split(".")
    top = _scripts(labels[-1])
    if not any(_is_suspicious(label, top) for label in labels):
        return domain
    return ".".join(_ascii(label) for label in labels)


def _is_suspicious(label: str, top: set[str]) -> bool:
    if label.isascii():
        return False
    if unicodedata.normalize("NFKC", label) != unicodedata.normalize("NFC", label) or any(map(_is_invisible, label)):
        return True  # no label of IDNA: fullwidth, mathematical, invisible
    scripts = _scripts(label)
    letters = [character for character in label.lower() if not character.isascii() and character.isalpha()]
    # All of ``.рф`` are Cyrillic, and are read so.
    return _clash(scripts) or (not scripts <= top and set(letters) <= _LIKE_LATIN)


def _scripts(word: str) -> set[str]:
    """The scripts of its letters by the names of their characters: ``{"Cyrillic", "Latin"}``."""
    if word.isascii():
        return {"Latin"} if any(map(str.isalpha, word)) else set()
    first = {unicodedata.name(character, "").partition(" ")[0] for character in set(word) if character.isalpha()}
    return {_SCRIPTS.get(name, name.capitalize()) for name in first - _COMMON if name}


def _clash(scripts: set[str]) -> bool:
    return len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character)[0] == "C" or character in _BLANK


def _ascii(label: str) -> str:
    if label.isascii():
        return label
    if len(label) > _LONGEST_LABEL:
        return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in label)
    return f"xn--{label.encode('punycode').decode()}"
