"""`inboxstats nightly`: what a timer runs. Fetch, report, digest, housekeeping."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inboxstats.cli.accounts import Job, declared_jobs, refuse_plain_text
from inboxstats.cli.delivery import deliver, my_addresses
from inboxstats.cli.fetch import FetchSettings, fetch_accounts, tell_fetched, troubles_of
from inboxstats.cli.options import (
    ArchiveFolder,
    ConfigFile,
    Json,
    NoProgress,
    Quiet,
    Verbose,
    Wait,
    archive_path,
    bandwidth_cap,
    config_path,
    parse_limits,
    read_config,
    time_zone,
)
from inboxstats.cli.output import complain, say, say_json, say_lines, set_up_logging, shows_progress
from inboxstats.cli.report import DEFAULT_OUT
from inboxstats.cli.storage import opened_archive
from inboxstats.errors import ArchiveBusyError, InboxstatsError, UsageError

if TYPE_CHECKING:  # pandas, which takes half a second
    from inboxstats.archive import Archive
    from inboxstats.config import Config
    from inboxstats.digest import Findings
    from inboxstats.nightly.record import AccountRun, Run
    from inboxstats.nightly.run import Night

SCHEMA_VERSION = 1
"""Of the --json object."""

QuietWhenNothing = Annotated[
    bool, typer.Option("--quiet-when-nothing", help="No digest where there is nothing to say.")
]


def nightly(
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            max=10,
            help="How often an account whose server cannot be reached is tried again: after 1, 5, 15 minutes.",
        ),
    ] = 0,
    quiet_when_nothing: QuietWhenNothing = False,
    archive: ArchiveFolder = None,
    wait: Wait = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Fetch all accounts, report, tell what changed, remove old reports.

    One account's trouble does not stop the others; the exit code is the worst one. `inboxstats status` shows how it
    went, `inboxstats schedule install` runs it every night.
    """
    from inboxstats.nightly import log
    from inboxstats.nightly.record import plain
    from inboxstats.nightly.run import run

    set_up_logging(verbose)
    configuration = read_config(config)
    jobs = {job.name: job for job in declared_jobs(configuration, [], config_path(config))}
    settings = FetchSettings(
        bandwidth=bandwidth_cap(None, configuration),
        bar=shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress),
        quiet=quiet or json,
    )
    only_when_something = quiet_when_nothing or bool(configuration.digest and configuration.digest.quiet_when_nothing)

    def send(findings: "Findings") -> str:
        if findings.is_nothing and only_when_something:
            return "nothing"
        return deliver(findings, configuration.digest, warn=complain)

    place = archive_path(archive, configuration)
    level = logging.DEBUG if verbose > 1 else logging.INFO
    with (
        _refusal_noted(place),
        log.logging_to(log.log_path(), level, alone=not verbose),
        opened_archive(place, fsync=True, wait=wait, dry_run=False) as opened,
    ):
        night = _night(opened, tuple(jobs), configuration, retries)

        def fetch(names: Sequence[str]) -> Iterator["AccountRun"]:
            return _fetched(opened, [jobs[name] for name in names], settings)

        done, findings = run(night, fetch=fetch, send=send)
    if json:
        say_json({"schema_version": SCHEMA_VERSION, "archive": str(opened.path), **plain(done)})
    else:
        _tell(done, None if findings and findings.is_nothing and only_when_something else findings, quiet=quiet)
    raise typer.Exit(done.exit_code or 0)


@contextmanager
def _refusal_noted(archive: Path) -> Iterator[None]:
    """A night that cannot begin is no night that was not asked for; another run's, it is."""
    began = datetime.now(UTC)
    try:
        yield
    except ArchiveBusyError:
        raise
    except InboxstatsError as problem:
        from inboxstats.nightly.run import note_refusal

        note_refusal(archive, problem, began)
        raise


def _night(archive: "Archive", accounts: tuple[str, ...], config: "Config", retries: int) -> "Night":
    from inboxstats.nightly.run import Night

    out = config.report.out or Path(DEFAULT_OUT)
    return Night(
        archive=archive.path,
        accounts=accounts,
        mine=my_addresses(config, archive.owners),
        timezone=time_zone(None, config),
        out=out.expanduser(),
        formats=config.report.formats,
        keep=config.report.keep,
        limits=parse_limits(config),
        retries=retries,
    )


def _fetched(archive: "Archive", jobs: list[Job], settings: FetchSettings) -> Iterator["AccountRun"]:
    from inboxstats.nightly.record import AccountRun

    allowed = []
    for job in jobs:
        try:
            refuse_plain_text(job, insecure=False)
            allowed.append(job)
        except UsageError as problem:
            complain(f"{job.name}: {problem}")
            yield AccountRun(job.name, problem.exit_code, error=str(problem))
    for _, row in fetch_accounts(archive, allowed, settings):
        tell_fetched(row, settings)
        yield AccountRun(
            account=row["account"],
            exit_code=row["exit_code"],
            stored=row.get("stored", 0),
            bytes=row.get("bytes", 0),
            error=row["error"],
            troubles=tuple(troubles_of(row)),
        )


def _tell(done: "Run", findings: "Findings | None", *, quiet: bool) -> None:
    """The accounts were told of while they were fetched."""
    for trouble in done.troubles:
        complain(trouble)
    if quiet:
        return
    if findings is not None:
        from inboxstats.digest import wording

        say_lines("\n".join(wording.text(findings)))
    if done.report is not None:
        say(f"Report: {done.report}")
    if done.digest == "sent":
        say("The digest is sent.")
