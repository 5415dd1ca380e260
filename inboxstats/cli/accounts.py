"""Which accounts a command is about: one that its options describe, or those of config.toml."""

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inboxstats.cli.asking import secret_asker
from inboxstats.cli.oauth import tokens_of
from inboxstats.cli.output import complain
from inboxstats.dialling import Dialled
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # what speaks to a server is imported when there is something to say
    from inboxstats.archive import Owner
    from inboxstats.bandwidth import Bandwidth
    from inboxstats.config import Account, Config
    from inboxstats.credentials import Login, Way
    from inboxstats.oauth import Tokens
    from inboxstats.sources.imap import ImapSource, Server


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
    refuse_no_host(host)
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
        tls_fingerprint=fingerprint_option(tls_fingerprint),
        password_command=command,
    )
    return Job(user if "@" in user else f"{user}@{host}", account, declared=False)


def refuse_no_host(host: str) -> None:
    """A port, an address of a page or a bracket in it would only not be found later. Raises UsageError."""
    if re.fullmatch(r"[^:/]+:\d+", host):
        raise UsageError(
            f"--host {host} holds a port. Write --host {host.partition(':')[0]} --port {host.partition(':')[2]}."
        )
    if re.search(r"[\s/@\[\]]", host):
        raise UsageError(
            f"--host {host} is no name of a server. Write it alone, as in imap.example.org or ::1, a port by --port."
        )


def fingerprint_option(text: str | None) -> str | None:
    """What --tls-fingerprint says, as config.toml has it. Raises UsageError."""
    from inboxstats.config import known_fingerprint

    try:
        return None if text is None else known_fingerprint(text)
    except ValueError as problem:
        raise UsageError(f"--tls-fingerprint: {problem}.") from problem


A_SERVER = "; or give --host and --user"


def declared_jobs(config: "Config", wanted: list[str], path: Path, *, instead: str = "") -> list[Job]:
    """The accounts of config.toml (at `path`) that are wanted, or all. Raises UsageError.

    instead -- what else a command takes, where there is no account
    """
    if not config.accounts:
        raise UsageError(f"There is no account. `inboxstats account add` writes one into {path}{instead}.")
    if unknown := [name for name in wanted if name not in config.accounts]:
        raise UsageError(f"{path} has no account {unknown[0]!r}. There are: {', '.join(config.accounts)}.")
    names = list(dict.fromkeys(wanted)) or list(config.accounts)
    return [Job(name, config.accounts[name], declared=True, of=len(names)) for name in names]


def refuse_plain_text(job: Job, *, insecure: bool) -> None:
    """A password goes in the clear to this machine alone, unless the user insists. Raises UsageError."""
    account = job.account
    refuse_plain_text_to(account.host, account.security, account.tls_fingerprint, insecure=insecure)


def refuse_plain_text_to(host: str, security: str, tls_fingerprint: str | None, *, insecure: bool) -> None:
    """`refuse_plain_text` for a server that is no account yet."""
    if security == "none" and tls_fingerprint is not None:
        raise UsageError("--tls-fingerprint pins a certificate, and --security none uses none. Use tls or starttls.")
    if security == "none" and not insecure and not is_loopback(host):
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


def server_of(account: "Account") -> "Server":
    """Where the account's mail is, and as whom to log in."""
    from inboxstats.sources.imap import Server

    return Server(account.host, port_of(account), account.user, account.security, account.tls_fingerprint)


def login_of(job: Job) -> "Login":
    """Whose secret is wanted."""
    from inboxstats.credentials import Login

    return Login(job.account.host, job.account.user, job.name, job.account.password_command, is_only=job.of == 1)


@contextlib.contextmanager
def dialling(jobs: Iterable[Job]) -> Iterator[list[Dialled]]:
    """A connection to each account's server, which opens while the rest gets ready. Closes what nobody took."""
    dialled = [Dialled(job.account.host, port_of(job.account)) for job in jobs]
    try:
        yield dialled
    finally:
        for each in dialled:
            each.close()


def source_of(
    job: Job, *, bandwidth: "Bandwidth | None" = None, quiet: bool, dialled: Dialled | None = None
) -> "ImapSource":
    """The account's mail on its server, not logged in yet. Raises CredentialsError."""
    return source_and_way(job, bandwidth=bandwidth, quiet=quiet, dialled=dialled)[0]


def source_and_way(
    job: Job, *, bandwidth: "Bandwidth | None" = None, quiet: bool, dialled: Dialled | None = None
) -> tuple["ImapSource", "Way"]:
    """The account's mail on its server, not logged in yet, and where its secret came from. Raises CredentialsError."""
    # Meanwhile the keyring, or a command, is asked, which is another process.
    threading.Thread(target=import_module, args=("inboxstats.sources.imap",), daemon=True).start()
    from inboxstats.credentials import secret_for

    account = job.account
    credential: str | Tokens
    way: Way
    if account.auth == "oauth":
        credential, way = tokens_of(job.name, account), "command" if account.password_command else "keyring"
    else:
        secret = secret_for(login_of(job), ask=secret_asker(), warn=(lambda _: None) if quiet else complain)
        credential, way = secret.text, secret.way
    from inboxstats.sources.imap import ImapSource

    return ImapSource(server_of(account), credential, bandwidth, dialled=dialled), way


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
