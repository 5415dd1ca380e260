"""The reader of FETCH answers, from bytes alone: RFC 9051's own forms, those of odd servers, and no IMAP at all."""

import io
import tracemalloc
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxstats.mail import Content, Part, Pieces
from inboxstats.sources.imap import bodies
from inboxstats.sources.imap.bodies import PIECE, Body, Completion, MalformedAnswerError, answers

HELLO = b"Subject: hello\r\n\r\n{5}\r\n) * 1 FETCH (UID 9 BODY[] {3}\r\n"
"""A message that looks like IMAP."""


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def fetch(uid: int, data: bytes, number: int = 1) -> bytes:
    return b"* %d FETCH (UID %d BODY[] %b)\r\n" % (number, uid, literal(data))


def taken(content: Content) -> bytes:
    return content if isinstance(content, bytes) else b"".join(content.pieces)


def read(stream: bytes) -> tuple[dict[int, bytes], list[str]]:
    """The messages by UID, and the status and text of the commands, up to the end of the stream."""
    found: dict[int, bytes] = {}
    ends: list[str] = []
    try:
        for answer in answers(io.BytesIO(stream)):
            if isinstance(answer, Completion):
                ends.append(f"{answer.tag.decode()} {answer.status} {answer.text}")
            else:
                found[answer.uid] = taken(answer.content)
    except ConnectionError as end:
        assert "ended within an answer" in str(end)  # noqa: PT017 -- a stream of bytes ends so, at the latest
    return found, ends


def only(stream: bytes) -> dict[int, bytes]:
    found, ends = read(stream + b"B1 OK done\r\n")
    assert ends == ["B1 OK done"]
    return found


def test_messages_come_byte_for_byte_with_their_uid() -> None:
    assert only(fetch(7, HELLO) + fetch(42, b"\x00\xff\r\n", 2)) == {7: HELLO, 42: b"\x00\xff\r\n"}


@pytest.mark.parametrize(
    "answer",
    [
        b"* 3 FETCH (BODY[] {5}\r\nhello UID 7)\r\n",
        b"* 3 FETCH (FLAGS (\\Seen $Junk) UID 7 BODY[] {5}\r\nhello)\r\n",
        b"* 3 FETCH (UID 7 BODY[] {5}\r\nhello FLAGS (\\Seen) MODSEQ (12))\r\n",
        b"* 3 fetch (uid 7 body[] {5}\r\nhello)\r\n",
        b"* 3 FETCH ( UID 7  BODY[] {5}\r\nhello )\r\n",
        b"* 3 FETCH (UID 7 BODY[] ~{5}\r\nhello)\r\n",
        b'* 3 FETCH (UID 7 BODY[] "hello")\r\n',
        b"* 3 FETCH (UID 7 BODY[] {5}\r\nhello\r\n)\r\n",
        b"* 3 FETCH (UID 7 BODY[] {5}\nhello)\n",
        b"\r\n* 3 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n\r\n",
        b'* 3 FETCH (UID 7 ENVELOPE ("a" {3}\r\n)\r\n NIL (("b" NIL))) BODY[] {5}\r\nhello)\r\n',
        b"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (DATE FROM)] {2}\r\nxx BODY[]<0> {2}\r\nyy BODY[] {5}\r\nhello)\r\n",
    ],
)
def test_an_answer_may_have_any_form_of_the_rfc_and_some_others(answer: bytes) -> None:
    assert only(answer) == {7: b"hello"}


@pytest.mark.parametrize(
    "name",
    [b"BODY[HEADER.FIELDS (FROM DATE)]", b"body[header.fields (from date)]", b'BODY[HEADER.FIELDS ("FROM" "DATE")]'],
)
def test_fields_of_a_header_are_told_from_a_message(name: bytes) -> None:
    stream = b"* 3 FETCH (UID 7 %b {2}\r\nxx BODY[] {5}\r\nhello)\r\n" % name
    found = list(islice(answers(io.BytesIO(stream)), 2))
    assert found == [Body(7, b"xx", Part.HEADER), Body(7, b"hello", Part.WHOLE)]


def test_quoted_text_is_unescaped() -> None:
    assert only(b'* 3 FETCH (UID 7 BODY[] "a \\"b\\" \\\\c")\r\n') == {7: b'a "b" \\c'}


@pytest.mark.parametrize(
    "noise",
    [
        b"* 121 EXISTS\r\n",
        b"* 3 EXPUNGE\r\n",
        b"* VANISHED (EARLIER) 1:5\r\n",
        b"* OK [ALERT] FETCH (UID 7 BODY[] at noon\r\n",
        b"* 7 FETCH (FLAGS (\\Seen))\r\n",
        b"* 7 FETCH (UID 8 FLAGS (odd[flag a{b) MODSEQ (3))\r\n",
        b"* 7 FETCH (BODY[] {5}\r\nhello)\r\n",  # no UID: whose it is, nobody knows
        b"* 7 FETCH (UID 8 BODY[] NIL)\r\n",
        b"* 7 FETCH (UID 8)\r\n",
        b"* 7 FETCH (UID 8 BODY[TEXT] {5}\r\nhello)\r\n",
        b'* LIST () "/" {12}\r\nB1 NO\r\n* 1 F\r\n',
        b"+ idling\r\n",
    ],
)
def test_what_is_no_message_is_passed_over(noise: bytes) -> None:
    assert only(noise + fetch(1, b"one") + noise) == {1: b"one"}


def test_an_empty_message_is_a_message() -> None:
    assert only(fetch(7, b"") + b'* 2 FETCH (UID 8 BODY[] "")\r\n') == {7: b"", 8: b""}


def test_the_end_of_each_command_is_told() -> None:
    stream = fetch(1, b"one") + b"B1 NO [SERVERBUG] not that one\r\n" + fetch(2, b"two") + b"B2 ok\r\nB3 BAD  \r\n"
    assert read(stream) == ({1: b"one", 2: b"two"}, ["B1 NO [SERVERBUG] not that one", "B2 OK ", "B3 BAD "])


def test_a_bye_is_the_end() -> None:
    found = answers(io.BytesIO(fetch(1, b"one") + b"* BYE shutting down\r\n" + fetch(2, b"two")))
    assert next(found) == Body(1, b"one")
    with pytest.raises(ConnectionError, match="BYE shutting down"):
        next(found)


@pytest.mark.parametrize(
    "answer",
    [
        b"GARBAGE\r\n",
        b"* 1 FETCH UID 7 BODY[] {2}\r\nhi)\r\n",
        b"* 1 FETCH (UID 7 BODY[] {2}\r\nhello)\r\n",  # longer than it says
        b"* 1 FETCH (UID 7 BODY[] {6}\r\nhello\r\n)\r\n",  # by its last byte
        b"* 1 FETCH (UID 7 BODY[] {7}\r\nhello)\r\nB1 OK done\r\n",  # shorter than it says
        b"* 1 FETCH (UID seven BODY[] {2}\r\nhi)\r\n",
        b"* 1 FETCH (UID 12345678901 BODY[] {2}\r\nhi)\r\n",
        b"* 1 FETCH (UID 7 BODY[] {2}\r\nhi) more\r\n",
        b"* 1 FETCH (UID 7 BODY[] {-2}\r\nhi)\r\n",
        b'* 1 FETCH (UID 7 BODY[] "hi)\r\n',
        b"* 1 FETCH (((( BODY[\r\n",
        b"* 1 FETCH (UID 7 BODY[] {2}x\r\nhi)\r\n",
        b"* 1 FETCH (UID 7 BODY[] {2}\r\nhi FLAGS)\r\n",
    ],
)
def test_what_is_no_imap_is_refused_before_anything_of_it_is_given(answer: bytes) -> None:
    given_before = []
    with pytest.raises((MalformedAnswerError, ConnectionError)):
        given_before.extend(answers(io.BytesIO(answer)))
    assert given_before == []


class Flood:
    """A stream that sends `start`, and then x without end."""

    def __init__(self, start: bytes) -> None:
        self.start = io.BytesIO(start)
        self.sent = 0

    def read(self, size: int) -> bytes:
        self.sent += size
        return (self.start.read(size) + b"x" * size)[:size]

    def readline(self) -> bytes:
        return self.start.readline() or self.read(1_000_001)  # where imaplib stops


@pytest.mark.parametrize("size", [2**31, 2**32, 10**19])
def test_a_literal_that_claims_too_much_is_refused_unread(size: int) -> None:
    for answer in (b"* 1 FETCH (UID 7 BODY[] {%d}\r\n", b'* LIST () "/" {%d}\r\n'):
        flood = Flood(answer % size)
        with pytest.raises(MalformedAnswerError):
            list(answers(flood))
        assert flood.sent == 0


def test_a_large_literal_before_its_uid_is_refused_unread() -> None:
    flood = Flood(b"* 1 FETCH (BODY[] {%d}\r\n" % (bodies.LARGEST_UNNAMED + 1))
    with pytest.raises(MalformedAnswerError, match="before its UID"):
        next(answers(flood))
    assert flood.sent == 0


def test_a_line_without_end_is_refused() -> None:
    for start in (b"", b"* 1 FETCH (UID 7 BODY[] {1}\r\nx"):
        with pytest.raises(MalformedAnswerError, match="line of more than"):
            list(answers(Flood(start)))


def test_a_large_message_comes_in_pieces_and_memory_stays_flat() -> None:
    size = 400 * PIECE + 1
    flood = Flood(b"* 1 FETCH (UID 7 BODY[] {%d}\r\n" % size)
    tracemalloc.start()
    answer = next(answers(flood))
    assert isinstance(answer, Body)
    assert isinstance(answer.content, Pieces)
    assert answer.content.size == size
    came = 0
    with pytest.raises(MalformedAnswerError):  # noqa: PT012 -- for the x behind it
        for piece in answer.content.pieces:
            came += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert came == size
    assert peak < 20 * PIECE


LARGE = bytes(range(256)) * (PIECE // 128)


def test_pieces_that_nobody_takes_are_skipped() -> None:
    stream = io.BytesIO(fetch(1, LARGE) + fetch(2, LARGE) + fetch(3, b"three"))
    found = answers(stream)
    first, second, third = next(found), next(found), next(found)
    assert isinstance(second, Body)
    assert (first.uid, second.uid, third) == (1, 2, Body(3, b"three"))  # type: ignore[union-attr]


@pytest.mark.parametrize("behind", [b"xx)\r\n", b")x\r\n", b"\r\nB1 OK done\r\n"])
def test_a_large_message_of_another_length_than_said_ends_in_an_error(behind: bytes) -> None:
    found = answers(io.BytesIO(b"* 1 FETCH (UID 7 BODY[] %b%b" % (literal(LARGE), behind)))
    answer = next(found)
    assert isinstance(answer, Body)
    with pytest.raises(MalformedAnswerError):
        taken(answer.content)


class Dribble(io.RawIOBase):
    """A socket that gives so many bytes at each read, in turn."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.position, self.turn = data, sizes, 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        some = self.data[self.position : self.position + min(len(buffer), self.sizes[self.turn % len(self.sizes)])]
        self.position += len(some)
        self.turn += 1
        buffer[: len(some)] = some
        return len(some)


@pytest.fixture(scope="module")
def small_pieces() -> Iterator[None]:
    """Pieces of 16 bytes, so that small messages are large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "PIECE", 16)
        yield


TEXT = st.one_of(st.binary(max_size=70), st.sampled_from([HELLO, b"", b"\r\n)\r\n"]))
MESSAGES = st.dictionaries(st.integers(1, 2**32 - 1), TEXT, max_size=5)


def stream_of(messages: dict[int, bytes]) -> bytes:
    return b"".join(fetch(uid, data) for uid, data in messages.items()) + b"B1 OK done\r\n"


@pytest.mark.usefixtures("small_pieces")
@given(MESSAGES, st.lists(st.integers(1, 100), min_size=1, max_size=4))
def test_however_the_bytes_arrive_the_messages_are_the_same(messages: dict[int, bytes], sizes: list[int]) -> None:
    arriving = io.BufferedReader(Dribble(stream_of(messages), sizes))
    found: dict[int, bytes] = {}
    for answer in answers(arriving):
        if isinstance(answer, Completion):
            break
        found[answer.uid] = taken(answer.content)
    assert found == messages
    assert arriving.read() == b""


@pytest.mark.usefixtures("small_pieces")
@given(MESSAGES, st.data())
def test_wherever_the_bytes_end_no_part_of_a_message_is_given_for_a_whole(
    messages: dict[int, bytes], data: st.DataObject
) -> None:
    stream = stream_of(messages)
    cut = data.draw(st.integers(0, len(stream) - 1))
    given_whole: dict[int, bytes] = {}
    with pytest.raises((ConnectionError, MalformedAnswerError)):  # noqa: PT012 -- it ends somewhere in here
        for answer in answers(io.BytesIO(stream[:cut])):
            assert isinstance(answer, Body)
            given_whole[answer.uid] = taken(answer.content)
    assert given_whole.items() <= messages.items()


@given(st.binary(max_size=300), st.sampled_from([b"", b"* 1 FETCH (", b"* 1 FETCH (UID 7 BODY[] ", fetch(7, b"hi")]))
def test_any_bytes_at_all_raise_nothing_else(noise: bytes, start: bytes) -> None:
    with pytest.raises((ConnectionError, MalformedAnswerError)):  # noqa: PT012 -- it ends somewhere in here
        for answer in answers(io.BytesIO(start + noise)):
            if isinstance(answer, Body):
                taken(answer.content)


@given(st.sampled_from([b"(", b")", b'"', b"\\", b" ", b"UID ", b"BODY[", b"{1}"]), st.integers(1, 60_000))
def test_no_line_takes_more_than_linear_time(part: bytes, times: int) -> None:
    line = b"* 1 FETCH (UID 7 BODY[] " + (part * times)[:60_000] + b"\r\n"
    with pytest.raises((ConnectionError, MalformedAnswerError)):
        list(answers(io.BytesIO(line)))
