"""`inboxstats fetch` for several accounts: side by side, one's trouble not the others', the exit code the worst."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Inboxstats
from scripted import ScriptedServer, reply, stall
from scripted_mailbox import box
from scripted_session import Session
from servers.process import free_ports

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 500}\r\n".encode() for number in range(1, 31)]
NAMES = ("ann", "bob", "eve")


@pytest.fixture
def servers() -> Iterator[dict[str, ScriptedServer]]:
    with ExitStack() as running:
        yield {
            name: running.enter_context(ScriptedServer({"INBOX": box(*MESSAGES)}, password=f"{name}'s"))
            for name in NAMES
        }


def config(tmp_path: Path, ports: dict[str, int], **passwords: str) -> Path:
    path = tmp_path / "config.toml"
    accounts = [
        f"[accounts.{name}]\nhost = '127.0.0.1'\nport = {port}\nuser = '{name}'\nsecurity = 'none'\n"
        f'password_command = ["echo", "{passwords.get(name, name + chr(39) + "s")}"]\n'
        for name, port in ports.items()
    ]
    path.write_text(f"archive = '{tmp_path / 'archive'}'\n" + "\n".join(accounts))
    return path


def ports(servers: dict[str, ScriptedServer]) -> dict[str, int]:
    return {name: server.port for name, server in servers.items()}


def stored(tmp_path: Path) -> dict[str, int]:
    return {name: len(list((tmp_path / "archive" / name).rglob("*.eml"))) for name in NAMES}


def test_all_accounts_are_at_work_at_the_same_time(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer]
) -> None:
    together = threading.Barrier(len(servers), timeout=60)

    def meet(session: Session, tag: str, line: str) -> None:
        together.wait()
        session.answer(tag, line)

    for server in servers.values():
        server.on("LOGIN", meet, nth=1)
    done = inboxstats("fetch", "--config", str(config(tmp_path, ports(servers))))
    assert (done.code, done.err) == (0, "")
    assert sorted(line.partition(":")[0] for line in done.out.splitlines()) == list(NAMES)
    assert stored(tmp_path) == dict.fromkeys(NAMES, 30)


def test_one_accounts_trouble_does_not_stop_the_others_and_the_worst_code_is_the_exit_code(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer]
) -> None:
    refused = free_ports(1)[0]
    path = config(tmp_path, {**ports(servers), "eve": refused}, bob="wrong")
    done = inboxstats("fetch", "--config", str(path), "--json")
    told = json.loads(done.out)
    assert (done.code, told["exit_code"]) == (5, 5)
    assert [(row["account"], row["exit_code"]) for row in told["accounts"]] == [("ann", 0), ("bob", 4), ("eve", 5)]
    assert stored(tmp_path) == {"ann": 30, "bob": 0, "eve": 0}
    plain = inboxstats("fetch", "--config", str(path), "ann", "bob")
    assert plain.code == 4
    assert re.fullmatch(r"ann: 0 new messages .*\n", plain.out)
    assert re.fullmatch(r"inboxstats: bob: 127\.0\.0\.1:\d+ refuses the login of bob: .*\n", plain.err)


def test_two_accounts_of_one_login_are_not_stored_twice(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer]
) -> None:
    path = config(tmp_path, ports({"ann": servers["ann"]}))
    twin = path.read_text().partition("[accounts")
    path.write_text(path.read_text() + "\n[accounts" + twin[2].replace(".ann]", ".bob]"))
    done = inboxstats("fetch", "--config", str(path), "--json")
    codes = sorted(row["exit_code"] for row in json.loads(done.out)["accounts"])
    assert (done.code, codes) == (2, [0, 2])
    assert sum(stored(tmp_path).values()) == 30


def test_a_server_that_throttles_one_account_leaves_the_others_alone(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer]
) -> None:
    servers["bob"].on("UID FETCH", reply("NO [OVERQUOTA] Account exceeded command or bandwidth limits"))
    done = inboxstats("fetch", "--config", str(config(tmp_path, ports(servers))), "--json")
    assert done.code == 5
    assert (stored(tmp_path)["ann"], stored(tmp_path)["eve"]) == (30, 30)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_them_all_within_seconds_and_keeps_what_is_complete(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer], number: int, code: int
) -> None:
    stalled = [threading.Event(), threading.Event()]

    def hang(event: threading.Event) -> object:
        def fault(session: Session, tag: str, line: str) -> None:
            event.set()
            stall(seconds=120)(session, tag, line)

        return fault

    servers["bob"].on("UID FETCH", hang(stalled[0]))  # type: ignore[arg-type]
    servers["eve"].on("LOGIN", hang(stalled[1]))  # type: ignore[arg-type]
    path = str(config(tmp_path, ports(servers)))
    running = inboxstats.start("fetch", "--config", path)
    assert all(event.wait(60) for event in stalled)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == code
    assert err == "inboxstats: Stopped. All that is complete is kept; run again to go on.\n", out
    for server in servers.values():
        server.script.rules.clear()
    assert inboxstats("fetch", "--config", path).code == 0
    assert stored(tmp_path) == dict.fromkeys(NAMES, 30)


def test_on_a_terminal_the_accounts_bars_stand_together_and_the_lines_come_after(
    inboxstats: Inboxstats, tmp_path: Path, servers: dict[str, ScriptedServer]
) -> None:
    screen, ours = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "inboxstats", "fetch", "--config", str(config(tmp_path, ports(servers)))],
        env=inboxstats.environment(TERM="xterm", COLUMNS="80"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=ours, text=True, timeout=120, check=False,
    )  # fmt: skip
    os.close(ours)
    shown = b""
    try:
        while piece := os.read(screen, 65_536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(screen)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    assert b"Traceback" not in shown
    assert any(f"{name}: Fetching".encode() in shown or f"{name}: Listing".encode() in shown for name in NAMES)
