"""Which names a pattern of ``*`` and ``?`` matches."""

import pytest

from inboxstats.globs import matches


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("Lists/python", "Lists/*"),
        ("Lists/a/b", "Lists/*"),
        ("2026", "20??"),
        ("[Gmail]/All Mail", "[Gmail]/All Mail"),
        ("[Gmail]/Sent", "[Gmail]/*"),
        ("a[!b]c", "a[!b]c"),
        ("two\nlines", "two*lines"),
        ("INBOX", "inbox"),
        ("Inbox", "INBOX"),
        ("inbox", "In*"),
    ],
)
def test_a_pattern_matches(name: str, pattern: str) -> None:
    assert matches(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("Lists", "List"),
        ("Lists", "lists"),
        ("Inbox/Old", "INBOX/*"),
        ("G", "[Gmail]"),
        ("Sent", "sent*"),
        ("axb", "a.b"),
        ("INBOX\n", "INBOX"),
    ],
)
def test_a_pattern_does_not_match(name: str, pattern: str) -> None:
    assert not matches(name, pattern)
