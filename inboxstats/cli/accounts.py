"""Which accounts a command is about: one that its options describe, or those of config.toml."""

import re
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inboxstats.cli.output import complain
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # pydantic takes 70 ms; what speaks to a server is imported when there is something to say
    from inboxstats.archive import Owner
    from inboxstats.bandwidth import Bandwidth
    from inboxstats.config import Account, Config
    from inboxstats.sources.imap import ImapSource


@dataclass(frozen=True, slots=True)
class Job:
    """One account to fetch, out of `of`. `declared` ones stand in config.toml, and may join an archive of others."""

    name: str
    account: "Account"
    declared: bool
    of: int = 1


def adhoc_job(
    host: str | None,
    port: int | None,
    user: str | None,
    security: Literal["tls", "starttls", "none"],
    password_command: str | None,
    tls_fingerprint: str | None = None,
) -> Job | None:
    """The account that --host and --user describe, if they do. Raises UsageError."""
    from inboxstats.config import Account
    from inboxstats.credentials import split_command

    if host is None:
        if any(each is not None for each in (user, port, password_command, tls_fingerprint)):
            raise UsageError("--host is missing. Give it together with --user, or write an account into config.toml.")
        return None
    if not host:
        raise UsageError("--host is empty. Give the name of the IMAP server.")
    if re.fullmatch(r"[^:]+:\d+", host):
        raise UsageError(
            f"--host {host} holds a port. Write --host {host.partition(':')[0]} --port {host.partition(':')[2]}."
        )
    if not user:
        raise UsageError(f"--user is missing. Give the login name at {host}, mostly the address.")
    for name, value in (("--host", host), ("--user", user)):
        if not value.isprintable():  # bytes of the command line that are no UTF-8 become lone surrogates, too
            raise UsageError(f"{name} has characters that cannot be typed. Write it anew.")
    command = split_command(password_command) if password_command is not None else ()
    account = Account(
        host=host,
        user=user,
        port=port,
        security=security,
        tls_fingerprint=_fingerprint(tls_fingerprint),
        password_command=command,
    )
    return Job(user if "@" in user else f"{user}@{host}", account, declared=False)


def _fingerprint(text: str | None) -> str | None:
    from inboxstats.config import known_fingerprint

    try:
        return None if text is None else known_fingerprint(text)
    except ValueError as problem:
        raise UsageError(f"--tls-fingerprint: {problem}.") from problem


def declared_jobs(config: "Config", wanted: list[str], path: Path) -> list[Job]:
    """The accounts of config.toml (at `path`) that are wanted, or all. Raises UsageError."""
    if not config.accounts:
        raise UsageError(f"There is no account. Give --host and --user, or write [accounts.NAME] into {path}.")
    if unknown := [name for name in wanted if name not in config.accounts]:
        raise UsageError(f"{path} has no account {unknown[0]!r}. There are: {', '.join(config.accounts)}.")
    names = list(dict.fromkeys(wanted)) or list(config.accounts)
    return [Job(name, config.accounts[name], declared=True, of=len(names)) for name in names]


def refuse_plain_text(job: Job, *, insecure: bool) -> None:
    """A password goes in the clear to this machine alone, unless the user insists. Raises UsageError."""
    host = job.account.host
    if job.account.security == "none" and job.account.tls_fingerprint is not None:
        raise UsageError("--tls-fingerprint pins a certificate, and --security none uses none. Use tls or starttls.")
    if job.account.security == "none" and not insecure and not _is_loopback(host):
        raise UsageError(
            f"--security none would send the password to {host} for everyone to read. Use tls or starttls; "
            "if you must, say --insecure."
        )


def owner_of(job: Job) -> "Owner":
    """Whose mail the account is."""
    from inboxstats.archive import Owner

    return Owner(job.account.host, job.account.user)


def port_of(account: "Account") -> int:
    """Where the account's server listens."""
    from inboxstats.config import DEFAULT_PORTS

    return account.port or DEFAULT_PORTS[account.security]


def source_of(job: Job, *, bandwidth: "Bandwidth | None" = None, quiet: bool) -> "ImapSource":
    """The account's mail on its server, not connected yet. Raises CredentialsError."""
    from inboxstats.credentials import Login, password_for
    from inboxstats.sources.imap import ImapSource, Server

    account = job.account
    password = password_for(
        Login(account.host, account.user, job.name, account.password_command, is_only=job.of == 1),
        ask=_ask(),
        warn=(lambda _: None) if quiet else complain,
    )
    server = Server(account.host, port_of(account), account.user, account.security, account.tls_fingerprint)
    return ImapSource(server, password, bandwidth)


def _ask() -> Any:
    """A prompt, where there is a person to answer it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from getpass import getpass

    def ask(prompt: str) -> str:
        try:
            return getpass(prompt, stream=sys.stderr)
        except EOFError:  # Ctrl-D
            return ""

    return ask


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
