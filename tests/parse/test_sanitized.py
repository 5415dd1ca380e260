"""What is compiled under AddressSanitizer and UndefinedBehaviorSanitizer, which end the program at the first octet that
is read or written beside its room."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = "a C compiler with its sanitizers, or Python's headers, are missing"

READING = """
import contextlib, importlib.machinery, importlib.util, random, sys
loader = importlib.machinery.ExtensionFileLoader("inboxstats.parse._compiled", sys.argv[1])
spec = importlib.util.spec_from_loader(loader.name, loader)
sys.modules[loader.name] = importlib.util.module_from_spec(spec)
loader.exec_module(sys.modules[loader.name])

import fuzz, out_of_memory
from inboxstats.parse import core, marking, parse

assert core.IS_COMPILED and sys.modules[loader.name].__file__ == sys.argv[1]
for data in fuzz.originals(None):
    parse(data)
for number in range(1_500):
    parse(fuzz.mutated(3, number))

translated = core.Characters(marking._meaning, bytes(128)).translated
for text in ("漢", "漢字", "\u023a", "あ漢", "漢é", "漢 ", "漢あ", "\u2026"):  # each becomes longer than it was
    for times in (1, 2, 3, 4, 5, 6, 50, 999):
        translated(text * times)

choose = random.Random(4)
letters = "aZ'\\x01 \\n>/@é…漢字あ\\u200b\\U0001f33e\\ud800"
for number in range(3_000):
    text = "".join(choose.choices(letters, k=choose.randrange(60)))
    translated(text)
    lines = core.Lines("\\x01é", "Z/", ("aZ", ">"))
    for of in (text, text.replace(">", "b")):
        lines.read(of)
        lines.without_addresses(of)
    head = text.replace("/", ":").encode(errors="ignore")
    core.Fields((b"a", b"z")).read(head, len(head) // 3, len(head))
    core.end_of_section(head, len(head) // 3, len(head))
    parts = head.replace(b"a", b"\\n--")
    core.next_delimiter(parts, len(parts) // 3, len(parts), b"Z")
    vocabulary = core.Vocabulary(
        lambda token: token[: choose.randrange(50)] * choose.choice((0, 1, 1, 100)),
        *(frozenset({"aa", "Za"}), 1, choose.randrange(9), frozenset({"a", "aZ", "éa"}))[: choose.choice((0, 4))],
    )
    marked = text.encode(errors="ignore") * choose.choice((1, 1, 300))
    vocabulary.chosen(marked, choose.randrange(257), choose.randrange(300))
    vocabulary.close({text[:3]: bytes(range(7))}, 7)
    vocabulary.elected(marked, choose.randrange(257))
    said = ("", "\\n", "/", ">", ")", "<", "?", "?", "?", "aZ", "x" * 15, "x" * 16)
    pages = core.Pages(lambda _: choose.choice(said), lambda *_: choose.choice(said), lambda _: choose.choice(said))
    for _ in range(3):
        with contextlib.suppress(ValueError):
            pages.text("<".join(choose.choices(("", ">", "a", "b ", "&a;", "&#8", "!--", "-->", text), k=40)))
    encoded = marked.replace(b"a", b"=").replace(b"/", b"=3D").replace(b">", b"\\r").replace(b" ", b"QUJD")
    for of_part in (core.base64_letters, core.from_base64, core.from_quoted_printable, core.with_lf):
        for data in (marked, encoded, encoded[:choose.randrange(9)]):
            of_part(data, len(data) // 3, len(data))
            of_part(data[len(data) // 3 :], 0, len(data) - len(data) // 3)

def keyword_of(token):
    if len(token) < 5:
        vocabulary.chosen(" ".join(token + digit for digit in "123456789").encode(), 9, 9)
    return token * 2

vocabulary = core.Vocabulary(keyword_of)  # all that is known moves to where there is room while it is asked for a token
vocabulary.chosen(b"a b a", 9, 9)
core.Vocabulary(str).chosen(" ".join(f"{number:x}" * 3 for number in range(200_000)).encode(), 256, 200_000)
out_of_memory.main()
print("read")
"""


def test_nothing_is_read_or_written_beside_its_room(tmp_path: Path) -> None:
    built = tmp_path / "_compiled.abi3.so"
    compiler = shutil.which("gcc")
    if compiler is None or not _compile(compiler, built):
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    found = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    done = subprocess.run(
        [sys.executable, "-c", READING, str(built)],
        env={
            **os.environ,
            "ASAN_OPTIONS": "detect_leaks=0",  # Python itself has some; test_core.py counts ours
            "LD_PRELOAD": found.stdout.strip(),
            "PYTHONMALLOC": "malloc",  # each piece of memory by itself, so that its end is seen
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout[-5:-1]) == (0, "read"), done.stderr


def _compile(compiler: str, built: Path) -> bool:
    """Whether there is all that it takes; what is wrong with our own code is told."""
    sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    include = f"-I{sysconfig.get_path('include')}"
    empty = subprocess.run(
        [
            compiler,
            *sanitizers,
            include,
            "-include",
            "Python.h",
            "-fPIC",
            "-shared",
            "-x",
            "c",
            os.devnull,
            "-o",
            built,
        ],
        capture_output=True,
        check=False,
    )
    if empty.returncode:
        return False
    warnings = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wno-cast-function-type", "-Werror")
    sources = sorted((ROOT / "compiled").glob("*.c"))
    done = subprocess.run(
        [compiler, *warnings, *sanitizers, "-O1", "-g", include, "-fPIC", "-shared", *sources, "-o", built],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return True
