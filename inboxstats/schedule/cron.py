"""One line in the user's crontab: crontab(1), crontab(5). Every other line stays as it is, byte for byte."""

import re
import shlex
from datetime import datetime, time
from pathlib import PurePosixPath

from inboxstats.errors import UsageError
from inboxstats.schedule.clock import next_time
from inboxstats.schedule.machine import NOT_FOUND, Machine, Run, Step, Task, Timer

name = "cron"

MARK = b" # made by inboxstats schedule"
"""How our line ends; a shell takes it for a comment."""

LONGEST = 900
"""Bytes of a command: Debian's cron takes 998, and says nothing of what it cuts."""

_AT = re.compile(rb"(\d{1,2}) (\d{1,2}) \* \* \* ")

NOTES = ("cron makes up for no night on which the machine was off.",)


def is_there(machine: Machine) -> bool:
    """Whether the user may have a crontab."""
    return machine.platform != "win32" and _listed(machine) is not None


def installation(task: Task, machine: Machine) -> list[Step]:
    """Raises UsageError."""
    others = _others(_crontab(machine))
    if others and not others.endswith(b"\n"):
        others += b"\n"
    return [Run(("crontab", "-"), others + _line(task) + b"\n")]


def removal(machine: Machine) -> list[Step]:
    """Raises UsageError. A crontab that held nothing else is removed."""
    there = _listed(machine)
    if there is None or (others := _others(there)) == there:
        return []
    return [Run(("crontab", "-"), others) if others else Run(("crontab", "-r"))]


def state(machine: Machine, now: datetime) -> Timer | None:
    """The line that is ours. cron tells of no run, so `last` is unknown."""
    ours = [line for line in (_listed(machine) or b"").splitlines() if line.endswith(MARK)]
    if not ours:
        return None
    found = _AT.match(ours[0])
    at = time(int(found[2]), int(found[1])) if found else None
    return Timer(name, at, next=next_time(at, machine.clock, now) if at else None, notes=NOTES)


def _crontab(machine: Machine) -> bytes:
    there = _listed(machine)
    if there is None:
        raise UsageError("`crontab -l` cannot be run. Install cron, or ask the administrator (crontab(1), cron.allow).")
    return there


def _listed(machine: Machine) -> bytes | None:
    """The user's crontab; ``None`` where they may have none. Never empty because of an error: that would lose lines."""
    ran = machine.run(("crontab", "-l"), b"")
    if ran.code == 0:
        return ran.out
    return b"" if ran.code != NOT_FOUND and b"no crontab for" in ran.err else None


def _others(crontab: bytes) -> bytes:
    return b"".join(line for line in crontab.splitlines(keepends=True) if not line.rstrip(b"\r\n").endswith(MARK))


def _line(task: Task) -> bytes:
    words = task.nightly
    unusable = [word for word in (*words, *task.environment.values()) if "\n" in word or "\r" in word]
    if unusable:
        raise UsageError(f"cron cannot be given {unusable[0]!r}: it holds a line break. Rename it.")
    folders = [f"{name}={shlex.quote(value)}" for name, value in task.folders]
    command = " ".join([*folders, shlex.join(words)])
    path = shlex.quote(task.path)
    if len(path) + len(command) > LONGEST:
        path = "/usr/local/bin:/usr/bin:/bin"
    if len(path) + len(command) > LONGEST:
        raise UsageError(
            f"The command is too long for cron: {PurePosixPath(task.program[0]).name} … Use shorter paths."
        )
    # An unescaped % would end the command (crontab(5)). The variables stand before the command, as lines of their own
    # would hold for the lines of others, too.
    escaped = f"PATH={path} {command}".replace("%", "\\%")
    return f"{task.at.minute} {task.at.hour} * * * {escaped}".encode() + MARK
