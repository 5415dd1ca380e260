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
