"""A systemd user timer: systemd.timer(5), systemd.service(5), systemd.exec(5)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

from inboxstats.errors import UsageError
from inboxstats.schedule.machine import Delete, Machine, Run, Step, Task, Timer, Write

name = "systemd"

SERVICE, TIMER, FAILED = "inboxstats.service", "inboxstats.timer", "inboxstats-failed.service"

_CONTROL = ("systemctl", "--user")
_PLAIN = re.compile(r"[\w/.,:+=@-]+", re.ASCII)
_ON_CALENDAR = re.compile(rb"^OnCalendar=\*-\*-\* (\d\d):(\d\d):00(?: [\w/+-]+)?$", re.MULTILINE)
_DEAD = re.compile(r"^ActiveState=(?!active$)(.*)$", re.MULTILINE)


def is_there(machine: Machine) -> bool:
    """Whether a user manager answers: in a container, or after `su`, there is none."""
    return machine.platform == "linux" and not machine.run((*_CONTROL, "show-environment"), b"").code


def installation(task: Task, machine: Machine) -> list[Step]:
    """Raises UsageError."""
    folder = _folder(machine)
    files = {SERVICE: _service(task), FAILED: _failed(task), TIMER: _timer(task, machine)}
    return [
        *(Write(folder / unit, text.encode()) for unit, text in files.items()),
        Run((*_CONTROL, "daemon-reload")),
        Run((*_CONTROL, "enable", TIMER)),
        Run((*_CONTROL, "restart", TIMER)),  # a timer that runs already takes its new time
    ]


def removal(machine: Machine) -> list[Step]:
    """Nothing stays: not the links of `enable`, nor the stamp by which Persistent= knows the last run."""
    folder = _folder(machine)
    units = [folder / "timers.target.wants" / TIMER, *(folder / unit for unit in (TIMER, SERVICE, FAILED))]
    return [
        Run((*_CONTROL, "disable", "--now", TIMER), may_fail=True),
        *map(Delete, [*units, _stamp(machine)]),
        Run((*_CONTROL, "daemon-reload"), may_fail=True),
        Run((*_CONTROL, "reset-failed", SERVICE, FAILED), may_fail=True),
    ]


def state(machine: Machine, _now: datetime) -> Timer | None:
    """The timer whose units are there, whether or not the manager knows it."""
    try:
        text = (_folder(machine) / TIMER).read_bytes()
    except OSError:
        return None
    found = _ON_CALENDAR.search(text)
    at = time(int(found[1]), int(found[2])) if found else None
    properties = ("ActiveState", "LastTriggerUSec", "NextElapseUSecRealtime")
    # systemctl knows --timestamp=unix, and heeds it not for these (seen with 252): in UTC they can be read anywhere.
    shown = machine.run(("env", "TZ=UTC", *_CONTROL, "show", f"--property={','.join(properties)}", TIMER), b"")
    told = shown.out.decode(errors="replace")
    if shown.code:
        return Timer(name, at, trouble=f"systemd does not answer: {shown.complaint}.", notes=tuple(_notes(machine)))
    dead = _DEAD.search(told)
    last = _moment(told, "LastTriggerUSec")
    return Timer(
        name,
        at,
        last=None if last is None or _is_unused(machine, last) else last,
        next=_moment(told, "NextElapseUSecRealtime"),
        trouble=f"it is {dead[1]}. Run `inboxstats schedule install` again." if dead else None,
        notes=tuple(_notes(machine)),
    )


def _folder(machine: Machine) -> Path:
    return _base(machine, "XDG_CONFIG_HOME", machine.config_home, machine.home / ".config") / "systemd" / "user"


def _stamp(machine: Machine) -> Path:
    """What Persistent= keeps: a file whose time is that of the last run."""
    data = _base(machine, "XDG_DATA_HOME", machine.data_home, machine.home / ".local" / "share")
    return data / "systemd" / "timers" / f"stamp-{TIMER}"


def _base(machine: Machine, name: str, ours: Path, usual: Path) -> Path:
    """A base folder as the manager has it, whose environment need not be that of the user's shell."""
    shown = machine.run((*_CONTROL, "show-environment"), b"")
    if shown.code:
        return ours
    found = re.search(rf"^{name}=(.*)$", shown.out.decode(errors="surrogateescape"), re.MULTILINE)
    if found is None:
        return usual
    return Path(found[1]) if found[1].startswith("/") else ours  # it is quoted in a way of its own


def _is_unused(machine: Machine, last: datetime) -> bool:
    """Whether the last run was none: a timer that is new gets its stamp at once, and takes it for a run when it starts
    again. A run changes the stamp's time, and not that of its birth."""
    born = machine.run(("stat", "--format=%W", str(_stamp(machine))), b"").out.strip()
    return born.isdigit() and abs(int(born) - last.timestamp()) <= 1


def _notes(machine: Machine) -> Iterator[str]:
    """Without linger a user's manager, and so the timer, lives only as long as the user is logged in."""
    shown = machine.run(("loginctl", "show-user", str(machine.uid), "--property=Linger"), b"")
    if shown.out.strip() != b"Linger=yes":
        yield (
            "It runs only while you are logged in, and what it missed is made up at the next login. For a machine "
            "that runs without you: `loginctl enable-linger`. A keyring that your login unlocks stays locked then: "
            "use password_command or systemd credentials."
        )


def _moment(told: str, key: str) -> datetime | None:
    """``LastTriggerUSec=Sun 2026-11-29 03:18:38 UTC``; ``None`` where it says nothing, as before the first run."""
    found = re.search(rf"^{key}=[A-Z][a-z]{{2}} (\S+ \S+) UTC$", told, re.MULTILINE)
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None


def _service(task: Task) -> str:
    return f"""\
[Unit]
Description=inboxstats: fetch mail, report, digest
OnFailure={FAILED}

[Service]
Type=oneshot
ExecStart={_command(*task.nightly)}
{_environment(task)}
# The whole run, waits for a network that is down included; what is complete is kept, the next night goes on.
TimeoutStartSec=6h
UMask=0077
Nice=10
IOSchedulingClass=idle
# Partly done: what is missing is listed, and tried again the next night.
SuccessExitStatus=3
"""


def _failed(task: Task) -> str:
    return f"""\
[Unit]
Description=inboxstats: tell that the nightly run was killed

[Service]
Type=oneshot
ExecStart={_command(*task.tell)}
{_environment(task)}
TimeoutStartSec=5min
UMask=0077
# It ends with 3 where there is something to tell.
SuccessExitStatus=3
"""


def _timer(task: Task, machine: Machine) -> str:
    zone = "" if machine.zone == machine.clock else f" {machine.zone}"
    return f"""\
[Unit]
Description=inboxstats: every night

[Timer]
OnCalendar=*-*-* {task.at:%H:%M}:00{zone}
# A night that was slept through is made up.
Persistent=true
# Providers do not like everybody at the same second.
RandomizedDelaySec=15min
Unit={SERVICE}

[Install]
WantedBy=timers.target
"""


def _environment(task: Task) -> str:
    return "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in task.environment.items())


def _command(*words: str) -> str:
    """A command line as systemd.service(5) reads it. Raises UsageError."""
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"systemd cannot be given {word!r}: it holds a control character. Rename it.")
    word = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return word
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"'))
