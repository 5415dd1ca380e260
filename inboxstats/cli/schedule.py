"""`inboxstats schedule`: the timer that runs `inboxstats nightly` every night."""

import os
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inboxstats.cli.accounts import declared_jobs
from inboxstats.cli.options import ConfigFile, Json, Quiet, config_path, read_config
from inboxstats.cli.output import complain, say, say_json, say_lines
from inboxstats.errors import ExitCode

if TYPE_CHECKING:
    from inboxstats.schedule import Timer

SCHEMA_VERSION = 1
"""Of the --json object."""

DEFAULT_AT = datetime(1900, 1, 1, 2, 30)  # noqa: DTZ001 -- a time of day, as typer hands it over

app = typer.Typer(
    help="The timer that runs `inboxstats nightly`: by systemd, launchd, Windows or cron.", no_args_is_help=True
)

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be written and run.")]


@app.command()
def install(
    at: Annotated[
        datetime,
        typer.Option("--at", formats=["%H:%M"], metavar="HH:MM", help="Local time. [02:30]", show_default=False),
    ] = DEFAULT_AT,
    kind: Annotated[
        Literal["systemd", "launchd", "windows", "cron"] | None,
        typer.Option(help="By what; default: the best that this machine has.", show_default=False),
    ] = None,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Run every night from now on, as the user who asks for it. An older timer is replaced.

    A time that daylight saving skips or doubles within a year is moved, by half hours, to one that it leaves alone.
    """
    from inboxstats import schedule

    path = config_path(config)
    declared_jobs(read_config(config), [], path)  # a night without an account would do nothing
    machine = schedule.this_machine()
    chosen = schedule.by_name(kind) if kind and dry_run else schedule.choose(machine, kind)
    zone = schedule.zone_of(chosen.name, machine)
    moment, moved = _safe(at.time(), zone)
    task = schedule.Task(
        schedule.this_program(),
        Path(os.path.abspath(path)),
        moment,
        schedule.plain_path(os.environ.get("PATH", "")),
        schedule.base_folders(os.environ),
    )
    steps = [
        step
        for other in schedule.timers(machine, datetime.now(UTC))
        if other.kind != chosen.name
        for step in schedule.by_name(other.kind).removal(machine)
    ]
    steps += chosen.installation(task, machine)
    if zone != machine.zone:
        complain(f"{chosen.name} goes by the machine's own zone, {zone}, whatever TZ says ({machine.zone}).")
    if moved:
        complain(moved)
    if dry_run:
        say_lines(schedule.described(steps))
        return
    schedule.carry_out(steps, machine)
    _warn_of_environment()
    if quiet:
        return
    say(f"Installed: every night at {moment:%H:%M} ({zone}), by {chosen.name}. Try it: inboxstats nightly")
    for note in _notes(chosen.state(machine, datetime.now(UTC))):
        say(note)


@app.command()
def status(json: Json = False) -> None:
    """Show the timer, its last and its next run. Ends with 3 where there is none, or one that does not run."""
    from inboxstats import schedule

    machine = schedule.this_machine()
    timer = schedule.find(machine)
    if json:
        say_json({"schema_version": SCHEMA_VERSION, "timer": None if timer is None else _plain(timer)})
    elif timer is None:
        say("No timer is installed: inboxstats schedule install")
    else:
        say(_sentence(timer, schedule.zone_of(timer.kind, machine)))
        for note in _notes(timer):
            say(note)
    raise typer.Exit(ExitCode.DONE if timer and not timer.trouble else ExitCode.PARTLY)


@app.command()
def remove(dry_run: DryRun = False, quiet: Quiet = False) -> None:
    """Remove the timer, of whatever kind, and all that it left."""
    from inboxstats import schedule

    machine = schedule.this_machine()
    found = schedule.timers(machine, datetime.now(UTC))
    steps = [step for timer in found for step in schedule.by_name(timer.kind).removal(machine)]
    if dry_run:
        say_lines(schedule.described(steps))
        return
    schedule.carry_out(steps, machine)
    if not quiet:
        say(f"Removed from {', '.join(timer.kind for timer in found)}." if found else "No timer was installed.")


def _safe(at: time, zone: tzinfo) -> tuple[time, str | None]:
    """The time to run at, and why it is not the one that was asked for."""
    from inboxstats.schedule.clock import changes, safe_time

    today = datetime.now(zone).date()
    moment = safe_time(at, zone, today)
    if moment == at:
        return at, None
    days = " and ".join(
        f"{'does not exist' if change.kind == 'skipped' else 'comes twice'} on {change.day}"
        for change in changes(at, zone, today)
    )
    return moment, f"{at:%H:%M} {days} ({zone}, daylight saving), so {moment:%H:%M} is taken."


def _warn_of_environment() -> None:
    """The timer sees none of the variables that a shell has, so what they say does not hold at night."""
    seen = sorted(name for name in os.environ if name.startswith("INBOXSTATS_") and name != "INBOXSTATS_CONFIG")
    if seen:
        complain(f"The timer does not see {', '.join(seen)}. Write it into config.toml, a password into a keyring.")


def _plain(timer: "Timer") -> dict[str, object]:
    return {
        "kind": timer.kind,
        "at": None if timer.at is None else f"{timer.at:%H:%M}",
        "last": None if timer.last is None else timer.last.isoformat(),
        "next": None if timer.next is None else timer.next.isoformat(),
        "trouble": timer.trouble,
        "notes": list(timer.notes),
    }


def _sentence(timer: "Timer", zone: tzinfo) -> str:
    def shown(moment: datetime | None, unknown: str) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else unknown

    at = "at a time of its own" if timer.at is None else f"at {timer.at:%H:%M}"
    last = shown(timer.last, "none yet" if timer.kind == "systemd" else "see `inboxstats status`")
    return f"Every night {at} ({zone}), by {timer.kind}; last run: {last}; next: {shown(timer.next, 'unknown')}."


def _notes(timer: "Timer | None") -> list[str]:
    if timer is None:
        return []
    return [*([f"It does not run: {timer.trouble}"] if timer.trouble else []), *timer.notes]
