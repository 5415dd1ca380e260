"""Where a digest goes: as a mail to [digest] to, as counts by apprise, as config.toml wants."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inboxstats.cli.accounts import is_loopback
from inboxstats.errors import InboxstatsError, UsageError

if TYPE_CHECKING:  # what sends is imported when there is something to send
    from email.message import EmailMessage

    from inboxstats.archive import Owner
    from inboxstats.config import Config, DigestSettings
    from inboxstats.digest import Findings

Warn = Callable[[str], None]


def my_addresses(config: "Config", owners: "dict[str, Owner]") -> frozenset[str]:
    """My addresses in lower case: `identity`, those that log in, and the digest's own sender."""
    users = [account.user for account in config.accounts.values()] + [owner.user for owner in owners.values()]
    sender = config.digest.sender if config.digest else None
    return frozenset(each.lower() for each in (*config.identity, *users, sender or "") if "@" in each)


def deliver(findings: "Findings", settings: "DigestSettings | None", *, warn: Warn) -> str:
    """Send a digest by all ways that are configured; ``"sent"``, or ``"off"`` where there is none.

    One way's trouble does not stop the other. Raises UsageError, CredentialsError, NetworkError, TLSError.
    """
    from inboxstats.digest.wording import headline

    def mail(sender: str, to: str) -> "EmailMessage":
        from inboxstats.digest.mail import compose

        return compose(findings, sender=sender, to=to, now=datetime.now(UTC))

    return _sent(settings, mail, headline(findings), warn)


def deliver_sentence(sentence: str, settings: "DigestSettings | None", *, warn: Warn) -> str:
    """Send a sentence of our own, without a word from mail, by all ways that are configured. Raises as `deliver`."""

    def mail(sender: str, to: str) -> "EmailMessage":
        from inboxstats.digest.mail import compose_plain

        return compose_plain("inboxstats: the nightly run", sentence, sender=sender, to=to, now=datetime.now(UTC))

    return _sent(settings, mail, sentence, warn)


def _sent(
    settings: "DigestSettings | None", mail: "Callable[[str, str], EmailMessage]", counts: str, warn: Warn
) -> str:
    ways: list[Callable[[], None]] = []
    if settings is not None and (to := settings.to) is not None:
        ways.append(lambda: _send_mail(mail(settings.sender or to, to), settings, warn))
    if settings is not None and (settings.notify or settings.notify_command):
        ways.append(lambda: _push(counts, settings, warn))
    problems = []
    for way in ways:
        try:
            way()
        except InboxstatsError as problem:
            problems.append(problem)
    for other in problems[1:]:
        warn(str(other))
    if problems:
        raise problems[0]
    return "sent" if ways else "off"


def _send_mail(message: "EmailMessage", settings: "DigestSettings", warn: Warn) -> None:
    from inboxstats.credentials import Login, keyring, password_for
    from inboxstats.digest.mail import PORTS, Outgoing, send

    host, user = settings.smtp_host, settings.smtp_user
    if host is None:
        raise UsageError("[digest] smtp_host is missing. Name the server that takes your outgoing mail.")
    if settings.smtp_security == "none" and not is_loopback(host):
        raise UsageError(
            f'[digest] smtp_security = "none" would send your mail to {host} for everyone to read. Use tls or starttls.'
        )
    password = None
    if user is not None:
        # INBOXSTATS_PASSWORD names no server: it is an account's, and is never sent to another one's.
        ways = f"[digest] smtp_password_command, or by `keyring set {keyring.SERVICE} {user}@{host}`"
        login = Login(host, user, "smtp", settings.smtp_password_command, is_only=False, ways=ways)
        password = password_for(login, warn=warn)
    port = settings.smtp_port or PORTS[settings.smtp_security]
    send(message, Outgoing(host, port, settings.smtp_security, user, password))


def _push(counts: str, settings: "DigestSettings", warn: Warn) -> None:
    from inboxstats.digest import push

    push.push(counts, push.addresses(settings.notify_command, warn))
