"""launchd's plist and the task of Windows, read back by independent readers; the systems themselves are not here."""

import plistlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from inboxstats import schedule
from inboxstats.errors import UsageError
from inboxstats.schedule import Machine, Task, carry_out, launchd, windows
from inboxstats.schedule.machine import Ran, Write, _clock

from .conftest import Commands, files_below

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

# launchd.plist(5): the type of each key that we use.
PLIST_TYPES = {
    "Label": str,
    "ProgramArguments": list,
    "StartCalendarInterval": dict,
    "EnvironmentVariables": dict,
    "ProcessType": str,
    "LowPriorityIO": bool,
    "Nice": int,
    "Umask": int,
    "RunAtLoad": bool,
    "StandardErrorPath": str,
}

# Task Scheduler Schema: the order of a sequence's elements is part of it.
SETTINGS_ORDER = (
    "AllowStartOnDemand RestartOnFailure MultipleInstancesPolicy DisallowStartIfOnBatteries StopIfGoingOnBatteries "
    "AllowHardTerminate StartWhenAvailable NetworkProfileName RunOnlyIfNetworkAvailable WakeToRun Enabled Hidden "
    "DeleteExpiredTaskAfter IdleSettings NetworkSettings ExecutionTimeLimit Priority RunOnlyIfIdle"
).split()  # fmt: skip


def test_the_agents_plist_has_the_keys_and_types_of_launchd(
    machine: Callable[[str], Machine], commands: Commands, task: Task
) -> None:
    mac = machine("darwin")
    commands.answers["launchctl"] = Ran(0)
    carry_out(launchd.installation(task, mac), mac)
    path = mac.home / "Library" / "LaunchAgents" / "org.inboxstats.nightly.plist"
    agent = plistlib.loads(path.read_bytes())
    assert {key: type(value) for key, value in agent.items()} == PLIST_TYPES
    assert agent["Label"] == path.stem
    assert agent["ProgramArguments"] == list(task.nightly)
    assert agent["StartCalendarInterval"] == {"Hour": 3, "Minute": 5}
    assert agent["EnvironmentVariables"] == {"PATH": "/usr/bin"}
    assert commands.seen == [
        ("launchctl", "bootout", "gui/1000/org.inboxstats.nightly"),
        ("launchctl", "bootstrap", "gui/1000", str(path)),
    ]


def test_an_agent_is_known_until_it_is_removed(
    machine: Callable[[str], Machine], commands: Commands, task: Task
) -> None:
    mac = machine("darwin")
    commands.answers["launchctl"] = Ran(0)
    assert launchd.state(mac, NOW) is None
    carry_out(launchd.installation(task, mac), mac)
    found = launchd.state(mac, NOW)
    assert found is not None
    assert (found.at, found.next) == (time(3, 5), datetime(2026, 11, 29, 2, 5, tzinfo=UTC))
    commands.answers["launchctl print"] = commands.answers.pop("launchctl")
    commands.answers = {"launchctl print": Ran(113), "launchctl": Ran(0)}
    stopped = launchd.state(mac, NOW)
    assert stopped is not None
    assert stopped.trouble == "it is not loaded. Run `inboxstats schedule install` again."
    carry_out(launchd.removal(mac), mac)
    assert files_below(mac.home) == []


def test_the_task_of_windows_is_in_the_order_of_its_schema(machine: Callable[[str], Machine], task: Task) -> None:
    (xml,) = (step for step in windows.installation(task, machine("win32")) if isinstance(step, Write))
    assert xml.data.startswith(b"\xff\xfe")  # schtasks reads nothing but UTF-16
    root = ET.fromstring(xml.data.decode("utf-16").partition("?>")[2])
    name = {"t": windows.NAMESPACE}
    sections = [child.tag.rpartition("}")[2] for child in root]
    assert sections == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]
    settings = root.find("t:Settings", name)
    assert settings is not None
    places = [SETTINGS_ORDER.index(child.tag.rpartition("}")[2]) for child in settings]
    assert places == sorted(places)
    values = {child.tag.rpartition("}")[2]: child.text for child in settings}
    assert (values["StartWhenAvailable"], values["MultipleInstancesPolicy"]) == ("true", "IgnoreNew")
    assert root.findtext(".//t:StartBoundary", namespaces=name) == "2026-01-01T03:05:00"
    assert root.findtext(".//t:LogonType", namespaces=name) == "InteractiveToken"
    assert root.findtext(".//t:Command", namespaces=name) == "/opt/in box/bin/inboxstats"
    arguments = root.findtext(".//t:Arguments", namespaces=name)
    assert arguments == r'nightly --quiet --retries 3 --config "/home/me/50% $HOME \"mine\"/config.toml"'


def test_the_task_of_windows_is_made_known_and_removed(
    machine: Callable[[str], Machine], commands: Commands, task: Task
) -> None:
    pc = machine("win32")
    commands.answers["schtasks"] = Ran(0)
    steps = windows.installation(task, pc)
    carry_out(steps, pc)
    assert commands.seen[0][:5] == ("schtasks", "/Create", "/F", "/TN", "inboxstats nightly")
    assert files_below(pc.temporary) == []
    (xml,) = (step.data for step in steps if isinstance(step, Write))
    commands.answers = {"schtasks /Query": Ran(0, xml)}
    found = windows.state(pc, NOW)
    assert found is not None
    assert (found.at, found.next) == (time(3, 5), datetime(2026, 11, 29, 2, 5, tzinfo=UTC))
    commands.answers = {"schtasks /Query": Ran(1)}
    assert windows.state(pc, NOW) is None


def test_the_best_kind_that_answers_is_taken(machine: Callable[[str], Machine], commands: Commands) -> None:
    assert schedule.choose(machine("darwin")).name == "launchd"
    assert schedule.choose(machine("win32")).name == "windows"
    with pytest.raises(UsageError, match="no scheduler that answers"):
        schedule.choose(machine("linux"))
    commands.answers["crontab -l"] = Ran(1, err=b"no crontab for me")
    assert schedule.choose(machine("linux")).name == "cron"
    commands.answers["systemctl --user show-environment"] = Ran(0)
    assert schedule.choose(machine("linux")).name == "systemd"
    with pytest.raises(UsageError, match="launchd does not answer on this machine"):
        schedule.choose(machine("linux"), "launchd")


def test_this_machine_and_program_are_real() -> None:
    machine, program = schedule.this_machine(), schedule.this_program()
    assert (machine.platform, machine.home) == (sys.platform, machine.home.absolute())
    assert machine.run((sys.executable, "-c", "print(input())"), b"x\n") == Ran(0, b"x\n")
    assert machine.run(("/no/such/program",), b"").code == 127
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("inboxstats ")


def test_the_machines_own_zone_is_known_whatever_tz_says(tmp_path: Path) -> None:
    zones = tmp_path / "zoneinfo" / "Europe"
    zones.mkdir(parents=True)
    (zones / "Berlin").touch()
    link, copy = tmp_path / "localtime", tmp_path / "copy"
    link.symlink_to(zones / "Berlin")
    copy.touch()
    tokyo, paris, utc = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Paris"), ZoneInfo("UTC")
    assert _clock(tokyo, link) == ZoneInfo("Europe/Berlin")
    assert _clock(paris, link) == paris, "the same time"
    assert _clock(tokyo, copy) == tokyo, "nobody knows"
    assert _clock(tokyo, tmp_path / "none") == utc, "localtime(5)"


def test_a_timer_is_told_in_the_zone_by_which_it_goes(machine: Callable[[str], Machine], task: Task) -> None:
    traveller = replace(machine("darwin"), clock=ZoneInfo("Asia/Tokyo"), run=lambda *_: Ran(0))
    assert schedule.zone_of("systemd", traveller) == traveller.zone
    carry_out(launchd.installation(task, traveller), traveller)
    found = launchd.state(traveller, NOW)
    assert found is not None
    # 3:05 in Tokyo is 18:05 of the day before in UTC.
    assert found.next == datetime(2026, 11, 28, 18, 5, tzinfo=UTC)


def test_base_folders_count_where_they_are_absolute() -> None:
    given = {
        "XDG_DATA_HOME": "/data",
        "XDG_STATE_HOME": "state",
        "XDG_CACHE_HOME": "",
        "XDG_RUNTIME_DIR": "/run/1",
        "A": "/b",
    }
    assert schedule.base_folders(given) == (("XDG_DATA_HOME", "/data"),)


def test_only_absolute_folders_that_are_there_stay_in_path() -> None:
    assert schedule.plain_path("/usr/bin:.:bin:/usr/bin:/no/such/folder:/tmp") == "/usr/bin:/tmp"
    assert schedule.plain_path("") == "/usr/local/bin:/usr/bin:/bin"
