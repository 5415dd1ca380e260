"""Whole files or none, in an order that a power cut cannot break."""

import errno
import os
import stat
from pathlib import Path

import pytest

from inboxstats.archive import files
from inboxstats.errors import StorageError


def test_a_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "1.eml"
    files.write_whole(str(path), b"abc", fsync=True)
    assert path.read_bytes() == b"abc"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["1.eml"]


def test_a_failed_write_leaves_neither_the_file_nor_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(str(tmp_path / "1.eml"), b"abc", fsync=True)
    assert os.listdir(tmp_path) == []


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))[1])
    files.write_whole(str(tmp_path / "1.eml"), b"abc", fsync=True)
    assert calls == ["fsync", "replace"]


def test_folders_are_private(tmp_path: Path) -> None:
    files.make_folder(str(tmp_path / "a" / "b"), fsync=True)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")} == {0o700}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "no space is left on the disk"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EMFILE, "too many files are open"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_failure_of_the_disk_has_its_sentence(number: int, advice: str) -> None:
    with pytest.raises(StorageError, match=advice) as caught, files.storage_errors("write", "/a/b"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith("Cannot write /a/b: ")
    assert caught.value.exit_code == 6
