import errno
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from inboxstats.errors import StorageError, UsageError
from inboxstats.report import export, folder
from inboxstats.report.model import Report


def test_a_run_is_a_folder_and_latest_is_it(ordinary: Report, tmp_path: Path) -> None:
    out = tmp_path / "new" / "reports"
    run = folder.write(ordinary, out, ["html", "json", "csv"])
    assert run == out / "2026-11-23T021500Z"
    assert sorted(path.name for path in run.iterdir()) == ["csv", "report.html", "report.json"]
    assert (out / "latest").readlink() == Path("2026-11-23T021500Z")
    assert (out / "latest" / "csv" / "senders.csv").is_file()


def test_the_report_is_private(ordinary: Report, tmp_path: Path) -> None:
    run = folder.write(ordinary, tmp_path / "out", ["json", "csv"])
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [run.parent, run, *run.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_the_next_run_stands_beside_and_latest_moves_on(ordinary: Report, tmp_path: Path) -> None:
    first = folder.write(ordinary, tmp_path, ["json"])
    second = folder.write(replace(ordinary, generated=ordinary.generated + timedelta(days=1)), tmp_path, ["json"])
    third = folder.write(ordinary, tmp_path, ["json"])
    assert [run.name for run in (first, second, third)] == [
        "2026-11-23T021500Z",
        "2026-11-24T021500Z",
        "2026-11-23T021500Z-2",
    ]
    assert (tmp_path / "latest").resolve() == third.resolve()
    assert all((run / "report.json").is_file() for run in (first, second, third))


def test_an_interrupted_report_leaves_the_old_one_intact(
    ordinary: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(ordinary, tmp_path, ["json"])
    before = _files(tmp_path)

    def interrupted(_report: Report, _folder: Path) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setitem(folder.FORMATS, "csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.write(ordinary, tmp_path, ["json", "csv"])
    assert _files(tmp_path) == before


def test_what_a_killed_run_left_is_swept_by_the_next(ordinary: Report, tmp_path: Path) -> None:
    folder.write(ordinary, tmp_path, ["json"])
    (tmp_path / ".inboxstats-abc.part").mkdir()
    (tmp_path / ".inboxstats-abc.part" / "report.json").write_text("{")
    (tmp_path / ".inboxstats-latest-fresh.part").symlink_to("nowhere")
    folder.write(ordinary, tmp_path, ["json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock",
        "2026-11-23T021500Z",
        "2026-11-23T021500Z-2",
        "latest",
    ]


def test_what_others_keep_in_the_folder_is_left_alone(ordinary: Report, tmp_path: Path) -> None:
    kept = [tmp_path / ".mine.part" / "draft", tmp_path / ".draft.part", tmp_path / ".lock"]
    kept[0].parent.mkdir()
    for path in kept:
        path.write_text("mine")
    folder.write(ordinary, tmp_path, ["json"])
    assert [path.read_text() for path in kept] == ["mine"] * 3


@pytest.mark.parametrize("name", ["latest", "latest/backup"])
def test_a_latest_of_the_users_is_refused_and_kept(ordinary: Report, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("mine")
    with pytest.raises(UsageError, match=r"latest is not ours.*another folder with --out"):
        folder.write(ordinary, tmp_path, ["json"])
    assert theirs.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "latest"]


def test_where_links_cannot_be_made_latest_is_a_copy(
    ordinary: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: object, **_options: object) -> NoReturn:
        raise OSError(errno.EPERM, "Operation not permitted")

    folder.write(ordinary, tmp_path, ["json"])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", refused)
        for formats in (["json"], ["csv"]):
            run = folder.write(ordinary, tmp_path, formats)
            assert not (tmp_path / "latest").is_symlink()
            copied = _files(tmp_path / "latest")
            assert copied.pop(".inboxstats-copy") == b""
            assert copied == _files(run)
    folder.write(ordinary, tmp_path, ["json"])
    assert (tmp_path / "latest").is_symlink()
    assert not list(tmp_path.glob(".*.part"))


def test_a_full_disk_is_said_with_the_path_and_leaves_nothing(
    ordinary: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export, "write_whole", full)
    with pytest.raises(StorageError, match=r"report\.json: no space is left"):
        folder.write(ordinary, tmp_path, ["json"])
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_file_in_the_place_of_the_folder_is_a_storage_error(ordinary: Report, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        folder.write(ordinary, tmp_path / "out", ["json"])


def test_an_unknown_format_is_refused_before_anything_is_written(ordinary: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="docx: choose from html, json, csv"):
        folder.write(ordinary, tmp_path / "out", ["json", "docx"])
    assert not (tmp_path / "out").exists()


def test_a_report_without_a_page_loads_no_matplotlib(tmp_path: Path) -> None:
    program = f"""
import sys
from datetime import datetime, timezone
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from factories import dataset, row
from inboxstats.report import folder, model, terminal
report = model.build(dataset(row()), generated=datetime.now(timezone.utc), top=5)
folder.write(report, Path({str(tmp_path)!r}), ["json", "csv"])
print([name for name in ("matplotlib", "jinja2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_old_runs_go_and_the_latest_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    runs = [
        "2026-11-01T023000Z",
        "2026-11-02T023000Z",
        "2026-11-02T023000Z-2",
        "2026-11-02T023000Z-10",
        "2026-11-03T023000Z",
    ]
    others = ["2026-11-01", "2026-11-01T023000Z.backup", "mine"]
    for name in (*runs, *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").touch()
    (tmp_path / "2026-10-01T023000Z").write_text("a file of the user")
    (tmp_path / "latest").symlink_to(runs[0])  # somebody has turned it back
    assert [path.name for path in folder.prune(tmp_path, 2)] == runs[1:3]
    left = sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock")
    assert left == sorted([runs[0], *runs[3:], *others, "2026-10-01T023000Z", "latest"])
    assert folder.prune(tmp_path, 5) == []
    assert folder.prune(tmp_path / "none", 1) == []


def test_a_run_that_was_removed_halfway_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".inboxstats-old-0.part").mkdir()
    (tmp_path / ".inboxstats-old-0.part" / "report.html").touch()
    folder.prune(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
