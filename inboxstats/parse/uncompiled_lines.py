"""Lines of text, in Python: the part of `uncompiled` that would make it too long."""

import re


class Lines:
    """What the lines of a text are, as far as it shows without a closer look: most are simply text.

    special   -- the characters, up to U+07FF, with which a line begins that may be anything
    labelling -- those with which one does that has a ``:`` among its first 14 characters
    starts    -- up to eight beginnings, in ASCII and with no white space first, of lines that may be anything, whatever
                 they begin with
    """

    def __init__(self, special: str, labelling: str, starts: tuple[str, ...]) -> None:
        self._special, self._labelling, self._starts = frozenset(special), frozenset(labelling), starts
        self._begun = frozenset(start[:1] for start in starts)
        self._careful = _BLANKS.union(special, labelling, self._begun)

    def read(self, text: str) -> tuple[bytes, list[str], list[int]]:
        """The text in runs of lines that are alike: a letter for each, the lines, and how many these are.

        p, text, with empty lines or without; e, empty lines; q, lines with ``>`` first; a, one line of text with an
        ``@`` or two ``/``; m, one with a ``>`` among its first eight characters; o, one of any other kind, of white
        space alone, or with ``-by: `` that would be an a. Where there is no m and no o, a line that would be an a is
        a p, `without_addresses`.
        """
        special, labelling, starts, begun = self._special, self._labelling, self._starts, self._begun
        careful = self._careful
        lines = text.split("\n")
        # One expression: a function for each line would take as long as all else that is done with it.
        kinds = bytes(
            [
                _EMPTY
                if not line
                else _QUOTED
                if (first := line[0]) == ">"
                else _MARKED
                if ">" in line and ">" in line[:8]
                else _OTHER
                if first in careful
                and (
                    first in special
                    or (first in labelling and ":" in line[:14])
                    or (line.isspace() if first in _BLANKS else first in begun and line.startswith(starts))
                )
                else _PLAIN
                if "@" not in line and ("/" not in line or line.count("/") < 2)
                else _ADDRESSED
                if "-by: " not in line
                else _OTHER
                for line in lines
            ]
        )
        found = _RUN.findall(kinds)
        sizes = list(map(len, found))
        runs: list[str] = []
        number = 0
        for size in sizes:
            if size == 1:
                runs.append(lines[number])
            else:
                runs.append("\n".join(lines[number : number + size]))
            number += size
        letters = bytes([_PLAIN if _PLAIN in run else run[0] for run in found])
        if _ADDRESSED in kinds and _OTHER not in kinds and _MARKED not in kinds:
            of_each = zip(letters, runs, strict=True)
            runs = [self.without_addresses(run) if letter == _ADDRESSED else run for letter, run in of_each]
            letters = letters.replace(b"a", b"p")
        return letters, runs, sizes

    def without_addresses(self, line: str) -> str:
        """The words of a line but those with an ``@`` or two ``/``: URLs, mail addresses, paths and base64; nothing of
        one that has but their label, ``Link:``.
        """
        words = [word for word in line.split() if "@" not in word and ("/" not in word or word.count("/") < 2)]
        if len(words) == 1 and words[0].endswith(":") and line.startswith(words[0]):
            return ""
        return " ".join(words)


_EMPTY, _QUOTED, _MARKED, _OTHER, _PLAIN, _ADDRESSED = b"eqmopa"
_RUN = re.compile(b"[pe]+|q+|[amo]")
_BLANKS = frozenset(
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space, as Python has it."""
