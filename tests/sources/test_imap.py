"""The IMAP source against real servers: Dovecot, GreenMail, and the demo's embedded one."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from open_files import no_more_files
from servers.certificates import Certificate, Certificates
from servers.dovecot import Dovecot, dovecot_server
from servers.greenmail import GreenMail
from servers.raw import Login, flags, utf_7

from inboxstats.archive.layout import message_key
from inboxstats.errors import CredentialsError, NetworkError, ServerRefusalError, StorageError, TLSError
from inboxstats.mail import Mailbox, MessageInfo, MessageKey
from inboxstats.sources import imap
from inboxstats.sources.imap import Extent, ImapSource, Security, Server, names

INBOX = Mailbox("INBOX")
DAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MESSAGES = [f"Subject: {number}\r\n\r\nHello {number}.\r\n".encode() for number in range(1, 8)]


def source(user: Login, *, password: str | None = None, security: Security = "none", port: int = 0) -> ImapSource:
    server = Server(user.host, port or user.port, user.user, security)
    return ImapSource(server, user.password if password is None else password)


@pytest.fixture
def filled(dovecot: Dovecot, dovecot_user: Login) -> Iterator[ImapSource]:
    dates = [DAY] * len(MESSAGES)
    dovecot.fill(dovecot_user, "INBOX", MESSAGES, internal_dates=dates, flags={0: ["\\Seen"], 1: ["\\Flagged"]})
    opened = source(dovecot_user)
    yield opened
    opened.close()


def test_the_listing_tells_uid_internal_date_size_and_flags(filled: ImapSource) -> None:
    listing = filled.listing(INBOX)
    keys = [message_key(1_700_000_000, uid) for uid in range(1, 8)]
    assert list(listing) == keys
    assert listing[keys[0]] == MessageInfo(keys[0], DAY, frozenset({"\\Seen"}), len(MESSAGES[0]))
    assert listing[keys[1]].flags == {"\\Flagged"}
    assert {info.internal_date for info in listing.values()} == {DAY}


def test_messages_come_byte_for_byte_and_are_not_marked_as_seen(filled: ImapSource, dovecot_user: Login) -> None:
    before = flags(dovecot_user)
    keys = list(filled.listing(INBOX))
    assert dict(filled.fetch(INBOX, keys)) == dict(zip(keys, MESSAGES, strict=True))
    assert flags(dovecot_user) == before


def test_messages_that_are_gone_are_left_out(filled: ImapSource) -> None:
    keys = [message_key(1_700_000_000, uid) for uid in (3, 99)]
    assert [key for key, _ in filled.fetch(INBOX, keys)] == keys[:1]


def test_keys_of_a_former_uidvalidity_are_refused(filled: ImapSource) -> None:
    with pytest.raises(ServerRefusalError, match="was renumbered"):
        list(filled.fetch(INBOX, [message_key(1_600_000_000, 3)]))


def test_a_listing_is_put_together_from_windows(filled: ImapSource, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = filled.listing(INBOX)
    monkeypatch.setattr(imap.listing, "AT_ONCE", 3)
    assert filled.listing(INBOX) == whole


def test_the_status_costs_no_listing(filled: ImapSource) -> None:
    state = filled.status(INBOX)
    assert (state.uidvalidity, state.uidnext, state.messages) == (1_700_000_000, 8, 7)
    assert state.highestmodseq


def test_the_extent_of_a_mailbox_is_its_messages_and_their_bytes(filled: ImapSource) -> None:
    assert filled.extent(INBOX) == Extent(7, sum(map(len, MESSAGES)))


def test_a_server_without_status_size_tells_the_messages_alone(greenmail: GreenMail, greenmail_user: Login) -> None:
    greenmail.deliver(MESSAGES[:2], greenmail_user)
    opened = source(greenmail_user)
    assert opened.extent(INBOX) == Extent(2, None)
    size = opened.measured(INBOX).size
    assert opened.measured(INBOX) == Extent(2, sum(opened.listing(INBOX).sizes))
    assert size
    opened.close()


def test_the_size_of_many_messages_is_that_of_a_sample(filled: ImapSource, monkeypatch: pytest.MonkeyPatch) -> None:
    every = sum(map(len, MESSAGES))
    assert filled.measured(INBOX) == Extent(7, every)
    monkeypatch.setattr(imap.sizes, "AT_ONCE", 3)
    monkeypatch.setattr(imap.sizes, "SEARCHED_AT_ONCE", 3)
    first, middle, last = (len(MESSAGES[place]) for place in (0, 3, 6))
    assert filled.measured(INBOX) == Extent(7, round((first + middle + last) / 3 * 7), is_estimate=True)


@pytest.mark.parametrize(("security", "expected"), [("tls", "TLSv1.3"), ("starttls", "TLSv1.3"), ("none", None)])
def test_a_channel_is_tried_without_a_login(
    dovecot: Dovecot,
    dovecot_user: Login,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    security: Security,
    expected: str | None,
) -> None:
    port = dovecot.tls_port if security == "tls" else dovecot.port
    server = Server("localhost", port, dovecot_user.user, security)
    if expected:
        with pytest.raises(TLSError) as refused:
            ImapSource(server, "").reach()
        certificate = ssl.PEM_cert_to_DER_cert(certificates.good.path.read_text())
        assert refused.value.fingerprint == hashlib.sha256(certificate).hexdigest()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    assert ImapSource(server, "").reach() == expected


def test_an_empty_mailbox_has_an_empty_listing(dovecot_user: Login) -> None:
    opened = source(dovecot_user)
    assert opened.listing(INBOX) == {}
    opened.close()


@pytest.mark.parametrize("name", ["Entwürfe", "日本語/年度", "A & B", 'quo"ted', "back\\slash", "*", "a%b"])
def test_mailboxes_of_any_name_are_listed_and_fetched(dovecot: Dovecot, dovecot_user: Login, name: str) -> None:
    dovecot.fill(dovecot_user, name, MESSAGES[:1])
    opened = source(dovecot_user)
    by_name = {mailbox.name: mailbox for mailbox in opened.mailboxes()}
    assert name in by_name
    listing = opened.listing(by_name[name])
    assert [data for _, data in opened.fetch(by_name[name], list(listing))] == MESSAGES[:1]
    opened.close()


def test_a_mailbox_that_cannot_be_selected_is_passed_over(dovecot: Dovecot, dovecot_user: Login) -> None:
    dovecot.fill(dovecot_user, "parent/child", MESSAGES[:1])
    opened = source(dovecot_user)
    assert sorted(mailbox.name for mailbox in opened.mailboxes()) == ["INBOX", "parent/child"]
    opened.close()


def test_greenmail_lists_and_gives_the_same(greenmail: GreenMail, greenmail_user: Login) -> None:
    greenmail.deliver(MESSAGES, greenmail_user)
    opened = source(greenmail_user)
    listing = opened.listing(INBOX)
    assert len(listing) == len(MESSAGES)
    assert all(info.internal_date and info.size for info in listing.values())
    subjects = {data.rpartition(b"Subject: ")[2][:1] for _, data in opened.fetch(INBOX, list(listing))}
    assert subjects == {b"1", b"2", b"3", b"4", b"5", b"6", b"7"}
    opened.close()


def test_a_wrong_password_is_told_with_the_servers_words(dovecot_user: Login, greenmail_user: Login) -> None:
    for user in (dovecot_user, greenmail_user):
        with pytest.raises(CredentialsError, match=f"refuses the login of {user.user}: .*Check the user") as caught:
            source(user, password="canary-Zt9!").connect()
        assert "canary" not in str(caught.value)


def test_a_password_of_any_characters_logs_in(dovecot: Dovecot) -> None:
    for password in ('quo"te\\back', "pässwörd €", "spaces  in it", "{5}"):
        opened = source(dovecot.add_user(password=password))
        opened.connect()
        opened.close()


@pytest.mark.parametrize(("security", "port"), [("tls", "tls_port"), ("starttls", "port")])
def test_a_verified_channel_is_opened(
    dovecot: Dovecot, dovecot_user: Login, certificates: Certificates, monkeypatch: pytest.MonkeyPatch,
    security: Security, port: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    opened = source(dovecot_user, security=security, port=getattr(dovecot, port))
    assert [mailbox.name for mailbox in opened.mailboxes()] == ["INBOX"]
    opened.close()


@pytest.mark.parametrize(("security", "port"), [("tls", "tls_port"), ("starttls", "port")])
def test_large_and_small_messages_come_whole_over_tls(
    dovecot: Dovecot, dovecot_user: Login, certificates: Certificates, monkeypatch: pytest.MonkeyPatch,
    security: Security, port: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    messages = [f"Subject: {size}\r\n\r\n".encode() + b"0123456\n" * size for size in (1, 3, 100_000, 400_001, 2)]
    messages = [message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for message in messages]
    dovecot.fill(dovecot_user, "INBOX", messages)
    opened = source(dovecot_user, security=security, port=getattr(dovecot, port))
    keys = list(opened.listing(INBOX))
    assert opened.ask(INBOX, keys[:3])
    assert opened.ask(INBOX, keys[3:])
    found = dict(content for _ in range(2) for content in _whole(opened))
    assert found == dict(zip(keys, messages, strict=True))
    assert opened.listing(INBOX).keys() == set(keys)  # imaplib goes on where the bodies ended
    opened.close()


def _whole(opened: ImapSource) -> Iterator[tuple[MessageKey, bytes]]:
    for key, content in opened.answer(INBOX):
        yield key, content if isinstance(content, bytes) else b"".join(content.pieces)


def test_another_mailbox_waits_until_what_is_under_way_is_answered(
    dovecot: Dovecot, dovecot_user: Login, filled: ImapSource
) -> None:
    dovecot.fill(dovecot_user, "Other", MESSAGES[:1])
    keys = list(filled.listing(INBOX))
    assert filled.ask(INBOX, keys)
    assert not filled.ask(Mailbox("Other"), keys[:1])
    assert len(dict(_whole(filled))) == len(MESSAGES)
    assert filled.ask(Mailbox("Other"), keys[:1])
    filled.close()  # at once, though an answer is under way


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("good", "unable to get local issuer certificate"),
        ("wrong_name", "certificate is not valid for"),
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_before_any_login(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Security, kind: str,
    reason: str,
) -> None:  # fmt: skip
    certificate: Certificate = getattr(certificates, kind)
    if kind != "good":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    with dovecot_server(tmp_path / "log", certificate) as server:
        user = server.add_user()
        port = server.tls_port if security == "tls" else server.port
        with pytest.raises(TLSError, match=reason) as caught:
            source(user, security=security, port=port).connect()
        assert caught.value.exit_code == 9
        assert user.user not in (tmp_path / "log").read_text()


def test_a_server_without_starttls_gets_no_password(greenmail_user: Login) -> None:
    with pytest.raises(TLSError, match="offers no STARTTLS, so nothing was sent"):
        source(greenmail_user, security="starttls").connect()


def test_a_plain_port_is_not_taken_for_tls(dovecot_user: Login) -> None:
    with pytest.raises(TLSError, match="speaks no TLS"):
        source(dovecot_user, security="tls").connect()


def test_a_server_that_hangs_up_during_the_handshake_is_no_refusal_of_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hang_up = threading.Thread(target=lambda: listening.accept()[0].close())
        hang_up.start()
        with pytest.raises(NetworkError) as caught:
            ImapSource(Server("127.0.0.1", listening.getsockname()[1], "u", "tls"), "p").connect()
        hang_up.join()
    assert caught.value.exit_code == 5


def test_a_connection_that_there_is_no_file_left_for_is_no_fault_of_the_network() -> None:
    server = Server("127.0.0.1", 1, "u", "tls")
    with no_more_files(), pytest.raises(StorageError, match=r"connect to .*: too many files are open") as caught:
        ImapSource(server, "p").connect()
    assert caught.value.exit_code == 6


def test_no_server_at_all_is_said() -> None:
    with pytest.raises(NetworkError, match="refuses connections"):
        ImapSource(Server("127.0.0.1", 1, "u", "none"), "p").connect()
    with pytest.raises(NetworkError, match="is not found"):
        ImapSource(Server("no-such-host.invalid", 993, "u"), "p").connect()


def test_imaplib_formats_no_bodies_for_its_log(filled: ImapSource) -> None:
    # imapclient sets imaplib's debug level to 5, at which imaplib makes a repr() of each line and literal it reads.
    filled.connect()
    client = filled._connection._client
    assert client is not None
    noted: list[str] = []
    client._imap._mesg = noted.append
    keys = list(filled.listing(INBOX))
    assert len(dict(filled.fetch(INBOX, keys))) == len(MESSAGES)
    assert noted == []


def test_a_secret_is_in_no_repr() -> None:
    opened = ImapSource(Server("h", 1, "u"), "canary-Zt9!")
    assert "canary" not in repr(opened)
    assert "canary" not in repr(opened._connection)


def test_a_name_is_decoded_whatever_the_server_sends() -> None:
    assert names.decoded(utf_7("Entwürfe & 日本語").encode()) == "Entwürfe & 日本語"
    assert names.decoded(b"broken &zz") == "broken &zz"
    assert names.decoded("Entwürfe".encode()) == "Entwürfe"
    assert names.decoded("Entwürfe".encode("latin-1")) == "Entwürfe"
