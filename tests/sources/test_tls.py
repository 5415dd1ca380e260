"""Never a credential before a verified channel: what a server, or one who stands in between, may try."""

import contextlib
import hashlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scripted import ScriptedServer, bye, drop, reply
from scripted_mailbox import box
from scripted_session import Fault, Session
from servers.certificates import Certificate, Certificates

from inboxstats import __version__
from inboxstats.errors import CredentialsError, InboxstatsError, NetworkError, TLSError
from inboxstats.sources.imap import ImapSource, Security, Server, channel, connection
from inboxstats.sources.imap.channel import spelled

SECRET = "canary-Zt9!"
KINDS = {
    "untrusted": "unable to get local issuer certificate",
    "wrong_name": "certificate is not valid for",
    "expired": "certificate has expired",
    "not_yet_valid": "certificate is not yet valid",
    "self_signed": "self-signed certificate",
}


@contextmanager
def served(certificate: Certificate | None, security: Security) -> Iterator[ScriptedServer]:
    with ScriptedServer(
        {"INBOX": box(b"Subject: x\r\n\r\n")}, password=SECRET, certificate=certificate, is_tls=security == "tls"
    ) as server:
        yield server


def source(server: ScriptedServer, security: Security, fingerprint: str | None = None) -> ImapSource:
    return ImapSource(Server("127.0.0.1", server.port, "me", security, fingerprint), SECRET)


def refused(server: ScriptedServer, security: Security, fingerprint: str | None = None) -> InboxstatsError:
    """The error of a login that must not be; nothing that belongs to a login has left the program."""
    opened = source(server, security, fingerprint)
    with pytest.raises(InboxstatsError) as caught:
        opened.connect()
    opened.close()
    assert [line for line in server.log if not re.match("CAPABILITY$|STARTTLS$", line)] == []
    return caught.value


def pinned(certificate: Certificate) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.path.read_text())).hexdigest()


@pytest.fixture(autouse=True)
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "untrusted" not in request.node.name:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_does_not_hold_gets_no_credential_and_the_way_to_pin_it(
    certificates: Certificates, security: Security, kind: str
) -> None:
    certificate: Certificate = certificates.good if kind == "untrusted" else getattr(certificates, kind)
    with served(certificate, security) as server:
        problem = refused(server, security)
    assert problem.exit_code == 9
    said = str(problem)
    assert KINDS[kind] in said
    assert "Nothing was sent" in said
    assert f"--tls-fingerprint {certificate.fingerprint}" in said
    assert "compare the certificate's fingerprint" in said
    assert SECRET not in said


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("kind", ["good", "wrong_name", "expired", "not_yet_valid", "self_signed"])
def test_the_pinned_certificate_is_accepted_whatever_else_is_wrong_with_it(
    certificates: Certificates, security: Security, kind: str
) -> None:
    certificate: Certificate = getattr(certificates, kind)
    with served(certificate, security) as server:
        opened = source(server, security, pinned(certificate))
        assert [mailbox.name for mailbox in opened.mailboxes()] == ["INBOX"]
        opened.close()
    assert [line for line in server.script.clear if "LOGIN" in line] == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_another_certificate_than_the_pinned_one_is_refused_even_a_valid_one(
    certificates: Certificates, security: Security
) -> None:
    with served(certificates.good, security) as server:
        problem = refused(server, security, pinned(certificates.self_signed))
    assert problem.exit_code == 9
    assert f"SHA-256 {certificates.good.fingerprint}" in str(problem)
    assert f"pinned is {certificates.self_signed.fingerprint}" in str(problem)
    assert "Nothing was sent" in str(problem)


def test_a_fingerprint_is_spelled_as_openssl_spells_it(certificates: Certificates) -> None:
    assert spelled(pinned(certificates.good)) == certificates.good.fingerprint


def test_a_stripped_starttls_gets_no_credential() -> None:
    with served(None, "none") as server:
        problem = refused(server, "starttls")
    assert problem.exit_code == 9
    assert "offers no STARTTLS, so nothing was sent" in str(problem)


@pytest.mark.parametrize("answer", ["NO not now", "BAD what"])
def test_a_refused_starttls_gets_no_credential(certificates: Certificates, answer: str) -> None:
    with served(certificates.good, "starttls") as server:
        server.on("STARTTLS", reply(answer))
        problem = refused(server, "starttls")
    assert problem.exit_code == 9
    assert "refuses STARTTLS" in str(problem)


def test_a_preauth_greeting_gets_neither_starttls_nor_credential(certificates: Certificates) -> None:
    with served(certificates.good, "starttls") as server:
        server.script.greeting = b"* PREAUTH welcome"
        problem = refused(server, "starttls")
    assert problem.exit_code == 9
    assert "PREAUTH" in str(problem)
    assert "STARTTLS" not in server.log


def behind(*lines: str, pause: float = 0) -> Fault:
    """The OK of STARTTLS, and behind it in plain text what an attacker puts there."""

    def fault(session: Session, tag: str, _line: str) -> None:
        session.send(f"{tag} OK begin")
        if pause:
            session.wfile.flush()
            time.sleep(pause)
        for line in lines:
            session.send(
                line.format(next_tag=f"{tag[:-1]}{int(tag[-1]) + 1}", after_next=f"{tag[:-1]}{int(tag[-1]) + 2}")
            )
        session.secure()

    return fault


INJECTED = (
    ("* CAPABILITY IMAP4rev1", "{next_tag} OK done"),
    ("* CAPABILITY IMAP4rev1", "{next_tag} OK done", "{after_next} OK LOGIN done"),
    ("* OK [ALERT] read this",),
    ("* PREAUTH welcome",),
)


@pytest.mark.parametrize("lines", INJECTED)
def test_plain_text_behind_the_ok_of_starttls_is_refused(certificates: Certificates, lines: tuple[str, ...]) -> None:
    with served(certificates.good, "starttls") as server:
        server.on("STARTTLS", behind(*lines))
        problem = refused(server, "starttls")
    assert isinstance(problem, TLSError)
    assert "goes on in plain text after STARTTLS" in str(problem)


def test_plain_text_that_comes_late_breaks_the_handshake(certificates: Certificates) -> None:
    with served(certificates.good, "starttls") as server:
        server.on("STARTTLS", behind(*INJECTED[1], pause=0.3))
        problem = refused(server, "starttls")
    assert isinstance(problem, TLSError)


def test_what_is_said_before_tls_does_not_count_afterwards(certificates: Certificates) -> None:
    def before(session: Session, tag: str, _line: str) -> None:
        session.send(r'* LIST (\HasNoChildren) "/" EVIL')
        session.send("* CAPABILITY IMAP4rev1 LOGINDISABLED EVIL")
        session.send("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED EVIL] hello")
        session.starttls(tag)

    with served(certificates.good, "starttls") as server:
        server.on("STARTTLS", before)
        opened = source(server, "starttls")
        assert [mailbox.name for mailbox in opened.mailboxes()] == ["INBOX"]
        opened.close()
    assert server.script.clear == ["CAPABILITY", "STARTTLS"]
    assert server.log[2] == "CAPABILITY"


def test_what_the_greeting_tells_is_not_asked_for_again() -> None:
    with served(None, "none") as server:
        server.script.greeting = b"* OK [CAPABILITY IMAP4rev1 ID] ready"
        opened = source(server, "none")
        opened.connect()
        opened.close()
    assert [line.split()[0] for line in server.log][:2] == ["LOGIN", "ID"]


def test_what_the_greeting_tells_before_starttls_is_asked_for_anew(certificates: Certificates) -> None:
    with served(certificates.good, "starttls") as server:
        server.script.greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED EVIL] ready"
        opened = source(server, "starttls")
        opened.connect()
        opened.close()
    assert [line.split()[0] for line in server.log][:3] == ["STARTTLS", "CAPABILITY", "LOGIN"]
    assert server.script.clear == ["STARTTLS"]


@pytest.mark.parametrize("told", [b"[CAPABILITY]", b"[CAPABILITY IMAP4rev1 \xe4]"])
def test_a_greeting_that_tells_nothing_readable_is_not_believed(told: bytes) -> None:
    with served(None, "none") as server:
        server.script.greeting = b"* OK " + told + b" ready"
        opened = source(server, "none")
        opened.connect()
        opened.close()
    assert server.log[0] == "CAPABILITY"


def test_a_server_that_forbids_logins_in_the_clear_gets_none() -> None:
    with served(None, "none") as server:
        server.on("CAPABILITY", lambda session, tag, _: session.send(
            f"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n{tag} OK done"
        ))  # fmt: skip
        problem = refused(server, "none")
    assert problem.exit_code == 9
    assert "LOGINDISABLED" in str(problem)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOGIN_SECONDS", 1.0)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
def test_a_server_that_greets_with_a_byte_a_while_is_given_up(certificates: Certificates, security: Security) -> None:
    with served(certificates.good if security != "none" else None, security) as server:
        server.script.trickle = 0.3  # for 12 bytes: no read ever waits for long
        began = time.monotonic()
        problem = refused(server, security)
        assert time.monotonic() - began < 3
    assert isinstance(problem, NetworkError)
    assert "took more than 1 s to greet and to let me in" in str(problem)


def test_all_addresses_of_a_host_together_have_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # until its queue is full, whereupon the kernel answers nobody
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(deaf.getsockname())
        time.sleep(0.1)  # for the kernel to have queued them
        one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", deaf.getsockname())
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [one] * 5)
        monkeypatch.setattr(channel, "CONNECT_TIMEOUT", 1.0)
        began = time.monotonic()
        with pytest.raises(NetworkError, match="does not answer within"):
            ImapSource(Server("imap.example.org", 993, "me"), SECRET).connect()
        assert 0.9 < time.monotonic() - began < 2


def test_the_next_address_is_tried_where_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(None, "none") as server:
        ports = (1, server.port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        opened = ImapSource(Server("imap.example.org", 143, "me", "none"), SECRET)
        assert len(opened.mailboxes()) == 1
        opened.close()


@pytest.mark.usefixtures("hurried")
def test_a_login_that_is_answered_with_chatter_without_end_is_given_up() -> None:
    def chatter(session: Session, _tag: str, _line: str) -> None:
        while not session.script.stopping.wait(0.1):
            session.send("* OK still thinking")
            session.wfile.flush()

    with served(None, "none") as server:
        server.on("LOGIN", chatter)
        began = time.monotonic()
        with pytest.raises(NetworkError, match="took more than 1 s"):
            source(server, "none").connect()
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("fault", [drop(), bye("going down")])
def test_a_connection_that_ends_at_the_login_is_no_wrong_password(fault: Fault) -> None:
    with served(None, "none") as server:
        server.on("LOGIN", fault)
        with pytest.raises(NetworkError, match="dropped the connection at the login") as caught:
            source(server, "none").connect()
    assert SECRET not in str(caught.value)


@pytest.mark.usefixtures("hurried")
def test_a_login_within_its_time_leaves_no_deadline_behind() -> None:
    with served(None, "none") as server:
        opened = source(server, "none")
        opened.connect()
        time.sleep(1.5)
        assert len(opened.mailboxes()) == 1
        opened.close()


def test_a_server_that_asks_is_told_the_program_and_nothing_of_the_user() -> None:
    with served(None, "none") as server:
        opened = source(server, "none")
        opened.mailboxes()
        opened.close()
    assert [line for line in server.log if line.startswith("ID")] == [
        f'ID ("name" "inboxstats" "version" "{__version__}")'
    ]
    assert server.log.index(f'LOGIN me "{SECRET}"') < server.log.index(server.log[2])


@pytest.mark.parametrize("answer", ["NO who are you", "BAD what"])
def test_an_introduction_that_is_refused_changes_nothing(answer: str) -> None:
    with served(None, "none") as server:
        server.on("ID", reply(answer))
        opened = source(server, "none")
        assert [mailbox.name for mailbox in opened.mailboxes()] == ["INBOX"]
        opened.close()


def test_a_wrong_password_is_no_matter_of_tls(certificates: Certificates) -> None:
    with served(certificates.good, "tls") as server:
        opened = ImapSource(Server("127.0.0.1", server.port, "me", "tls"), "wrong")
        with pytest.raises(CredentialsError):
            opened.connect()
    assert len([line for line in server.log if line.startswith("LOGIN")]) == 1
