"""The digest as a mail, plain text beside HTML, and the SMTP server that takes it."""

import smtplib
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Literal

import jinja2

from inboxstats import charts
from inboxstats.digest import Findings
from inboxstats.digest.wording import headline, period, sections, text
from inboxstats.errors import CredentialsError, NetworkError, TLSError
from inboxstats.visible import visible, without_secret

PORTS = {"tls": 465, "starttls": 587, "none": 25}

NAME = "[127.0.0.1]"
"""By which we greet: this machine's own name is nobody's business, and to find it out can take long."""

PATIENCE = 60.0
"""Seconds for each answer of the server."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("inboxstats.digest"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The server for outgoing mail. Without a user nobody logs in."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def compose(findings: Findings, *, sender: str, to: str, now: datetime) -> EmailMessage:
    """The mail. No header holds a word from mail, so none can be broken by one.

    Auto-Submitted keeps out-of-office programs from answering (RFC 3834, section 5).
    """
    lines = "\n".join(
        [*text(findings), "", "-- ", "inboxstats, on your own machine. docs/nightly.md says what counts."]
    )
    return _message(f"inboxstats: {headline(findings)}", lines, render(findings), sender=sender, to=to, now=now)


def compose_plain(subject: str, sentence: str, *, sender: str, to: str, now: datetime) -> EmailMessage:
    """A mail of one sentence of our own, for a run that could not make a digest."""
    return _message(subject, sentence, None, sender=sender, to=to, now=now)


def _message(subject: str, lines: str, html: str | None, *, sender: str, to: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = sender
    message["To"] = to
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    # Lines of mail may be long, and not every server takes eight bits.
    message.set_content(lines + "\n", cte="quoted-printable")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def render(findings: Findings) -> str:
    """The HTML: no script, no request to anywhere, light and dark."""
    return _TEMPLATES.get_template("digest.html").render(
        headline=headline(findings),
        period=period(findings),
        sections=sections(findings),
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def send(message: EmailMessage, server: Outgoing, *, context: ssl.SSLContext | None = None) -> None:
    """Hand the mail to the server, over a verified channel unless `security` is none.

    Raises CredentialsError, NetworkError, TLSError.
    """
    where = f"{server.host}:{server.port}"
    try:
        with _connected(server, context or ssl.create_default_context()) as client:
            if server.user is not None and server.password is not None:
                _login(client, server.user, server.password)
            client.send_message(message)
    except smtplib.SMTPAuthenticationError as problem:
        said = without_secret(_answer(problem), server.password or "")
        raise CredentialsError(
            f"{where} refuses the login of {server.user} ({said}). Check smtp_user and the password; "
            "many providers want an app password here, too."
        ) from None
    except (ssl.SSLError, ssl.CertificateError) as problem:
        reason = getattr(problem, "verify_message", None) or getattr(problem, "reason", None) or "no TLS"
        raise TLSError(
            f"{where} cannot prove who it is ({reason}); nothing was sent. Check smtp_host, smtp_port, smtp_security."
        ) from problem
    except smtplib.SMTPRecipientsRefused as problem:
        answers = "; ".join(
            f"{code} {visible(text.decode(errors='replace'))}" for code, text in problem.recipients.values()
        )
        raise NetworkError(f"{where} does not take mail for {message['To']}: {answers}. Check [digest] to.") from None
    except smtplib.SMTPResponseException as problem:
        raise NetworkError(f"{where} does not take the mail: {_answer(problem)}.") from None
    except smtplib.SMTPNotSupportedError as problem:
        if server.security == "starttls":
            raise TLSError(f'{where} offers no STARTTLS; nothing was sent. Use smtp_security = "tls".') from problem
        raise NetworkError(f"{where}: {visible(str(problem))}") from problem
    except (smtplib.SMTPException, OSError) as problem:
        reason = visible(getattr(problem, "strerror", None) or str(problem)) or type(problem).__name__
        raise NetworkError(
            f"{where} cannot be reached or does not go on: {reason}. The next night sends it."
        ) from problem


def _connected(server: Outgoing, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, NAME, timeout=PATIENCE, context=context)
    client = smtplib.SMTP(server.host, server.port, NAME, timeout=PATIENCE)
    if server.security == "starttls":
        try:
            client.starttls(context=context)
        except BaseException:
            client.close()
            raise
        client.ehlo()  # what was offered before counts no longer
    return client


def _login(client: smtplib.SMTP, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        client.login(user, password)
        return
    # smtplib's own login knows ASCII alone; PLAIN is UTF-8 (RFC 4616).
    client.ehlo_or_helo_if_needed()
    plain = b64encode(f"\0{user}\0{password}".encode()).decode()
    code, said = client.docmd("AUTH", f"PLAIN {plain}")
    if code != 235:  # RFC 4954, section 6
        raise smtplib.SMTPAuthenticationError(code, said)


def _answer(problem: smtplib.SMTPResponseException) -> str:
    said = problem.smtp_error
    return visible(f"{problem.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}")
