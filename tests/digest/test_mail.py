"""The digest as a mail: composed, sent through GreenMail and through a TLS server, and seen in Chromium."""

import email
import email.policy
import imaplib
import os
import shutil
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from playwright.sync_api import Browser, sync_playwright
from servers.certificates import Certificate, Certificates
from servers.greenmail import GreenMail
from servers.raw import Login

from inboxstats.digest import Findings, mail
from inboxstats.digest.mail import Outgoing, compose, compose_plain, send
from inboxstats.errors import CredentialsError, NetworkError, TLSError

NOW = datetime(2026, 11, 28, 2, 1, tzinfo=UTC)
CANARY = "canary-7f3a"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def composed(findings: Findings, to: str = "me@example.org") -> EmailMessage:
    return compose(findings, sender="inboxstats@example.org", to=to, now=NOW)


def test_the_mail_has_the_headers_of_an_automatic_one(full: Findings) -> None:
    message = composed(full)
    assert message["Subject"] == (
        "inboxstats: 1,234 new messages, 2 new senders, 2 unusual days, 1 more waits for an answer, 1 trouble"
    )
    assert (message["From"], message["To"]) == ("inboxstats@example.org", "me@example.org")
    assert message["Date"] == "Sat, 28 Nov 2026 02:01:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    assert message["Message-ID"] != composed(full)["Message-ID"]


def test_it_is_plain_text_beside_html_and_seven_bits(full: Findings) -> None:
    raw = composed(full).as_bytes()
    assert raw.isascii()
    # RFC 5322, section 2.1.1: 998 characters a line, better 78; RFC 2045 demands 76 of quoted-printable.
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/alternative"
    plain, html = parsed.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (plain.get_content(), html.get_content()):
        assert "\ufffd]52;c;aGk=\ufffd lunch" in part
        assert "\x1b" not in part
        assert "\u202e" not in part


def test_no_text_of_mail_becomes_a_header(full: Findings) -> None:
    raw = composed(full).as_bytes()
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert sorted(map(str.lower, parsed.keys())) == [
        *("auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "subject", "to"),
    ]
    with pytest.raises(ValueError, match="linefeed"):
        composed(full, to="me@example.org\r\nBcc: all@example.org")


def test_html_of_mail_is_text(full: Findings) -> None:
    html = mail.render(full)
    assert "<script>" not in html
    assert "Ann &lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_sentence_is_a_mail_too() -> None:
    message = compose_plain("inboxstats: the nightly run", "It was killed.", sender="a@x.org", to="b@x.org", now=NOW)
    assert message.get_content() == "It was killed.\n"
    assert message["Auto-Submitted"] == "auto-generated"


def test_greenmail_takes_it_and_the_reader_gets_what_was_sent(
    full: Findings, greenmail: GreenMail, greenmail_user: Login
) -> None:
    sent = composed(full, to=greenmail_user.user)
    send(sent, Outgoing(greenmail.host, greenmail.smtp, "none"))
    client = imaplib.IMAP4(greenmail_user.host, greenmail_user.port, timeout=60)
    try:
        client.login(greenmail_user.user, greenmail_user.password)
        client.select(readonly=True)
        answer: Any = client.fetch("1", "(RFC822)")[1]
    finally:
        client.logout()
    got = email.message_from_bytes(answer[0][1], policy=email.policy.default)
    assert (got["Subject"], got["Message-ID"]) == (sent["Subject"], sent["Message-ID"])
    for type_ in ("plain", "html"):
        received, original = got.get_body((type_,)), sent.get_body((type_,))
        assert received is not None
        assert original is not None
        assert received.get_content().splitlines() == original.get_content().splitlines()


def test_greenmail_refuses_a_wrong_password(full: Findings, greenmail: GreenMail, greenmail_user: Login) -> None:
    server = Outgoing(greenmail.host, greenmail.smtp, "none", greenmail_user.user, CANARY)
    with pytest.raises(CredentialsError, match="refuses the login of") as caught:
        send(composed(full), server)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(server)


class Inbox:
    """Takes all mail but that to nobody@, from those who log in where that is demanded."""

    def __init__(self) -> None:
        self.mail: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user \x1b[31m"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.mail.append(envelope.content)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password in (b"correct horse", "grüner Käse".encode()))


class Parrot(Inbox):
    """Refuses every login by repeating what it was sent."""

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, _responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return ["250-127.0.0.1", "250 AUTH PLAIN"]

    async def auth_PLAIN(self, _server: Any, args: list[str]) -> AuthResult:  # noqa: N802 -- aiosmtpd's name
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 what is <AUTH {' '.join(args)}>?")


@contextmanager
def smtp(inbox: Inbox, certificate: Certificate | None, *, at_once: bool = False) -> Iterator[int]:
    """A server on loopback, with STARTTLS or TLS at once where it has a certificate; its port."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if at_once else None,
        tls_context=None if at_once else context,
        authenticator=inbox.login,
        auth_require_tls=certificate is not None and not at_once,
        ready_timeout=60,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def trusted(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca_file))


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_it_logs_in_over_a_verified_channel(full: Findings, certificates: Certificates, security: Any) -> None:
    inbox = Inbox()
    with smtp(inbox, certificates.good, at_once=security == "tls") as port:
        server = Outgoing("127.0.0.1", port, security, "me", "correct horse")
        send(composed(full), server, context=trusted(certificates))
    assert inbox.logins == [(b"me", b"correct horse")]
    assert len(inbox.mail) == 1


def test_a_password_beyond_ascii_logs_in(full: Findings, certificates: Certificates) -> None:
    inbox = Inbox()
    with smtp(inbox, certificates.good, at_once=True) as port:
        server = Outgoing("127.0.0.1", port, "tls", "me", "grüner Käse")
        send(composed(full), server, context=trusted(certificates))
    assert inbox.logins == [(b"me", "grüner Käse".encode())]
    assert len(inbox.mail) == 1


@pytest.mark.parametrize("password", [CANARY, f"{CANARY}ä"])
def test_a_server_that_repeats_the_login_does_not_make_us_show_it(
    full: Findings, certificates: Certificates, password: str
) -> None:
    with smtp(Parrot(), certificates.good, at_once=True) as port:
        server = Outgoing("127.0.0.1", port, "tls", "me", password)
        with pytest.raises(CredentialsError, match="what is <AUTH PLAIN …>") as caught:
            send(composed(full), server, context=trusted(certificates))
    assert b64encode(f"\0me\0{password}".encode()).decode() not in str(caught.value)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_nothing_is_sent_to_a_server_that_cannot_prove_who_it_is(
    full: Findings, certificates: Certificates, security: Any
) -> None:
    inbox = Inbox()
    with smtp(inbox, certificates.good, at_once=security == "tls") as port:
        server = Outgoing("127.0.0.1", port, security, "me", CANARY)
        with pytest.raises(TLSError, match="cannot prove who it is") as caught:
            send(composed(full), server)
    assert (inbox.logins, inbox.mail) == ([], [])
    assert CANARY not in str(caught.value)


def test_without_starttls_nothing_is_sent(full: Findings) -> None:
    inbox = Inbox()
    with smtp(inbox, None) as port, pytest.raises(TLSError, match="offers no STARTTLS"):
        send(composed(full), Outgoing("127.0.0.1", port, "starttls", "me", CANARY))
    assert (inbox.logins, inbox.mail) == ([], [])


def test_a_recipient_who_is_refused_is_named_with_the_servers_words(full: Findings) -> None:
    with (
        smtp(Inbox(), None) as port,
        pytest.raises(NetworkError, match=r"does not take mail for nobody@.*550") as caught,
    ):
        send(composed(full, to="nobody@example.org"), Outgoing("127.0.0.1", port, "none"))
    assert "\x1b" not in str(caught.value)


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    message = compose_plain("x", "x", sender="a@x.org", to="b@x.org", now=NOW)
    with pytest.raises(NetworkError, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        send(message, Outgoing("127.0.0.1", port, "none"))


def test_a_server_that_hangs_up_is_no_bug() -> None:
    message = compose_plain("x", "x", sender="a@x.org", to="b@x.org", now=NOW)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        thread = threading.Thread(target=lambda: mute.accept()[0].close())
        thread.start()
        with pytest.raises(NetworkError, match="cannot be reached or does not go on"):
            send(message, Outgoing("127.0.0.1", mute.getsockname()[1], "none"))
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(27, 31, 38)")])
def test_it_is_read_on_a_telephone_in_light_and_dark(
    browser: Browser, full: Findings, tmp_path: Any, scheme: Any, paper: str
) -> None:
    file = tmp_path / "digest.html"
    long = replace(full.senders[0], name="x" * 400)
    file.write_text(mail.render(replace(full, senders=(long, *full.senders))), "utf-8")
    misdeeds: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.on("request", lambda request: None if request.url == file.as_uri() else misdeeds.append(request.url))
    page.on("console", lambda message: misdeeds.append(message.text))
    page.on("dialog", lambda dialog: (misdeeds.append("dialog"), dialog.dismiss()))
    page.goto(file.as_uri())
    assert misdeeds == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    assert [heading.inner_text() for heading in page.query_selector_all("h2")] == [
        *("Went wrong", "Waits for an answer", "Unusual days", "New senders", "Words that begin to rise"),
    ]
    page.close()
