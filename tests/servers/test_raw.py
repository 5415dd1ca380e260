import pytest

from .raw import utf_7, with_crlf


@pytest.mark.parametrize(
    ("mailbox", "written"),
    [
        ("INBOX", "INBOX"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the example of RFC 3501, section 5.1.3
        ("Entwürfe", "Entw&APw-rfe"),
        ("R&D", "R&-D"),
        ("😀", "&2D3eAA-"),  # U+1F600 is D83D DE00 in UTF-16
    ],
)
def test_mailbox_names_are_written_in_modified_utf_7(mailbox: str, written: str) -> None:
    assert utf_7(mailbox) == written


@pytest.mark.parametrize(
    ("stored", "travels"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n\n", b"a\r\nb\r\n\r\n"),
        (b"\na", b"\r\na"),
        (b"a\rb\r\r\n", b"a\rb\r\r\n"),
        (b"", b""),
    ],
)
def test_only_bare_line_feeds_become_crlf(stored: bytes, travels: bytes) -> None:
    assert with_crlf(stored) == travels
