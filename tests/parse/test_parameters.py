"""Structured fields: what most look like is read by a shorter way, and is the same."""

from hypothesis import assume, given
from hypothesis import strategies as st

from inboxstats.parse.parameters import media_type, structured

VALUES = st.sampled_from([b"multipart/mixed", b" text/plain", b"inline", b"Text/Plain", b"", b"a b"])
BLANKS = st.sampled_from([b"", b" ", b"\r\n\t", b"\x0b"])
NAMES = st.sampled_from([b"boundary", b"name", b"NAME", b"name*", b"n" * 100, b"n" * 101, b"a/b"])
QUOTED = st.lists(st.sampled_from([b"a", b" ", b";", b"b=c", b'"', b"\\", b'\\"', b"\xff", b"\n"]), max_size=5)


@given(VALUES, BLANKS, NAMES, st.sampled_from([b"=", b" = "]), QUOTED.map(b"".join), BLANKS)
def test_a_semicolon_at_the_end_of_a_parameter_changes_nothing(
    value: bytes, blank: bytes, name: bytes, equals: bytes, quoted: bytes, end: bytes
) -> None:
    assume(not quoted.endswith(b"\\"))  # the last quote would not be the end
    raw = value + b";" + blank + name + equals + b'"' + quoted + b'"' + end

    assert structured(raw) == structured(raw + b";")


def test_the_usual_field_has_one_quoted_parameter() -> None:
    assert structured(b' multipart/mixed;\r\n\tboundary="=_a;b" ') == ("multipart/mixed", {b"boundary": b"=_a;b"}, ())
    assert structured(b'Multipart/Mixed; Boundary="a\\"b"') == ("multipart/mixed", {b"boundary": b'a"b'}, ())


def test_what_stands_behind_a_semicolon_is_no_media_type() -> None:
    assert media_type(b"Text / HTML; charset=a/b") == "text/html"
    assert media_type(b"; a/b") is None
    assert media_type(b"text;/html") is None
