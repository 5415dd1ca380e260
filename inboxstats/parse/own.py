"""Which lines of a text its sender wrote: no quotations, signatures, footers and code.

Works on runs of lines that are alike, in one pass.
"""

import re
from enum import Enum, auto

from inboxstats.parse.core import Lines

_QUOTE = re.compile(r"[ \t]{0,4}\w{0,4}>")
_RULE_CHARACTERS = " \t_-=*~#+"
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

_LONGEST_FOOTER = 15
_FOOTER_MARKS = ("mailing list", "unsubscribe", "subscri", "mailman", "sponsor", "abmelden")

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

_SPECIAL = "-_=*~#+@"
"""How a line can begin that is not simply text."""
_STARTS = ("diff ", "begin ", "Index: ")
_MEANING = frozenset(_SPECIAL).union(start[0] for start in _STARTS)
_LINES = Lines(_SPECIAL, " ABCDEFGIOPRSTVWÀÄКОТ", _STARTS)  # with these characters _QUOTED_FIELD begins
_ADDRESSED, _EMPTY, _QUOTED, _MARKED, _OTHER = b"aeqmo"
_OF_TEXT = b"pa"


def own_text(text: str) -> str:
    """A text without what its sender did not write for this message, and without what are no words.

    Disclaimers are left to `without_disclaimers`: few texts have one, and its keywords tell which.
    """
    if "-----BEGIN PGP SIGNED MESSAGE" in text:
        text = _SIGNED.sub("", text)
    kinds, runs, sizes = _LINES.read(text)
    if not kinds.strip(b"pe"):  # nothing but text
        return "\n".join(runs)
    kept, count, rules = _own_runs(kinds, runs, sizes)
    own = "\n".join(kept)
    if not rules:
        return own
    for rule in dict.fromkeys(rules):  # thousands of ruled lines may stand above the same one
        if 0 < count - rule <= _LONGEST_FOOTER:
            above, *footer = f"\n{own}".rsplit("\n", count - rule)
            lowered = "\n".join(footer).lower()
            if any(mark in lowered for mark in _FOOTER_MARKS):
                return above[1:]
    return own


def _own_runs(kinds: bytes, runs: list[str], sizes: list[int]) -> tuple[list[str], int, list[int]]:
    """The text without quotations, code and what follows a signature, in runs of lines; how many lines these are; and
    how many of them stand above each ruled line."""
    kept: list[str] = []
    rules: list[int] = []
    enclosed, in_diff, in_quote, in_fields = "", False, False, False
    count = blank = 0  # lines that are kept; and so many of the first of them are known to be blank
    for number, (kind, run, size) in enumerate(zip(kinds, runs, sizes, strict=True)):
        if enclosed or (in_diff and kind in _OF_TEXT):
            lines = run.split("\n")
            if enclosed:
                lines, enclosed = _behind_block(lines, enclosed)
            else:
                lines, in_diff = _behind_diff(lines)
            if not lines:
                continue
            run, size = "\n".join(lines), len(lines)
            kind = _EMPTY if in_diff else kind
        if kind == _QUOTED or (kind == _MARKED and _QUOTE.match(run)):
            if not in_quote:
                count -= _drop_attribution(kept)
            in_quote = True
        elif kind != _OTHER and kind != _MARKED:
            in_quote = in_quote and kind == _EMPTY
            in_fields = in_fields and "" not in run.split("\n")
            kept.append(run if kind != _ADDRESSED else _without_addresses(run))
            count += size
        elif in_diff and run.startswith(_DIFF_LINES) and run not in _SIGNATURE:
            pass
        elif run.isspace():
            kept.append("")
            count += 1
            in_fields = False
        elif ":" in run[:14] and (in_fields or _begins_fields(runs, number)) and _QUOTED_FIELD.match(run):
            if not in_fields and _has_text(kept, count - blank):
                break
            in_fields, blank = True, count
        else:
            in_diff = in_quote = False
            meant = _kind(run) if run[0] in _MEANING else _TEXT
            if meant is _TEXT:
                kept.append(_without_addresses(run))
                count += 1
            elif meant is _LAST:
                break
            elif meant is _RULE:
                rules.append(count)
            elif meant is _BLOCK:
                enclosed = _end_of_block(run)
            in_diff = meant is _DIFF
    return kept, count, rules


def _behind_block(lines: list[str], end: str) -> tuple[list[str], str]:
    """The lines behind the one that begins like that; and that again, as long as there is none."""
    for number, line in enumerate(lines):
        if line.startswith(end):
            return lines[number + 1 :], ""
    return [], end


def _behind_diff(lines: list[str]) -> tuple[list[str], bool]:
    """The lines without those of a diff before them; and whether it may go on."""
    for number, line in enumerate(lines):
        if line and not line.startswith(_DIFF_LINES):
            return [""] * lines[:number].count("") + lines[number:], False
    return [""] * lines.count(""), True


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


def _begins_fields(runs: list[str], number: int) -> bool:
    """A sender with a date in the lines below it: what a mail program writes above an original message."""
    match = _QUOTED_FIELD.match(runs[number])
    if match is None or match["sender"] is None:
        return False
    following = "\n".join(runs[number + 1 : number + 5]).split("\n", 4)[:4]
    fields = map(_QUOTED_FIELD.match, following)
    return any(field is not None and field["when"] is not None for field in fields)


def _has_text(kept: list[str], count: int) -> bool:
    """Whether any of the last so many lines is not empty."""
    for run in reversed(kept):
        if count <= 0:
            break
        lines = run.rsplit("\n", count)[-count:]
        if any(lines):
            return True
        count -= len(lines)
    return False


def _drop_attribution(kept: list[str]) -> int:
    """Takes away the lines that say whose words are quoted next; returns how many."""
    last = len(kept)
    while last and kept[last - 1][:1] in "\n" and kept[last - 1] == "\n" * len(kept[last - 1]):
        last -= 1
    if len(kept) - last > 1:  # else each of thousands of quotations would pass each of thousands of blank lines
        kept[last:] = ["\n".join(kept[last:])]
    if not last or not kept[last - 1].rstrip().endswith(":"):
        return 0
    begin = max(last - 3, 0)
    text = "\n".join(kept[begin:])
    written = text.rstrip("\n")
    lines = written.rsplit("\n", 3)
    end = first = len(lines) - 1
    while first > max(end - 2, 0) and lines[first - 1] and not lines[first].lstrip().startswith(_ATTRIBUTION_START):
        first -= 1
    first = first if lines[first].lstrip().startswith(_ATTRIBUTION_START) else end
    kept[begin:] = lines[:first]
    return len(text) - len(written) + len(lines) - first


def _without_addresses(line: str) -> str:
    """The line without URLs, mail addresses, paths and base64; nothing of one that says but whom a copy went to."""
    if "@" not in line and ("/" not in line or line.count("/") < 2):
        return line
    if line.startswith("Cc: ") or ("-by: " in line and _TRAILER.match(line)):
        return ""
    return _LINES.without_addresses(line)
