"""A launchd agent of the user: launchd.plist(5), launchctl(1)."""

import plistlib
from datetime import datetime, time
from pathlib import Path
from typing import Any

from inboxstats.schedule.clock import next_time
from inboxstats.schedule.machine import Delete, Machine, Run, Step, Task, Timer, Write

name = "launchd"

LABEL = "org.inboxstats.nightly"

NOTES = ("A night that the machine slept through is made up when it wakes, one on which it was off is not.",)


def is_there(machine: Machine) -> bool:
    """On a Mac there is nothing else."""
    return machine.platform == "darwin"


def installation(task: Task, machine: Machine) -> list[Step]:
    """An agent that is loaded already is unloaded first: launchd reads a plist only then."""
    plist = _plist(machine)
    return [
        Run(("launchctl", "bootout", _service(machine)), may_fail=True),
        Write(plist, plistlib.dumps(_agent(task, machine), sort_keys=False)),
        Run(("launchctl", "bootstrap", _domain(machine), str(plist))),
    ]


def removal(machine: Machine) -> list[Step]:
    """Nothing stays."""
    return [
        Run(("launchctl", "bootout", _service(machine)), may_fail=True),
        Delete(_plist(machine)),
        Delete(_errors(machine)),
    ]


def state(machine: Machine, now: datetime) -> Timer | None:
    """The agent whose plist is there. launchd tells of no run, so `last` is unknown."""
    try:
        start = plistlib.loads(_plist(machine).read_bytes())["StartCalendarInterval"]
        at = time(start["Hour"], start["Minute"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError):  # what somebody else has written
        return Timer(name, trouble=f"{_plist(machine)} cannot be read. Run `inboxstats schedule install` again.")
    if machine.run(("launchctl", "print", _service(machine)), b"").code:
        return Timer(name, at, trouble="it is not loaded. Run `inboxstats schedule install` again.", notes=NOTES)
    return Timer(name, at, next=next_time(at, machine.clock, now), notes=NOTES)


def _plist(machine: Machine) -> Path:
    return machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def _errors(machine: Machine) -> Path:
    return machine.home / "Library" / "Logs" / "inboxstats-nightly.err"


def _domain(machine: Machine) -> str:
    return f"gui/{machine.uid}"


def _service(machine: Machine) -> str:
    return f"{_domain(machine)}/{LABEL}"


def _agent(task: Task, machine: Machine) -> dict[str, Any]:
    return {
        "Label": LABEL,
        "ProgramArguments": list(task.nightly),
        "StartCalendarInterval": {"Hour": task.at.hour, "Minute": task.at.minute},
        "EnvironmentVariables": task.environment,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
        "RunAtLoad": False,
        "StandardErrorPath": str(_errors(machine)),
    }
