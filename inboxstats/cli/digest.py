"""`inboxstats digest`: what changed since the last one, in the terminal; `--send` sends it, too."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from inboxstats.cli.delivery import deliver, my_addresses
from inboxstats.cli.nightly import QuietWhenNothing
from inboxstats.cli.options import (
    ArchiveFolder,
    ConfigFile,
    Json,
    Quiet,
    Verbose,
    archive_path,
    day_option,
    fetched,
    parse_limits,
    read_config,
    time_zone,
)
from inboxstats.cli.output import complain, say, say_json, say_lines, set_up_logging
from inboxstats.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from inboxstats.digest import Findings, Period

SCHEMA_VERSION = 1
"""Of the --json object."""


def digest(
    since: Annotated[
        datetime | None, day_option("What came on that day and later. [since the last nightly digest, else a day]")
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Also mail and push it, as [digest] in config.toml says.")
    ] = False,
    quiet_when_nothing: QuietWhenNothing = False,
    archive: ArchiveFolder = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Tell what changed: new senders, unusual days, rising words, mail that waits for an answer.

    Fetches nothing, and the next nightly digest tells of it all the same.
    """
    set_up_logging(verbose)
    from inboxstats import digest as digests
    from inboxstats.archive import Archive
    from inboxstats.collection import open_collection

    configuration = read_config(config)
    path = fetched(archive_path(archive, configuration))
    zone = time_zone(None, configuration)
    found = digests.make(
        open_collection(path, parse_limits(configuration)),
        _period(path, since, ZoneInfo(zone)),
        my_addresses(configuration, Archive.open(path).owners),
        timezone=zone,
    )
    if found.is_nothing and quiet_when_nothing:
        return
    if json:
        say_json(_plain(found))
    elif not quiet:
        from inboxstats.digest import wording

        say_lines("\n".join(wording.text(found)))
    if send:
        if deliver(found, configuration.digest, warn=complain) == "off":
            raise UsageError("Nobody is to get it: write [digest] with to and smtp_host, or notify, into config.toml.")
        if not quiet and not json:
            say("The digest is sent.")


def _period(archive: "Path", since: datetime | None, zone: ZoneInfo) -> "Period":
    from inboxstats.digest import Period
    from inboxstats.nightly.record import read_record, record_path

    now = datetime.now(UTC)
    if since is not None:
        if since.replace(tzinfo=zone) > now:
            raise UsageError(f"--since {since:%Y-%m-%d} is yet to come. Give a day that has begun.")
        return Period(since.replace(tzinfo=zone), now)
    digested = read_record(record_path(archive), archive).digested
    return Period(max(digested.values(), default=now - timedelta(days=1)), now, digested)


def _plain(found: "Findings") -> dict[str, Any]:
    from dataclasses import asdict

    from inboxstats.digest.wording import headline

    def text(moment: datetime) -> str:
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    return {
        "schema_version": SCHEMA_VERSION,
        "headline": headline(found),
        "since": text(found.period.earliest),
        "until": text(found.period.until),
        "timezone": found.timezone,
        "messages": found.messages,
        "new_senders": [asdict(each) for each in found.senders],
        "unusual_days": [asdict(each) | {"day": each.day.isoformat()} for each in found.days],
        "rising": [asdict(each) for each in found.words],
        "waiting": [asdict(each) | {"when": text(each.when)} for each in found.waiting],
        "sent_known": found.sent_known,
    }
