"""Which messages are on disk, whatever else lies there."""

from pathlib import Path

from inboxstats.archive.stored import Stored, scan


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_messages_are_found_by_generation_and_uid(tmp_path: Path) -> None:
    put(tmp_path, "7/000000/1.eml", "7/000000/10.eml", "7/000000/9.eml", "7/000001/1000.eml", "8/000000/1.eml")
    stored, left = scan(str(tmp_path))
    assert list(stored.uids(7)) == [1, 9, 10, 1000]
    assert (len(stored), left) == (5, [])
    assert stored == {"7-1", "7-9", "7-10", "7-1000", "8-1"}
    for other in ("7-2", "9-1", "7-01", "07-1", "x", "7-", "7-4294967297", 7):
        assert other not in stored


def test_what_is_no_message_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "7/000000/5.eml", "7/note.txt", "mailbox.json", "x/000000/1.eml", "7/000000/readme")
    put(tmp_path, *(f"7/000000/{name}.eml" for name in ("05", "+6", "1_0", "٣", "²", " 8", "4294967296", "a", "")))
    put(tmp_path, "07/000000/1.eml")
    assert scan(str(tmp_path))[0] == {"7-5"}


def test_names_that_join_to_numbers_are_no_numbers(tmp_path: Path) -> None:
    for number, names in enumerate((("12.eml34.eml", "6"), ("6", "12.eml34.eml"), ("6.eml.eml",), ("007.eml",))):
        put(tmp_path, *(f"{number}/000000/{name}" for name in ("5.eml", *names)))
    assert scan(str(tmp_path))[0] == {"0-5", "1-5", "2-5", "3-5"}


def test_half_written_files_are_told(tmp_path: Path) -> None:
    half = ("7/000000/.2.eml.part", "7/.x.part", ".listing.parquet.part")
    put(tmp_path, "7/000000/1.eml", *half)
    stored, left = scan(str(tmp_path))
    assert stored == {"7-1"}
    assert sorted(left) == sorted(str(tmp_path / name) for name in half)


def test_a_file_in_another_bucket_counts(tmp_path: Path) -> None:
    put(
        tmp_path,
        "7/000000/1.eml",
        "7/000000/5000.eml",
        "7/000001/1000.eml",
        "7/000001/3.eml",
        "7/1000000/1000000000.eml",
    )
    assert list(scan(str(tmp_path))[0].uids(7)) == [1, 3, 1000, 5000, 1_000_000_000]


def test_the_digest_tells_of_each_message(tmp_path: Path) -> None:
    put(tmp_path, "7/000000/1.eml", "7/000000/2.eml", "8/000000/1.eml")
    before = scan(str(tmp_path))[0].digest()
    assert scan(str(tmp_path))[0].digest() == before
    (tmp_path / "7/000000/2.eml").rename(tmp_path / "8/000000/2.eml")
    assert scan(str(tmp_path))[0].digest() != before


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert scan(str(tmp_path / "none")) == (Stored({}), [])
