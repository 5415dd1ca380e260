"""What the sender of a message wrote in it: its text without quotations, signatures, footers, disclaimers and code.

Works on lines, in one pass. Which words of the rest are keywords is for words.py.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import chain

from inboxstats.parse.charset import decode
from inboxstats.parse.core import Lines
from inboxstats.parse.html import html_text

LONGEST_PART = 256 * 1024
"""Bytes of a text part that are decoded for its words: the markup of long newsletters is this long."""
LONGEST_TEXT = 32 * 1024
"""Characters of a part that are read for its words: fifteen pages."""
MOST_READ = 1024 * 1024
"""Bytes of all text parts of a message that are decoded for its words."""

_QUOTE = re.compile(r"[ \t]{0,4}\w{0,4}>")
_RULE_CHARACTERS = " \t_-=*~#+"
_LONGEST_FOOTER = 15

# The line above a quotation, or its first line: "On Monday, Ann wrote:".
_ATTRIBUTION_START = ("On ", "Am ", "Le ", "El ", "Il ", "Em ", "Op ", "Den ", "W dniu ", "Dne ", "At ")
_ORIGINAL = re.compile(
    r"[-_* ]{2,40}(?:original message|original-nachricht|ursprüngliche nachricht|message d'origine|message original"
    r"|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|original meddelande"
    r"|oprindelig meddelelse|opprinnelig melding|oryginalna wiadomość|původní zpráva|исходное сообщение)",
    re.IGNORECASE,
)
# The header block that mail programs write above what they quote or forward.
_QUOTED_FIELD = re.compile(
    r"[* ]{0,3}(?:(?P<sender>From|Von|De|Da|Van|Från|Fra|Od|От)|(?P<when>Sent|Date|Gesendet|Datum|Envoyé|Enviado|Fecha"
    r"|Inviato|Data|Verzonden|Skickat|Sendt|Wysłano|Отправлено)|To|Cc|Subject|Reply-To|An|Betreff|À|Objet|Para|Asunto"
    r"|Assunto|Oggetto|Aan|Onderwerp|Til|Emne|Ämne|Do|Temat|Кому|Тема)[* ]{0,3}:"
)

_FOOTER_MARKS = ("mailing list", "unsubscribe", "subscri", "mailman", "sponsor", "abmelden")
# A paragraph that holds one of the phrases is boilerplate. One of the words behind the phrase is then among its text's
# keywords: most texts have none of these words, and nothing is looked for.
_DISCLAIMERS = {
    "intended recipient": "recipient recipients intended",
    "intended solely": "intended",
    "intended only for": "intended",
    "confidential and": "confidential",
    "confidentiality notice": "confidentiality",
    "contain confidential": "confidential confidentiality",
    "confidential information": "confidential",
    "mail in error": "error",
    "message in error": "error",
    "richtige adressat": "adressat adressaten adressatin",
    "destinataire": "destinataire destinataires",
    "confidentiel": "confidentiel confidentielle confidentiels confidentielles",
    "uso esclusivo del destina": "esclusivo",
    "exclusivamente": "exclusivamente",
    "destinatario de este": "destinatario",
    "virus-free": "virus",
    "for virus": "virus viruses",
    "to unsubscribe": "unsubscribe",
    "unsubscribe from": "unsubscribe",
    "unsubscribe here": "unsubscribe",
    "désinscri": "désinscrire désinscription désinscriptions désinscrivez désinscris désinscrit",
    "disiscriv": "disiscriversi disiscrivere disiscriviti disiscriverti disiscrivermi disiscrivi",
}
_INFLECTED_DISCLAIMERS = {"fr": ("désinscri",), "it": ("disiscriv",)}
"""Those whose words have more forms than these, by the language in which they are always looked for."""
_DISCLAIMERS_OF = {
    word: tuple(mark for mark, words in _DISCLAIMERS.items() if word in words.split())
    for word in " ".join(_DISCLAIMERS.values()).split()
}
DISCLAIMER_WORDS = frozenset(_DISCLAIMERS_OF)
DISCLAIMER_MARKS = tuple(_DISCLAIMERS)
"""All that a disclaimer is known by."""

# Of a patch's description, who wrote, tested or must know of it: "Signed-off-by: Ann <ann@example.com>".
_TRAILER = re.compile(r"[A-Z][a-z]{2,20}(?:-[a-z]{2,20}){0,3}-by: ")
_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [^\n]{0,100}\n)?")
_UUENCODED = re.compile(r"begin [0-7]{3,4} ")
_BLOCK_STARTS = ("-----BEGIN ", "=ybegin ", "begin ")
_SIGNATURE = ("-- ", "--")
_DIFF_START = ("diff ", "Index: ", "--- a/", "--- /dev/null", "+++ b/", "@@ -")
_DIFF_LINES = (
    " ", "\t", "+", "-", "@@", "\\", "====", "diff ", "index ", "Index: ", "new file", "deleted file",
    "old mode", "new mode", "similarity ", "rename ",
)  # fmt: skip


class _Line(Enum):
    TEXT = auto()
    RULE = auto()
    BLOCK = auto()
    DIFF = auto()
    LAST = auto()
    """It and all behind it is not the sender's: a signature or an original message."""


_TEXT, _RULE, _BLOCK, _DIFF, _LAST = _Line  # by its class's name a member takes Python 3.11 eight times as long

_SPECIAL = frozenset("-_=*~#+bdI@")
"""How a line can begin that is not simply text."""
_LINES = Lines(
    "abcdefghijklmnopqrstuvwxyzHJKLMNQUXYZ0123456789(\"'äàçéèêñöüÖÜÉ¿¡абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ"
    "АБВГДЕЖЗИЙЛМНПРСУФХЦЧШЩЪЭЮЯІЇЄҐ",
    "ABCDEFGIOPRSTVWÀÄКОТ",  # with which _QUOTED_FIELD begins
    ("diff ", "begin ", "Index: "),
)
"""How a line begins that is simply text; most do, so that it is asked first."""
_ALIKE = b"peq"
_RUN = re.compile(b"[pe]+|q+")
"""Lines that are kept or left out together."""
_ADDRESSED, _QUOTED = b"aq"

Part = tuple[str, bytes, str | None]
"""Media type, octets, charset."""


def read_parts(parts: Iterable[Part]) -> list[Part]:
    """As much of the text parts of a message, as `mime.texts` gives them, as is read for its words."""
    read: list[Part] = []
    left = MOST_READ
    for media_type, octets, charset in parts:
        octets = octets[: min(left, LONGEST_PART)]
        read.append((media_type, octets, charset))
        left -= len(octets)
        if left <= 0:
            break
    return read


def shown_texts(parts: Iterable[Part]) -> list[str]:
    """What a reader sees of each part."""
    return [_shown(*part) for part in parts]


def written_text(shown: Iterable[str]) -> str:
    """The sender's own text in the texts of a message."""
    return "\n\n".join(map(own_text, shown))


def _shown(media_type: str, octets: bytes, charset: str | None) -> str:
    text = decode(octets, charset)
    if media_type == "text/html" or (text[:64].lstrip()[:1] == "<" and "</" in text):  # some senders call it plain
        text = html_text(text)
    text = text[:LONGEST_TEXT]
    return text.replace("\r\n", "\n") if "\r" in text else text


def own_text(text: str) -> str:
    """A text without what its sender did not write for this message, and without what are no words.

    Disclaimers are left to `without_disclaimers`: few texts have one, and its keywords tell which.
    """
    if "-----BEGIN PGP SIGNED" in text:
        text = _SIGNED.sub("", text)
    kept, rules = _own_lines(text)
    for rule in dict.fromkeys(rules):  # thousands of ruled lines may stand above the same one
        if len(kept) - rule <= _LONGEST_FOOTER and _has(_FOOTER_MARKS, "\n".join(kept[rule:]).lower()):
            kept = kept[:rule]
            break
    return "\n".join(kept)


def disclaimer_marks(words: Iterable[str], language: str | None) -> Sequence[str]:
    """What disclaimers a text may have, by the DISCLAIMER_WORDS among its keywords: nearly always none."""
    marks = _INFLECTED_DISCLAIMERS.get(language or "", ())
    return (*marks, *chain.from_iterable(map(_DISCLAIMERS_OF.__getitem__, words))) if words else marks


def without_disclaimers(text: str, marks: Iterable[str]) -> str:
    """A text without its paragraphs on who may read it, and on how to leave the list; the text itself without any."""
    lowered = text.lower()
    marks = [mark for mark in marks if mark in lowered]
    if not marks:
        return text
    return "\n\n".join([block for block in text.split("\n\n") if not _has(marks, block.lower())])


def _has(marks: Sequence[str], text: str) -> bool:
    return any(mark in text for mark in marks)


def _own_lines(text: str) -> tuple[list[str], list[int]]:
    """The lines without quotations, code and what follows a signature; and where among them a ruled line stood."""
    lines, kinds = _LINES.read(text)
    kept: list[str] = []
    rules: list[int] = []
    enclosed, in_diff, in_quote, in_fields = "", False, False, False
    blank = 0  # so many of the first lines kept are known to be
    number = 0
    while number < len(lines):
        kind = kinds[number]
        if kind in _ALIKE and not (enclosed or in_diff):
            run = _RUN.match(kinds, number)
            assert run is not None
            if kind == _QUOTED and not in_quote:
                _drop_attribution(kept)
            elif kind != _QUOTED:
                kept += lines[number : run.end()]
            in_quote = kind == _QUOTED or (in_quote and b"p" not in run[0])
            in_fields = in_fields and b"e" not in run[0]
            number = run.end()
            continue
        line = lines[number]
        number += 1
        if enclosed:
            enclosed = "" if line.startswith(enclosed) else enclosed
        elif kind == _ADDRESSED and not in_diff:
            in_quote = False
            kept.append(_without_addresses(line))
        elif not line:
            kept.append("")
            in_fields = False
        elif kind == _QUOTED or (">" in line[:8] and _QUOTE.match(line)):
            if not in_quote:
                _drop_attribution(kept)
            in_quote = True
        elif in_diff and line.startswith(_DIFF_LINES) and line not in _SIGNATURE:
            pass
        elif line.isspace():
            kept.append("")
            in_fields = False
        elif ":" in line[:14] and (in_fields or _begins_fields(lines, number - 1)) and _QUOTED_FIELD.match(line):
            if not in_fields and any(kept[blank:]):
                break
            in_fields, blank = True, len(kept)
        else:
            in_diff = in_quote = False
            meant = _kind(line) if line[0] in _SPECIAL else _TEXT
            if meant is _TEXT:
                kept.append(_without_addresses(line) if "/" in line or "@" in line else line)
            elif meant is _LAST:
                break
            elif meant is _RULE:
                rules.append(len(kept))
            elif meant is _BLOCK:
                enclosed = _end_of_block(line)
            in_diff = meant is _DIFF
    return kept, rules


def _kind(line: str) -> _Line:
    if not line.strip(_RULE_CHARACTERS):
        if line.rstrip() == "--":
            return _LAST
        # "---" alone parts a patch from its description.
        return _DIFF if line.rstrip() == "---" else _RULE
    if line.startswith(_BLOCK_STARTS) and _end_of_block(line):
        return _BLOCK
    if line.startswith(_DIFF_START):
        return _DIFF
    return _LAST if line[0] in "-_*" and _ORIGINAL.match(line) else _TEXT


def _end_of_block(line: str) -> str:
    """How the last line of a block begins that begins here (PGP, certificates, uuencode, yEnc), or nothing."""
    if line.startswith("-----BEGIN "):
        return "-----END "
    if line.startswith("=ybegin "):
        return "=yend"
    return "end" if line.startswith("begin ") and _UUENCODED.match(line) else ""


def _begins_fields(lines: list[str], number: int) -> bool:
    """A sender with a date in the lines below it: what a mail program writes above an original message."""
    match = _QUOTED_FIELD.match(lines[number])
    if match is None or match["sender"] is None:
        return False
    following = (_QUOTED_FIELD.match(line) for line in lines[number + 1 : number + 5])
    return any(field is not None and field["when"] is not None for field in following)


def _drop_attribution(kept: list[str]) -> None:
    """Takes away the lines that say whose words are quoted next."""
    last = len(kept) - 1
    while last >= 0 and not kept[last]:
        last -= 1
    if last < 0 or not kept[last].rstrip().endswith(":"):
        return
    first = last
    while first > max(last - 2, 0) and kept[first - 1] and not kept[first].lstrip().startswith(_ATTRIBUTION_START):
        first -= 1
    del kept[first if kept[first].lstrip().startswith(_ATTRIBUTION_START) else last :]


def _without_addresses(line: str) -> str:
    """The line without URLs, mail addresses, paths and base64; nothing of one that has but their label, ``Link:``."""
    if "@" not in line and line.count("/") < 2:
        return line
    if line.startswith("Cc: ") or ("-by: " in line and _TRAILER.match(line)):
        return ""
    words = [word for word in line.split() if "@" not in word and ("/" not in word or word.count("/") < 2)]
    if len(words) == 1 and words[0].endswith(":") and line.startswith(words[0]):
        return ""
    return " ".join(words)
