"""The network and the login: rows 1 to 10 of the fault matrix."""

import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proxy import Cut, Proxy, Stall, Trickle
from scripted import ScriptedServer, bye, reply
from scripted_mailbox import Box, box
from scripted_session import Fault, Session
from servers.certificates import Certificates
from servers.dovecot import dovecot_server
from servers.greenmail import GreenMail
from servers.process import free_ports
from servers.raw import Login

from .rig import SECRET, Rig, said, stored, unfetched

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 4_000}\r\n".encode() for number in range(1, 101)]

IMPATIENT = {"READ_TIMEOUT": 0.5, "CONNECT_TIMEOUT": 0.5}
GIVES_UP_SOON = {"RECONNECTS": 1, "HOPELESS": 1}

SEED = random.randrange(1_000_000)


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box) -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": inbox}, password=SECRET) as running:
        yield running


@pytest.fixture
def proxy(server: ScriptedServer) -> Iterator[Proxy]:
    with Proxy(server.port) as running:
        yield running


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_01_a_connection_that_drops_inside_a_literal_is_opened_again(
    rig: Rig, server: ScriptedServer, proxy: Proxy, reset: bool
) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    for connection in range(1, 7):
        proxy.faults[connection] = Cut(chance.randrange(150_000), at=b"BODY[] {", reset=reset)
    done = rig.fetch(server, "--threads", "3", port=proxy.port, settings={"HOPELESS": 20})
    assert done.code == 0, done
    assert proxy.connections > 3
    assert len(stored(rig)) == 100
    rig.completes(server)


def test_01_a_connection_that_always_drops_ends_the_run(rig: Rig, server: ScriptedServer, proxy: Proxy) -> None:
    proxy.always = Cut(100, at=b"BODY[] {")
    said(
        rig.fetch(server, port=proxy.port, settings=GIVES_UP_SOON),
        5, "127.0.0.1", "dropped the connection while asked to send messages of 'INBOX'",
    )  # fmt: skip
    rig.completes(server)


def test_02_a_server_that_says_bye_is_called_again(rig: Rig, server: ScriptedServer) -> None:
    server.on("UID FETCH", bye("shutting down"), nth=3)
    assert rig.fetch(server).code == 0
    assert len(stored(rig)) == 100


def test_02_a_server_that_always_says_bye_ends_the_run_with_its_words(rig: Rig, server: ScriptedServer) -> None:
    server.on("UID FETCH", bye("shutting down for maintenance"))
    said(rig.fetch(server, settings=GIVES_UP_SOON), 5, "shutting down for maintenance")
    rig.completes(server)


@pytest.mark.parametrize("at", [b"BODY[] {", b" EXISTS"], ids=["body", "listing"])
def test_03_a_byte_a_second_is_waited_for_no_longer_than_a_commands_deadline(
    rig: Rig, server: ScriptedServer, proxy: Proxy, at: bytes
) -> None:
    proxy.always = Trickle(at=at, seconds=0.2)
    deadlines = {"COMMAND_SECONDS": 1.0, "SLOWEST_BYTES_PER_SECOND": 1e9}
    began = time.monotonic()
    said(rig.fetch(server, port=proxy.port, settings=deadlines | GIVES_UP_SOON), 5, "took more than 1 s to")
    assert time.monotonic() - began < 10
    rig.completes(server)


@pytest.mark.parametrize(
    ("at", "part"),
    [(b"BODY[] {", "timed out"), (b" EXISTS", "timed out"), (b"* CAPABILITY", "does not answer within")],
    ids=["body", "listing", "opening"],
)
def test_04_a_connection_that_stalls_is_given_up(
    rig: Rig, server: ScriptedServer, proxy: Proxy, at: bytes, part: str
) -> None:
    proxy.always = Stall(10, at=at)
    said(rig.fetch(server, port=proxy.port, settings=IMPATIENT | GIVES_UP_SOON), 5, f"127.0.0.1:{proxy.port}", part)
    rig.completes(server)


def test_05_a_port_where_nobody_listens_is_said(rig: Rig) -> None:
    (port,) = free_ports(1)
    said(rig.start(port).wait(), 5, f"127.0.0.1:{port} refuses connections", "--host", "--port")


def test_05_a_server_that_does_not_greet_is_said(rig: Rig, server: ScriptedServer) -> None:
    server.script.greeting = None
    said(rig.fetch(server, settings=IMPATIENT), 5, f"127.0.0.1:{server.port} does not answer within", "--port")
    server.script.greeting = b"* OK ready"
    rig.completes(server)


def test_06_a_connection_closed_after_some_bytes_again_and_again_keeps_what_came(
    rig: Rig, server: ScriptedServer, proxy: Proxy
) -> None:
    rig.fetch(server, "--dry-run", port=proxy.port)
    proxy.always = Cut(len(proxy.received) + 30_000)
    done = rig.fetch(server, "--threads", "2", port=proxy.port)
    # One that came late on its connections, and so was cut off every time, is named.
    assert (done.code == 0) == (unfetched(done) == set()), done
    assert stored(rig) | unfetched(done) == set(range(1, 101))
    assert len(stored(rig)) > 90
    rig.completes(server)


def test_06_a_cap_below_a_messages_size_costs_that_message_and_keeps_the_others(
    rig: Rig, server: ScriptedServer, inbox: Box, proxy: Proxy
) -> None:
    rig.fetch(server, "--dry-run", port=proxy.port)
    proxy.always = Cut(len(proxy.received) + 30_000)
    inbox.messages[50] = box(b"Subject: large\r\n\r\n" + b"x" * 60_000).messages[1]
    done = rig.fetch(server, port=proxy.port, settings={"HOPELESS": 20})
    said(done, 3, "INBOX, 1-50: not fetched")
    # One that came late on its connections may be given up as well: then that is said, too.
    assert stored(rig) | unfetched(done) == set(range(1, 101))
    assert len(stored(rig)) > 90
    rig.completes(server)


@pytest.mark.parametrize("command", ["LOGIN", "STATUS", "EXAMINE", "UID FETCH"])
@pytest.mark.parametrize("answer", [reply, bye], ids=["NO", "BYE"])
def test_07_a_short_back_off_time_is_waited_for_and_all_is_fetched(
    rig: Rig, server: ScriptedServer, command: str, answer: Callable[[str], Fault]
) -> None:
    words = "Request is throttled. Suggested Backoff Time: 700 milliseconds"
    server.on(command, answer(words if answer is bye else f"NO {words}"), nth=1)
    began = time.monotonic()
    done = rig.fetch(server, "--threads", "3")
    assert (done.code, done.err) == (0, ""), done
    assert time.monotonic() - began > 0.7
    assert len(stored(rig)) == 100
    rig.completes(server)


@pytest.mark.parametrize("command", ["LOGIN", "STATUS", "EXAMINE", "UID FETCH"])
def test_07_a_long_back_off_time_ends_the_run_which_says_when_it_goes_on(
    rig: Rig, server: ScriptedServer, command: str
) -> None:
    server.on(command, reply("NO Server busy. Suggested Backoff Time: 92415 milliseconds"), nth=None)
    done = rig.fetch(server, "--threads", "3")
    said(done, 5, "Suggested Backoff Time: 92415 milliseconds", "Run again after ")
    assert re.search(r"Run again after (\d{4}-\d\d-\d\d )?\d\d:\d\d\.\n", done.err)
    assert sum(line.startswith("LOGIN") for line in server.log) <= 3
    rig.completes(server)


def test_07_a_quota_ends_the_run_at_once_keeps_what_is_stored_and_the_rerun_completes(
    rig: Rig, server: ScriptedServer
) -> None:
    server.on("UID FETCH", quota_from(message=60))
    done = rig.fetch(server, "--threads", "1")
    said(done, 5, "[OVERQUOTA]", "up to 24 hours: run again after ")
    said(done, 5, "not fetched yet")
    assert 0 < len(stored(rig)) < 100
    assert unfetched(done) == set()
    rig.completes(server)


def quota_from(*, message: int) -> Fault:
    """Refuses bodies from this UID on."""

    def fault(session: Session, tag: str, line: str) -> None:
        uids = re.match(r"UID FETCH (\S+) .*BODY", line)
        if uids and max(map(int, re.findall(r"\d+", uids[1]))) >= message:
            session.send(f"{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits.")
        else:
            session.answer(tag, line)

    return fault


def test_07_a_server_that_throttles_for_ever_without_a_time_ends_the_run(rig: Rig, server: ScriptedServer) -> None:
    server.on("UID FETCH", throttled_bodies)
    done = rig.fetch(server, "--threads", "3")
    said(done, 5, "[THROTTLED] slow down", "Run again later.")
    assert unfetched(done) == set()
    rig.completes(server)


def throttled_bodies(session: Session, tag: str, line: str) -> None:
    if "BODY" in line:
        session.send(f"{tag} NO [THROTTLED] slow down")
    else:
        session.answer(tag, line)


def test_07_an_interrupt_is_heard_within_five_seconds_while_a_back_off_is_waited_out(
    rig: Rig, server: ScriptedServer
) -> None:
    server.on("UID FETCH", reply("NO Suggested Backoff Time: 50000 milliseconds"))
    running = rig.start(server.port, "--threads", "3")
    deadline = time.monotonic() + 20
    while not any("UID FETCH" in line for line in server.log):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)  # until it waits
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait().code == 130
    assert time.monotonic() - began < 5


def test_08_a_server_that_takes_two_connections_is_served_with_two(rig: Rig, server: ScriptedServer) -> None:
    server.script.most = 2
    assert rig.fetch(server, "--threads", "8").code == 0
    assert len(stored(rig)) == 100
    rig.completes(server)


def test_08_dovecots_limit_of_connections_is_kept_to(rig: Rig, tmp_path: Path, certificates: Certificates) -> None:
    messages = [message * 20 for message in MESSAGES]  # enough for eight connections
    with dovecot_server(tmp_path / "log", certificates.good, max_userip_connections=2) as dovecot:
        user = dovecot.add_user(password=SECRET)
        dovecot.fill(user, "INBOX", messages)
        done = rig.fetch_as(user, {"INBOX": messages}, "--threads", "8")
    assert done.code == 0, done
    assert len(stored(rig)) == 100


def test_09_a_wrong_password_is_tried_once(rig: Rig, greenmail: GreenMail, greenmail_user: Login) -> None:
    with Proxy(greenmail.imap) as proxy:
        done = rig.fetch_as(greenmail_user, {}, "--threads", "4", port=proxy.port)
        said(done, 4, "refuses the login", "Check the user and the password")
        assert (proxy.connections, proxy.sent.upper().count(b"LOGIN")) == (1, 1)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"])
def test_10_a_login_refused_for_now_is_not_called_a_wrong_password(rig: Rig, server: ScriptedServer, code: str) -> None:
    server.on("LOGIN", reply(f"NO [{code}] not now"))
    done = rig.fetch(server)
    said(done, 5, f"[{code}] not now", "Run again later")
    assert "password" not in done.err
    rig.completes(server)


def test_a_bandwidth_is_kept_to_by_all_connections_together_and_trips_no_deadline(
    rig: Rig, server: ScriptedServer
) -> None:
    deadlines = {"COMMAND_SECONDS": 0.5, "SLOWEST_BYTES_PER_SECOND": 1e9}
    began = time.monotonic()
    done = rig.fetch(server, "--threads", "3", "--bandwidth", "200k", settings=deadlines)
    assert (done.code, done.err) == (0, ""), done
    assert time.monotonic() - began > 0.8 * sum(map(len, MESSAGES)) / 200_000
    assert len(stored(rig)) == 100
    rig.completes(server)


def test_an_interrupt_is_heard_within_five_seconds_under_a_low_bandwidth(rig: Rig, server: ScriptedServer) -> None:
    running = rig.start(server.port, "--threads", "4", "--bandwidth", "1k")
    deadline = time.monotonic() + 20
    while not any("BODY" in line for line in server.log):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)  # until it waits
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait().code == 130
    assert time.monotonic() - began < 5


def test_a_bandwidth_that_is_none_is_refused_before_anything_else(rig: Rig, server: ScriptedServer) -> None:
    said(rig.fetch(server, "--bandwidth", "fast"), 2, "--bandwidth: 'fast' is no bandwidth", "500k or 2M")
    assert server.log == []
