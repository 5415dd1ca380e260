"""`inboxstats account add`: from an address to an account that has been logged in to.

Asks at a terminal for what no option says; elsewhere a missing answer is a usage error.
"""

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inboxstats.cli.account_login import sign_in as sign_in_now
from inboxstats.cli.account_oauth import Auth, Authority, ClientId, GivenOAuth, SignIn, Tenant
from inboxstats.cli.account_place import Given, Place, checked_address, explain, placed
from inboxstats.cli.accounts import (
    Job,
    fingerprint_option,
    login_of,
    refuse_no_host,
    refuse_plain_text_to,
    server_of,
    source_and_way,
)
from inboxstats.cli.asking import ask, is_anybody_there, piped_password, secret_asker
from inboxstats.cli.options import (
    ConfigFile,
    Insecure,
    Json,
    PasswordCommand,
    Quiet,
    TlsFingerprint,
    Verbose,
    writable_config_path,
)
from inboxstats.cli.output import complain, counted, megabytes, say, say_json, set_up_logging
from inboxstats.errors import CredentialsError, UsageError

if TYPE_CHECKING:  # what looks at a server is imported when there is something to look at
    from inboxstats.checks.account import Sized
    from inboxstats.config import Account
    from inboxstats.sources.imap import ImapSource

SCHEMA_VERSION = 1
"""Of the --json object."""

TRIES = 3
"""How often a person may mistype a password."""


@dataclass(frozen=True, slots=True)
class _LoggedIn:
    """What a login showed. `secret` is to be stored in the keyring."""

    way: str | None = None
    secret: str | None = field(default=None, repr=False)
    sized: "tuple[Sized, ...]" = ()


def add(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="The mail address. Asked at a terminal.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the account is called. Default: the address.", show_default=False)
    ] = None,
    host: Annotated[str | None, typer.Option(help="IMAP server. Default: found by the address.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default 993 for tls, else 143.")] = None,
    user: Annotated[str | None, typer.Option(help="Login name. Default: the address.", show_default=False)] = None,
    security: Annotated[
        Literal["tls", "starttls", "none"] | None,
        typer.Option(help="With --host. none: loopback only, else --insecure."),
    ] = None,
    tls_fingerprint: TlsFingerprint = None,
    password_command: PasswordCommand = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, and keep it in the keyring.")
    ] = False,
    auth: Auth = None,
    client_id: ClientId = None,
    sign_in: SignIn = None,
    tenant: Tenant = None,
    authority: Authority = None,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="GLOB", help="What to fetch, as often as you like; default INBOX."),
    ] = None,
    no_login: Annotated[bool, typer.Option("--no-login", help="Write it down without trying the login.")] = False,
    replace_it: Annotated[bool, typer.Option("--replace", help="Change an account that is there.")] = False,
    dns: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS[:PORT]", envvar="INBOXSTATS_DNS", help="Ask this DNS server.", show_default=False
        ),
    ] = None,
    insecure: Insecure = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Find an address's server, try the login, show the mailboxes, and write the account into config.toml.

    The password goes into the keyring, unless --password-command prints it. It is asked at a terminal, or comes from
    --password-stdin, systemd's credentials, the keyring, or INBOXSTATS_PASSWORD, which is tried and not kept.
    """
    from inboxstats import config as configs
    from inboxstats.credentials import split_command

    set_up_logging(verbose)
    silent = json or quiet
    path = writable_config_path(config)
    known = configs.read(path)
    address = checked_address(address or ask("Mail address", option="giving the address"))
    name = address if name is None else name
    if not name or not name.isprintable():
        raise UsageError("--name is empty, or has characters that cannot be typed.")
    if name in known.accounts and not replace_it:
        raise UsageError(f"{path} has an account {name!r} already. Say --replace to change it, or another --name.")
    if password_stdin and password_command is not None:
        raise UsageError("Give either --password-command or --password-stdin, not both.")
    command = () if password_command is None else split_command(password_command)
    oauth = GivenOAuth(auth, client_id, sign_in, tenant, authority)
    given = Given(host, port, security, fingerprint_option(tls_fingerprint), dns)
    if host is not None:
        refuse_no_host(host)
        refuse_plain_text_to(host, security or "tls", given.fingerprint, insecure=insecure)
    place = placed(address, given, silent=silent, no_login=no_login)
    if not silent:
        explain(place)
    is_oauth = oauth.is_wanted(by_provider=place.provider.wants == "oauth")
    if is_oauth and password_stdin:
        raise UsageError("OAuth takes no password. Leave --password-stdin out.")
    account = _account(place, user or address, command, mailbox)
    if is_oauth:
        account = oauth.applied(account)
    job = Job(name, account, declared=True)
    piped = piped_password() if password_stdin else None
    if no_login or (is_oauth and not command):
        done = _LoggedIn(secret=piped)
    else:
        job, done = _with_token(job) if is_oauth else _logged_in(job, piped, silent=silent)
        job = _with_mailboxes(job, done.sized, said=mailbox is not None, silent=silent)
    _store(path, job, done.secret, replace_it=replace_it)
    if json:
        say_json({"schema_version": SCHEMA_VERSION, "config": str(path), **_row(job, place, done)})
    elif not quiet:
        kept = ", its password into the keyring" if done.secret is not None else ""
        signs_in = is_oauth and not command
        following = "account login" if signs_in else "account test" if is_oauth and no_login else "fetch"
        say(f"Wrote the account {name} into {path}{kept}. Next: inboxstats {following} {shlex.quote(name)}")
        if signs_in and not no_login and is_anybody_there():
            sign_in_now(job)


def _account(place: Place, user: str, password_command: tuple[str, ...], mailbox: list[str] | None) -> "Account":
    from inboxstats.config import DEFAULT_PORTS, Account

    if not user.isprintable():
        raise UsageError("--user has characters that cannot be typed. Write it anew.")
    return Account(
        host=place.host,
        port=None if place.port == DEFAULT_PORTS[place.security] else place.port,
        user=user,
        security=place.security,
        tls_fingerprint=place.fingerprint,
        password_command=password_command,
        mailboxes=tuple(mailbox or ("INBOX",)),
    )


def _logged_in(job: Job, piped: str | None, *, silent: bool) -> tuple[Job, _LoggedIn]:
    """The account, with a password command where a person gave one, and what the login showed.

    Raises CredentialsError, NetworkError, TLSError.
    """
    from inboxstats.checks.account import survey
    from inboxstats.credentials import Secret, keyring, secret_for

    asker = secret_asker()
    is_kept = True
    if piped is None and asker is not None and not job.account.password_command:
        found = keyring.get(login_of(job).entry)
        is_kept = found.usable
        if not found.usable and (command := _asked_for_command(found.trouble)):
            job = replace(job, account=replace(job.account, password_command=command))
    if piped is not None and not (found := keyring.get(login_of(job).entry)).usable:
        raise CredentialsError(f"The password cannot be kept: {found.trouble} {keyring.ELSEWHERE}")
    for tried in range(1, TRIES + 1):
        if piped is not None:
            secret = Secret(piped, "prompt")
        elif tried > 1 and asker is not None:
            secret = Secret(asker(f"Password for {job.account.user}: "), "prompt")
        else:
            secret = secret_for(login_of(job), ask=asker, warn=(lambda _: None) if silent else complain)
        source = _source(job, secret.text)
        try:
            source.connect()
        except CredentialsError as refused:
            if asker is None or piped is not None or secret.way not in ("prompt", "keyring") or tried == TRIES:
                raise
            complain(str(refused))
            continue
        try:
            sized = tuple(survey(source, job.account.mailboxes))
        finally:
            source.close()
        is_typed = secret.way == "prompt"
        if is_typed and not is_kept:
            complain("The password is not kept anywhere: it will be asked for at each run.")
        return job, _LoggedIn(secret.way, secret.text if is_typed and is_kept else None, sized)
    raise AssertionError("unreachable")


def _with_token(job: Job) -> tuple[Job, _LoggedIn]:
    """What the login with the token showed that the account's command prints. Raises as `_logged_in`."""
    from inboxstats.checks.account import survey

    source, way = source_and_way(job, quiet=True)
    try:
        source.connect()
        return job, _LoggedIn(way, None, tuple(survey(source, job.account.mailboxes)))
    finally:
        source.close()


def _asked_for_command(trouble: str) -> tuple[str, ...]:
    """What a person gives in the place of a keyring; nothing where they leave it."""
    from inboxstats.credentials import split_command

    complain(f"{trouble[0].upper()}{trouble[1:]} A command that prints the password does as well; docs/headless.md.")
    answer = ask("Command that prints the password, or none", option="--password-command", default="none")
    return () if answer == "none" else split_command(answer)


def _source(job: Job, password: str) -> "ImapSource":
    from inboxstats.sources.imap import ImapSource

    return ImapSource(server_of(job.account), password)


def _with_mailboxes(job: Job, sized: "tuple[Sized, ...]", *, said: bool, silent: bool) -> Job:
    """The account with the mailboxes that a person chooses from the list. Raises UsageError for others."""
    from inboxstats.checks.account import total
    from inboxstats.choosing import chosen
    from inboxstats.cli.checks import sizes

    there = [each.mailbox for each in sized]
    if not silent:
        sizes(list(sized))
    patterns = job.account.mailboxes
    if not said and is_anybody_there() and not silent:
        answer = ask("Which of them to fetch, with commas between (* is all)", option="--mailbox", default="INBOX")
        patterns = tuple(part.strip() for part in answer.split(",") if part.strip())
    wanted = {box.name for box in chosen(there, patterns)}
    extent = total([replace(each, is_wanted=each.mailbox.name in wanted) for each in sized])
    if not silent:
        size = "" if extent.size is None else f" ({'about ' * extent.is_estimate}{megabytes(extent.size)})"
        messages = counted(extent.messages or 0, "message")
        say(f"To fetch: {messages}{size} in {counted(len(wanted), 'mailbox', 'mailboxes')}.")
    return replace(job, account=replace(job.account, mailboxes=patterns))


def _store(path: Path, job: Job, secret: str | None, *, replace_it: bool) -> None:
    """The secret first: an account without one is of no use. Raises CredentialsError, UsageError, StorageError."""
    from inboxstats import config_edit
    from inboxstats.config import Account, as_toml
    from inboxstats.credentials import keyring

    if secret is not None:
        keyring.store(login_of(job).entry, secret)
    defaults = as_toml(Account(host="", user=""))
    account = {name: value for name, value in as_toml(job.account).items() if value != defaults[name]}
    config_edit.add_account(path, job.name, account, replace=replace_it)


def _row(job: Job, place: Place, done: _LoggedIn) -> dict[str, Any]:
    from inboxstats.globs import matches

    patterns = job.account.mailboxes
    return {
        "account": job.name,
        "host": place.host,
        "port": place.port,
        "user": job.account.user,
        "security": place.security,
        "provider": place.provider.name,
        "found_by": place.how,
        "secret": "keyring" if done.secret is not None else done.way,
        "mailboxes": [
            {
                "name": each.mailbox.name,
                "messages": each.extent.messages,
                "bytes": each.extent.size,
                "is_estimate": each.extent.is_estimate,
                "fetched": any(matches(each.mailbox.name, pattern) for pattern in patterns),
            }
            for each in done.sized
        ],
    }
