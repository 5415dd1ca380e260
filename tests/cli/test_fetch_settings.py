"""Where the number of connections and the daily budget come from: option, account, provider, default."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inboxstats import fetch as fetching
from inboxstats.cli import app
from inboxstats.fetch import Fetched


class Nobody:
    """A connection that is not even opened: these servers are not to be bothered by a test."""

    def __init__(self, host: str, port: int) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the fetch is told."""
    told: dict[str, Any] = {}

    def fetch(*_: object, **settings: Any) -> Fetched:
        told.update(settings)
        return Fetched("a", (), 0, 0, 0)

    monkeypatch.setattr(fetching, "fetch", fetch)
    monkeypatch.setattr("inboxstats.cli.accounts.Dialled", Nobody)
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "secret")
    return told


def run(tmp_path: Path, account: str, *options: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[accounts.a]\nuser = 'u'\npassword_command = ['echo', 'secret']\n{account}\n")
    done = CliRunner().invoke(app, ["fetch", "--config", str(config), "--archive", str(tmp_path / "mail"), *options])
    assert done.exit_code == 0, (done.output, done.exception)


@pytest.mark.parametrize(
    ("account", "options", "threads", "daily_bytes"),
    [
        ("host = 'imap.gmail.com'", (), 4, 2_000_000_000),
        ("host = 'imap.gmail.com'\nthreads = 6", (), 6, 2_000_000_000),
        ("host = 'imap.gmail.com'\nthreads = 6", ("--threads", "3"), 3, 2_000_000_000),
        ("host = 'imap.gmail.com'\ndaily_megabytes = 0", (), 4, 0),
        ("host = 'outlook.office365.com'", (), 2, None),
        ("host = 'imap.example.org'\ndaily_megabytes = 500", (), 8, 500_000_000),
        ("host = 'imap.example.org'", (), 8, None),
    ],
)
def test_an_option_wins_over_the_account_and_the_account_over_the_provider(
    tmp_path: Path,
    given: dict[str, Any],
    account: str,
    options: tuple[str, ...],
    threads: int,
    daily_bytes: int | None,
) -> None:
    run(tmp_path, account, *options)
    assert (given["threads"], given["daily_bytes"]) == (threads, daily_bytes)
