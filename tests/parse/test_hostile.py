"""No input raises, none takes more than linear time, none makes more of a message than the limits allow."""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import islice, product

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats.parse import Limits, parse, read_all
from inboxstats.parse.files import row_of
from inboxstats.schema import SCHEMA

# What parts of a pattern can be made to look at again and again.
BAITS = (
    *(
        b"(",
        b")",
        b"<",
        b">",
        b",",
        b";",
        b":",
        b"@",
        b'"',
        b"'",
        b"\\",
        b"[",
        b"]",
        b"=",
        b"?",
        b"/",
        b".",
        b"-",
        b"_",
    ),
    *(
        b" ",
        b"\t",
        b"a",
        b"a ",
        b"a@",
        b"a,",
        b"()",
        b'""',
        b'\\"',
        b"=?",
        b"?=",
        b"=?a?q?",
        b"=?a?q?b?= ",
        b"=?a?b?YQ?=",
    ),
    *(
        b"<a@b",
        b"a=b;",
        b';a="',
        b"a*0*=x;",
        b"%41",
        b"''",
        b"&#",
        b"&#1;",
        b"&#x11111111",
        b"9",
        b"\xff",
        b"\xe4\xbd\xa0",
    ),
)
BODY_BAITS = (
    *(
        b"\n",
        b"\r",
        b"\n\n",
        b"\r\n",
        b"\n>",
        b"\na>",
        b"\n-- ",
        b"\n--",
        b"\n--b",
        b"\n--b\n",
        b"\n--b--",
        b"\n:\n",
        b"a\n",
    ),
    *(
        b"\nOn a:\n> b",
        b"\nFrom: a\nDate: b\n",
        b"\n-----BEGIN A",
        b"\nbegin 644 a\n",
        b"\n---\n+a",
        b"\n_____",
        b"unsubscribe\n\n",
    ),
    *(
        b"<!--",
        b"<b><p>",
        b"<div>",
        b"</p>",
        b"<blockquote type=cite>",
        b"<script>",
        b"<head>",
        b"<a b='",
        b"< ",
        b"< >",
        b"<p/>",
    ),
    *(b"From a\n", b"\nA: b", b"\n b", b"a" * 50 + b" ", b"a'", b"a_"),
)
FIELDS = (b"From", b"Date", b"Received", b"Subject", b"Message-ID", b"List-Id", b"Content-Type", b"Content-Disposition")
OPENINGS = {
    "plain": b"Content-Type: text/plain\n\n",
    "html": b"Content-Type: text/html\n\n",
    "base64": b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n",
    "quoted-printable": b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n",
    "uuencode": b"Content-Type: a/b; name=c\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 c\n",
    "multipart": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n",
    "header": b"",
    "charset": b"Content-Type: text/plain; charset=utf-7\n\n",
}


def seconds(data: bytes) -> float:
    """Of this processor, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        parse(data)
        times.append(time.process_time() - start)
    return min(times)


def assert_linear(make: Callable[[int], bytes], size: int) -> None:
    """Four times the input takes four times as long; sixteen times would be quadratic."""
    floor = 0.005  # below it the clock and the caches decide
    assert seconds(make(4 * size)) < 8 * max(seconds(make(size)), floor)


@pytest.mark.parametrize("field", FIELDS, ids=bytes.decode)
def test_no_header_field_takes_more_than_linear_time(field: bytes) -> None:
    for bait in BAITS:
        for begin in (b"", b"x/y; z=<"):
            assert_linear(lambda size, it=bait, begin=begin: field + b": " + begin + it * (size // len(it)), 20_000)


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS.keys())
def test_no_body_takes_more_than_linear_time(opening: bytes) -> None:
    for bait in (*BAITS, *BODY_BAITS):
        assert_linear(lambda size, it=bait: opening + it * (size // len(it)), 20_000)


@pytest.mark.parametrize("kind", ["application/pdf; name=plan.pdf", "text/plain"])
def test_uuencode_that_promises_much_takes_no_more_memory_than_it_is_long(kind: str) -> None:
    lines = 100_000
    data = f"Content-Type: {kind}\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 c\n".encode() + b"_\n" * lines

    parse(data)  # what is loaded once is no memory of this message
    tracemalloc.start()
    try:
        message = parse(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 6 * len(data)  # decoded whole it would be 30 times as long
    assert [part.size for part in message.attachments] == ([63 * lines] if "name" in kind else [])


def nested(depth: int) -> bytes:
    lines = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number) for number in range(depth))
    return b"".join(lines) + b"\nthe innermost text\n"


def many_parts(count: int) -> bytes:
    part = b"--b\nContent-Type: a/b; name=c\n\nx\n"
    return b"From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n" + part * count + b"--b--\n"


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (nested, 10_000),
        (many_parts, 10_000),
        (lambda size: b"X: " + b"a" * size + b"\nFrom: a@example.com\n\nx", 10_000_000),
        (lambda size: b"X: " + b"a\n " * size + b"\nFrom: a@example.com\n\nx", 300_000),
        (lambda size: b"".join(b"X%d: a\n" % number for number in range(size)) + b"\nx", 200_000),
        (lambda size: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nA: b\n" * size, 100_000),
        (lambda size: b"Content-Type: multipart/mixed; boundary=b\n\n" + nested(3) * (size // 100), 100_000),
    ],
    ids=["depth", "parts", "long field", "folded field", "many fields", "parts without bodies", "parts within parts"],
)
def test_no_structure_takes_more_than_linear_time(make: Callable[[int], bytes], size: int) -> None:
    assert_linear(make, size)


def test_where_a_header_breaks_behind_millions_of_folds_is_found_at_once() -> None:
    folded = b"From: a@example.com\nX: a\n" + b" \n" * 2_000_000
    assert seconds(folded + b"broken\n") < 4 * max(seconds(folded), 0.02)  # 64 MB of it took 9 s, of the 10 s it has


def begun_delimiters(depth: int, boundaries: Sequence[bytes]) -> bytes:
    """Multiparts within each other, and lines that begin like a delimiter of each of them and are none."""
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\n\n--%b\n" % (each, each)
        for each in (boundaries[number % len(boundaries)] for number in range(depth))
    )
    return opened + (b"\n--" + boundaries[-1] + b"x") * (400_000 // (len(boundaries[-1]) + 4))


@pytest.mark.parametrize("boundaries", [[b"a"], [b"a" * length for length in range(1, 51)]], ids=["one", "prefixes"])
def test_lines_that_begin_like_delimiters_cost_little_at_any_depth(boundaries: list[bytes]) -> None:
    alone = seconds(begun_delimiters(1, boundaries))
    assert seconds(begun_delimiters(50, boundaries)) < 10 * max(alone, 0.01)  # it was 50 times, 2 s


def test_ruled_lines_above_what_may_be_a_footer_cost_little() -> None:
    parted, lines = b"\n--b\n\n", (b"x" * 1_000 + b"\n") * 13
    ruled = b"----\n" * 3_000 + lines
    opening = OPENINGS["multipart"]

    alone = seconds(opening + (lines + parted) * 10)
    assert seconds(opening + (ruled + parted) * 10) < 10 * max(alone, 0.02)  # 1 MB of it took 4 s


def test_quotations_below_thousands_of_blank_lines_cost_little() -> None:
    parted, quoted = b"\n--b\n\n", b"a//\n>\n" * 2_600  # each of them below one blank line more
    opening = OPENINGS["multipart"]

    alone = seconds(opening + (b"x\n" * 8_000 + parted) * 10)
    assert seconds(opening + (b" \n" * 8_000 + quoted + parted) * 10) < 20 * max(alone, 0.02)  # 32 kB took 0.5 s


def test_what_is_nested_too_deep_is_left_out_with_a_defect() -> None:
    message = parse(nested(51))

    assert message.words == ()
    assert "more than 50 multiparts within each other: the rest is left out" in message.defects
    assert parse(nested(50)).words == ("innermost", "text")


def test_a_body_may_begin_where_the_message_does() -> None:
    message = parse(b"broken\nContent-Type: multipart/mixed; boundary=b\n--b\nharvest\n--b--\n")

    assert message.words == ("harvest",)
    assert message.defects == ("header line without a field name",)


def test_ten_thousand_parts_give_a_thousand_and_a_defect() -> None:
    message = parse(many_parts(10_000))

    assert message.sender is not None
    assert len(message.attachments) == 999  # the multipart itself is the first part
    assert "more than 1000 parts: the rest is left out" in message.defects


def test_a_header_of_ten_megabytes_costs_itself_alone() -> None:
    message = parse(b"X-Big: " + b"a" * 10_000_000 + b"\nFrom: ann@example.com\nSubject: here\n\nharvest\n")

    assert message.sender is not None
    assert message.subject == "here"
    assert message.words == ("harvest",)
    assert message.defects == ("more than 262144 bytes of header: the rest is left out",)


def test_a_message_beyond_the_limit_is_read_up_to_it() -> None:
    data = b"From: ann@example.com\n\nharvest festival"

    message = parse(data, Limits(message_bytes=len(data) - len(" festival")))

    assert message.size == len(data)
    assert message.words == ("harvest",)
    assert message.defects == ("more than 30 bytes: the rest is left out",)


def test_of_a_thousand_texts_the_first_megabyte_is_read_for_words() -> None:
    words = [f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(40)]
    made = (b"--b\n\n" + word.encode() + b"\n" * 65_536 for word in words)

    message = parse(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(made) + b"--b--\n")

    assert message.words == tuple(words[:16])  # sixteen parts of 64 kB are a megabyte
    assert message.defects == ()


def test_a_message_has_five_thousand_keywords_at_most() -> None:
    text = " ".join("".join(letters) for letters in islice(product("abcdefghij", repeat=6), 400_000, 406_000))
    half = len(text) // 2
    made = "".join(f"--b\n\n{part}\n" for part in (text[:half], text[half:]))

    assert len(parse(f"Content-Type: multipart/mixed; boundary=b\n\n{made}--b--\n".encode()).words) == 5_000


def as_arrow(data: bytes) -> pa.Table:
    """The message as the table stores it: Arrow takes no lone surrogate and no naive date."""
    columns = [field for field in SCHEMA if field.name not in ("file", "account", "mailbox", "key")]
    return pa.Table.from_pylist([row_of(read_all([data])[0])._asdict()], schema=pa.schema(columns))


@given(st.binary(max_size=2_000))
@settings(deadline=None)  # the first text loads the stop words
def test_any_bytes_give_a_message(data: bytes) -> None:
    message = parse(data)

    assert message.size == len(data)
    assert as_arrow(data).num_rows == 1


WORD = st.sampled_from(
    (*BAITS, *BODY_BAITS, *OPENINGS.values(), b"\x1b$B", b"+AAAA-", b"2 Mar 2026 10:00 +0100", b"--b", b"\x00")
)
SOUP = st.lists(WORD | st.binary(max_size=8), max_size=12).map(b"".join)
FIELD = st.tuples(st.sampled_from((*FIELDS, b"References", b"Content-Transfer-Encoding", b"Content-ID")), SOUP)
CHARSETS = st.sampled_from(
    (
        b"utf-8",
        b"utf-7",
        b"utf-16",
        b"utf-32",
        b"iso-2022-jp",
        b"hz",
        b"gb18030",
        b"idna",
        b"punycode",
        b"unicode_escape",
    )
)


@given(st.lists(FIELD, max_size=8), CHARSETS, SOUP)
@settings(deadline=None)
def test_a_soup_of_headers_gives_a_message(fields: list[tuple[bytes, bytes]], charset: bytes, body: bytes) -> None:
    words = b"=?%b?Q?%b?=" % (charset, body.replace(b"\n", b""))
    header = b"".join(b"%b: %b\n" % field for field in fields)

    data = header + b"Subject: " + words + b"\nContent-Type: text/plain; charset=" + charset + b"\n\n" + body
    message = parse(data)

    assert as_arrow(data).num_rows == 1
    assert not [defect for defect in message.defects if "cannot be read" in defect]


@given(SOUP)
@settings(max_examples=50, deadline=None)
def test_reading_twice_gives_the_same(data: bytes) -> None:
    assert parse(data) == parse(data)
