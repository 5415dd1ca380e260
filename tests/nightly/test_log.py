import logging
import stat
from pathlib import Path

import pytest

from inboxstats.nightly import log

_LOG = logging.getLogger("inboxstats.somewhere")


def test_the_log_is_for_its_user_alone_and_has_no_address(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "nightly.log"
    with log.logging_to(path, logging.INFO, alone=True):
        _LOG.info("login of %s at imap.example.org", "me@example.org")
        _LOG.warning('<ann@example.com>, "b.c+d@example.com" \x1b]0;x\x07')
        _LOG.debug("not at this level")
    _LOG.info("not any more")
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "INFO inboxstats.somewhere: login of …@example.org at imap.example.org\n" in text
    assert '<…@example.com>, "…@example.com" \ufffd]0;x\ufffd\n' in text
    assert len(text.splitlines()) == 2


def test_addresses_stand_in_the_log_at_debug_level_alone(tmp_path: Path) -> None:
    with log.logging_to(tmp_path / "log", logging.DEBUG, alone=True):
        _LOG.debug("login of me@example.org")
        _LOG.info("login of me@example.org")
    first, second = (tmp_path / "log").read_text().splitlines()
    assert "login of me@example.org" in first
    assert "login of …@example.org" in second


def test_a_traceback_has_no_address_either(tmp_path: Path) -> None:
    with log.logging_to(tmp_path / "log", logging.INFO, alone=True):
        try:
            raise ValueError("me@example.org")
        except ValueError:
            _LOG.exception("it broke")
    assert "ValueError: …@example.org" in (tmp_path / "log").read_text()


def test_the_log_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_BYTES", 1000)
    with log.logging_to(tmp_path / "log", logging.INFO, alone=True):
        for number in range(200):
            _LOG.info("line %d", number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2", "log.3", "log.4", "log.5"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 and file.stat().st_size <= 1000 for file in files)


def test_nothing_of_it_reaches_stderr_where_it_is_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with log.logging_to(tmp_path / "log", logging.INFO, alone=True):
        _LOG.warning("one")
    with log.logging_to(tmp_path / "log", logging.INFO, alone=False):
        _LOG.warning("two")
    assert [record.message for record in caplog.records] == ["two"]


def test_a_disk_that_is_full_costs_lines_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with log.logging_to(Path("/dev/full"), logging.INFO, alone=True):
        _LOG.warning("finds no room")
    assert capfd.readouterr() == ("", "")
