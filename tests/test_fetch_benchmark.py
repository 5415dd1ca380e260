"""`make bench` runs, and counts what it measures. Its figures are for the reader, not for a test."""

import os
import re
import subprocess
import sys
from pathlib import Path

from servers.dovecot import Dovecot

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "fetch.py"


def run(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(BENCHMARK), *options],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip


def test_every_contender_of_ours_brings_every_message(dovecot: Dovecot, tmp_path: Path) -> None:  # noqa: ARG001 -- it is there
    done = run(
        *("--messages", "60", "--rounds", "1", "--links", "loopback,40ms", "--json", str(tmp_path / "runs")),
        *("--only", "ours,limit,ten threads,one by one"),
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^### (.*)", done.stdout, re.MULTILINE) == ["loopback", "40ms"]
    rows = re.findall(r"^\| ([a-z ]+?)(?: \(.*\))? \| ([\d.]+) \|", done.stdout, re.MULTILINE)
    assert [who for who, _ in rows] == ["ours", "limit", "ten threads", "one by one"] * 2
    seconds = {(place // 4, who): float(taken) for place, (who, taken) in enumerate(rows)}
    assert seconds[1, "one by one"] > 60 * 0.04  # the link is as long as it says
    assert len((tmp_path / "runs").read_text().splitlines()) == 8


def test_links_of_the_users_own_are_measured(dovecot: Dovecot) -> None:
    login = dovecot.add_user("bench", "bench")
    dovecot.fill(login, "INBOX", [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"])
    at = f"lan=127.0.0.1:{dovecot.port}"
    done = run("--at", at, "--messages", "2", "--rounds", "1", "--only", "ours,limit", "--through", "/nowhere")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^### (.*)", done.stdout, re.MULTILINE) == ["lan"]
    assert re.findall(r"^\| (ours|limit) .* \| (\d) \|$", done.stdout, re.MULTILINE) == [("ours", "1"), ("limit", "1")]


def test_a_link_of_the_users_own_needs_an_address() -> None:
    done = run("--at", "40ms=10.0.0.2")
    assert done.returncode == 2
    assert "write LINK=HOST:PORT" in done.stderr


def test_what_is_missing_is_said_in_a_sentence() -> None:
    done = run("--quick", PATH="/nowhere")
    assert done.returncode == 1
    assert re.fullmatch(r"[^\n]*(missing|Install)[^\n]*\n", done.stderr)


def test_a_link_that_there_is_not_is_refused() -> None:
    done = run("--links", "moon")
    assert done.returncode == 2
    assert "there is no link moon" in done.stderr
