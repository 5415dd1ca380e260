"""What a real server (Dovecot) tells of changes that a second client makes: the listing must be the whole one."""

import imaplib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers.dovecot import Dovecot
from servers.raw import Login

from inboxstats.archive import Snapshot
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Server, listing

INBOX = Mailbox("INBOX")


def message(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\n{'x' * number}\r\n".encode()


@contextmanager
def second_client(user: Login) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(user.host, user.port, timeout=30)
    client.login(user.user, user.password)
    client.select("INBOX")
    yield client
    client.logout()


def change(
    user: Login, *, flag: tuple[int, ...] = (), unflag: tuple[int, ...] = (), expunge: tuple[int, ...] = (),
    deliver: int = 0,
) -> None:  # fmt: skip
    with second_client(user) as client:
        for uids, command, flags in ((flag, "+FLAGS", r"(\Flagged Junk)"), (unflag, "-FLAGS", r"(\Seen)")):
            if uids:
                client.uid("STORE", ",".join(map(str, uids)), command, flags)
        if expunge:
            client.uid("STORE", ",".join(map(str, expunge)), "+FLAGS", r"(\Deleted)")
            client.expunge()
        for number in range(deliver):
            client.append("INBOX", r"(\Seen)", None, message(1000 + number))  # type: ignore[arg-type]


@pytest.fixture
def source(dovecot: Dovecot, dovecot_user: Login) -> Iterator[ImapSource]:
    dovecot.fill(dovecot_user, "INBOX", map(message, range(1, 61)), flags={0: ["\\Seen"], 5: ["\\Seen"]})
    opened = ImapSource(Server(dovecot_user.host, dovecot_user.port, dovecot_user.user, "none"), dovecot_user.password)
    yield opened
    opened.close()


def sent(source: ImapSource, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands from now on, without tags."""
    source.connect()
    client = source._connection._client
    assert client is not None
    found: list[str] = []
    send = client._imap.send
    monkeypatch.setattr(client._imap, "send", lambda data: (found.append(data.decode()), send(data))[1])
    return found


CHANGES = [
    {"flag": (3, 9, 40)},
    {"unflag": (1,)},
    {"deliver": 3},
    {"expunge": (7,)},
    {"expunge": (60,)},
    {"expunge": (1, 2, 30, 31, 32)},
    {"flag": (4,), "expunge": (20, 21), "deliver": 2},
    {"expunge": (22,), "deliver": 1},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("extension", ["QRESYNC", "ESEARCH", "CONDSTORE"])
def test_what_a_second_client_changes_is_told_without_a_listing(
    source: ImapSource, dovecot_user: Login, monkeypatch: pytest.MonkeyPatch, extension: str,
    changes: dict[str, tuple[int, ...]],
) -> None:  # fmt: skip
    monkeypatch.setattr(listing, "AT_ONCE", 25)
    commands = sent(source, monkeypatch)
    without(source, {"CONDSTORE": ("QRESYNC", "ESEARCH"), "ESEARCH": ("QRESYNC",)}.get(extension, ()))
    before = source.snapshot(INBOX)
    change(dovecot_user, **changes)  # type: ignore[arg-type]
    commands.clear()
    now = source.snapshot(INBOX, before)
    told = list(commands)
    assert not any(" FETCH" in line and "UID FETCH" not in line for line in told)
    assert ("VANISHED" in "".join(told)) == (extension == "QRESYNC" and "expunge" in changes)
    assert len(told) <= {"QRESYNC": 4, "ESEARCH": 5, "CONDSTORE": 8}[extension]
    assert now == source.snapshot(INBOX)
    assert now.state == source.status(INBOX)


def without(source: ImapSource, capabilities: tuple[str, ...]) -> None:
    client = source._connection._client
    assert client is not None
    client._cached_capabilities = tuple(each for each in client.capabilities() if each.decode() not in capabilities)


@pytest.mark.parametrize("seed", range(3))
def test_a_history_of_changes_is_followed(source: ImapSource, dovecot_user: Login, seed: int) -> None:
    chance = random.Random(seed)
    known: Snapshot = source.snapshot(INBOX)
    for _ in range(6):
        uids = known.listing.uids.tolist()
        change(
            dovecot_user,
            flag=tuple(chance.sample(uids, 4)),
            unflag=tuple(chance.sample(uids, 2)),
            expunge=tuple(chance.sample(uids, chance.randrange(4))),
            deliver=chance.randrange(3),
        )
        known, whole = source.snapshot(INBOX, known), source.snapshot(INBOX)
        assert known == whole


def test_fifty_mailboxes_tell_their_status_at_once(
    dovecot: Dovecot, source: ImapSource, dovecot_user: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        dovecot.fill(dovecot_user, f"Box {number} Entwürfe", [message(1)] * (number % 3))
    mailboxes = source.mailboxes()
    commands = sent(source, monkeypatch)
    found = source.statuses(mailboxes)
    assert len([line for line in commands if "LIST" in line]) <= 2
    assert set(found) == {mailbox.name for mailbox in mailboxes}
    for mailbox in mailboxes[:3]:
        assert found[mailbox.name] == source.status(mailbox)


@pytest.mark.parametrize("count", [20, 60, 90])
def test_a_mailbox_made_anew_under_its_uidvalidity_is_listed_anew(
    dovecot: Dovecot, source: ImapSource, dovecot_user: Login, count: int
) -> None:
    before = source.snapshot(INBOX)
    source.close()
    dovecot.create(dovecot_user, "INBOX")
    dovecot.fill(dovecot_user, "INBOX", map(message, range(500, 500 + count)))
    now = source.snapshot(INBOX, before)
    assert now == source.snapshot(INBOX)
    assert [info.size for info in now.listing.values()] == [len(message(number)) for number in range(500, 500 + count)]
