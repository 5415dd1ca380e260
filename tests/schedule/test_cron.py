"""One line in a crontab: with Debian's own crontab and a throwaway user, and with a fake where that cannot be had."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from inboxstats.errors import UsageError
from inboxstats.schedule import Machine, Task, carry_out, cron
from inboxstats.schedule.machine import NOT_FOUND, Ran

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)  # 13:00 in Berlin

FOREIGN = b"""\
# m h  dom mon dow   command \t
MAILTO=""
PATH=/opt/bin:/usr/bin
*/5 * * * *   /usr/bin/true\t# inboxstats is not mine
\t
0 4 * * 1 tar -czf /backup/home.tgz /home --exclude='*.\xe9\xff' 100\\%

@reboot echo "made by inboxstats schedule, says a stranger"
"""

Crontab = Callable[[Sequence[str], bytes], Ran]


class FakeCrontab:
    """What crontab(1) does, in memory."""

    def __init__(self) -> None:
        self.text: bytes | None = None

    def __call__(self, command: Sequence[str], stdin: bytes) -> Ran:
        match list(command):
            case ["crontab", "-l"] if self.text is None:
                return Ran(1, err=b"no crontab for me\n")
            case ["crontab", "-l"]:
                return Ran(0, self.text or b"")
            case ["crontab", "-"]:
                if stdin and not stdin.endswith(b"\n"):
                    return Ran(1, err=b"new crontab file is missing newline before EOF, can't install.\n")
                self.text = stdin
                return Ran(0)
            case ["crontab", "-r"]:
                self.text = None
                return Ran(0)
        return Ran(NOT_FOUND)


@contextmanager
def real_crontab() -> Iterator[Crontab]:
    """Debian's crontab, of a user who is gone afterwards."""
    reason = None
    if shutil.which("crontab") is None:
        reason = "crontab is not installed: apt-get install cron"
    elif os.geteuid() != 0:
        reason = "only root can make a throwaway user"
    if reason:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    user = f"inboxstats{os.getpid()}"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    subprocess.run(["useradd", "--no-create-home", user], check=True, capture_output=True, env={"PATH": path})

    def run(command: Sequence[str], stdin: bytes) -> Ran:
        done = subprocess.run(
            ["crontab", "-u", user, *command[1:]], input=stdin, capture_output=True, env={"PATH": path, "LC_ALL": "C"}
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    try:
        yield run
    finally:
        run(("crontab", "-r"), b"")
        subprocess.run(["userdel", user], check=True, capture_output=True, env={"PATH": path})


@pytest.fixture(params=["fake", "real"])
def crontab(request: pytest.FixtureRequest) -> Iterator[Crontab]:
    if request.param == "fake":
        yield FakeCrontab()
        return
    with real_crontab() as crontab:
        yield crontab


@pytest.fixture
def unix(machine: Callable[[str], Machine], crontab: Crontab) -> Machine:
    return replace(machine("linux"), run=crontab)


def text(machine: Machine) -> bytes:
    ran = machine.run(("crontab", "-l"), b"")
    assert ran.code == 0
    return ran.out


def test_every_foreign_line_stays_byte_for_byte(unix: Machine, task: Task) -> None:
    assert unix.run(("crontab", "-"), FOREIGN).code == 0
    carry_out(cron.installation(task, unix), unix)
    assert text(unix).startswith(FOREIGN)
    carry_out(cron.installation(replace(task, at=time(4, 30)), unix), unix)
    installed = text(unix)
    assert installed.startswith(FOREIGN)
    assert installed[len(FOREIGN) :].count(b"\n") == 1  # a second installation replaces the first one's line
    carry_out(cron.removal(unix), unix)
    assert text(unix) == FOREIGN


def test_remove_leaves_no_crontab_where_there_was_none(unix: Machine, task: Task) -> None:
    carry_out(cron.installation(task, unix), unix)
    assert cron.state(unix, NOW) is not None
    carry_out(cron.removal(unix), unix)
    ran = unix.run(("crontab", "-l"), b"")
    assert ran.code == 1
    assert b"no crontab for" in ran.err
    assert cron.removal(unix) == []


def test_the_state_is_read_from_the_line(unix: Machine, task: Task) -> None:
    assert cron.state(unix, NOW) is None
    carry_out(cron.installation(task, unix), unix)
    found = cron.state(unix, NOW)
    assert found is not None
    # 3:05 in Berlin on the next morning.
    assert (found.at, found.next, found.last) == (time(3, 5), datetime(2026, 11, 29, 2, 5, tzinfo=UTC), None)


def test_the_command_reaches_the_program_as_it_is(task: Task, tmp_path: Path) -> None:
    program = tmp_path / "in box" / "inboxstats"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PATH" "$XDG_DATA_HOME" "$@"\n')
    program.chmod(0o755)
    folders = (("XDG_DATA_HOME", "/my 50% $data"),)
    line = cron._line(replace(task, program=(str(program),), path="/usr/bin:/b in", folders=folders)).decode()
    assert line.startswith("5 3 * * * ")
    command = line.removeprefix("5 3 * * * ").replace("\\%", "%")  # what cron makes of it (crontab(5))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, env={})
    assert done.stdout.splitlines() == [
        *("/usr/bin:/b in", "/my 50% $data"),
        *("nightly", "--quiet", "--retries", "3", "--config", '/home/me/50% $HOME "mine"/config.toml'),
    ]


def test_a_percent_sign_is_escaped(task: Task) -> None:
    assert b"/50\\% " in cron._line(task)


def test_a_long_path_gives_way_and_a_long_command_is_refused(task: Task) -> None:
    assert b" PATH=/usr/local/bin:/usr/bin:/bin " in cron._line(replace(task, path="/b" * 450))
    with pytest.raises(UsageError, match="too long for cron"):
        cron._line(replace(task, config=Path("/" + "c" * 900)))


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(
    machine: Callable[[str], Machine], task: Task
) -> None:
    refusing = replace(machine("linux"), run=lambda *_: Ran(1, err=b"You (me) are not allowed to use this program"))
    assert not cron.is_there(refusing)
    with pytest.raises(UsageError, match="allow"):
        cron.installation(task, refusing)


def test_a_crontab_without_a_last_line_end_gets_one(machine: Callable[[str], Machine], task: Task) -> None:
    fake = FakeCrontab()
    fake.text = b"0 1 * * * true"
    carry_out(cron.installation(task, replace(machine("linux"), run=fake)), replace(machine("linux"), run=fake))
    assert fake.text.startswith(b"0 1 * * * true\n5 3 * * * ")
