"""`inboxstats account login`: sign in at Google or Microsoft with a browser, once; the refresh token stays."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from inboxstats.cli.accounts import Job, declared_jobs, port_of, refuse_plain_text
from inboxstats.cli.oauth import entry_of, registration_of, sign_in_of
from inboxstats.cli.options import ConfigFile, Verbose, config_path, read_config
from inboxstats.cli.output import complain, say, set_up_logging
from inboxstats.errors import CredentialsError, NetworkError, UsageError

if TYPE_CHECKING:
    from inboxstats.checks.account import Sized
    from inboxstats.oauth import Granted


def login(
    name: Annotated[str, typer.Argument(metavar="ACCOUNT", help='An account of config.toml with auth = "oauth".')],
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Google: open the browser, or only show the address.")
    ] = True,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Google: where the browser comes back, on 127.0.0.1; 0 is any.")
    ] = 0,
    client_secret_command: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Google: prints the client secret; else you are asked.", show_default=False),
    ] = None,
    config: ConfigFile = None,
    verbose: Verbose = 0,
) -> None:
    """Sign in with OAuth: Microsoft with a code for any browser, Google with a browser on this machine.

    Tries the login at the mail server, then keeps the refresh token in the keyring. docs/oauth.md says how to come to
    a client id.
    """
    set_up_logging(verbose)
    (job,) = declared_jobs(read_config(config), [name], config_path(config))
    sign_in(job, browser=browser, port=port, client_secret_command=client_secret_command)


def sign_in(job: Job, *, browser: bool = True, port: int = 0, client_secret_command: str | None = None) -> None:
    """Have a person sign in, try the login, keep the refresh token, show the mailboxes.

    Raises UsageError, CredentialsError, NetworkError, TLSError.
    """
    from inboxstats.cli.checks import sizes
    from inboxstats.oauth.keeping import Kept, keep

    name, account = job.name, job.account
    if account.auth != "oauth":
        raise UsageError(f'[accounts.{name}] logs in by password. Write auth = "oauth" and a client_id there first.')
    if account.password_command:
        raise UsageError(f"[accounts.{name}] has a password_command, which gives the tokens. Take it out to sign in.")
    refuse_plain_text(job, insecure=False)
    client, service = registration_of(name, account)
    secret = _client_secret(job, client_secret_command)
    granted = service.login(client, secret, show=complain, port=port, open_browser=browser)
    if not granted.refresh_token:
        raise CredentialsError("The sign-in gave no refresh token, so it would end within the hour. Nothing is kept.")
    sized: list[Sized] = []
    try:
        sized = _tried(job, granted)
        tried = f"the login at {account.host} works"
    except NetworkError as problem:  # it may be another day's trouble
        complain(str(problem))
        tried = f"the login at {account.host} could not be tried"
    keep(entry_of(job.account), Kept(granted.refresh_token, secret))
    if sized:
        sizes(sized)
    say(f"{name}: signed in, {tried}, and the keyring has the token.")


def _client_secret(job: Job, command: str | None) -> str:
    """Google's programs for the desktop have one, which is none (RFC 8252, section 8.5), and yet must be sent."""
    from inboxstats.credentials.command import first_line, split_command
    from inboxstats.oauth.keeping import kept

    if command is not None:
        return first_line(split_command(command), is_alone=False)
    if sign_in_of(job.account) != "google":
        return ""
    before = kept(entry_of(job.account))
    if before is not None and before.client_secret:
        return before.client_secret
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("Google wants the client secret too. Give a command that prints it: --client-secret-command.")
    from getpass import getpass

    try:
        return getpass(f"Client secret of {job.account.client_id}: ", stream=sys.stderr)
    except EOFError:  # Ctrl-D
        return ""


def _tried(job: Job, granted: "Granted") -> "list[Sized]":
    """Log in with the token, and see what there is.

    Raises CredentialsError where the server refuses it, NetworkError, TLSError.
    """
    from inboxstats.checks.account import survey
    from inboxstats.oauth import Tokens
    from inboxstats.sources.imap import ImapSource, Server

    account = job.account
    server = Server(account.host, port_of(account), account.user, account.security, account.tls_fingerprint)
    mend = f"Did you sign in as {account.user}, and is IMAP switched on? Nothing is kept."
    source = ImapSource(server, Tokens(lambda: granted, mend=mend))
    try:
        source.connect()
        return survey(source, account.mailboxes)
    finally:
        source.close()
