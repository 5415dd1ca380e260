"""`inboxstats doctor`: each thing that can be wrong has its line, with what mends it, and its exit code."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from command import Inboxstats
from servers.dovecot import Dovecot
from servers.raw import Login

from inboxstats.archive import Archive, Owner
from inboxstats.checks import machine
from inboxstats.errors import ExitCode
from inboxstats.parse import core
from inboxstats.schedule import Timer

NAMES = ["config", "keyring", "secret", "tls", "login", "mailboxes", "disk", "archive", "table", "parser", "timer"]


@pytest.fixture
def user(dovecot: Dovecot, dovecot_user: Login) -> Login:
    dovecot.fill(dovecot_user, "INBOX", [b"Subject: x\r\n\r\n"] * 3)
    return dovecot_user


@pytest.fixture
def path(inboxstats: Inboxstats, user: Login) -> Path:
    path = inboxstats.home / ".config" / "inboxstats" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'[accounts.work]\nhost = "127.0.0.1"\nport = {user.port}\nuser = "{user.user}"\nsecurity = "none"\n'
        f'password_command = ["echo", "{user.password}"]\n'
    )
    return path


def found(inboxstats: Inboxstats, **environment: str) -> tuple[int, dict[str, Any]]:
    done = inboxstats("doctor", "--json", **environment)
    rows = json.loads(done.out)
    assert rows["exit_code"] == done.code == max(row["exit_code"] for row in rows["checks"])
    return done.code, {row["check"]: row for row in rows["checks"]}


@pytest.mark.usefixtures("path")
def test_what_is_well_is_told_in_a_line_each(inboxstats: Inboxstats) -> None:
    code, checks = found(inboxstats)
    assert (code, list(checks)) == (0, NAMES)
    states = {name: checks[name]["state"] for name in NAMES}
    assert states == dict.fromkeys(NAMES, "ok") | {"keyring": "warning", "timer": "warning"}
    assert checks["mailboxes"]["says"].startswith("1 of 1 is fetched: 3 messages")
    assert not (inboxstats.home / ".local").exists()  # it changes nothing

    assert inboxstats("fetch").code == 0
    assert inboxstats("report", "--format", "json").code == 0
    done = inboxstats("doctor")
    assert (done.code, done.err) == (0, "")
    assert "ok       table: 3 rows\n" in done.out
    assert f"ok       archive: {inboxstats.home}/.local/share/inboxstats/archive: mail of work" in done.out
    assert done.out.endswith("0 failures, 2 warnings.\n")


def test_a_password_in_the_environment_is_no_way_to_a_token(inboxstats: Inboxstats, path: Path) -> None:
    text = path.read_text().partition("password_command")[0]
    path.write_text(text)
    code, checks = found(inboxstats, INBOXSTATS_PASSWORD="canary-7f3a")
    assert (checks["keyring"]["state"], checks["secret"]["state"]) == ("warning", "ok")
    path.write_text(text + 'auth = "oauth"\nsign_in = "google"\nclient_id = "1234"\n')
    code, checks = found(inboxstats, INBOXSTATS_PASSWORD="canary-7f3a")
    assert (code, checks["keyring"]["state"], checks["secret"]["state"]) == (4, "failed", "failed")
    assert "The OAuth token of" in checks["secret"]["says"]
    path.write_text(text + 'auth = "oauth"\npassword_command = ["echo", "token"]\n')
    assert found(inboxstats)[1]["keyring"]["state"] == "warning"


def test_the_exit_code_is_the_worst_one(inboxstats: Inboxstats, path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace('"echo", ', '"echo", "wrong", '))
    code, checks = found(inboxstats)
    assert (code, checks["login"]["exit_code"], checks["mailboxes"]["state"]) == (4, 4, "left out")
    path.write_text(text.replace("port = ", "port = 1 # "))
    assert found(inboxstats)[0] == 5
    path.write_text(text + "threds = 1\n")
    code, checks = found(inboxstats)
    assert (code, list(checks)) == (2, ["config", "timer"])
    assert "line 7: unknown key 'accounts.work.threds'. Did you mean 'threads'?" in checks["config"]["says"]


def test_a_keyring_that_is_missed_fails_and_one_that_is_not_is_a_warning(inboxstats: Inboxstats, path: Path) -> None:
    path.write_text(path.read_text().replace("password_command", "# "))
    code, checks = found(inboxstats)
    assert (code, checks["keyring"]["state"], checks["secret"]["state"]) == (4, "failed", "failed")
    assert "--password-command" in checks["keyring"]["says"]
    _, checks = found(inboxstats, INBOXSTATS_PASSWORD="correct horse")
    assert (checks["keyring"]["state"], checks["login"]["state"]) == ("warning", "ok")


@pytest.mark.usefixtures("path")
def test_an_archive_that_is_anothers_damaged_or_open_to_others_is_told(inboxstats: Inboxstats) -> None:
    archive = inboxstats.home / ".local" / "share" / "inboxstats" / "archive"
    assert inboxstats("fetch").code == 0
    archive.chmod(0o755)
    code, checks = found(inboxstats)
    assert (code, checks["archive"]["state"]) == (0, "warning")
    assert f"chmod 700 {archive}" in checks["archive"]["says"]
    archive.chmod(0o700)
    owners = (archive / "archive.toml").read_text()
    (archive / "archive.toml").write_text(owners.replace("127.0.0.1", "imap.example.org"))
    assert found(inboxstats)[1]["archive"]["exit_code"] == 2
    (archive / "archive.toml").write_text("format = ")
    assert found(inboxstats)[1]["archive"]["exit_code"] == 8


def test_a_damaged_part_of_the_table_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "messages"
    folder.mkdir(parents=True)
    assert machine.of_table(tmp_path).says == "is not there yet; the first report makes it"
    (folder / "part-1.parquet").write_bytes(b"PAR1 no more")
    found = machine.of_table(tmp_path)
    assert (found.state, found.code) == ("warning", 0)
    assert "part-1.parquet cannot be read. The next report makes it anew" in found.says


def test_a_disk_is_too_small_for_what_is_to_come_in_bytes_or_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "not" / "yet" / "there"
    assert machine.of_disk(place, messages=10, size=1000).state == "ok"
    full = machine.of_disk(place, messages=10, size=10**18)
    assert (full.state, full.code) == ("failed", ExitCode.STORAGE)
    assert "1,000,000,000,200 MB are needed" in full.says
    assert str(tmp_path) in full.says
    monkeypatch.setattr(machine, "_free_files", lambda _: 9)
    few = machine.of_disk(place, messages=10, size=1000)
    assert (few.state, few.code) == ("failed", ExitCode.STORAGE)
    assert "room for 9 files, and each of 10 messages is one" in few.says
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "is not writable" in machine.of_disk(place, messages=0, size=0).says


def test_the_timer_is_told_with_its_trouble() -> None:
    assert machine._of_timer(None).state == "warning"
    assert "inboxstats schedule install" in machine._of_timer(None).says
    assert machine._of_timer(Timer("systemd")).state == "ok"
    broken = machine._of_timer(Timer("systemd", trouble="It is off. Say: systemctl --user enable x"))
    assert (broken.state, broken.code) == ("failed", ExitCode.USAGE)
    assert "Say: systemctl --user enable x" in broken.says


def test_an_archive_of_other_accounts_may_be_joined(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    with archive.lock():
        archive.admit("old", Owner("h", "u"))
    assert machine.of_archive(tmp_path / "a", {"new": Owner("h", "v")}).state == "ok"
    assert machine.of_archive(tmp_path / "a", {"new": Owner("h", "u")}).code == ExitCode.USAGE


@pytest.mark.parametrize(("is_compiled", "says"), [(True, "compiled"), (False, "in Python alone, which is slower.")])
def test_doctor_tells_whether_the_parser_is_compiled(
    is_compiled: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "IS_COMPILED", is_compiled)

    found = machine.of_parser()

    assert (found.state, found.says[: len(says)]) == ("ok", says)
