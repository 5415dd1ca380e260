"""No message makes a worker use more than 512 MB: measured in real workers, on what hurts most at the largest size."""

import random
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from inboxstats import workers
from inboxstats.mail import Location
from inboxstats.parse import Limits, parse
from inboxstats.parse.files import Row, read_rows

from .test_hostile import BAITS, BODY_BAITS, FIELDS, OPENINGS

MOST = 512 * 1024 * 1024
LARGEST = Limits().message_bytes

TEXT = b"From: ann@example.com\nContent-Type: text/plain; charset=utf-8\n"
FILE = b"From: ann@example.com\nContent-Type: application/pdf; name=plan.pdf\nContent-Transfer-Encoding: "


def filled(head: bytes, unit: bytes) -> bytes:
    return head + unit * ((LARGEST - len(head)) // len(unit))


def parts(part: Callable[[random.Random], bytes]) -> bytes:
    """As many parts as are read, of 65,000 bytes each."""
    choose = random.Random(1)
    different = [b"--b\nContent-Type: " + part(choose) + b"\n" for _ in range(27)]
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(different) * 37 + b"--b--\n"  # 27 · 37 = 999


def words(choose: random.Random) -> bytes:
    return b"text/plain\n\n" + "".join(choose.choices("abcdefghijklm ", k=65_000)).encode()


def chinese(choose: random.Random) -> bytes:
    return (
        b"text/plain; charset=utf-8\n\n" + "".join(map(chr, choose.choices(range(0x4E00, 0x9F00), k=21_600))).encode()
    )


WORST: dict[str, Callable[[], bytes]] = {
    "one line": lambda: filled(TEXT + b"\n", b"a"),
    "line feeds": lambda: filled(b"", b"\n"),
    "carriage returns": lambda: filled(b"", b"\r"),
    "CRLF": lambda: filled(TEXT + b"\n", b"\r\n"),
    "text in base64": lambda: filled(TEXT + b"Content-Transfer-Encoding: base64\n\n", b"QUFB" * 19 + b"\n"),
    "base64 with debris": lambda: filled(FILE + b"base64\n\n", b"QU!\n"),
    "quoted-printable": lambda: filled(FILE + b"quoted-printable\n\n", b"=41"),
    "soft line breaks": lambda: filled(FILE + b"quoted-printable\n\n", b"=\r\n"),
    "uuencode": lambda: filled(FILE + b"x-uuencode\n\nbegin 644 c\n", b"M" + b"A" * 60 + b"\n"),
    "short lines of uuencode": lambda: filled(FILE + b"x-uuencode\n\nbegin 644 c\n", b"!AA\n"),
    "empty lines of uuencode": lambda: filled(FILE + b"x-uuencode\n\nbegin 644 c\n", b"\n"),
    "tags": lambda: filled(b"Content-Type: text/html\n\n", b"<b><p>"),
    "ampersands": lambda: filled(b"Content-Type: text/html\n\n", b"&"),
    "fields": lambda: filled(b"", b"X: a\n"),
    "lines of one field": lambda: filled(b"Subject: a", b"\n "),
    "lines that are no field": lambda: filled(b"Subject: a\n", b"xx\n"),
    "encoded words": lambda: filled(b"Subject: ", b"=?a?b?YQ?= "),
    "Chinese": lambda: filled(TEXT + b"\n", "报告".encode()),
    "UTF-7": lambda: filled(b"Content-Type: text/plain; charset=utf-7\n\n", b"+AAAA-"),
    "boundaries": lambda: filled(b"Content-Type: multipart/mixed; boundary=b\n\n", b"--b\n"),
    "parts of words": lambda: parts(words),
    "parts of Chinese": lambda: parts(chinese),
    "parts of emoji": lambda: parts(lambda _: b"text/plain; charset=utf-8\n\n" + "🎉a ".encode() * 10_800),
    "parts of HTML": lambda: parts(lambda _: b"text/html\n\n" + b"<b>" * 21_600),
    "long file names": lambda: parts(lambda _: b'a/b; name="' + "🎉".encode() + b"a" * 64_900 + b'"\n\n'),
    "encoded file names": lambda: parts(lambda _: b"a/b; name*=utf-8''" + b"%F0%9F%8E%89" * 5_400 + b"\n\n"),
}


def peaks(locations: Sequence[Location]) -> list[int]:
    """The most bytes that this worker had resident, once for each message that it has read."""
    rows = read_rows(locations)
    assert all(isinstance(row, Row) for row in rows)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [used if sys.platform == "darwin" else used * 1024 for _ in rows]


def peaks_of_baits(baits: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """The most bytes that this worker had resident up to each of the messages, which it makes itself."""
    used = []
    for head, unit in baits:
        parse(filled(head, unit))
        used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    return used


def peak(*paths: Path) -> float:
    """In a worker of its own, as `report` starts it."""
    found = workers.run(peaks, [Location(str(path)) for path in paths], engine="processes", workers=1)
    results = [result for _, result in found]
    assert not [result for result in results if isinstance(result, workers.Lost)]
    return max(result for result in results if not isinstance(result, workers.Lost))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "worst.eml"
    yield path
    path.unlink()


@pytest.mark.parametrize("name", WORST)
def test_no_message_makes_a_worker_use_more_than_512_mb(name: str, file: Path) -> None:
    data = WORST[name]()
    assert 0.9 * LARGEST < len(data) <= LARGEST
    file.write_bytes(data)
    assert LARGEST < peak(file) < MOST


@pytest.mark.fuzz
@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.timeout(3_600)
def test_no_bait_of_64_mb_makes_a_worker_use_more_than_512_mb(opening: str) -> None:
    baits = [(OPENINGS[opening], bait) for bait in (*BAITS, *BODY_BAITS)]
    baits += [(field + b": ", b"a ") for field in FIELDS if opening == "header"]
    used = dict(workers.run(peaks_of_baits, baits, engine="processes", workers=1, patience=3_000))
    print(f"{opening}: {max(each for each in used.values() if isinstance(each, int)) / 1e6:.0f} MB")
    assert {bait: each for bait, each in used.items() if not isinstance(each, int) or each >= MOST} == {}


def test_a_batch_of_large_rows_leaves_room_for_a_large_message(tmp_path: Path) -> None:
    choose = random.Random(1)
    emoji = "🎉".encode()
    for number in range(workers.BATCH - 1):
        head = b"".join(b"%b: %b%d\n" % (name, emoji * 15_000, number) for name in (b"Subject", b"List-Id", b"From"))
        letters = "".join(map(chr, choose.choices([32, *range(0x10400, 0x10428)], k=200_000))).encode()
        made = (
            b'--b\nContent-Type: a/b; name="%b%d"\n\n' % (emoji, choose.randrange(10**200))
            for _ in range(Limits().parts - 6)
        )
        texts = (b"--b\n\n" + letters[start : start + 250_000] + b"\n" for start in range(0, 750_000, 250_000))
        (tmp_path / f"{number:02}.eml").write_bytes(
            head + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join((*texts, *made)) + b"--b--\n"
        )
    (tmp_path / "last.eml").write_bytes(WORST["text in base64"]())
    assert peak(*sorted(tmp_path.iterdir())) < MOST


def test_what_a_worker_remembers_does_not_grow_with_the_messages_that_it_has_read(tmp_path: Path) -> None:
    for number in range(2_000):
        tag = b"<t%d%b>" % (number, b"a" * 60_000)
        field = b"X%d%b: a\n" % (number, b" " * 60_000)
        word = b"%d%b" % (number, b"a" * 30_000)
        (tmp_path / f"{number}.eml").write_bytes(field + b"Content-Type: text/html\n\n" + tag + word)
    few = peak(*sorted(tmp_path.iterdir())[:50])
    assert peak(*tmp_path.iterdir()) - few < 30_000_000
