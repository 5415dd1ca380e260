"""The append-only record of what was stored."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inboxstats.archive import manifest

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


def rows(count: int) -> list[manifest.ManifestRow]:
    return [manifest.describe(7, uid, b"x" * uid, now=NOW) for uid in range(1, count + 1)]


def test_a_row_tells_size_hash_and_time() -> None:
    row = manifest.describe(7, 42, b"hello", now=NOW)
    assert row == manifest.ManifestRow(7, 42, 5, hashlib.sha256(b"hello").hexdigest(), "2026-11-23T02:30:00Z")


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    path = str(tmp_path / "manifest.jsonl")
    manifest.append(path, rows(2), fsync=False)
    manifest.append(path, rows(3)[2:], fsync=True)
    assert manifest.read(path) == rows(3)
    assert set(manifest.entered(path)) == {(7, 1), (7, 2), (7, 3)}


@pytest.mark.parametrize("torn", [b'{"uidvalidity":7,"ui', b"{", b"x" * 200_000])
def test_a_torn_last_line_is_dropped_and_overwritten(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest.append(str(path), rows(1), fsync=False)
    path.write_bytes(path.read_bytes() + torn)
    assert manifest.read(str(path)) == rows(1)
    assert set(manifest.entered(str(path))) == {(7, 1)}
    manifest.append(str(path), rows(2)[1:], fsync=False)
    assert manifest.read(str(path)) == rows(2)


def test_a_manifest_of_one_torn_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b'{"uid')
    manifest.append(str(path), rows(1), fsync=False)
    assert manifest.read(str(path)) == rows(1)


def test_no_manifest_has_no_rows(tmp_path: Path) -> None:
    assert manifest.read(str(tmp_path / "none")) == []
    assert set(manifest.entered(str(tmp_path / "none"))) == set()


def test_of_two_rows_on_one_message_the_later_one_holds(tmp_path: Path) -> None:
    path = str(tmp_path / "manifest.jsonl")
    aside = manifest.SetAside(7, 2, "2026-11-24T08:00:00Z", 'a "reason"\nof Entwürfe', "2.eml.damaged")
    manifest.append(path, [*rows(3), aside], fsync=False)
    assert set(manifest.entered(path)) == {(7, 1), (7, 3)}
    with open(path, "rb") as lines:
        latest = manifest.latest_rows(lines)
    assert latest.set_aside == {(7, 2): aside}
    assert latest.stored_in(7, 0) == {uid: (uid, hashlib.sha256(b"x" * uid).digest()) for uid in (1, 3)}
    manifest.append(path, rows(2)[1:], fsync=False)
    assert set(manifest.entered(path)) == {(7, 1), (7, 2), (7, 3)}
    with open(path, "rb") as lines:
        assert manifest.latest_rows(lines).set_aside == {}
    assert manifest.read(path) == [*rows(3), *rows(2)[1:]]


def test_a_line_that_is_garbled_is_not_entered_and_changes_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest.append(str(path), rows(3), fsync=False)
    whole = path.read_bytes()
    before = manifest.checksum(str(path))
    second = whole.index(b"\n") + 1
    for place in (second, second + 15, whole.index(b"sha256", second) + 12, whole.index(b"\n", second)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :])
        assert (7, 2) not in set(manifest.entered(str(path)))
        assert manifest.checksum(str(path)) != before


def test_rows_are_read_in_blocks_and_of_generations_beyond_32_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_BLOCK", 100)
    path = str(tmp_path / "manifest.jsonl")
    aside = manifest.SetAside(7, 2, "2026-11-24T08:00:00Z", "x", None)
    later = [manifest.ManifestRow(7 + 2**32, row.uid, row.size, row.sha256, row.stored) for row in rows(3)]
    manifest.append(path, [*rows(5), aside, *later], fsync=False)
    assert list(manifest.entered(path)) == [(7, 1), (7, 3), (7, 4), (7, 5), *((7 + 2**32, uid) for uid in (1, 2, 3))]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0\0\0",
        b"[]",
        b'{"uidvalidity":7,"uid":1}',
        b'{"uidvalidity":7,"uid":-1,"size":1,"sha256":"%b","stored":""}' % (b"a" * 64),
        b'{"uidvalidity":7,"uid":%d,"size":1,"sha256":"%b","stored":""}' % (2**70, b"a" * 64),
        b'{"uidvalidity":7,"uid":1,"size":1,"sha256":"%b","stored":""}' % (b"g" * 64),
        b'{"uidvalidity":7,"uid":1,"set_aside":"2026","reason":1',
        b'{"uidvalidity":7,"uid":1,"set_aside":"2026","x":1}',
    ],
)
def test_a_line_that_is_no_row_is_counted(line: bytes) -> None:
    assert manifest.parsed(line + b"\n") is None
    assert manifest.latest_rows([line + b"\n"]).unreadable == 1
    torn = manifest.latest_rows([line or b"{"])
    assert (torn.unreadable, torn.is_torn) == (0, True)
