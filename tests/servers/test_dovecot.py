"""Dovecot as the other tests rely on it, seen by imaplib and imapclient."""

import imaplib
import random
import ssl
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from imapclient import IMAPClient

from . import raw
from .certificates import Certificates
from .dovecot import Dovecot, dovecot_server
from .process import UnavailableError, is_listening
from .raw import Login

ODD_BODIES = (
    b"",
    b"no line end",
    b"a lone CR \r in a line\r\n",
    b".\r\n..\r\n",
    b"x" * 70_000 + b"\r\n",
    b"Latin-1 \xe4\xf6\xfc\r\n",
    b")\r\n* BYE\r\n",
)


def plain(number: int = 1) -> bytes:
    return b"From: a@example.org\r\nSubject: %d\r\n\r\nText\r\n" % number


def letters(count: int) -> Iterator[bytes]:
    """Messages with CRLF, of 100 to 20,000 bytes of any value but NUL, and the odd ones in between."""
    chance = random.Random(1)
    for number in range(count):
        lines = bytes(chance.choices(range(1, 256), k=chance.randrange(100, 20_000)))
        body = ODD_BODIES[number % 50] if number % 50 < len(ODD_BODIES) else raw.with_crlf(lines)
        yield b"From: a@example.org\r\nSubject: %d\r\n\r\n" % number + body


def test_300_messages_with_crlf_come_back_byte_for_byte(dovecot: Dovecot, dovecot_user: Login) -> None:
    messages = list(letters(300))
    assert dovecot.fill(dovecot_user, "INBOX", messages) == 300
    wanted = {uid: sha256(message).hexdigest() for uid, message in enumerate(messages, start=1)}
    assert raw.digests(dovecot_user) == wanted


def test_imapclient_sees_the_same_bytes_and_sizes(dovecot: Dovecot, dovecot_user: Login) -> None:
    messages = list(letters(60))
    dovecot.fill(dovecot_user, "INBOX", messages)
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.login(dovecot_user.user, dovecot_user.password)
        client.select_folder("INBOX", readonly=True)
        answers = client.fetch(list(range(1, 61)), ["BODY.PEEK[]", "RFC822.SIZE"])
    assert [answers[uid][b"BODY[]"] for uid in sorted(answers)] == messages
    assert [answers[uid][b"RFC822.SIZE"] for uid in sorted(answers)] == [len(message) for message in messages]


def test_line_feeds_come_back_as_crlf_and_nul_as_0x80(dovecot: Dovecot, dovecot_user: Login) -> None:
    dovecot.fill(dovecot_user, "INBOX", [b"From: a@example.org\n\none\ntwo\r\n", b"From: a@example.org\r\n\r\na\0b"])
    assert dict(raw.messages(dovecot_user)) == {
        1: b"From: a@example.org\r\n\r\none\r\ntwo\r\n",
        2: b"From: a@example.org\r\n\r\na\x80b",
    }


def test_flags_and_internal_dates_are_those_given(dovecot: Dovecot, dovecot_user: Login) -> None:
    dates = [datetime.fromisoformat("1999-12-31T23:59:59+00:00"), datetime.fromisoformat("2026-03-01T12:00:00+02:00")]
    flags = {0: ["\\Seen", "\\Flagged"]}
    dovecot.fill(dovecot_user, "INBOX", [plain(1), plain(2)], internal_dates=dates, flags=flags)
    assert raw.flags(dovecot_user) == {1: {"\\Seen", "\\Flagged"}, 2: frozenset()}
    with raw.examined(dovecot_user) as client:
        answers = b"".join(client.uid("FETCH", "1:2", "(INTERNALDATE)")[1])
    assert b'"31-Dec-1999 23:59:59 +0000"' in answers
    assert b'"01-Mar-2026 10:00:00 +0000"' in answers


def test_reading_leaves_seen_alone(dovecot: Dovecot, dovecot_user: Login) -> None:
    dovecot.fill(dovecot_user, "INBOX", [plain()])
    raw.digests(dovecot_user)
    assert raw.flags(dovecot_user) == {1: frozenset()}


def test_mailboxes_have_hierarchy_and_any_letters(dovecot: Dovecot, dovecot_user: Login) -> None:
    names = {"INBOX", "Arbeit/Entwürfe & Ähnliches", "2026.03", "台北"}
    for name in names:
        dovecot.fill(dovecot_user, name, [plain()])
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.login(dovecot_user.user, dovecot_user.password)
        listed = {name: attributes for attributes, _, name in client.list_folders()}
    assert set(listed) == names | {"Arbeit"}
    assert b"\\Noselect" in listed["Arbeit"]
    assert [len(raw.digests(dovecot_user, name)) for name in names] == [1, 1, 1, 1]


def test_messages_added_later_get_the_next_uids(dovecot: Dovecot, dovecot_user: Login) -> None:
    dovecot.fill(dovecot_user, "INBOX", [plain(1), plain(2)])
    assert set(raw.digests(dovecot_user)) == {1, 2}
    dovecot.fill(dovecot_user, "INBOX", [plain(3)])
    assert dict(raw.messages(dovecot_user))[3] == plain(3)


def test_a_mailbox_is_renumbered_on_demand(dovecot: Dovecot, dovecot_user: Login) -> None:
    dovecot.create(dovecot_user, "Big", uid_validity=7, first_uid=4_294_967_290)
    dovecot.fill(dovecot_user, "Big", [plain(1), plain(2)])
    assert (raw.uid_validity(dovecot_user, "Big"), set(raw.digests(dovecot_user, "Big"))) == (
        7,
        {4_294_967_290, 4_294_967_291},
    )
    dovecot.create(dovecot_user, "Big", uid_validity=8)
    dovecot.fill(dovecot_user, "Big", [plain(3)])
    assert (raw.uid_validity(dovecot_user, "Big"), dict(raw.messages(dovecot_user, "Big"))) == (8, {1: plain(3)})


def test_a_wrong_password_is_refused(dovecot: Dovecot, dovecot_user: Login) -> None:
    wrong = Login(dovecot.host, dovecot.port, dovecot_user.user, "wrong")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        raw.digests(wrong)


@pytest.mark.parametrize("password", ["with space", 'quo"te\\', "a:b{c}", "päßword"])
def test_a_password_may_hold_anything(dovecot: Dovecot, password: str) -> None:
    user = dovecot.add_user(password=password)
    with imaplib.IMAP4(dovecot.host, dovecot.port) as client:
        client.authenticate("PLAIN", lambda _: f"\0{user.user}\0{password}".encode())
        assert client.select("INBOX", readonly=True) == ("OK", [b"0"])


def test_starttls_and_imaps_verify_against_the_authority(
    dovecot: Dovecot, dovecot_user: Login, certificates: Certificates
) -> None:
    context = ssl.create_default_context(cafile=certificates.ca_file)
    with imaplib.IMAP4("localhost", dovecot.port) as client:
        assert "STARTTLS" in client.capabilities
        client.starttls(context)
        assert client.login(dovecot_user.user, dovecot_user.password)[0] == "OK"
    for host in ("localhost", "127.0.0.1"):
        with IMAPClient(host, dovecot.tls_port, ssl_context=context) as client:
            client.login(dovecot_user.user, dovecot_user.password)


def test_a_certificate_of_an_unknown_authority_is_refused(dovecot: Dovecot) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        imaplib.IMAP4_SSL("localhost", dovecot.tls_port, ssl_context=ssl.create_default_context())


@pytest.mark.usefixtures("dovecot")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrong_name", "certificate is not valid for 'localhost'"),
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
    ],
)
def test_each_bad_certificate_is_refused_for_its_own_reason(
    certificates: Certificates, tmp_path: Path, name: str, reason: str
) -> None:
    context = ssl.create_default_context(cafile=certificates.ca_file)
    with (
        dovecot_server(tmp_path / "log", getattr(certificates, name)) as server,
        pytest.raises(ssl.SSLCertVerificationError, match=reason),
    ):
        imaplib.IMAP4_SSL("localhost", server.tls_port, ssl_context=context)


@pytest.mark.usefixtures("dovecot")
def test_connections_of_a_user_can_be_capped(certificates: Certificates, tmp_path: Path) -> None:
    with dovecot_server(tmp_path / "log", certificates.good, max_userip_connections=1) as server:
        user = server.add_user()
        server.fill(user, "INBOX", [plain()])
        with raw.examined(user), pytest.raises(imaplib.IMAP4.error, match="Maximum number of connections"):
            raw.digests(user)


@pytest.mark.usefixtures("dovecot")
def test_after_the_end_its_ports_are_free_and_its_mail_is_gone(certificates: Certificates, tmp_path: Path) -> None:
    with dovecot_server(tmp_path / "log", certificates.good) as server:
        server.fill(server.add_user(), "INBOX", [plain()])
        assert is_listening(server.port)
    assert not is_listening(server.port)
    assert not is_listening(server.tls_port)
    assert not server.folder.exists()
    assert "starting up for imap" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "apt-get install dovecot-imapd"),
        ("echo '2.4.1-4 (7d8c0e5759)'", "Dovecot 2.4.1-4 .* these tests need 2.3"),
    ],
)
def test_a_dovecot_that_cannot_be_used_is_named(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str
) -> None:
    monkeypatch.setattr("servers.dovecot.SYSTEM_FOLDERS", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    if script:
        (tmp_path / "dovecot").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "dovecot").chmod(0o755)
    with pytest.raises(UnavailableError, match=reason), dovecot_server(tmp_path / "log", certificates.good):
        pass
