"""Mutated messages for the parser: none may raise, hang, take long, or give what a table or a terminal cannot take;
and what is compiled must read each as Python alone does.

    python tests/fuzz.py --seed 7 --count 100000

A message is made of the seed and its number alone (and of what there is to mutate: the fixtures and, where
INBOXSTATS_CORPORA names them, a sample of the corpora), so that each can be made again. What is wrong with one is told,
and its bytes are written into a file.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
from corpora import corpora_folder, unpack
from uncompiled import uncompiled_reader

from inboxstats import workers
from inboxstats.parse import Read, read_all
from inboxstats.parse.files import row_of
from inboxstats.schema import SCHEMA
from inboxstats.visible import spelled_out, visible

FIXTURES = Path(__file__).parents[1] / "fixtures"
SAMPLE = 20
"""One in so many messages of the corpus is mutated, and the whole torture set."""
LARGEST = 100_000
"""Bytes of a message that is worth mutating: of larger ones one would see few."""

TOKENS = (
    *(b"--", b"--BOUND", b"--BOUND--", b"=?", b"?=", b"=?utf-8?q?", b"=?utf-8?b?", b"\x00", b"(", b")", b'"', b"\\"),
    *(b"\r", b"\n", b"\r\n", b"\n\n", b";", b",", b":", b"<", b">", b"@", b"=", b"%", b"&", b"&#", b"<!--", b"\x1b$B"),
    *(b"\xff", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"+AAAA-", b"*0*=", b"''", b"9" * 20),
    *(b"From ", b"\nFrom: ", b"\nDate: ", b"\nSubject: ", b"\nContent-Type: ", b"\nReceived: ", b"\nList-Id: "),
    *(b"multipart/mixed; boundary=BOUND", b"multipart/alternative", b"message/rfc822", b"text/html"),
    *(b"filename=", b"name*="),
    *(b"base64", b"quoted-printable", b"x-uuencode", b"begin 644 x\n", b"-----BEGIN PGP ", b"\n-- \n", b"\n> "),
)  # fmt: skip
CHARSETS = (
    *(b"utf-7", b"utf-16", b"utf-32", b"iso-2022-jp", b"hz", b"gb18030", b"big5", b"euc-kr", b"shift_jis", b"koi8-r"),
    *(
        b"idna",
        b"punycode",
        b"unicode_escape",
        b"undefined",
        b"rot13",
        b"base64",
        b"zip",
        b"",
        b"cp65001",
        b"utf-8-sig",
    ),
)
_COMMANDS = {"Cc", "Cs", "Zl", "Zp"}
_OVERRIDES = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@cache
def originals(unpacked: Path | None) -> list[bytes]:
    """What is mutated: the fixtures, and the corpora where they are unpacked."""
    paths = sorted(FIXTURES.glob("*/*.eml"))
    if unpacked is not None:
        paths += sorted(unpacked.glob("corpus/*/*.eml"))[::SAMPLE] + sorted(unpacked.glob("torture/*/*.eml"))
    return [data for data in (path.read_bytes() for path in paths) if len(data) <= LARGEST]


def mutated(seed: int, number: int, unpacked: Path | None = None) -> bytes:
    """The message of that number: one of the originals after one to eight mutations."""
    choose = random.Random(f"{seed}:{number}")
    data = bytearray(choose.choice(originals(unpacked)))
    for _ in range(choose.choice((1, 1, 2, 3, 5, 8))):
        _mutate(data, choose, originals(unpacked))
    return bytes(data)


def _mutate(data: bytearray, choose: random.Random, others: Sequence[bytes]) -> None:
    at = choose.randrange(len(data) + 1)
    if choose.random() < 0.5:  # headers are where most of the parser is
        at = min(at, choose.randrange(2_000))
    end = min(len(data), at + int(2 ** choose.uniform(0, 12)))
    match choose.randrange(12):
        case 0:
            for _ in range(choose.choice((1, 4, 32))):
                if data:
                    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        case 1:
            data[at:end] = choose.randbytes(end - at)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = choose.randbytes(choose.randrange(1, 40))
        case 4:
            data[at:at] = data[at:end] * choose.choice((1, 2, 20))
        case 5:
            other = choose.choice(others)
            data[at:] = other[choose.randrange(len(other) + 1) :]
        case 6:
            old, new = choose.choice(
                ((b"\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r"), (b"\n", b"\n\n"), (b"\n", b"\n "))
            )
            data[at:end] = data[at:end].replace(old, new)
        case 7:
            del data[at:]
        case 8 | 9:
            data[at:at] = choose.choice(TOKENS)
        case 10:
            data[at:at] = choose.choice(TOKENS) * choose.choice((2, 50, 2_000))
        case 11:
            start = data.lower().find(b"charset=", at)
            if start >= 0:
                data[start + 8 : data.find(b"\n", start)] = choose.choice(CHARSETS)


def read(data: bytes) -> Read:
    """The message as the parser reads it."""
    return read_all([data])[0]


def problem(data: bytes) -> str | None:
    """What is wrong with how a message is read; ``None`` where nothing is."""
    try:
        began = time.process_time()
        message = read(data)
        took = time.process_time() - began
        if guarded := [defect for defect in message.defects if "cannot be read: " in defect]:
            return f"an exception inside: {guarded}"
        return _in_table_or_sight(message) or _slow(data, took) or _otherwise(data, message)
    except Exception:  # noqa: BLE001 -- this is what we look for
        return traceback.format_exc()


def _in_table_or_sight(message: Read) -> str | None:
    row = row_of(message)._asdict()
    columns = [field for field in SCHEMA if field.name in row]
    pa.Table.from_pylist([row], schema=pa.schema(columns)).validate(full=True)
    text = json.dumps(row, ensure_ascii=False, default=str)
    if json.loads(spelled_out(text)) != json.loads(text):
        return "JSON for a terminal has another value"
    for shown in (spelled_out(text), visible("".join(_texts(row)))):
        characters = set(shown)
        if _COMMANDS & set(map(unicodedata.category, characters)) or characters & _OVERRIDES:
            return "a character that a terminal obeys"
    return None


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _texts(list(value.values()))
        case list() | tuple():
            for each in value:
                yield from _texts(each)


def _slow(data: bytes, took: float) -> str | None:
    """A megabyte may take two seconds: ten times what the slowest of them needs. The first message loads stop words."""
    allowed = 0.5 + len(data) / 500_000
    for _ in range(2):
        if took <= allowed:
            return None
        began = time.process_time()
        read(data)
        took = min(took, time.process_time() - began)
    return None if took <= allowed else f"{len(data):,} bytes took {took:.1f} s"


def _otherwise(data: bytes, message: Read) -> str | None:
    """Whether what is compiled reads the message as Python alone does."""
    return None if _by_python_alone()(data) == message else "Python alone reads it otherwise"


@cache
def _by_python_alone() -> Callable[[bytes], Read]:
    return uncompiled_reader()


def problems(numbers: Sequence[int], seed: int, unpacked: Path | None) -> list[str | None]:
    """What is wrong with each of the messages of these numbers."""
    return [problem(mutated(seed, number, unpacked)) for number in numbers]


def fuzz(seed: int, count: int, unpacked: Path | None, out: Path) -> list[str]:
    """Tries so many messages on all processors; a line a finding, whose bytes are in a file in `out`."""
    findings = []
    work = partial(problems, seed=seed, unpacked=unpacked)
    for number, found in workers.run(work, range(count), engine="processes", workers=workers.default_workers()):
        if found is not None:
            out.mkdir(parents=True, exist_ok=True)
            path = out / f"{seed}-{number}.eml"
            path.write_bytes(mutated(seed, number, unpacked))
            reason = found.reason if isinstance(found, workers.Lost) else found
            findings.append(f"seed {seed}, message {number} ({path}): {reason}")
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("build") / "fuzz")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        named = corpora_folder()
        unpacked = unpack(named, Path(folder)).unpacked if named else None
        print(f"seed {options.seed}: {options.count:,} mutations of {len(originals(unpacked)):,} messages", flush=True)
        began = time.monotonic()
        findings = fuzz(options.seed, options.count, unpacked, options.out)
        print(*findings, sep="\n")
        print(f"{len(findings):,} findings in {time.monotonic() - began:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    import fuzz as importable  # what runs in the workers must be of a module that they can import

    sys.exit(importable.main())
