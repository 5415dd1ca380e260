"""What is compiled while memory runs out: each allocation fails once, and then all is said as if none had.

    python tests/out_of_memory.py

A program of its own, because the test runner's threads would run out of memory as well. Prints how many have failed.
"""

import _testcapi  # CPython's own, which Debian has too
import html
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from inboxstats.parse import core, marking, uncompiled

MARKED = " ".join(f"w{number:x} é{number} {'plain'[: number % 6]}" for number in range(100)).encode()
TEXT = "aé漢あ"
LINES = ["é b@c\td e", "abc\n\n> \ud800\n- b@c", "\n".join(["a", ">"] * 40)]
PAGE = "a<b>é</b c>&amp;<p d>"
ENCODED = b"=41\r\n"
HEAD = b"From: a\n b\nTo: c\nno field"
PARTS = b"x\n" * 600 + b"\n--b--\n"


def vocabulary(module: ModuleType = core) -> Any:
    return module.Vocabulary(str.title, frozenset({"plain"}), 2, 40, frozenset({"W12", "É30"}))


def characters() -> core.Characters:
    return core.Characters(marking._meaning, marking._TRANSLATION[:128])


def pages(module: ModuleType = core) -> Any:
    return module.Pages(lambda written: "" if written == "b" else "?", lambda *_: "\n", html.unescape)


def said(of: Any) -> object:
    """All that a vocabulary says of MARKED."""
    return of.chosen(MARKED, 100, 1_000)


def elected(of: Any) -> object:
    """Whom the tokens of MARKED elect, which it has met by then."""
    of.chosen(MARKED, 100, 1_000)
    with suppress(ValueError):  # it is closed
        of.close({"W12": b"\1\2", "É30": b"\1\3"}, 2)
    return of.elected(MARKED, 200)


def decoded(data: bytes, module: ModuleType = core) -> object:
    return [of(data, 0, len(data)) for of in (module.from_base64, module.from_quoted_printable, module.with_lf)]


def structure(of: Any) -> object:
    """Where the parts of a message are."""
    return [(of.end_of_section(PARTS, 300, size), of.next_delimiter(PARTS, 300, size, b"b")) for size in (900, 1_207)]


def lines(module: ModuleType = core) -> Any:
    return module.Lines("-", "T", ("b",))


def read(of: Any) -> object:
    """The runs of LINES."""
    return [(of.read(text), of.without_addresses(text)) for text in LINES]


def runs_out(work: Callable[[], object], *, after: int) -> bool:
    """Whether the work fails where memory is missing once, after so many allocations."""
    _testcapi.set_nomemory(after, after + 1)
    try:
        work()
    except MemoryError:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False


def failures(make: Callable[[], Any], work: Callable[[Any], object], expected: object) -> int:
    """How many allocations can fail while something new is made, and in its work."""
    failed = 0
    while runs_out(make, after=failed):
        failed += 1
    made = failed
    while True:
        found = make()
        ran_out = runs_out(lambda: work(found), after=failed - made)  # noqa: B023 -- it is called at once
        assert work(found) == expected, f"{found} says something else after {failed - made} allocations"
        if not ran_out:
            return failed
        failed += 1


def main() -> None:
    assert core.IS_COMPILED
    fields = (True, {b"from": b" a b", b"to": b" c"}, True)
    print(
        failures(vocabulary, said, said(vocabulary(uncompiled))),
        failures(vocabulary, elected, elected(vocabulary(uncompiled))),
        failures(characters, lambda found: found.translated(TEXT), "aé 漢  \1 ".encode()),
        failures(lines, read, read(lines(uncompiled))),
        failures(pages, lambda found: found.text(PAGE), pages(uncompiled).text(PAGE)),
        failures(lambda: ENCODED, decoded, decoded(ENCODED, uncompiled)),
        failures(lambda: core.Fields((b"from", b"to")), lambda found: found.read(HEAD, 0, len(HEAD)), fields),
        failures(lambda: core, structure, structure(uncompiled)),
    )


if __name__ == "__main__":
    main()
