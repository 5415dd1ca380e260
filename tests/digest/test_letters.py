"""Headers as they come, the broken ones too."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from inboxstats.digest.letters import Letter, read_letter, read_letters
from inboxstats.mail import Location


def test_a_header_is_read() -> None:
    data = (
        b'Message-ID: <a@x>\r\nTo: "Me, Myself" <Me@Example.org>,\r\n Ann <ann@example.com>\r\nTo: bob@example.com\r\n'
        b"Cc: cem@example.com\r\nIn-Reply-To: <b@x>\r\nReferences: <c@x>\r\n\t<d@x>\r\n\r\nTo: text@example.com\r\n"
    )
    assert read_letter(data) == Letter(
        "a@x",
        frozenset({"me@example.org", "ann@example.com", "bob@example.com"}),
        frozenset({"b@x", "c@x", "d@x"}),
        automatic=False,
    )


def test_nothing_is_known_of_nothing() -> None:
    assert read_letter(b"") == Letter(None, frozenset(), frozenset(), automatic=False)


def test_bytes_of_any_encoding_are_read() -> None:
    letter = read_letter(b"To: J\xf6rg <joerg@example.org>, \xe9 <x@example.org>\nMessage-ID: <\xff@x>\n\n")
    assert "joerg@example.org" in letter.to


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda data: b"To: " + data + b"\nReferences: " + data))
def test_no_input_raises(data: bytes) -> None:
    assert isinstance(read_letter(data), Letter)


def test_files_are_read_where_they_stand_and_those_that_are_gone_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"Message-ID: <1@x>\n\n" + b"Message-ID: <2@x>\n\n")
    locations = {
        "box@19": Location(str(tmp_path / "box"), start=19, length=19),
        "gone": Location(str(tmp_path / "gone")),
    }
    found = read_letters(locations, ["box@19", "gone", "unknown"])
    assert {file: letter.identifier for file, letter in found.items()} == {"box@19": "2@x"}
