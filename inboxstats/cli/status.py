"""`inboxstats status`: how the last nights went, for a person and for monitoring."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from inboxstats.cli.delivery import deliver_sentence
from inboxstats.cli.options import ArchiveFolder, ConfigFile, Json, Quiet, archive_path, read_config
from inboxstats.cli.output import complain, counted, say, say_json
from inboxstats.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from inboxstats.nightly.record import Record, Run
    from inboxstats.schedule import Timer

SCHEMA_VERSION = 1
"""Of the --json object."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

_MEANING = {
    ExitCode.DONE: "done",
    ExitCode.BUG: "failed: a bug",
    ExitCode.USAGE: "failed: configuration",
    ExitCode.PARTLY: "partly done",
    ExitCode.CREDENTIALS: "failed: credentials",
    ExitCode.NETWORK: "failed: server or network",
    ExitCode.STORAGE: "failed: local storage",
    ExitCode.BUSY: "failed: the archive was busy",
    ExitCode.DAMAGED: "failed: the archive is damaged",
    ExitCode.TLS: "failed: TLS refused",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "interrupted",
}


def status(
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="AGE", help="How old a good run may be: 90m, 36h, 3d.")
    ] = "36h",
    tell: Annotated[
        bool,
        typer.Option(
            "--tell", help="Mail and push it where the last run could not tell itself, as when it was killed."
        ),
    ] = False,
    archive: ArchiveFolder = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the last run of each account, and the next.

    Ends with 3 where no run of the last --max-age went well, as a whole and for each account: also where none ran.
    """
    from inboxstats import schedule
    from inboxstats.nightly.record import read_record, record_path

    age = _age(max_age)
    configuration = read_config(config)
    path = archive_path(archive, configuration)
    record = read_record(record_path(path), path)
    accounts = tuple(configuration.accounts)
    machine = schedule.this_machine()
    timer = schedule.find(machine)
    zone = ZoneInfo(configuration.timezone) if configuration.timezone else machine.zone
    running = _is_running(record, path)
    fresh = record.is_fresh(datetime.now(UTC), age, accounts)
    if json:
        say_json(_plain(record, timer, accounts, running=running, fresh=fresh))
    elif not quiet:
        _show(record, timer, accounts, zone, running=running)
    if not fresh and not json:
        complain(f"No run of the last {max_age} went well{'' if record.runs else ': none ever ran'}.")
    if tell and (sentence := _untold(record, running=running)):
        deliver_sentence(sentence, configuration.digest, warn=complain)
    raise typer.Exit(ExitCode.DONE if fresh else ExitCode.PARTLY)


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not found or not int(found[1]):
        raise UsageError(f"--max-age {text!r} is no age. Write minutes, hours or days, as in 90m, 36h, 3d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _is_running(record: "Record", archive: Path) -> bool:
    """Whether the last run goes on: one that was killed has no end either, but holds nothing."""
    from inboxstats.archive import Archive
    from inboxstats.errors import InboxstatsError

    if record.last is None or record.last.finished is not None:
        return False
    try:
        return Archive.open(archive).is_held()
    except InboxstatsError:
        return False


def _untold(record: "Record", *, running: bool) -> str | None:
    """What the last run could not tell by a digest of its own."""
    last = record.last
    if last is None or running or last.digest is not None:
        return None
    how = "was killed" if last.finished is None else f"ended early ({_meaning(last, running=False)})"
    return (
        f"The nightly run of {last.started:%Y-%m-%d %H:%M} UTC {how} and could not tell it itself. "
        "All that is complete is kept; see `inboxstats status`, and the log."
    )


def _meaning(run: "Run", *, running: bool) -> str:
    if run.exit_code is None:
        return "running" if running else "killed before its end"
    return _code(run.exit_code)


def _code(code: int) -> str:
    return f"{_MEANING[ExitCode(code)]} ({code})" if code else _MEANING[ExitCode.DONE]


def _show(record: "Record", timer: "Timer | None", accounts: tuple[str, ...], zone: tzinfo, *, running: bool) -> None:
    from inboxstats.nightly.log import log_path
    from inboxstats.nightly.record import troubles

    def shown(moment: datetime | None) -> str:
        return "never" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"

    last = record.last
    if last is None:
        say("No night has run yet.")
    else:
        say(f"Last run: {shown(last.started)} ({zone}), {_meaning(last, running=running)}.")
        runs = {each.account: each for each in last.accounts}
        width = max((len(name) for name in (*accounts, *runs)), default=0)
        for name in dict.fromkeys((*accounts, *runs)):
            run = runs.get(name)
            told = "not fetched" if run is None else f"{_code(run.exit_code)}, {counted(run.stored, 'new message')}"
            good = record.last_success(name)
            say(f"  {name:{width}}  {told}" + ("" if run and not run.exit_code else f"; last good run: {shown(good)}"))
        for trouble in troubles(last):
            say(f"  ! {trouble}")
        if last.report:
            say(f"Report: {last.report}")
    if timer is None:
        say("Next run: none, as no timer is installed: inboxstats schedule install")
    elif timer.trouble:
        say(f"Next run: none by {timer.kind}: {timer.trouble}")
    else:
        say(f"Next run: {shown(timer.next) if timer.next else 'unknown'}, by {timer.kind}.")
    if log_path().exists():
        say(f"Log: {log_path()}")


def _plain(
    record: "Record", timer: "Timer | None", accounts: tuple[str, ...], *, running: bool, fresh: bool
) -> dict[str, object]:
    from inboxstats.nightly.record import plain

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    known = {each.account for run in record.runs for each in run.accounts}
    return {
        "schema_version": SCHEMA_VERSION,
        "archive": str(record.archive),
        "fresh": fresh,
        "running": running,
        "last_success": text(record.last_success()),
        "accounts": {name: text(record.last_success(name)) for name in (*accounts, *sorted(known - set(accounts)))},
        "last": None if record.last is None else plain(record.last),
        "timer": None if timer is None else {"kind": timer.kind, "next": text(timer.next), "trouble": timer.trouble},
    }
