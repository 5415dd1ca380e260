"""The timer that runs inboxstats every night: by systemd, launchd, the Windows Task Scheduler or cron.

    installation(task, kind, machine) → steps     carry_out(steps, machine)     find() → Timer | None

Each kind is a module with what `Kind` asks for. Only the user's own timers are touched, never the system's.
"""

from datetime import UTC, datetime, tzinfo
from typing import Protocol

from inboxstats.errors import UsageError
from inboxstats.schedule import cron, launchd, systemd, windows
from inboxstats.schedule.machine import (
    Machine,
    Step,
    Task,
    Timer,
    base_folders,
    carry_out,
    described,
    plain_path,
    this_machine,
    this_program,
)

__all__ = [
    "KINDS",
    "Kind",
    "Machine",
    "Step",
    "Task",
    "Timer",
    "base_folders",
    "by_name",
    "carry_out",
    "choose",
    "described",
    "find",
    "plain_path",
    "this_machine",
    "this_program",
    "timers",
    "zone_of",
]


class Kind(Protocol):
    """A scheduler. A module satisfies it."""

    name: str

    def is_there(self, machine: Machine) -> bool:
        """Whether this machine has it, for this user."""
        ...

    def installation(self, task: Task, machine: Machine) -> list[Step]:
        """What makes the timer, or makes it anew. Raises UsageError."""
        ...

    def removal(self, machine: Machine) -> list[Step]:
        """What leaves nothing of it behind, installed or not."""
        ...

    def state(self, machine: Machine, now: datetime) -> Timer | None:
        """The timer that is installed; ``None`` without one."""
        ...


KINDS: tuple[Kind, ...] = (systemd, launchd, windows, cron)
"""The best first."""


_WHAT_ANSWERS = {
    "systemd": "`systemctl --user status` shows why; after `su` and in a container there is no user manager.",
    "launchd": "It is part of macOS.",
    "windows": "It is part of Windows.",
    "cron": "Install cron, or ask the administrator (crontab(1), cron.allow).",
}


def by_name(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return {kind.name: kind for kind in KINDS}[name]


def choose(machine: Machine, wanted: str | None = None) -> Kind:
    """The kind that is wanted, else the best that the machine has. Raises UsageError."""
    if wanted is not None:
        kind = by_name(wanted)
        if not kind.is_there(machine):
            raise UsageError(f"{wanted} does not answer on this machine. {_WHAT_ANSWERS[wanted]}")
        return kind
    for kind in KINDS:
        if kind.is_there(machine):
            return kind
    raise UsageError(
        "This machine has no scheduler that answers: no systemd user manager (`systemctl --user status`) and no "
        "crontab. Install cron, or run `inboxstats nightly` by what you have."
    )


def zone_of(kind: str, machine: Machine) -> tzinfo:
    """By which zone a kind goes."""
    return machine.zone if kind == systemd.name else machine.clock


def timers(machine: Machine, now: datetime) -> list[Timer]:
    """The timers that are installed, mostly none or one."""
    return [timer for kind in KINDS if (timer := kind.state(machine, now)) is not None]


def find(machine: Machine | None = None, now: datetime | None = None) -> Timer | None:
    """The timer that is installed for this user, with its last and its next run; ``None`` without one."""
    found = timers(machine or this_machine(), now or datetime.now(UTC))
    return found[0] if found else None
