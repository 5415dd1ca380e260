"""Connections that log in as soon as the first one was let in, before anybody knows whether there is work for them."""

import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from scripted import Fault, ScriptedServer, reply
from scripted_mailbox import Box, Stored, box
from scripted_session import Session
from test_download import INBOX, Scripted, everything, wanted
from test_early import await_
from test_fetch import Silent

from inboxstats.archive import Archive, MailboxFolder, Owner
from inboxstats.download import Pool
from inboxstats.download.chunks import CHUNK_MESSAGES
from inboxstats.download.pool import LOGIN_SECONDS, NEAR_SECONDS, STOP_SECONDS
from inboxstats.errors import CredentialsError, InboxstatsError, NetworkError, ThrottledError, UsageError
from inboxstats.fetch import Fetched, fetch
from inboxstats.sources.imap import ImapSource, Server

FAR = 2 * NEAR_SECONDS
SECONDS = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    inbox = MailboxFolder(tmp_path / "INBOX", INBOX, fsync=False)
    inbox.note_name()
    return inbox


class Slow(Scripted):
    """A connection whose login takes until it is `let_in`, or aborted; then it is refused with `problem`, if any."""

    def __init__(self, problem: InboxstatsError | None = None) -> None:
        super().__init__(everything)
        self.let_in = threading.Event()
        self.problem = problem

    def connect(self) -> None:
        super().connect()
        until = time.monotonic() + SECONDS
        while not self.let_in.wait(0.005) and time.monotonic() < until:
            if self.aborted.is_set():
                raise NetworkError("aborted")
        if self.problem is not None:
            raise self.problem


def test_connections_log_in_before_it_is_known_where_there_is_work(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(4)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.dial(round_trip=FAR)
        await_(lambda: sum(each.connects > 0 for each in connections) == 3, "three are connected")
        assert connections[0].connects == 0  # it is the caller's
        assert [each.prepared for each in connections] == [[]] * 4
        pool.expect(INBOX, CHUNK_MESSAGES * 4, round_trip=1)
        await_(lambda: sum(each.prepared == [INBOX] for each in connections) == 3, "three have opened the mailbox")
        done = pool.run([wanted(folder, CHUNK_MESSAGES * 12)])
    assert (done.stored, done.error) == (CHUNK_MESSAGES * 12, None)
    assert all(each.asked and each.closed for each in connections)


def test_to_a_near_server_nobody_connects_ahead() -> None:
    connections = [Scripted(everything) for _ in range(4)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.dial(round_trip=FAR * 0.9)
        pool.run(())
    assert not any(each.connects for each in connections)


def test_those_for_which_there_is_no_work_log_out_while_the_others_go_on(folder: MailboxFolder) -> None:
    held = threading.Event()

    def answer(keys: list[str]) -> list[str]:
        assert held.wait(SECONDS)
        return list(keys)

    connections = [*(Scripted(answer) for _ in range(2)), Scripted(everything), Scripted(everything)]  # type: ignore[arg-type] -- lists will do
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.dial(round_trip=FAR)
        pool.expect(INBOX, CHUNK_MESSAGES * 2, round_trip=1)

        def release() -> None:
            await_(lambda: connections[2].closed and connections[3].closed, "two have logged out")
            held.set()

        releasing = threading.Thread(target=release)
        releasing.start()
        done = pool.run([wanted(folder, CHUNK_MESSAGES * 2)])
        releasing.join()
    assert (done.stored, done.error) == (CHUNK_MESSAGES * 2, None)
    assert held.is_set()
    assert connections[2].asked == connections[3].asked == []


def test_one_that_logged_out_is_called_where_more_are_needed(
    folder: MailboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(keys: list[str]) -> list[str]:
        time.sleep(0.1)  # so long that another is called
        return list(keys)

    connections = [Scripted(slowly) for _ in range(3)]  # type: ignore[arg-type] -- lists will do
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 0.5)  # its first message comes sooner
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.dial(round_trip=1)
        pool.expect(INBOX, CHUNK_MESSAGES * 12, round_trip=0)  # a slow login, but a near server
        done = pool.run([wanted(folder, CHUNK_MESSAGES * 12)])
    assert (done.stored, done.error) == (CHUNK_MESSAGES * 12, None)
    assert all(each.asked and each.closed for each in connections)


@pytest.mark.parametrize(
    "problem", [NetworkError("too many"), ThrottledError("slow down", wait=3600), CredentialsError("no")]
)
def test_those_that_are_refused_leave_the_work_to_the_first(folder: MailboxFolder, problem: InboxstatsError) -> None:
    refused = [Slow(problem) for _ in range(3)]
    for each in refused:
        each.let_in.set()
    connections = [Scripted(everything), *refused]
    with Pool(connections, progress=lambda *_: None, wait=lambda _: None) as pool:
        pool.dial(round_trip=FAR)
        await_(lambda: any(each.closed for each in refused), "one is refused")
        done = pool.run([wanted(folder, CHUNK_MESSAGES)])
    assert (done.stored, done.error) == (CHUNK_MESSAGES, None)


@pytest.mark.parametrize("problem", [ThrottledError("slow down", wait=3600), CredentialsError("no")])
def test_one_that_is_refused_when_all_is_done_spoils_nothing(folder: MailboxFolder, problem: InboxstatsError) -> None:
    first, late = Scripted(everything), Slow(problem)
    with Pool([first, late], progress=lambda *_: None) as pool:
        pool.dial(round_trip=FAR)
        await_(lambda: late.connects == 1, "it is logging in")

        def release() -> None:
            await_(lambda: first.closed, "all is done")
            late.let_in.set()

        releasing = threading.Thread(target=release)
        releasing.start()
        done = pool.run([wanted(folder, 3)])
        releasing.join()
    assert (done.stored, done.error) == (3, None)
    assert late.connects == 1


def test_who_is_logging_in_when_the_caller_fails_logs_in_and_out() -> None:
    slow = [Slow() for _ in range(3)]
    leaving = threading.Event()

    def release() -> None:
        assert leaving.wait(SECONDS)
        time.sleep(0.1)  # the pool is being left by then
        for each in slow:
            each.let_in.set()

    releasing = threading.Thread(target=release)
    releasing.start()
    with pytest.raises(ZeroDivisionError), Pool([Scripted(everything), *slow], progress=lambda *_: None) as pool:  # noqa: PT012 -- it raises within
        pool.dial(round_trip=FAR)
        await_(lambda: all(each.connects for each in slow), "they are logging in")
        leaving.set()
        raise ZeroDivisionError
    releasing.join()
    assert [(each.aborted.is_set(), each.closed) for each in slow] == [(False, True)] * 3


@pytest.mark.parametrize("fails", [True, False])
def test_who_hangs_in_a_login_hinders_no_end(folder: MailboxFolder, *, fails: bool) -> None:
    slow = [Slow() for _ in range(3)]
    began = time.monotonic()
    try:
        with Pool([Scripted(everything), *slow], progress=lambda *_: None) as pool:
            pool.dial(round_trip=FAR)
            await_(lambda: all(each.connects for each in slow), "they are logging in")
            if fails:
                raise ZeroDivisionError
            assert pool.run([wanted(folder, 3)]).stored == 3
    except ZeroDivisionError:
        pass
    assert LOGIN_SECONDS <= time.monotonic() - began < STOP_SECONDS + LOGIN_SECONDS
    assert all(each.aborted.is_set() and each.closed for each in slow)


# --- whole runs ---

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 200}\r\n".encode() for number in range(1, 201)]


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 0)
    with ScriptedServer({"INBOX": inbox}) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


def run(
    server: ScriptedServer,
    archive: Archive,
    *,
    mailboxes: tuple[str, ...] = ("INBOX",),
    password: str = "secret",
    dry_run: bool = False,
    since: date | None = None,
) -> Fetched:
    source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), password)
    return fetch(
        archive, "me", Owner("127.0.0.1", "user"), source,
        mailboxes=mailboxes, threads=4, watcher=Silent(), dry_run=dry_run, since=since, wait=lambda _: None,
    )  # fmt: skip


def said(server: ScriptedServer, command: str) -> int:
    return sum(line.startswith(command) for line in server.log)


def once_logged_in(server: ScriptedServer, count: int) -> Fault:
    """The right answer, once so many have logged in."""

    def fault(session: Session, tag: str, line: str) -> None:
        await_(lambda: said(server, "LOGIN") == count, f"{count} log in")
        session.answer(tag, line)

    return fault


def test_the_others_log_in_before_the_server_has_told_what_it_has(server: ScriptedServer, archive: Archive) -> None:
    server.on("STATUS", once_logged_in(server, 4), nth=1)
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (200, 0)
    assert said(server, "LOGIN") == said(server, "LOGOUT") == 4


def test_names_that_are_told_later_are_known_to_those_that_logged_in_before(
    server: ScriptedServer, archive: Archive
) -> None:
    server.script.mailboxes[b"A&B"] = box(*MESSAGES)  # it should be A&-B
    server.on("LIST", once_logged_in(server, 4), nth=1)
    done = run(server, archive, mailboxes=("A&B",))
    assert (done.stored, done.exit_code) == (200, 0)
    assert {line for line in server.log if line.startswith("EXAMINE")} == {'EXAMINE "A&B"'}


def test_where_something_is_stored_nobody_logs_in_ahead(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    run(server, archive)
    for news in (0, 1):
        if news:
            inbox.messages[201] = Stored(MESSAGES[0])
        server.log.clear()
        assert run(server, archive).stored == news
        assert said(server, "LOGIN") == 1


@pytest.mark.parametrize("choice", [{"dry_run": True}, {"since": date(2030, 1, 1)}])
def test_where_it_is_not_known_that_mail_will_come_nobody_logs_in_ahead(
    server: ScriptedServer, archive: Archive, choice: dict[str, bool | date]
) -> None:
    assert run(server, archive, **choice).stored == 0  # type: ignore[arg-type] -- of any option
    assert said(server, "LOGIN") == 1


@pytest.mark.parametrize("left", [0, 1])
def test_those_that_were_not_needed_say_goodbye(
    server: ScriptedServer, inbox: Box, archive: Archive, left: int
) -> None:
    for uid in range(1 + left, 201):
        del inbox.messages[uid]
    server.on("STATUS", once_logged_in(server, 4), nth=1)
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (left, 0)
    await_(lambda: said(server, "LOGOUT") == 4, "all four say goodbye")


def test_a_run_that_cannot_begin_hangs_up_on_nobody_without_a_login(server: ScriptedServer, archive: Archive) -> None:
    def late(session: Session, tag: str, line: str) -> None:
        time.sleep(0.3)  # the caller has failed by then
        session.answer(tag, line)

    for nth in (2, 3, 4):
        server.on("LOGIN", late, nth=nth)
    server.on("STATUS", once_logged_in(server, 4))
    with pytest.raises(UsageError, match="no mailbox 'Gone'"):
        run(server, archive, mailboxes=("Gone",))
    await_(lambda: said(server, "LOGOUT") == 4, "all four say goodbye")
    assert said(server, "LOGIN") == 4


def test_a_wrong_password_is_tried_once(server: ScriptedServer, archive: Archive) -> None:
    connections = []

    def greet(session: Session, tag: str, line: str) -> None:
        connections.append(session)
        session.answer(tag, line)

    server.on("LOGIN", greet)
    with pytest.raises(CredentialsError):
        run(server, archive, password="wrong")
    assert (len(connections), said(server, "LOGIN")) == (1, 1)


@pytest.mark.parametrize("words", ["NO [LIMIT] too many", "NO [AUTHENTICATIONFAILED] no", "BAD"])
def test_others_that_are_refused_cost_no_message(server: ScriptedServer, archive: Archive, words: str) -> None:
    for nth in range(2, 50):
        server.on("LOGIN", reply(words), nth=nth)
    done = run(server, archive)
    assert (done.stored, done.error, done.exit_code) == (200, None, 0)
