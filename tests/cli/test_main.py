"""The command line as a whole: help, version, start-up, what is imported."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command import Inboxstats

from inboxstats import __version__
from inboxstats.errors import ExitCode


def test_help_names_the_commands_and_the_exit_codes(inboxstats: Inboxstats) -> None:
    done = inboxstats("--help")
    text = " ".join(done.out.split())
    assert done.code == 0
    for command in (
        "account",
        "bench",
        "classify",
        "demo",
        "digest",
        "fetch",
        "nightly",
        "report",
        "schedule",
        "sql",
        "status",
    ):
        assert command in text
    for code in (code for code in ExitCode if code not in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)):
        assert f"{code.value} " in text
    assert "130/143 interrupted" in text


@pytest.mark.parametrize(
    "command",
    [
        *(
            "account add",
            "account remove",
            "bench",
            "bench all",
            "classify train",
            "config show",
            "demo",
            "digest",
            "doctor",
            "fetch",
        ),
        *("nightly", "report", "schedule install", "schedule status", "schedule remove", "sql", "status"),
    ],
)
def test_each_command_has_help(inboxstats: Inboxstats, command: str) -> None:
    done = inboxstats(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_version_is_told(inboxstats: Inboxstats) -> None:
    done = inboxstats("--version")
    assert (done.code, done.out) == (0, f"inboxstats {__version__}\n")


def test_an_unknown_command_or_option_is_a_usage_error(inboxstats: Inboxstats) -> None:
    assert inboxstats("fetsch").code == 2
    assert inboxstats("fetch", "--prot", "1").code == 2
    assert inboxstats("fetch", "--port", "none").code == 2


def test_help_imports_nothing_heavy() -> None:
    heavy = {
        "duckdb",
        "pandas",
        "numpy",
        "pyarrow",
        "matplotlib",
        "imapclient",
        "pydantic",
        "keyring",
        "jinja2",
        "rich.progress",
    }
    modules = imported("--help")
    assert heavy & modules == set()
    assert {"inboxstats.cli.fetch", "inboxstats.cli.report"} <= modules


BEFORE_A_LOGIN = {
    *("asyncio", "concurrent.futures", "urllib.request", "zoneinfo"),
    *("rich", "keyring", "tomlkit", "tzlocal", "pyarrow", "pandas", "numpy", "duckdb"),
}
"""What nothing before a login is in need of; pydantic is, where there is a file to check."""


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_fetch_imports_nothing_heavy_before_it_logs_in(tmp_path: Path, is_declared: bool) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]  # where nobody listens
        file = tmp_path / "config.toml"
        account = f'[accounts.me]\nhost = "127.0.0.1"\nport = {port}\nuser = "me"\nsecurity = "none"\n'
        file.write_text(account + 'password_command = ["echo", "x"]\n' if is_declared else "")
        options = ["--host", "127.0.0.1", "--port", str(port), "--user", "me", "--security", "none"]
        given = [] if is_declared else [*options, "--password-command", "echo x"]
        modules = imported("fetch", *given, "--config", str(file), "--archive", str(tmp_path / "archive"))
    assert "inboxstats.sources.imap" in modules
    assert BEFORE_A_LOGIN & modules == ({"zoneinfo"} if is_declared else set())  # pydantic's
    assert is_declared == ("pydantic" in modules)


def test_a_command_imports_no_other_command() -> None:
    modules = imported("fetch", "--help")
    assert "inboxstats.cli.fetch" in modules
    assert {f"inboxstats.cli.{name}" for name in ("account", "bench", "demo", "report", "schedule")} & modules == set()


def imported(*arguments: str) -> set[str]:
    """The modules that a run has imported at its end."""
    program = "import sys, inboxstats.cli as cli; cli.app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_before_the_start_is_no_trouble(tmp_path: Path, closed: str) -> None:
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "1.eml").write_bytes(b"From: ann@example.com\n\nbarley")
    (mail / "2.eml").symlink_to("nowhere")  # is told on stderr
    without = Inboxstats(tmp_path, through=("sh", "-c", f'exec "$@" {closed}', "sh"))
    out = str(tmp_path / "out")
    done = without("report", str(mail), "--format", "json", "--out", out, "--engine", "serial")
    assert (done.code, "Traceback" in done.err) == (3, False)
    report = json.loads((tmp_path / "out" / "latest" / "report.json").read_text())
    assert (report["totals"]["files"], report["totals"]["unreadable"]) == (2, 1)


def test_a_signal_that_finds_importlib_at_work_stops_the_program_once_that_is_done() -> None:
    program = """
import os, signal, time
from inboxstats import cli

cli.heed_signals()
at_work = "def at_work():\\n os.kill(os.getpid(), signal.SIGTERM)\\n time.sleep(0.1)\\n print('unbroken', flush=True)"
exec(compile(at_work, "<frozen importlib._bootstrap>", "exec"))
at_work()
try:
    time.sleep(60)
except cli.Stopped as stopped:
    print(int(stopped.code))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.stderr) == ("unbroken\n143\n", "")
