"""`inboxstats report`: parse what is new, compute the statistics, and show them."""

import gc
import importlib
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inboxstats.cli.options import (
    ArchiveFolder,
    Clock,
    ConfigFile,
    Engine,
    Json,
    NoProgress,
    Quiet,
    TimeZone,
    Verbose,
    Workers,
    archive_path,
    day_option,
    fetched,
    parse_limits,
    read_config,
    time_zone,
)
from inboxstats.cli.output import (
    ParseBar,
    complain,
    console,
    counted,
    open_in_browser,
    say,
    say_text,
    set_up_logging,
    shows_progress,
    stdout_errors,
)
from inboxstats.errors import ExitCode, UsageError

if TYPE_CHECKING:  # pandas, which takes half a second
    from inboxstats.config import Config
    from inboxstats.parse import Limits
    from inboxstats.report.model import Report
    from inboxstats.selection import Selection

DEFAULT_OUT = Path("~/inboxstats")

NAMED = 20
"""How many unreadable files are named on stderr; report.json and unreadable.csv name all."""


def report(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="An archive, a Maildir, an mbox or any tree of .eml files; default: the archive.",
            show_default=False,
        ),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only these accounts.", show_default=False)
    ] = None,
    mailbox: Annotated[
        list[str] | None, typer.Option("--mailbox", "-m", metavar="GLOB", help="Only these mailboxes.")
    ] = None,
    since: Annotated[datetime | None, day_option("Only messages of that day and later.")] = None,
    until: Annotated[datetime | None, day_option("Only messages of that day and earlier.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="INBOXSTATS_OUT",
            help="One folder a run, and `latest`. [~/inboxstats]",
            show_default=False,
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="html,json,csv",
            help="What to write; json alone without --out goes to stdout. Default html.",
            show_default=False,
        ),
    ] = None,
    engine: Engine = "processes",
    workers: Workers = None,
    timezone: TimeZone = None,
    clock: Clock = "received",
    duplicates: Annotated[
        Literal["merge", "keep"], typer.Option(help="Count copies of a message once, or each.")
    ] = "merge",
    top: Annotated[int, typer.Option(min=0, help="Rows of each ranking in the tables; 0 is all.")] = 20,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    archive: ArchiveFolder = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Say what mail is made of.

    Volume by month and day, senders, domains, hours, weekdays, keywords (frequent, rising, distinctive), attachments,
    lists.

    Parses in worker processes, and only what no earlier report has parsed. Times are inclusive days in --timezone.
    """
    set_up_logging(verbose)
    if engine == "processes":
        from inboxstats.workers import warm_up

        warm_up()
    _import_meanwhile()
    configuration = read_config(config)
    wanted = _formats(formats, configuration)
    on_stdout = json or (formats is not None and wanted == ("json",) and out is None)
    if open_page and (on_stdout or "html" not in wanted):
        raise UsageError("--open wants a page: add --format html, without --json.")
    selection = _selection(configuration, account, mailbox, since, until, timezone, clock, duplicates)
    made = _made(
        path or fetched(archive_path(archive, configuration)),
        selection,
        parse_limits(configuration),
        engine=engine,
        workers=workers,
        top=top,
        bar=shows_progress(quiet=quiet or verbose > 0, no_progress=no_progress),
    )
    folder = None
    if out is not None or not on_stdout:
        from inboxstats.report import folder as folders

        folder = folders.write(made, (out or configuration.report.out or DEFAULT_OUT).expanduser(), wanted)
    _show(made, folder, on_stdout=on_stdout, quiet=quiet)
    if open_page and folder is not None:
        open_in_browser(folder / "report.html")
    _name_unreadable(made)
    raise typer.Exit(ExitCode.PARTLY if made.totals.unreadable else ExitCode.DONE)


def _import_meanwhile() -> None:
    """Import what statistics take, which is half a second, in a thread: until then, files are listed and parsed."""
    # A hundred thousand files and rows are no circles, and would be looked through for some again and again.
    gc.set_threshold(100_000)
    if sys.platform == "linux":  # where pyarrow comes with it; it gives back what is free: a tenth less at the peak
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    threading.Thread(target=importlib.import_module, args=("inboxstats.report.export",), daemon=True).start()


def _formats(given: list[str] | None, config: "Config") -> tuple[str, ...]:
    from inboxstats.config import FORMATS

    if given is None:
        return config.report.formats
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--format is empty. Choose from {', '.join(FORMATS)}.")
    if unknown := [name for name in names if name not in FORMATS]:
        raise UsageError(f"Unknown --format {unknown[0]!r}. Choose from {', '.join(FORMATS)}.")
    return tuple(dict.fromkeys(names))


def _selection(
    config: "Config",
    accounts: list[str] | None,
    mailboxes: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    timezone: str | None,
    clock: Literal["received", "date"],
    duplicates: Literal["merge", "keep"],
) -> "Selection":
    from inboxstats.selection import Selection

    zone = time_zone(timezone, config)
    if since and until and since > until:
        raise UsageError(f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}. Swap them.")
    return Selection(
        since=since.date() if since else None,
        until=until.date() if until else None,
        accounts=tuple(accounts or ()),
        mailboxes=tuple(mailboxes or ()),
        clock=clock,
        timezone=zone,
        duplicates=duplicates,
    )


def _made(
    path: Path,
    selection: "Selection",
    limits: "Limits",
    *,
    engine: Literal["processes", "threads", "serial"],
    workers: int | None,
    top: int,
    bar: bool,
) -> "Report":
    from inboxstats.collection import open_collection
    from inboxstats.report.make import make

    collection = open_collection(path, limits)
    with ParseBar(shown=bar) as progress:
        return make(
            collection,
            selection,
            generated=datetime.now(UTC),
            engine=engine,
            workers=workers,
            top=top,
            progress=progress,
        )


def _show(made: "Report", folder: Path | None, *, on_stdout: bool, quiet: bool) -> None:
    if on_stdout:
        from inboxstats.report import export

        say_text(export.to_text(made))
    elif not quiet:
        from inboxstats.report import terminal

        with stdout_errors():
            terminal.render(made, console())
    if folder is not None and not on_stdout and not quiet:
        page = folder / "report.html"
        say(f"Report: {page if page.exists() else folder}")


def _name_unreadable(made: "Report") -> None:
    for file, reason in made.unreadable[:NAMED]:
        complain(f"{file}: cannot be read: {reason}")
    if (more := len(made.unreadable) - NAMED) > 0:
        complain(f"{counted(more, 'more file')} cannot be read; report.json (--format json) names all.")
