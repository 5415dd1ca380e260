"""Messages are fetched while the rest of their mailbox is still being listed."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import ScriptedServer, reply
from scripted_mailbox import Box, box
from scripted_session import Session
from test_download import INBOX, Scripted, everything, wanted
from test_fetch import Silent

from inboxstats.archive import Archive, MailboxFolder, Owner
from inboxstats.cli.output import FetchBar
from inboxstats.download import Pool, Wanted
from inboxstats.download.pool import MANY, MOST_EARLY
from inboxstats.errors import MailboxRefusedError, NetworkError
from inboxstats.fetch import Fetched, fetch
from inboxstats.mail import MessageKey
from inboxstats.sources.imap import ImapSource, Server, listing

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 200}\r\n".encode() for number in range(1, 121)]


@pytest.fixture
def folder(tmp_path: Path) -> MailboxFolder:
    inbox = MailboxFolder(tmp_path / "INBOX", INBOX, fsync=False)
    inbox.note_name()
    return inbox


def part(folder: MailboxFolder, *, first: int, last: int) -> Wanted:
    infos = wanted(folder, last).messages
    return Wanted(folder, {key: infos[key] for key in list(infos)[first - 1 :]})


def asked(*connections: Scripted) -> list[MessageKey]:
    return [key for each in connections for keys in each.asked for key in keys]


def await_(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.005)


def test_connections_that_wait_take_what_is_known_and_the_rest_is_asked_for_once(folder: MailboxFolder) -> None:
    connections = [Scripted(everything) for _ in range(4)]
    stored = []
    with Pool(connections, progress=lambda messages, _: stored.append(messages)) as pool:
        pool.expect(INBOX, MANY, round_trip=1)
        pool.offer(part(folder, first=1, last=100))
        pool.offer(part(folder, first=51, last=150))  # some of them are told twice
        await_(lambda: len(stored) == 150, "what is known is stored")
        assert connections[0].asked == []  # it is the caller's
        done = pool.run([wanted(folder, MANY)])
    assert (done.stored, done.left, done.error) == (MANY, 0, None)
    assert sorted(asked(*connections)) == sorted(wanted(folder, MANY).messages)


def test_what_was_offered_and_not_taken_is_asked_for_once(folder: MailboxFolder) -> None:
    connections = [Scripted(everything), *(Scripted(everything, refuses=1000) for _ in range(3))]
    with Pool(connections, progress=lambda *_: None, wait=lambda _: None) as pool:
        pool.expect(INBOX, MANY, round_trip=1)
        pool.offer(part(folder, first=1, last=100))
        done = pool.run([wanted(folder, MANY)])
    assert (done.stored, done.error) == (MANY, None)
    assert sorted(asked(*connections)) == sorted(wanted(folder, MANY).messages)


def test_what_was_taken_and_lost_is_fetched_with_the_rest(folder: MailboxFolder) -> None:
    drops = iter([NetworkError("dropped")])

    def answer(keys: list[MessageKey]) -> list[MessageKey]:
        if problem := next(drops, None):
            raise problem
        return list(keys)

    connections = [Scripted(everything), Scripted(answer)]
    with Pool(connections, progress=lambda *_: None, wait=lambda _: None) as pool:
        pool.expect(INBOX, MANY, round_trip=1)
        pool.offer(part(folder, first=1, last=100))
        await_(lambda: len(connections[1].asked) > 2, "the connection is made again")
        done = pool.run([wanted(folder, MANY)])
    assert (done.stored, done.failed, done.error) == (MANY, (), None)
    assert set(folder.stored()) == set(wanted(folder, MANY).messages)


def test_what_was_offered_is_dropped_where_it_comes_to_nothing(folder: MailboxFolder) -> None:
    held = threading.Event()

    def answer(keys: list[MessageKey]) -> list[MessageKey]:
        held.wait(20)
        return list(keys)

    connections = [Scripted(everything), Scripted(answer)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.expect(INBOX, MANY, round_trip=1)
        pool.offer(part(folder, first=1, last=900))
        await_(lambda: len(connections[1].asked) > 0, "some are under way")
        threading.Timer(0.05, held.set).start()
        done = pool.run(())
    assert (done.left, done.error) == (0, None)
    assert done.stored == len(asked(connections[1])) < 900


def test_a_mailbox_that_is_refused_early_counts_each_message_once(folder: MailboxFolder) -> None:
    def answer(_: list[MessageKey]) -> list[MessageKey]:
        raise MailboxRefusedError("renumbered")

    connections = [Scripted(answer), Scripted(answer)]
    with Pool(connections, progress=lambda *_: None, wait=lambda _: None) as pool:
        pool.expect(INBOX, MANY, round_trip=1)
        pool.offer(part(folder, first=1, last=100))
        await_(lambda: len(connections[1].asked) > 0, "some are under way")
        done = pool.run([wanted(folder, MANY)])
    assert done.stored == 0
    assert done.refused == {"INBOX": ("renumbered", MANY)}


@pytest.mark.parametrize(("expected", "offered"), [(MANY - 1, 100), (MOST_EARLY, MOST_EARLY + 1)])
def test_few_messages_or_too_many_are_left_to_the_end_of_the_listing(
    folder: MailboxFolder, expected: int, offered: int
) -> None:
    connections = [Scripted(everything) for _ in range(2)]
    with Pool(connections, progress=lambda *_: None) as pool:
        pool.expect(INBOX, expected, round_trip=1)
        pool.offer(part(folder, first=1, last=offered))
        await_(lambda: bool(connections[1].prepared), "the connection is made")
        assert asked(*connections) == []
        assert pool.run(()).stored == 0


def test_others_are_a_mapping_without_what_is_taken(folder: MailboxFolder) -> None:
    every = wanted(folder, 5)
    left = every.without({MessageKey("7-2"), MessageKey("7-5"), MessageKey("7-99")})
    assert list(left.sized()) == [("7-1", 1000), ("7-3", 1000), ("7-4", 1000)]
    others = left.messages
    assert list(others) == ["7-1", "7-3", "7-4"]
    assert [info.key for info in others.values()] == ["7-1", "7-3", "7-4"]
    assert (len(others), "7-2" in others, "7-3" in others) == (3, False, True)
    with pytest.raises(KeyError):
        others[MessageKey("7-2")]


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that is taken for a far one, with a mailbox that is taken for a large one."""
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 0)
    monkeypatch.setattr("inboxstats.download.pool.MANY", 100)
    monkeypatch.setattr("inboxstats.download.pool.CHUNK_MESSAGES", 10)
    monkeypatch.setattr(listing, "SOME", 20)
    with ScriptedServer({"INBOX": inbox}) as running:
        yield running


def run(server: ScriptedServer, archive: Archive) -> Fetched:
    source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
    owner = Owner("127.0.0.1", "user")
    return fetch(
        archive, "me", owner, source, mailboxes=("INBOX",), threads=3, watcher=Silent(), wait=lambda _: None
    )  # fmt: skip


def bodies(server: ScriptedServer) -> list[str]:
    return [line for line in server.log if "BODY" in line]


def test_a_first_download_begins_before_the_listing_is_complete(server: ScriptedServer, tmp_path: Path) -> None:
    seen_early: list[bool] = []

    def slowly(session: Session, tag: str, line: str) -> None:
        for uid in range(1, 61):
            session.send(f"* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE {len(MESSAGES[0])})")
        session.wfile.flush()
        until = time.monotonic() + 20
        while not bodies(server) and time.monotonic() < until:
            time.sleep(0.005)
        seen_early.append(bool(bodies(server)))
        session.answer(tag, line)

    server.on("UID FETCH 1:* ", slowly)
    archive = Archive.create(tmp_path / "archive", fsync=False)
    done = run(server, archive)
    assert seen_early == [True]
    assert (done.listed, done.missing, done.stored, done.exit_code) == (120, 120, 120, 0)
    server.log.clear()
    again = run(server, archive)
    assert (again.missing, again.stored, again.exit_code) == (0, 0, 0)
    assert bodies(server) == []


def test_a_listing_that_fails_after_messages_were_fetched_is_completed_by_the_next_run(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def breaks_off(session: Session, _tag: str, _line: str) -> None:
        for uid in range(1, 61):
            session.send(f"* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE {len(MESSAGES[0])})")
        session.wfile.flush()
        until = time.monotonic() + 20
        while not bodies(server) and time.monotonic() < until:
            time.sleep(0.005)
        session.drop()

    server.on("UID FETCH 1:* ", breaks_off)
    archive = Archive.create(tmp_path / "archive", fsync=False)
    first = run(server, archive)
    assert first.exit_code == 5
    server.script.rules.clear()
    second = run(server, archive)
    assert (second.listed, second.exit_code) == (120, 0)
    assert first.stored + second.stored == 120


def test_a_renumbered_mailbox_costs_no_message(server: ScriptedServer, inbox: Box, tmp_path: Path) -> None:
    def renumbered(session: Session, tag: str, line: str) -> None:
        session.answer(tag, line)
        inbox.uid_validity += 1

    server.on("UID FETCH 1:* ", renumbered, nth=1)
    archive = Archive.create(tmp_path / "archive", fsync=False)
    run(server, archive)
    done = run(server, archive)
    assert done.exit_code == 0
    locations = archive.mailbox("me", INBOX).locations()
    now = {key: where.read() for key, where in locations.items() if key.startswith(f"{inbox.uid_validity}-")}
    assert now == {f"{inbox.uid_validity}-{uid}": MESSAGES[uid - 1] for uid in range(1, 121)}


def test_a_server_that_refuses_the_listing_is_told_with_nothing_lost(server: ScriptedServer, tmp_path: Path) -> None:
    server.on("UID FETCH 1:* ", reply("NO not today"))
    done = run(server, Archive.create(tmp_path / "archive", fsync=False))
    assert (done.stored, done.exit_code) == (120, 0)  # SEARCH tells which there are


def test_a_bar_counts_what_came_before_it_was_begun() -> None:
    bar = FetchBar(shown=True)
    with bar:
        bar.listing("INBOX")
        bar.stored(3, 3_000)
        bar.begin(10, 10_000)
        bar.stored(1, 1_000)
        assert bar._progress is not None
        [task] = bar._progress.tasks
        assert (task.completed, task.total) == (4, 10)
