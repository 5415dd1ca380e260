"""Contents by their SHA-256."""

from inboxstats.archive.known import KnownDigests


def test_a_content_that_was_added_has_its_uid_and_no_other_has_one() -> None:
    known = KnownDigests()
    for uid in range(1, 301):
        known.add(bytes([1, 2]) + bytes([uid % 256, uid // 256]) * 15, uid)
    assert [known.uid(bytes([1, 2]) + bytes([uid % 256, uid // 256]) * 15) for uid in (1, 256, 300)] == [1, 256, 300]
    assert known.uid(bytes(32)) is None
    assert known.highest == 300


def test_bytes_of_two_neighbours_are_no_content() -> None:
    known = KnownDigests()
    known.add(b"aa" + b"x" * 30, 0x01010101)
    known.add(b"aa" + b"y" * 30, 7)
    across = b"x" * 10 + b"\1\1\1\1" + b"y" * 16
    assert known.uid(b"aa" + across) is None
    assert known.uid(b"aa" + b"y" * 30) == 7


def test_of_two_messages_with_one_content_the_first_counts() -> None:
    known = KnownDigests()
    known.add(b"a" * 32, 1)
    known.add(b"a" * 32, 2)
    assert (known.uid(b"a" * 32), known.highest) == (1, 2)
