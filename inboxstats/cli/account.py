"""`inboxstats account`: list, test and remove accounts of config.toml; `account_add` adds, `account_login` signs in."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inboxstats.cli.account_add import add
from inboxstats.cli.account_login import login
from inboxstats.cli.accounts import (
    Job,
    declared_jobs,
    login_of,
    port_of,
    refuse_plain_text,
    server_of,
    source_and_way,
)
from inboxstats.cli.asking import confirm, is_anybody_there
from inboxstats.cli.oauth import entry_of
from inboxstats.cli.options import (
    Accounts,
    ArchiveFolder,
    ConfigFile,
    Insecure,
    Json,
    Quiet,
    Verbose,
    archive_path,
    config_path,
    read_config,
)
from inboxstats.cli.output import complain, console, say, say_json, set_up_logging, stdout_errors
from inboxstats.errors import CredentialsError, UsageError
from inboxstats.visible import visible

if TYPE_CHECKING:  # what looks at a server is imported when there is something to look at
    from inboxstats.archive import Archive
    from inboxstats.checks import Check
    from inboxstats.config import Account
    from inboxstats.credentials import Way
    from inboxstats.sources.imap import ImapSource

SCHEMA_VERSION = 1
"""Of the --json objects."""

app = typer.Typer(
    help="The accounts of config.toml: add, sign in, list, test, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("add")(add)
app.command("login")(login)


@app.command("list")
def list_accounts(config: ConfigFile = None, json: Json = False) -> None:
    """List the accounts, where their mail is and where their secret comes from. Asks no server."""
    accounts = read_config(config).accounts
    if json:
        rows = [_row(name, account) for name, account in accounts.items()]
        say_json({"schema_version": SCHEMA_VERSION, "accounts": rows})
        return
    if not accounts:
        say(f"There is no account in {config_path(config)}. `inboxstats account add` makes one.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("account", "user", "server", "mailboxes", "secret"):
        table.add_column(title, overflow="fold")
    for name, account in accounts.items():
        server = f"{account.host}:{port_of(account)} {account.security}"
        cells = (name, account.user, server, ", ".join(account.mailboxes), _secret(account))
        table.add_row(*map(visible, cells))
    with stdout_errors():
        console().print(table)


def _row(name: str, account: "Account") -> dict[str, Any]:
    return {
        "account": name,
        "host": account.host,
        "port": port_of(account),
        "user": account.user,
        "security": account.security,
        "mailboxes": list(account.mailboxes),
        "auth": account.auth,
        "secret": "command" if account.password_command else "keyring",
    }


def _secret(account: "Account") -> str:
    # The program alone: its arguments may say more than a list should.
    way = f"command {account.password_command[0]}" if account.password_command else "keyring"
    return f"OAuth token: {way}" if account.auth == "oauth" else way


@app.command("test")
def try_accounts(
    accounts: Accounts = None,
    as_scheduled: Annotated[
        bool, typer.Option("--as-scheduled", help="As a timer would: no session, no agents, no terminal, a bare PATH.")
    ] = False,
    insecure: Insecure = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Try the secret, the channel, the login and the mailboxes of accounts. Changes nothing, and fetches nothing."""
    from inboxstats.checks import worst
    from inboxstats.cli import checks

    set_up_logging(verbose)
    jobs = declared_jobs(read_config(config), accounts or [], config_path(config))
    if as_scheduled:
        options = ["--config", str(config_path(config).resolve()), *(["--insecure"] if insecure else [])]
        made = checks.as_scheduled(["account", "test", *options], [job.name for job in jobs])
        checks.shown(made, silent=json or quiet)
    else:
        made = checks.shown(
            (check for job in jobs for check in account_checks(job, insecure=insecure)), silent=json or quiet
        )
    if json:
        rows = [checks.row(check) for check in made]
        say_json({"schema_version": SCHEMA_VERSION, "exit_code": int(worst(made)), "checks": rows})
    raise typer.Exit(worst(made))


def account_checks(job: Job, *, insecure: bool, keep: Any = lambda _: None) -> Iterator["Check"]:
    """The checks of an account of config.toml."""
    from inboxstats.checks.account import Account, of_account

    def login() -> tuple["ImapSource", "Way"]:
        refuse_plain_text(job, insecure=insecure)
        return source_and_way(job, quiet=False)

    return of_account(Account(job.name, server_of(job.account), job.account.mailboxes, login), keep)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name, as `account list` shows it.")],
    archive_too: Annotated[
        bool | None,
        typer.Option(
            "--delete-archive/--keep-archive", help="Its fetched mail, too. Default: asked.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; the archive stays unless said.")] = False,
    archive: ArchiveFolder = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Take an account out of config.toml and its secret out of the keyring. Its fetched mail is another question."""
    from inboxstats import config_edit

    configuration = read_config(config)
    path = config_path(config)
    kept = _archived(archive_path(archive, configuration), name)
    job = next((job for job in _jobs(configuration.accounts) if job.name == name), None)
    if job is None and kept is None:
        declared_jobs(configuration, [name], path)  # says what there is
    if job is not None and not yes and not confirm(f"Remove the account {name} from {path}?", option="--yes"):
        raise UsageError("Nothing was removed.")
    is_open = archive_too is None and is_anybody_there() and not yes
    if kept is not None and (is_open or (job is None and archive_too and not yes)):
        question = f"Delete its fetched mail in {kept.path}, too? There may be no other copy"
        if job is None:
            question = f"Delete the mail of {name} in {kept.path}? There may be no other copy"
        archive_too = confirm(question, option="--delete-archive or --keep-archive" if is_open else "--yes")
    if job is None and not archive_too:
        raise UsageError(f"{path} has no account {name}; only its mail is left. Say --delete-archive to delete that.")
    if kept is not None and archive_too:
        with kept.lock():
            kept.forget(name)
    if job is not None:
        config_edit.remove_account(path, name)
        _forget_secret(job, list(configuration.accounts.values()))
    if not quiet:
        mail = "" if kept is None else " Its mail is deleted." if archive_too else f" Its mail stays in {kept.path}."
        say(f"Removed {name}.{mail}")
        if list(configuration.accounts) == [name] and _has_timer():
            say("No account is left, and the timer still runs: inboxstats schedule remove")


def _has_timer() -> bool:
    from inboxstats import schedule

    return schedule.find() is not None


def _jobs(accounts: "dict[str, Account]") -> list[Job]:
    return [Job(name, account, declared=True) for name, account in accounts.items()]


def _archived(path: Path, name: str) -> "Archive | None":
    """The archive, where it has mail of that account."""
    from inboxstats.archive import Archive, is_archive

    if not is_archive(path):
        return None
    archive = Archive.open(path)
    return archive if name in archive.owners else None


def _forget_secret(job: Job, accounts: "list[Account]") -> None:
    """Remove the keyring's entry, unless another account has the same login. What fails is said, and no more."""
    from inboxstats.credentials import keyring
    from inboxstats.oauth.keeping import forget

    login = (job.account.user, job.account.host)
    same = [each for each in accounts if (each.user, each.host) == login and not each.password_command]
    if len(same) > 1 or job.account.password_command:
        return
    try:
        keyring.remove(login_of(job).entry)
        if job.account.auth == "oauth":
            forget(entry_of(job.account))
    except CredentialsError as problem:
        complain(str(problem))
