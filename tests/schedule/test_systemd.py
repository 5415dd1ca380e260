"""The units, as systemd itself reads them; and what install, status and remove do with them."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from inboxstats import schedule
from inboxstats.errors import UsageError
from inboxstats.schedule import Machine, Task, carry_out, systemd
from inboxstats.schedule.machine import Ran

from .conftest import Commands, files_below

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def complaints(*units: Path) -> tuple[int, list[str]]:
    """What `systemd-analyze verify` says of units of ours; it also reads all others that the machine has."""
    command = shutil.which("systemd-analyze")
    if command is None:
        reason = "systemd-analyze is not installed: apt-get install systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as runtime:  # short, as sockets are to lie in it
        done = subprocess.run(
            [command, "--user", "verify", *map(str, units)],
            env=os.environ | {"XDG_RUNTIME_DIR": runtime, "HOME": runtime},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, [line for line in done.stderr.splitlines() if "inboxstats" in line]


@pytest.fixture
def linux(machine: Callable[[str], Machine], commands: Commands) -> Machine:
    commands.answers |= {"systemctl": Ran(0), "loginctl": Ran(0, b"Linger=yes\n")}
    return machine("linux")


def test_the_units_pass_systemds_own_check(linux: Machine, task: Task, tmp_path: Path) -> None:
    program = tmp_path / "b in" / "inboxstats"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    carry_out(systemd.installation(replace(task, program=(str(program),)), linux), linux)
    folder = linux.config_home / "systemd" / "user"
    assert complaints(*sorted(folder.glob("inboxstats*"))) == (0, [])
    timer = folder / systemd.TIMER
    timer.write_text(timer.read_text().replace("Persistent", "Presistent"))
    (complaint,) = complaints(timer)[1]
    assert "Presistent" in complaint


def test_a_command_line_survives_systemds_quoting(task: Task) -> None:
    # systemd.service(5): %% is %, $$ is $, and C's escapes hold inside double quotes.
    (line,) = (line for line in systemd._service(task).splitlines() if line.startswith("ExecStart="))
    assert line == (
        'ExecStart="/opt/in box/bin/inboxstats" nightly --quiet --retries 3 --config '
        r'"/home/me/50%% $$HOME \"mine\"/config.toml"'
    )


def test_a_path_with_a_line_break_is_refused(linux: Machine, task: Task) -> None:
    with pytest.raises(UsageError, match="control character"):
        systemd.installation(replace(task, config=Path("/a\nExecStart=/bin/evil")), linux)


def test_the_timer_makes_up_for_a_night_and_is_not_punctual(linux: Machine, task: Task) -> None:
    carry_out(systemd.installation(task, linux), linux)
    folder = linux.config_home / "systemd" / "user"
    timer, service = ((folder / unit).read_text().splitlines() for unit in (systemd.TIMER, systemd.SERVICE))
    assert {"OnCalendar=*-*-* 03:05:00", "Persistent=true", "RandomizedDelaySec=15min"} <= set(timer)
    assert {"TimeoutStartSec=6h", f"OnFailure={systemd.FAILED}", "Environment=PATH=/usr/bin"} <= set(service)
    assert stat.S_IMODE((folder / systemd.SERVICE).stat().st_mode) == 0o600


def test_a_zone_that_only_the_users_shell_knows_is_told_to_systemd(linux: Machine, task: Task) -> None:
    at_home = replace(linux, clock=ZoneInfo("America/New_York"))
    carry_out(systemd.installation(task, at_home), at_home)
    timer = at_home.config_home / "systemd" / "user" / systemd.TIMER
    assert "OnCalendar=*-*-* 03:05:00 Europe/Berlin\n" in timer.read_text()
    assert [line for line in complaints(timer)[1] if systemd.SERVICE not in line] == []
    found = systemd.state(at_home, NOW)
    assert found is not None
    assert found.at == time(3, 5)


def test_base_folders_elsewhere_than_usual_are_the_timers_too(linux: Machine, task: Task) -> None:
    folders = (("XDG_DATA_HOME", "/data/50% mine"), ("XDG_STATE_HOME", "/state"))
    carry_out(systemd.installation(replace(task, folders=folders), linux), linux)
    folder = linux.config_home / "systemd" / "user"
    for unit in (systemd.SERVICE, systemd.FAILED):
        lines = [line for line in (folder / unit).read_text().splitlines() if line.startswith("Environment=")]
        assert lines == [
            *("Environment=PATH=/usr/bin", 'Environment="XDG_DATA_HOME=/data/50%% mine"'),
            "Environment=XDG_STATE_HOME=/state",
        ]


def test_the_units_go_where_the_manager_looks_and_not_where_the_shell_says(
    linux: Machine, task: Task, commands: Commands, tmp_path: Path
) -> None:
    shell = replace(linux, config_home=tmp_path / "elsewhere", data_home=tmp_path / "elsewhere")
    carry_out(systemd.installation(task, shell), shell)
    assert (linux.home / ".config" / "systemd" / "user" / systemd.TIMER).exists()
    assert systemd.state(shell, NOW) is not None
    carry_out(systemd.removal(shell), shell)
    told = Ran(0, f"HOME=/home/me\nXDG_CONFIG_HOME={tmp_path}/manager\nXDG_DATA_HOME=$'/a\\nb'\n".encode())
    commands.answers = {"systemctl --user show-environment": told} | commands.answers
    carry_out(systemd.installation(task, shell), shell)
    assert files_below(tmp_path / "manager") == [
        f"systemd/user/{unit}" for unit in (systemd.FAILED, systemd.SERVICE, systemd.TIMER)
    ]
    carry_out(systemd.removal(shell), shell)
    assert files_below(tmp_path / "manager") == files_below(tmp_path / "elsewhere") == files_below(linux.home) == []


def test_the_manager_is_told_in_order(linux: Machine, task: Task, commands: Commands) -> None:
    carry_out(systemd.installation(task, linux), linux)
    assert [command[2:] for command in commands.seen if "show-environment" not in command] == [
        ("daemon-reload",),
        ("enable", "inboxstats.timer"),
        ("restart", "inboxstats.timer"),
    ]


def test_remove_leaves_nothing_behind(linux: Machine, task: Task) -> None:
    foreign = linux.config_home / "systemd" / "user" / "foreign.timer"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    carry_out(systemd.installation(task, linux), linux)
    # What `systemctl enable` and a first run leave.
    wants = foreign.parent / "timers.target.wants"
    wants.mkdir()
    (wants / systemd.TIMER).symlink_to(foreign.parent / systemd.TIMER)
    stamp = linux.data_home / "systemd" / "timers" / "stamp-inboxstats.timer"
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    carry_out(systemd.removal(linux), linux)
    assert files_below(linux.home) == [".config/systemd/user/foreign.timer"]


def test_the_state_tells_last_and_next_run(linux: Machine, task: Task, commands: Commands) -> None:
    assert systemd.state(linux, NOW) is None
    carry_out(systemd.installation(task, linux), linux)
    shown = (
        b"NextElapseUSecRealtime=Sat 2026-11-28 02:05:00 UTC\n"
        b"LastTriggerUSec=Fri 2026-11-27 02:05:02 UTC\nActiveState=active\n"
    )
    commands.answers = {"env TZ=UTC systemctl --user show": Ran(0, shown), "loginctl": Ran(0, b"Linger=yes\n")}
    assert systemd.state(linux, NOW) == schedule.Timer(
        "systemd",
        time(3, 5),
        last=datetime(2026, 11, 27, 2, 5, 2, tzinfo=UTC),
        next=datetime(2026, 11, 28, 2, 5, tzinfo=UTC),
    )


def test_a_timer_that_never_ran_has_no_last_run(linux: Machine, task: Task, commands: Commands) -> None:
    carry_out(systemd.installation(task, linux), linux)
    commands.answers["env TZ=UTC systemctl --user show"] = Ran(
        0, b"NextElapseUSecRealtime=\nLastTriggerUSec=n/a\nActiveState=active\n"
    )
    found = systemd.state(linux, NOW)
    assert found is not None
    assert (found.last, found.next, found.trouble) == (None, None, None)


def test_a_stamp_that_no_run_has_touched_is_no_last_run(linux: Machine, task: Task, commands: Commands) -> None:
    carry_out(systemd.installation(task, linux), linux)
    shown = b"LastTriggerUSec=Fri 2026-11-27 02:05:02 UTC\nActiveState=active\n"
    commands.answers["env TZ=UTC systemctl --user show"] = Ran(0, shown)
    stamp = linux.data_home / "systemd" / "timers" / "stamp-inboxstats.timer"
    # date --utc --date=@1795745102: 2026-11-27 02:05:02. stat(1) says 0 where the file system does not tell.
    for born, last in ((b"1795745102", False), (b"1795645102", True), (b"0", True), (b"-", True)):
        commands.answers[f"stat --format=%W {stamp}"] = Ran(0, born + b"\n")
        found = systemd.state(linux, NOW)
        assert found is not None
        assert (found.last is not None) == last


def test_a_timer_that_is_stopped_or_unknown_has_its_trouble_told(
    linux: Machine, task: Task, commands: Commands
) -> None:
    carry_out(systemd.installation(task, linux), linux)
    commands.answers = {"env TZ=UTC systemctl --user show": Ran(0, b"ActiveState=inactive\n")}
    stopped = systemd.state(linux, NOW)
    assert stopped is not None
    assert stopped.trouble == "it is inactive. Run `inboxstats schedule install` again."
    commands.answers = {"env TZ=UTC systemctl --user show": Ran(1, err=b"Failed to connect to bus\n")}
    unknown = systemd.state(linux, NOW)
    assert unknown is not None
    assert unknown.trouble == "systemd does not answer: Failed to connect to bus."


def test_linger_is_explained_where_it_is_off(linux: Machine, task: Task, commands: Commands) -> None:
    carry_out(systemd.installation(task, linux), linux)
    commands.answers["loginctl"] = Ran(0, b"Linger=no\n")
    found = systemd.state(linux, NOW)
    assert found is not None
    assert "loginctl enable-linger" in found.notes[0]
