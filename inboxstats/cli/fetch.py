"""`inboxstats fetch`: bring what is new from the server into the archive."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inboxstats.abreast import Stop, abreast
from inboxstats.cli.accounts import (
    A_SERVER,
    Job,
    adhoc_job,
    declared_jobs,
    dialling,
    owner_of,
    port_of,
    refuse_plain_text,
    source_of,
)
from inboxstats.cli.options import (
    Accounts,
    ArchiveFolder,
    Bandwidth,
    ConfigFile,
    Host,
    Insecure,
    Json,
    NoProgress,
    PasswordCommand,
    Port,
    Quiet,
    Security,
    TlsFingerprint,
    User,
    Verbose,
    Wait,
    archive_path,
    bandwidth_cap,
    config_path,
    day_option,
    read_config,
)
from inboxstats.cli.output import (
    FetchBar,
    bars,
    complain,
    counted,
    megabytes,
    say,
    say_json,
    set_up_logging,
    shows_progress,
)
from inboxstats.cli.storage import opened_archive
from inboxstats.dialling import Dialled
from inboxstats.errors import ExitCode, InboxstatsError, UsageError
from inboxstats.visible import visible

if TYPE_CHECKING:  # what fetches is imported when there is something to fetch
    from inboxstats import bandwidth as bandwidths
    from inboxstats.archive import Archive
    from inboxstats.fetch import Fetched
    from inboxstats.sources.imap import ImapSource

SCHEMA_VERSION = 1
"""Of the --json object."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """What the options say for all accounts of a run; where they say nothing, each account's own settings hold."""

    mailboxes: tuple[str, ...] = ()
    threads: int | None = None
    bandwidth: "bandwidths.Bandwidth | None" = None
    since: date | None = None
    dry_run: bool = False
    headers_first: bool | None = None
    bar: bool = False
    quiet: bool = False


def fetch(
    accounts: Accounts = None,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="GLOB", help="Which mailboxes, as often as you like; default INBOX."),
    ] = None,
    all_mailboxes: Annotated[bool, typer.Option("--all", help="All mailboxes.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            envvar="INBOXSTATS_THREADS",
            help="Connections at most, a thread each; default: what the provider bears, 2 to 8.",
            show_default=False,
        ),
    ] = None,
    bandwidth: Bandwidth = None,
    since: Annotated[datetime | None, day_option("Leave out what the server received before that day (UTC).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what there is to fetch.")] = False,
    headers_first: Annotated[
        bool | None,
        typer.Option(
            "--headers-first/--no-headers-first",
            help="All headers before any text, for an early report; default: where the text takes over two minutes.",
            show_default=False,
        ),
    ] = None,
    archive: ArchiveFolder = None,
    host: Host = None,
    port: Port = None,
    user: User = None,
    security: Security = "tls",
    tls_fingerprint: TlsFingerprint = None,
    password_command: PasswordCommand = None,
    insecure: Insecure = False,
    no_fsync: Annotated[
        bool, typer.Option("--no-fsync", help="Faster, but a power cut may cost mail: for throwaway archives.")
    ] = False,
    wait: Wait = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Bring new mail into the archive, with worker threads. Changes nothing on the server.

    Without a config.toml: --host and --user; the password comes from --password-command, the keyring (service
    inboxstats, user USER@HOST), INBOXSTATS_PASSWORD, or a prompt.
    """
    set_up_logging(verbose)
    if all_mailboxes and mailbox:
        raise UsageError("Give either --all or --mailbox, not both.")
    configuration = read_config(config)
    adhoc = adhoc_job(host, port, user, security, password_command, tls_fingerprint)
    if adhoc and accounts:
        raise UsageError(f"Give either accounts of config.toml ({', '.join(accounts)}) or --host, not both.")
    jobs = [adhoc] if adhoc else declared_jobs(configuration, accounts or [], config_path(config), instead=A_SERVER)
    for job in jobs:
        refuse_plain_text(job, insecure=insecure)
    settings = FetchSettings(
        mailboxes=("*",) if all_mailboxes else tuple(mailbox or ()),
        threads=threads,
        bandwidth=bandwidth_cap(bandwidth, configuration),
        since=since.date() if since else None,
        dry_run=dry_run,
        headers_first=headers_first,
        bar=shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress),
        quiet=quiet,
    )
    rows: list[dict[str, Any]] = [{} for _ in jobs]
    place = archive_path(archive, configuration)
    with (
        dialling(jobs) as dialled,
        opened_archive(place, fsync=not no_fsync, wait=wait, dry_run=dry_run) as opened,
    ):
        for number, row in fetch_accounts(opened, jobs, settings, dialled):
            rows[number] = row
            if not json:
                tell_fetched(row, settings)
    code = max(row["exit_code"] for row in rows)
    if json:
        say_json({"schema_version": SCHEMA_VERSION, "archive": str(opened.path), "exit_code": code, "accounts": rows})
    raise typer.Exit(code)


def fetch_accounts(
    archive: "Archive", jobs: list[Job], settings: FetchSettings, dialled: Sequence[Dialled] = ()
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Fetch the accounts side by side; the rows as they come, or after the progress bars where somebody sees them.

    `dialled` are connections to their servers, where they are being opened already. What goes wrong is told in the
    row, so that one account's trouble does not stop the others.
    """
    # One after the other, as a person may be asked for passwords.
    ready = [_ready(archive, job, settings, opening) for job, opening in zip_longest(jobs, dialled)]
    stop = Stop()
    with bars(shown=settings.bar) as place:
        several = len(jobs) > 1
        calls = [
            partial(
                _fetch_one, archive, job, source, settings, stop,
                FetchBar(
                    shown=False, beside=place, name=job.name if several else "", note=partial(_note, job.name, settings)
                ),
            )
            for job, source in zip(jobs, ready, strict=True)
        ]  # fmt: skip
        # An account alone needs no thread of its own.
        rows = abreast(calls, stop) if several else enumerate(call() for call in calls)
        held = list(rows) if settings.bar else []
        yield from rows
    yield from held


def _ready(
    archive: "Archive", job: Job, settings: FetchSettings, dialled: Dialled | None
) -> "ImapSource | InboxstatsError":
    """The account's mail on its server, once it is clear that it belongs here; or why there is none."""
    try:
        archive.check_owner(job.name, owner_of(job), may_join=job.declared)
        return source_of(job, bandwidth=settings.bandwidth, quiet=settings.quiet, dialled=dialled)
    except InboxstatsError as problem:
        return problem


def _fetch_one(
    archive: "Archive",
    job: Job,
    source: "ImapSource | InboxstatsError",
    settings: FetchSettings,
    stop: Stop,
    bar: FetchBar,
) -> dict[str, Any]:
    began = time.monotonic()
    try:
        if isinstance(source, InboxstatsError):
            raise source
        with bar:
            done = _run(archive, job, source, settings, stop, bar)
    except InboxstatsError as problem:
        return _row(job.name, None, error=problem, code=problem.exit_code, seconds=time.monotonic() - began)
    return _row(job.name, done, error=done.error, code=done.exit_code, seconds=time.monotonic() - began)


def _note(account: str, settings: FetchSettings, text: str) -> None:
    if not settings.quiet:
        complain(f"{account}: {text}")


def _run(
    archive: "Archive", job: Job, source: "ImapSource", settings: FetchSettings, stop: Stop, bar: FetchBar
) -> "Fetched":
    from inboxstats import fetch as fetching
    from inboxstats.providers import provider_of

    account = job.account
    provider = provider_of(account.host, port_of(account))
    return fetching.fetch(
        archive,
        job.name,
        owner_of(job),
        source,
        mailboxes=settings.mailboxes or account.mailboxes,
        threads=settings.threads or account.threads or provider.connections,
        watcher=bar,
        since=settings.since,
        dry_run=settings.dry_run,
        headers_first=settings.headers_first,
        rate=settings.bandwidth.rate if settings.bandwidth else None,
        daily_bytes=provider.daily_bytes if account.daily_megabytes is None else account.daily_megabytes * 1_000_000,
        wait=stop.wait,
        stop=stop,
    )


def _row(
    name: str, done: "Fetched | None", *, error: InboxstatsError | None, code: ExitCode, seconds: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"account": name, "exit_code": int(code), "error": None if error is None else str(error)}
    row["seconds"] = round(seconds, 3)
    if done is not None:
        for field in ("mailboxes", "listed", "missing", "missing_bytes", "stored", "bytes", "headers", "gone", "left"):
            row[field] = getattr(done, field)
        row["failed"] = [{"mailbox": each.mailbox, "key": each.key, "reason": each.reason} for each in done.failed]
        row["emptied"] = [{"mailbox": box, "kept": kept} for box, kept in done.emptied]
        row["troubles"] = [{"mailbox": box, "reason": reason} for box, reason in done.troubles]
        row["warnings"] = [{"mailbox": box, "reason": reason} for box, reason in done.warnings]
    return row


def tell_fetched(row: dict[str, Any], settings: FetchSettings) -> None:
    """The summary line on stdout, what is missing on stderr."""
    if "listed" in row:
        if not settings.quiet:
            say(_summary(row, dry_run=settings.dry_run))
        for trouble in troubles_of(row):
            complain(f"{row['account']}: {trouble}")
    if row["error"]:
        complain(f"{row['account']}: {row['error']}")


def troubles_of(row: dict[str, Any]) -> list[str]:
    """What is missing of an account and what its user should know, a sentence each, its error apart."""
    if "listed" not in row:
        return []
    found = [f"{each['mailbox']}, {each['key']}: not fetched: {each['reason']}" for each in row["failed"]]
    found += [
        f"{each['mailbox']}: the server says empty; kept {counted(each['kept'], 'message')}." for each in row["emptied"]
    ]
    found += [f"{each['mailbox']}: {each['reason']}" for each in row["troubles"] + row["warnings"]]
    found += [f"{counted(row['left'], 'message')} not fetched yet; run again."] if row["left"] else []
    return [visible(trouble) for trouble in found]  # on one line, though a mailbox's name may hold line breaks


def _summary(row: dict[str, Any], *, dry_run: bool) -> str:
    where = counted(len(row["mailboxes"]), "mailbox", "mailboxes")
    if dry_run:
        what = f"{counted(row['missing'], 'new message')} ({megabytes(row['missing_bytes'])}) to fetch"
        what += f", {counted(row['headers'], 'header')} first," if row["headers"] else ""
        return f"{row['account']}: {what} in {where}, {row['listed']:,} on the server."
    gone = f", {row['gone']:,} expunged meanwhile" if row["gone"] else ""
    what = f"{counted(row['stored'], 'new message')} ({megabytes(row['bytes'])}) in {row['seconds']:.1f} s"
    headers = f", {counted(row['headers'], 'header')} first" if row["headers"] else ""
    return f"{row['account']}: {what}{headers}{gone}; {row['listed']:,} on the server in {where}."
