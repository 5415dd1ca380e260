"""benchmarks/: the made-up mail is right and always the same, and what is measured is checked and told."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inboxstats.parse import parse

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

DIGEST = """
import hashlib, mixed
print(hashlib.sha256(b"".join(mail.data for mail in [*mixed.mixed(30), *mixed.small(30)])).hexdigest())
"""


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def mixed() -> ModuleType:
    return module("mixed")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """parse.py as a module, which imports what stands beside it."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    yield module("parse")
    for name in {"mixed", "measure"} - before:
        sys.modules.pop(name, None)


def mail(mixed: ModuleType) -> list[Any]:
    return [*mixed.mixed(700), *mixed.small(300)]


def run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(BENCHMARKS / script), *arguments], capture_output=True, text=True)


def test_every_message_is_read_as_it_was_meant(mixed: ModuleType) -> None:
    for each in mail(mixed):
        found, truth = parse(each.data), each.truth
        assert found.defects == ()
        assert (found.subject, found.date) == (truth.subject, truth.date)
        assert found.sender is not None
        assert (found.sender.display_name, found.sender.addr_spec) == (truth.name, truth.address)
        assert [(part.file_name, part.size) for part in found.attachments] == list(truth.attachments)
        assert len(found.words) > 5


def test_the_standard_library_reads_the_same(mixed: ModuleType) -> None:
    for each in mail(mixed):
        found, truth = message_from_bytes(each.data, policy=policy.default), each.truth
        assert isinstance(found, EmailMessage)
        assert not any(part.defects for part in found.walk())
        assert (str(found["Subject"]), found["Date"].datetime) == (truth.subject, truth.date)
        (sender,) = found["From"].addresses
        assert (sender.display_name, sender.addr_spec) == (truth.name, truth.address)
        files = [part for part in found.walk() if part.get_content_disposition() == "attachment"]
        assert [(part.get_filename(), len(part.get_content())) for part in files] == list(truth.attachments)


def test_the_mail_has_the_sizes_of_real_mail(mixed: ModuleType) -> None:
    sizes = sorted(len(each.data) for each in mixed.mixed(2000))
    assert 32_000 < sum(sizes) / len(sizes) < 48_000
    assert sum(sizes[-100:]) > sum(sizes) / 2
    assert 2_500 < sum(len(each.data) for each in mixed.small(500)) / 500 < 4_500


def test_the_bytes_depend_on_count_and_seed_alone(mixed: ModuleType) -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=BENCHMARKS, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}, capture_output=True, check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    assert len(digests) == 1
    assert next(mixed.mixed(1)) != next(mixed.mixed(1, seed=1))


def test_contenders_are_measured_and_their_ratios_told(tmp_path: Path) -> None:
    options = ("--messages", "60", "--rounds", "1", "--folder", str(tmp_path), "--json", str(tmp_path / "runs"))
    done = run("parse.py", "--only", "rows,whole", *options)
    assert done.returncode == 0, done.stderr
    lines = {line.split(" | ")[0]: line.split(" | ")[1:] for line in done.stdout.splitlines() if " | " in line}
    assert lines["| ours, 2 processes"][2] == lines["| ours"][2] == "1.00"
    runs = [json.loads(line) for line in (tmp_path / "runs").read_text().splitlines()]
    assert {each["contender"] for each in runs} >= {"ours", "plain.py", "standard library, 2 processes"}
    took = {each["contender"]: each["seconds"] for each in runs}
    ratio = took["standard library, 2 processes"] / took["ours, 2 processes"]
    assert lines["| standard library, 2 processes"][2] == f"{ratio:.2f}"
    assert all(each["messages"] == 60 for each in runs)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_mail_of_ones_own_is_read_by_all_of_them(mixed: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mail" / "list").mkdir(parents=True)
    for number, each in enumerate(mixed.small(30)):
        (tmp_path / "mail" / "list" / str(number)).write_bytes(each.data)
    done = run(
        "parse.py", "--only", "own", "--mail", str(tmp_path / "mail"), "--rounds", "1", "--folder", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert "### The same over 30 messages of real mail" in done.stdout
    cells = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ours")]
    names = ["ours, 2 processes", "ours, 1 process", "ours, not compiled, 2 processes"]
    assert [(row[0], row[5]) for row in cells] == [(name, "30") for name in names]
    assert [path.name for path in tmp_path.iterdir()] == ["mail"]


def test_an_archive_grows_and_each_report_is_told(tmp_path: Path) -> None:
    options = ("--sizes", "20", "--rounds", "1", "--folder", str(tmp_path))
    done = run("parse.py", "--only", "scale", *options)
    assert done.returncode == 0, done.stderr
    cells = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| 1")]
    assert [row[:2] for row in cells] == [["120", "100 new"], ["120", "none new"]]
    assert "| 20 | first | " in done.stdout
    assert all(float(row[4]) > 0.3 and float(row[5]) > 50 for row in cells)  # processor s, and MB of the program


def test_a_contender_that_counts_wrongly_ends_the_run(bench: ModuleType, tmp_path: Path) -> None:
    place = bench.Place(tmp_path, 3, 1, tmp_path, fewest=3)
    place.out.write_text("what it printed")
    took = bench.Measured(1, 1, 0, 0, 0, 0)
    assert bench._whole(place, took, 3).messages == 3
    with pytest.raises(SystemExit, match="2 of 3 messages were counted: what it printed"):
        bench._whole(place, took, 2)


def test_a_contender_that_fails_ends_the_run(bench: ModuleType, tmp_path: Path) -> None:
    place = bench.Place(tmp_path, 3, 1, tmp_path, fewest=3)
    with pytest.raises(SystemExit, match="ended with 7: so it is"):
        bench._measured(place, sys.executable, "-c", "import sys; print('so it is', file=sys.stderr); sys.exit(7)")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--only", "speed"), "there is no experiment speed; there are rows, own, whole, scale"),
        (("--only", "own"), "own wants --mail, a folder with mail of your own"),
        (("--mail", "no such folder"), "own wants --mail, a folder with mail of your own"),
        (("--messages", "0"), "are numbers from 1 on"),
        (("--sizes", "100,150"), "sizes must be more than 100 apart"),
        (("--messages", "1000000000"), "Name another folder with --folder, or ask for less with --messages"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_sentence(options: tuple[str, ...], sentence: str) -> None:
    done = run("parse.py", *options)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_results_stand_between_their_markers(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "RESULTS.md"
    monkeypatch.setitem(bench.write_results.__globals__, "RESULTS", kept)
    bench.write_results("parse", "first\n")
    with kept.open("a") as file:
        file.write("\n<!-- fetch -->\nothers\n<!-- /fetch -->\n")
    bench.write_results("parse", "second\n")
    text = kept.read_text()
    assert "<!-- parse -->\nsecond\n<!-- /parse -->" in text
    assert text.endswith("\n<!-- fetch -->\nothers\n<!-- /fetch -->\n")
    assert "first" not in text


def test_the_picture_has_a_line_a_state(bench: ModuleType) -> None:
    took = bench.Measured(1, 1, 0, 0, 0, 0)
    runs = [
        bench._noted("scale", 1, state, size, size / 1000, took)
        for state in ("first", "100 new")
        for size in (1000, 2000)
    ]
    drawn = bench.picture(runs).decode()
    assert "first: 2.0 s" in drawn
    assert "100 new: 2.0 s" in drawn
