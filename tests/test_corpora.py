import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from corpora import Corpora, unpack


def pack(folder: Path, name: str, files: dict[str, bytes]) -> None:
    with tarfile.open(folder / name, "w:xz") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    pack(folder, "dev-corpus.tar.xz", {"corpus/list/1.eml": b"one\n", "corpus/list/2.eml": b"two\n"})
    pack(folder, "dev-torture.tar.xz", {"torture/set/odd.eml": b"\0"})
    return folder


def test_messages_have_the_names_of_the_truth(published: Path, tmp_path: Path) -> None:
    unpacked = unpack(published, tmp_path / "unpacked")
    assert unpacked.messages() == {"list/1.eml": b"one\n", "list/2.eml": b"two\n"}
    assert unpacked.messages(every=2) == {"list/1.eml": b"one\n"}
    assert (unpacked.torture / "set" / "odd.eml").read_bytes() == b"\0"


def test_several_that_unpack_at_once_share_one_copy(published: Path, tmp_path: Path) -> None:
    into = tmp_path / "unpacked"
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: unpack(published, into), range(4)))) == 1
    (into / "corpus" / "list" / "1.eml").write_bytes(b"as left")
    assert unpack(published, into).messages()["list/1.eml"] == b"as left"


def test_a_file_may_not_leave_the_folder(published: Path, tmp_path: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python's tarfile has no filters: 3.11.4 has")
    pack(published, "dev-corpus.tar.xz", {"../outside": b""})
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(published, tmp_path / "unpacked")


def test_a_folder_without_the_archives_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dev-corpus\.tar\.xz"):
        unpack(tmp_path, tmp_path / "unpacked")


def test_the_corpora_are_whole(corpora: Corpora) -> None:
    assert len(corpora.messages()) == 10_900
    assert len(list(corpora.torture.glob("*/*.eml"))) == 511
