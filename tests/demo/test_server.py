"""The embedded server, through imapclient over real sockets."""

import asyncio
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from inboxstats.demo import pymap_server
from inboxstats.demo.mailbox import DemoMessage, generate
from inboxstats.demo.server import DemoServer, serve
from inboxstats.errors import UsageError

MESSAGES = generate(messages=400, last_day=date(2026, 11, 22))


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serve(MESSAGES) as server:
        yield server


@contextmanager
def client(server: DemoServer, mailbox: str | None = None) -> Iterator[IMAPClient]:
    connection = IMAPClient(server.host, server.port, ssl=False, timeout=30)
    connection.normalise_times = False
    connection.login(server.user, server.password)
    if mailbox:
        connection.select_folder(mailbox, readonly=True)
    yield connection
    connection.logout()


def in_mailboxes() -> dict[str, list[DemoMessage]]:
    """The messages of each mailbox, in the order of their UIDs."""
    found = defaultdict(list)
    for message in MESSAGES:
        found[message.mailbox].append(message)
    return found


def test_every_mailbox_gives_back_its_messages_byte_for_byte(server: DemoServer) -> None:
    for name, messages in in_mailboxes().items():
        with client(server, name) as connection:
            uids = connection.search("ALL")
            bodies = connection.fetch(uids, ["BODY.PEEK[]"])
            assert [bodies[uid][b"BODY[]"] for uid in uids] == [message.data for message in messages]


def test_eight_connections_are_served_at_once(server: DemoServer) -> None:
    expected = [message.data for message in in_mailboxes()["INBOX"]]
    meeting = threading.Barrier(8, timeout=30)

    def fetched(share: int) -> dict[int, bytes]:
        with client(server, "INBOX") as connection:
            meeting.wait()
            uids = list(range(1 + share, len(expected) + 1, 8))
            return {uid: facts[b"BODY[]"] for uid, facts in connection.fetch(uids, ["BODY.PEEK[]"]).items()}

    with ThreadPoolExecutor(8) as pool:
        bodies = {uid: body for part in pool.map(fetched, range(8)) for uid, body in part.items()}
    assert [bodies[uid] for uid in sorted(bodies)] == expected


def test_a_listing_has_flags_internal_dates_and_sizes(server: DemoServer) -> None:
    messages = in_mailboxes()["INBOX"]
    with client(server, "INBOX") as connection:
        listing = connection.fetch(connection.search("ALL"), ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE"])
    assert [listing[uid][b"RFC822.SIZE"] for uid in sorted(listing)] == [len(message.data) for message in messages]
    assert [listing[uid][b"INTERNALDATE"] for uid in sorted(listing)] == [
        _to_the_second(message) for message in messages
    ]
    flags = [frozenset(flag.decode() for flag in listing[uid][b"FLAGS"]) for uid in sorted(listing)]
    assert flags == [message.flags for message in messages]


def _to_the_second(message: DemoMessage) -> datetime:
    return message.internal_date.replace(microsecond=0)


def test_mailboxes_and_their_status_can_be_asked_for(server: DemoServer) -> None:
    with client(server) as connection:
        names = {name for _, _, name in connection.list_folders("", "*")}
        status = {name: connection.folder_status(name, ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]) for name in names}
    expected = {name: len(messages) for name, messages in in_mailboxes().items()}
    assert {name: facts[b"MESSAGES"] for name, facts in status.items()} == expected
    assert {name: facts[b"UIDNEXT"] for name, facts in status.items()} == {name: n + 1 for name, n in expected.items()}
    assert all(0 < facts[b"UIDVALIDITY"] < 2**32 for facts in status.values())


def test_a_search_takes_sequence_sets_and_uid_sets(server: DemoServer) -> None:
    with client(server, "INBOX") as connection:
        assert connection.search("1:50") == list(range(1, 51))
        assert connection.search(["UID", "7:9"]) == [7, 8, 9]


def test_fetching_leaves_the_flags_alone(server: DemoServer) -> None:
    with client(server, "INBOX") as connection:
        unseen = [
            uid for uid, flags in connection.get_flags(connection.search("ALL")).items() if b"\\Seen" not in flags
        ]
        connection.fetch(unseen, ["BODY.PEEK[]"])
    assert unseen
    with client(server, "INBOX") as connection:
        assert not any(b"\\Seen" in flags for flags in connection.get_flags(unseen).values())


def test_a_wrong_password_is_refused(server: DemoServer) -> None:
    connection = IMAPClient(server.host, server.port, ssl=False, timeout=30)
    with pytest.raises(LoginError):
        connection.login(server.user, server.password + "x")
    connection.shutdown()


def test_nothing_is_left_behind_even_of_clients_that_stay() -> None:
    before = set(threading.enumerate())
    with serve(MESSAGES[:5]) as server:
        connection = IMAPClient(server.host, server.port, ssl=False, timeout=30)
        connection.login(server.user, server.password)
    assert set(threading.enumerate()) == before
    connection.shutdown()
    with pytest.raises(ConnectionRefusedError):
        IMAPClient(server.host, server.port, ssl=False, timeout=30)


def test_it_ends_when_the_work_inside_fails() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), serve([]):
        raise ZeroDivisionError
    assert set(threading.enumerate()) == before


@pytest.mark.timeout(30)
def test_an_interrupt_while_it_starts_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def slow(*_arguments: object) -> AsyncIterator[int]:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await asyncio.sleep(1)
        yield 0

    monkeypatch.setattr(pymap_server, "listening", slow)
    before = set(threading.enumerate())
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), serve([]):
            pass
    finally:
        signal.signal(signal.SIGINT, former)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) == before


def test_passwords_differ_from_run_to_run_and_are_not_shown() -> None:
    with serve([]) as first, serve([]) as second:
        assert first.password != second.password
        assert first.password not in repr(first)


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inboxstats.demo.pymap_server", None)
    with pytest.raises(UsageError, match=r"pip install 'inboxstats\[demo\]'"), serve([]):
        pass
