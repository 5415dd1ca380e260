"""Commands under way on one connection: what goes out, and which answer belongs to whom."""

import imaplib
import io
from typing import cast

import pytest

from inboxstats.archive.layout import message_key
from inboxstats.mail import MessageKey, Part
from inboxstats.sources.imap.pipeline import Pipeline, sequence_set


class Transport:
    """Of imaplib.IMAP4 what a pipeline uses: it notes what is sent, and plays back what it was given."""

    def __init__(self, answers: bytes) -> None:
        self._answers = io.BytesIO(answers)
        self.sent: list[bytes] = []
        self.read, self.readline = self._answers.read, self._answers.readline

    def send(self, data: bytes) -> None:
        self.sent.append(data)


def pipeline(answers: bytes) -> tuple[Pipeline, Transport]:
    transport = Transport(answers)
    return Pipeline(cast(imaplib.IMAP4, transport)), transport


def keys(*uids: int) -> dict[int, MessageKey]:
    return {uid: message_key(7, uid) for uid in uids}


def body(uid: int) -> bytes:
    return b"* 1 FETCH (UID %d BODY[] {1}\r\nx)\r\n" % uid


def answered(line: Pipeline) -> list[MessageKey]:
    return [key for key, _ in line.answer()]


def status(line: Pipeline) -> str | None:
    return line.completion and line.completion.status


def test_commands_go_out_before_any_answer_is_read() -> None:
    line, transport = pipeline(body(1) + body(2) + b"B1 OK\r\n" + body(9) + b"B2 OK\r\n")
    line.ask(keys(1, 2), expected_bytes=5)
    line.ask(keys(9), expected_bytes=7)
    assert transport.sent == [b"B1 UID FETCH 1:2 (UID BODY.PEEK[])\r\n", b"B2 UID FETCH 9 (UID BODY.PEEK[])\r\n"]
    assert (len(line), line.expected_bytes) == (2, 5)
    assert answered(line) == ["7-1", "7-2"]
    assert (len(line), line.expected_bytes) == (1, 7)
    assert answered(line) == ["7-9"]
    assert (len(line), status(line)) == (0, "OK")


def test_answers_to_several_commands_may_come_mixed() -> None:
    line, _ = pipeline(body(9) + b"B2 OK\r\n" + body(1) + b"B1 OK\r\n")
    line.ask(keys(1), expected_bytes=0)
    line.ask(keys(9), expected_bytes=0)
    assert answered(line) == ["7-9", "7-1"]
    assert answered(line) == []
    assert (len(line), status(line)) == (0, "OK")


def test_a_refusal_is_of_its_own_command_alone() -> None:
    line, _ = pipeline(b"B1 NO not that one\r\n" + body(2) + b"B2 OK\r\n")
    line.ask(keys(1), expected_bytes=0)
    line.ask(keys(2), expected_bytes=0)
    assert (answered(line), status(line)) == ([], "NO")
    assert (answered(line), status(line)) == (["7-2"], "OK")


def test_each_message_is_given_once_and_only_if_it_was_asked_for() -> None:
    line, _ = pipeline(body(1) + body(1) + body(5) + b"B1 OK\r\n" + body(1) + body(2) + b"B2 OK\r\n")
    line.ask(keys(1, 3), expected_bytes=0)
    line.ask(keys(2), expected_bytes=0)
    assert answered(line) == ["7-1"]
    assert answered(line) == ["7-2"]


def test_the_end_of_a_command_of_imaplibs_is_none_of_ours() -> None:
    line, _ = pipeline(b'* ID ("name" "x")\r\nABCD5 NO ID failed\r\n' + body(1) + b"B1 OK\r\n")
    line.ask(keys(1), expected_bytes=0)
    assert (answered(line), status(line)) == (["7-1"], "OK")


def test_a_connection_that_ends_is_no_end_of_a_command() -> None:
    line, _ = pipeline(body(1))
    line.ask(keys(1, 2), expected_bytes=0)
    with pytest.raises(ConnectionError):
        answered(line)


@pytest.mark.parametrize(
    ("uids", "text"),
    [
        ([1, 2, 3, 7], b"1:3,7"),
        ([7], b"7"),
        ([9, 3, 8], b"3,8:9"),
        ([1, 3, 5], b"1,3,5"),
        ([4294967295], b"4294967295"),
    ],
)
def test_a_sequence_set_is_as_short_as_may_be(uids: list[int], text: bytes) -> None:
    assert sequence_set(uids) == text


def test_of_a_header_the_fields_that_a_report_counts_by_are_asked_for_without_setting_seen() -> None:
    line, transport = pipeline(b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (FROM SUBJECT)] {2}\r\n\r\n)\r\nB1 OK\r\n")
    line.ask(keys(1), Part.HEADER, expected_bytes=5)
    assert transport.sent[0].startswith(b"B1 UID FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE MESSAGE-ID ")
    assert list(line.answer()) == [("7-1", b"\r\n")]


@pytest.mark.parametrize(
    ("part", "answer"),
    [(Part.WHOLE, b"BODY[HEADER.FIELDS (FROM)]"), (Part.HEADER, b"BODY[]")],
    ids=["a header for a message", "a message for a header"],
)
def test_neither_a_header_is_taken_for_a_message_nor_a_message_for_a_header(part: Part, answer: bytes) -> None:
    line, _ = pipeline(b"* 1 FETCH (UID 1 %b {2}\r\n\r\n)\r\nB1 OK\r\n" % answer)
    line.ask(keys(1), part, expected_bytes=5)
    assert answered(line) == []
