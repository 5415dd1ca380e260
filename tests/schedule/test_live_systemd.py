"""`inboxstats schedule` with a systemd that really runs: the timer starts the night, and what it leaves is real."""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from command import Done, Inboxstats
from servers.dovecot import Dovecot
from servers.raw import Login
from servers.user_manager import UserManager
from servers.webhook import Webhook

BERLIN = ZoneInfo("Europe/Berlin")
MESSAGES = [f"From: ann@example.com\r\nSubject: {number}\r\n\r\nHello\r\n".encode() for number in range(3)]
SERVICE, FAILED, TIMER = "inboxstats.service", "inboxstats-failed.service", "inboxstats.timer"
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A user's machine with a systemd, and one account whose password is a credential of the service."""

    systemd: UserManager
    user: Login
    service: Webhook

    def __call__(self, *arguments: str) -> Done:
        """The program as the user runs it in a shell, which says more than the manager knows."""
        run = Inboxstats(self.systemd.home, self.systemd.through)
        done = run(*arguments, **self.systemd.environment, TZ="Europe/Berlin", XDG_DATA_HOME=str(self.data))
        assert "Traceback" not in done.err, done.err
        return done

    @property
    def data(self) -> Path:
        return self.systemd.home / "data of mine"

    def timer(self) -> dict[str, str | None]:
        """What `schedule status` says."""
        told: dict[str, str | None] = json.loads(self("schedule", "status", "--json").out)["timer"]
        return told

    def configure(self, password: str, port: int | None = None) -> None:
        folder = self.systemd.home / ".config" / "inboxstats"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "password").write_text(password)
        (folder / "password").chmod(0o600)
        (folder / "config.toml").write_text(
            f'timezone = "Europe/Berlin"\n[accounts.work]\nhost = "{self.user.host}"\nport = {port or self.user.port}\n'
            f'user = "{self.user.user}"\nsecurity = "none"\n[report]\nformats = ["json"]\n[digest]\n'
            f'notify_command = ["echo", "json://127.0.0.1:{self.service.server_port}"]\n'
        )
        self.override(SERVICE, f"[Service]\nLoadCredential=work:{folder}/password\n")

    def override(self, unit: str, text: str) -> None:
        """What `systemctl --user edit` writes."""
        folder = self.units / f"{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "override.conf").write_text(text)

    @property
    def units(self) -> Path:
        return self.systemd.home / ".config" / "systemd" / "user"

    @property
    def stamp(self) -> Path:
        return self.systemd.home / ".local" / "share" / "systemd" / "timers" / f"stamp-{TIMER}"

    def stored(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.data.rglob("*.eml"))]

    def ended(self, unit: str) -> dict[str, str]:
        """Of a service that has run, once it has."""
        names = ("ActiveState", "Result", "ExecMainStatus", "ExecMainExitTimestampMonotonic", "TriggeredBy")

        def over() -> bool:
            found = self.systemd.properties(unit, *names)
            return found["ActiveState"] in ("inactive", "failed") and found["ExecMainExitTimestampMonotonic"] != "0"

        self.await_(over)
        return self.systemd.properties(unit, *names)

    def await_(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.systemd.systemctl("status", "--all", "--no-pager", "inboxstats*")
            time.sleep(0.1)  # the manager tells nobody when a unit is over


@pytest.fixture
def machine(systemd: UserManager, dovecot: Dovecot, dovecot_user: Login, service: Webhook) -> Machine:
    dovecot.fill(dovecot_user, "INBOX", MESSAGES, internal_dates=[datetime.now(UTC)] * len(MESSAGES))
    machine = Machine(systemd, dovecot_user, service)
    machine.configure(dovecot_user.password)
    return machine


def the_next(at: str, moment: str | None) -> bool:
    """Whether a moment is the next `at` in Berlin, or up to the quarter of an hour later that the timer may take."""
    assert moment is not None
    then, now = datetime.fromisoformat(moment), datetime.now(UTC)
    local = then.astimezone(BERLIN)
    planned = local.replace(hour=int(at[:2]), minute=int(at[3:]), second=0)
    return now < then < now + timedelta(days=1, minutes=16) and planned <= local <= planned + timedelta(minutes=16)


def test_a_timer_is_installed_twice_makes_up_for_a_missed_night_and_leaves_nothing_when_it_is_removed(
    machine: Machine,
) -> None:
    systemd = machine.systemd
    dry = machine("schedule", "install", "--at", "12:00", "--dry-run")
    assert (dry.code, "    Persistent=true\n" in dry.out, "run systemctl --user enable" in dry.out) == (0, True, True)
    assert machine("schedule", "status").out == "No timer is installed: inboxstats schedule install\n"

    first = machine("schedule", "install", "--at", "04:10")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("Installed: every night at 04:10 (Europe/Berlin), by systemd.")
    assert (machine.units / "timers.target.wants" / TIMER).resolve() == machine.units / TIMER
    told = machine.timer()
    assert (told["kind"], told["at"], told["last"], told["trouble"]) == ("systemd", "04:10", None, None)
    assert the_next("04:10", told["next"])

    # A second time is another time: the timer in the manager's memory has it, too, and nothing has run yet.
    assert machine("schedule", "install", "--at", "05:20").code == 0
    told = machine.timer()
    assert (told["at"], told["last"]) == ("05:20", None)
    assert the_next("05:20", told["next"])
    assert "by systemd; last run: none yet; next: 20" in machine("schedule", "status").out
    assert systemd.properties(TIMER, "Persistent", "RandomizedDelayUSec", "ActiveState", "UnitFileState", "Unit") == {
        "Persistent": "yes", "RandomizedDelayUSec": "15min", "ActiveState": "active", "UnitFileState": "enabled",
        "Unit": SERVICE,
    }  # fmt: skip
    assert systemd.properties(SERVICE, "TimeoutStartUSec", "OnFailure", "SuccessExitStatus", "NeedDaemonReload") == {
        "TimeoutStartUSec": "6h", "OnFailure": FAILED, "SuccessExitStatus": "3", "NeedDaemonReload": "no",
    }  # fmt: skip
    assert machine.stored() == []

    # The machine was off for two nights. But for the delay, which nobody wants to wait for, it is the timer as it is.
    machine.override(TIMER, "[Timer]\nRandomizedDelaySec=0\n")
    systemd.systemctl("stop", TIMER)
    stopped = machine("schedule", "status")
    assert (stopped.code, "It does not run: it is inactive. Run `inboxstats schedule install`" in stopped.out) == (
        3,
        True,
    )
    time.sleep(2.5)  # what runs within a second of the stamp's birth is taken for no run: systemd notes whole seconds
    past = time.time() - 2 * 86_400
    os.utime(machine.stamp, (past, past))
    systemd.systemctl("daemon-reload")
    began = datetime.now(UTC).replace(microsecond=0)
    systemd.systemctl("start", TIMER)
    night = machine.ended(SERVICE)
    assert (night["Result"], night["ExecMainStatus"], night["TriggeredBy"]) == ("success", "0", TIMER)
    assert sorted(machine.stored()) == sorted(MESSAGES)
    status = machine("status", "--max-age", "1h")
    assert (status.code, status.err) == (0, "")
    assert "  work  done, 3 new messages\n" in status.out
    told = machine.timer()
    assert told["last"] is not None
    assert began <= datetime.fromisoformat(told["last"]) <= datetime.now(UTC)
    assert the_next("05:20", told["next"])
    (sent,) = machine.service.bodies
    assert b"3 new messages" in sent

    done = machine("schedule", "remove")
    assert (done.code, done.out) == (0, "Removed from systemd.\n")
    left = sorted(str(path.relative_to(machine.units)) for path in machine.units.rglob("*") if not path.is_dir())
    assert left == [f"{SERVICE}.d/override.conf", f"{TIMER}.d/override.conf"], "what the user wrote"
    assert not machine.stamp.exists()
    assert systemd.systemctl("list-units", "--all", "--plain", "--no-legend", "inboxstats*") == ""
    assert "inboxstats" not in systemd.systemctl("list-unit-files", "--no-legend")
    assert machine("schedule", "status").code == 3


def test_a_night_that_fails_by_itself_tells_it_once_and_one_that_is_killed_has_it_told(machine: Machine) -> None:
    systemd = machine.systemd
    machine.configure("wrong")
    assert machine("schedule", "install", "--at", "04:10").code == 0
    with pytest.raises(RuntimeError, match=r"Job for inboxstats\.service failed"):
        systemd.systemctl("start", SERVICE)
    night = machine.ended(SERVICE)
    assert (night["Result"], night["ExecMainStatus"]) == ("exit-code", "4")
    # It has run, and had nothing to add.
    assert (machine.ended(FAILED)["ExecMainStatus"], len(machine.service.bodies)) == ("3", 1)
    assert b"1 trouble" in machine.service.bodies[0]

    for told, ending in enumerate((("kill", "--signal=KILL"), ("stop",)), start=2):
        with socket.create_server(("127.0.0.1", 0)) as mute:  # it never greets, and is waited for
            machine.configure(machine.user.password, mute.getsockname()[1])
            systemd.systemctl("daemon-reload")
            systemd.systemctl("reset-failed")
            systemd.systemctl("start", "--no-block", SERVICE)
            machine.await_(lambda: "), running.\n" in machine("status").out)
            systemd.systemctl(*ending, SERVICE)
            machine.await_(lambda told=told: len(machine.service.bodies) == told)
        assert systemd.properties(SERVICE, "ActiveState") == {"ActiveState": "failed"}
        assert machine("status", "--quiet").code == 3
    assert b"was killed and could not tell it itself" in machine.service.bodies[1]
    # As at a logout, and when the time of TimeoutStartSec= is over.
    assert b"ended early (interrupted (143)) and could not tell it itself" in machine.service.bodies[2]

    assert machine("schedule", "remove").code == 0
    assert systemd.systemctl("list-units", "--all", "--plain", "--no-legend", "inboxstats*") == ""
