"""`inboxstats doctor`: everything that must hold for mail to come in and a report to go out, a line each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from inboxstats.cli.account import account_checks
from inboxstats.cli.accounts import declared_jobs, owner_of
from inboxstats.cli.options import ArchiveFolder, ConfigFile, Insecure, Json, Quiet, Verbose, archive_path, config_path
from inboxstats.cli.output import counted, say, say_json, set_up_logging
from inboxstats.errors import InboxstatsError

if TYPE_CHECKING:  # what is looked at is imported when it is
    from inboxstats.checks import Check
    from inboxstats.checks.account import Sized
    from inboxstats.config import Config

SCHEMA_VERSION = 1
"""Of the --json object."""


def doctor(
    config: ConfigFile = None,
    archive: ArchiveFolder = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Check config, keyring, accounts, disk, archive, message table, parser and timer; say how to mend what is wrong.

    Logs in to each account, once. Changes nothing. The exit code is that of the worst line.
    """
    from inboxstats.checks import worst
    from inboxstats.cli import checks

    set_up_logging(verbose)
    made = checks.shown(_checks(config, archive, insecure=insecure), silent=json or quiet)
    code = worst(made)
    if json:
        rows = [checks.row(check) for check in made]
        say_json({"schema_version": SCHEMA_VERSION, "exit_code": int(code), "checks": rows})
    elif not quiet:
        wrong = sum(each.state == "failed" for each in made)
        warned = sum(each.state == "warning" for each in made)
        say("All is well." if not wrong + warned else f"{counted(wrong, 'failure')}, {counted(warned, 'warning')}.")
    raise typer.Exit(code)


def _checks(given: Path | None, archive: Path | None, *, insecure: bool) -> Iterator["Check"]:
    from inboxstats import config as configs
    from inboxstats.checks import Check, failed, machine

    try:
        path = config_path(given)
        found = configs.read(path)
    except InboxstatsError as problem:
        yield failed("config", problem)
        yield machine.of_timer()
        return
    if found.accounts:
        yield Check("config", "ok", f"{path}: {counted(len(found.accounts), 'account')}")
    else:
        yield Check("config", "warning", f"{path}: there is no account. `inboxstats account add` makes one.")
    yield machine.of_keyring(is_missed=_misses_keyring(found))
    yield from _of_accounts(found, path, archive_path(archive, found), insecure=insecure)
    yield machine.of_timer()


def _misses_keyring(config: "Config") -> bool:
    """Whether an account's secret can be in the keyring alone; a refresh token can be nowhere else."""
    from inboxstats.credentials import ENVIRONMENT

    elsewhere = os.environ.get("CREDENTIALS_DIRECTORY") or (len(config.accounts) == 1 and os.environ.get(ENVIRONMENT))
    without = [account for account in config.accounts.values() if not account.password_command]
    return any(account.auth == "oauth" or not elsewhere for account in without)


def _of_accounts(config: "Config", path: Path, archive: Path, *, insecure: bool) -> Iterator["Check"]:
    """The accounts, and the place that their mail goes to: its disk must bear what was never fetched."""
    from inboxstats.archive import Archive, is_archive
    from inboxstats.checks import machine
    from inboxstats.checks.account import total

    jobs = declared_jobs(config, [], path) if config.accounts else []
    try:
        fetched = set(Archive.open(archive).accounts()) if is_archive(archive) else set()
    except InboxstatsError:  # the archive's own check says why
        fetched = set()
    messages = size = 0
    for job in jobs:
        seen: list[Sized] = []
        yield from account_checks(job, insecure=insecure, keep=seen.extend)
        if job.name not in fetched:
            extent = total(seen)
            messages, size = messages + (extent.messages or 0), size + (extent.size or 0)
    yield machine.of_disk(archive, messages=messages, size=size)
    yield machine.of_archive(archive, {job.name: owner_of(job) for job in jobs})
    yield machine.of_table(archive)
    yield machine.of_parser()
