"""Many messages read at once are what each of them is alone, whatever stands beside them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats.mail import Location, Message
from inboxstats.parse import files, message, parse, read_all
from inboxstats.parse.files import Row, Unreadable, read_rows
from inboxstats.parse.headers import Fields

from .test_hostile import SOUP

FIXTURES = Path(__file__).parents[2] / "fixtures"
ANN = b"From: ann@example.com\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nMessage-ID: <1@example.com>\n\nharvest\n"
BEN = b"From: ben@example.com\nDate: Mon, 2 Mar 2026 11:00:00 +0100\nMessage-ID: <2@example.com>\n\norchard\n"


def parse_all(mail: list[bytes]) -> list[Message]:
    return [read.message() for read in read_all(mail)]


def test_every_fixture_is_read_among_all_as_it_is_alone() -> None:
    mail = [path.read_bytes() for path in sorted(FIXTURES.glob("*/*.eml"))]
    assert len(mail) > 150
    assert parse_all(mail) == [parse(data) for data in mail]


@given(st.lists(SOUP, max_size=4))
@settings(max_examples=50, deadline=None)  # the first text loads the stop words
def test_any_bytes_are_read_among_others_as_they_are_alone(mail: list[bytes]) -> None:
    assert parse_all(mail) == [parse(data) for data in mail]


def test_a_field_that_cannot_be_read_costs_that_field_of_that_message(monkeypatch: pytest.MonkeyPatch) -> None:
    read = message._date

    def failing(fields: Fields) -> object:
        if b"10:00" in fields[b"date"]:
            raise ZeroDivisionError
        return read(fields)

    monkeypatch.setattr(message, "_date", failing)
    ann, ben = parse_all([ANN, BEN])

    assert (ann.date, ann.words) == (None, ("harvest",))
    assert ann.defects == (
        "Date cannot be read: ZeroDivisionError",
        "Date is not one of RFC 5322, or implausible",
    )
    assert ben == parse(BEN)
    assert ben.defects == ()


def test_a_message_that_cannot_be_read_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = message._fingerprint

    def failing(fields: Fields, data: bytes, start: int) -> str:
        if data == ANN:
            raise ZeroDivisionError
        return digest(fields, data, start)

    expected = parse(BEN)
    monkeypatch.setattr(message, "_fingerprint", failing)
    ann, ben = parse_all([ANN, BEN])

    assert (ann.size, ann.sender, ann.defects) == (len(ANN), None, ("cannot be read: ZeroDivisionError",))
    assert ben == expected


@pytest.mark.parametrize("at_once", [0, len(ANN), 1024 * 1024])
def test_files_give_rows_in_their_order_however_many_are_read_at_once(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AT_ONCE", at_once)
    for name, data in (("1", ANN), ("3", BEN), ("4", ANN + b"x" * 100), ("6", BEN)):
        (tmp_path / name).write_bytes(data)

    rows = read_rows([Location(str(tmp_path / str(number))) for number in range(1, 7)])

    missing = Unreadable("No such file or directory")
    assert [row if isinstance(row, Unreadable) else (row.sender, row.size) for row in rows] == [
        ("ann@example.com", len(ANN)),
        missing,
        ("ben@example.com", len(BEN)),
        ("ann@example.com", len(ANN) + 100),
        missing,
        ("ben@example.com", len(BEN)),
    ]


def test_too_little_memory_for_some_is_told_of_those_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_all

    def scarce(mail: list[bytes], *_limits: object) -> object:
        if sum(map(len, mail)) > len(ANN) + 50:
            raise MemoryError
        return real(mail)

    monkeypatch.setattr(files, "read_all", scarce)
    for name, data in (("1", ANN), ("2", BEN + b"x" * 100)):
        (tmp_path / name).write_bytes(data)

    ann, ben = read_rows([Location(str(tmp_path / name)) for name in "12"])

    assert isinstance(ann, Row)
    assert ann.sender == "ann@example.com"
    assert ben == Unreadable("too little memory for it")
