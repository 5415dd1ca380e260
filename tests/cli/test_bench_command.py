"""`inboxstats bench` as a user runs it. Its figures are for the user: no test here depends on one."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from command import Inboxstats
from typer.testing import CliRunner

from inboxstats.cli import app

TINY = ("--numbers", "40", "--repeat", "1")


def test_an_experiment_is_told_in_a_table_and_in_words(inboxstats: Inboxstats) -> None:
    done = inboxstats("bench", "cpu", *TINY, COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "A job that burns the processor"
    assert lines[1] == "40 numbers; 1 round."
    assert [line.split("  ")[0] for line in lines[5:8]] == ["1× in sequence", "1× in threads", "1× in processes"]
    assert "in too few rounds to tell that from noise" in " ".join(done.out.split())
    assert max(map(len, lines[3:])) <= 80


def test_json_is_one_object_with_every_way(inboxstats: Inboxstats, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    done = inboxstats("bench", "io", "--delay", "1", "--pages", "1", "--repeat", "1", "--json", "--chart", str(chart))
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["schema_version"], told["experiment"]) == (1, "io")
    assert told["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["settings"] == {"delay_ms": 1.0, "pages": 1}
    assert [(row["mode"], row["workers"]) for row in told["results"]] == [
        (mode, times) for times in (1, 2, 4, 8) for mode in ("sequence", "threads", "processes")
    ]
    for row in told["results"]:
        assert 0 < row["seconds"]["min"] <= row["seconds"]["median"] <= row["seconds"]["max"]
    assert all(row["speedup"] == 1 for row in told["results"] if row["mode"] == "sequence")
    assert ">8× in threads<" in chart.read_text()


def test_the_demo_s_mailbox_is_downloaded_without_an_account(inboxstats: Inboxstats, tmp_path: Path) -> None:
    chart = tmp_path / "chart.png"
    arguments = ("--messages", "4", "--rtt", "1", "--repeat", "1", "--threads", "2", "--chart", str(chart))
    done = inboxstats("bench", "download", *arguments)
    assert (done.code, done.err) == (0, "")
    assert "the demo's server, 1 ms away" in done.out
    for way in ("1 connection, 1 a FETCH", "2 threads, 1 a FETCH", "1 connection, 50 a FETCH", "inboxstats, up to 8"):
        assert way in done.out
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_all_experiments_stand_on_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)  # as if the extra were not installed
    monkeypatch.setattr("inboxstats.bench.cpu.TIMES", (1, 2))
    monkeypatch.setattr("inboxstats.bench.io.TIMES", (1, 2))
    done = CliRunner().invoke(
        app, ["bench", "all", "--quick", "--rtt", "1", "--repeat", "1", "--json", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["experiment"] for row in told["results"]} == {"cpu", "io", "download", "parse"}
    assert [each["experiment"] for each in told["experiments"]] == ["cpu", "io", "download", "parse"]
    assert "pip install 'inboxstats[ml]'" in told["left_out"]["forest"]
    assert "pip install 'inboxstats[ml]'" in done.stderr
    page = (tmp_path / "bench.html").read_text()
    for sentence in (sentence for each in told["experiments"] for sentence in each["sentences"]):
        assert sentence.replace("'", "&#39;") in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert {path.name for path in tmp_path.iterdir()} == {
        "bench.html",
        *(f"bench-{name}{end}" for name in ("cpu", "io", "download", "parse") for end in (".svg", "-dark.svg", ".png")),
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cpu", "--chart", "x.gif"), "must end in .svg or .png"),
        (("download", "--host", "mail.example.org"), "--user is missing"),
        (("download", "work"), "There is no account"),
        (("download", "work", "--host", "h", "--user", "u"), "not both"),
        (("download", "--host", "h", "--user", "u", "--rtt", "3"), "--rtt is for the demo's server"),
        (("download", "--host", "h.example.org", "--user", "u", "--security", "none"), "--insecure"),
        (("download", "--mailbox", "Nope", "--rtt", "0"), "There are: 'INBOX'"),
        (("parse", "nowhere"), "nowhere does not exist"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_error(
    inboxstats: Inboxstats, arguments: tuple[str, ...], sentence: str
) -> None:
    done = inboxstats("bench", *arguments)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_ctrl_c_ends_an_experiment_and_leaves_nothing(inboxstats: Inboxstats, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = inboxstats.start("bench", "io", "--repeat", "1000", TMPDIR=str(temporary))
    deadline = time.monotonic() + 120
    while not list(temporary.glob("inboxstats-bench-*/*.html")):  # until the experiment is under way
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err == "inboxstats: Stopped. All that is complete is kept; run again to go on.\n"
    assert list(temporary.glob("inboxstats-bench-*")) == []
