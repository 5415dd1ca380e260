"""Names to paths and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxstats.archive.layout import LONGEST_NAME, folder_name, message_key, message_path, name_of_folder
from inboxstats.mail import MessageKey


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("INBOX", "INBOX"),
        ("me@example.org", "me@example.org"),
        ("Entwürfe/2026", "Entw%C3%BCrfe%2F2026"),
        ("[Gmail]/All Mail", "%5BGmail%5D%2FAll%20Mail"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("", "%"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("a\r\nb\0", "a%0D%0Ab%00"),
        ("50%~", "50%25%7E"),
    ],
)
def test_a_name_becomes_a_safe_folder_and_comes_back(name: str, folder: str) -> None:
    assert folder_name(name) == folder
    assert name_of_folder(folder) == name


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_names_never_share_a_folder(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


@given(st.text())
def test_no_name_leaves_its_place(name: str) -> None:
    folder = folder_name(name)
    assert folder.isascii()
    assert "/" not in folder
    assert "\\" not in folder
    assert folder not in {"", ".", ".."}
    assert not folder.startswith(".")
    assert len(folder) <= LONGEST_NAME


def test_names_that_are_too_long_keep_apart_by_their_hash() -> None:
    one, other = "ä" * 300, "ä" * 299 + "b"
    assert folder_name(one) != folder_name(other)
    assert "%~" in folder_name(one)


def test_a_key_tells_folder_bucket_and_file() -> None:
    assert message_path(MessageKey("1700000000-42017")) == ("1700000000", "000042", "42017.eml")
    assert message_key(1700000000, 42017) == "1700000000-42017"
