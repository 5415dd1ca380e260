"""`inboxstats demo`: see it all, without an account."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from inboxstats.cli.options import Json, NoProgress, Quiet, Verbose
from inboxstats.cli.output import (
    FetchBar,
    ParseBar,
    complain,
    console,
    counted,
    open_in_browser,
    say,
    say_json,
    set_up_logging,
    shows_progress,
    stdout_errors,
)

SCHEMA_VERSION = 1
"""Of the --json object."""


def demo(
    messages: Annotated[int, typer.Option(min=1, max=100_000, help="How many messages to generate.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another number, another life.")] = 2026,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Connections, a thread each.")] = 8,
    engine: Annotated[Literal["processes", "threads", "serial"], typer.Option(help="What parses.")] = "processes",
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Default: one a processor.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where archive and report go; default: the cache.", show_default=False),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Show the whole way without an account.

    A generated mailbox on an embedded IMAP server is fetched by threads, parsed by processes, and reported.

    Wants the extra `demo`: pip install 'inboxstats[demo]', or '.[demo]' in a clone.
    """
    import platformdirs

    from inboxstats import demo as show
    from inboxstats.report import terminal

    set_up_logging(verbose)
    bar = shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress)
    where = (out or platformdirs.user_cache_path("inboxstats") / "demo").expanduser()
    with FetchBar(shown=bar) as fetch_bar, ParseBar(shown=bar) as parse_bar:
        done = show.run(
            where,
            messages=messages,
            seed=seed,
            threads=threads,
            engine=engine,
            workers=workers,
            timezone="UTC",
            now=datetime.now(UTC),
            watcher=fetch_bar,
            progress=parse_bar,
        )
    page = done.folder / "report.html"
    if json:
        say_json(
            {
                "schema_version": SCHEMA_VERSION,
                "exit_code": done.fetched.exit_code,
                "messages": done.fetched.stored,
                "bytes": done.fetched.bytes,
                "threads": threads,
                "fetch_seconds": round(done.fetch_seconds, 3),
                "report_seconds": round(done.report_seconds, 3),
                "archive": str(where / "archive"),
                "page": str(page),
            }
        )
    else:
        if not quiet:
            with stdout_errors():
                terminal.render(done.report, console())
            say(
                f"Fetched {counted(done.fetched.stored, 'message')} with {counted(threads, 'thread')} "
                f"in {done.fetch_seconds:.1f} s; parsed and reported in {done.report_seconds:.1f} s."
            )
            say(f"Report: {page}")
    if open_page:
        open_in_browser(page)
    for failure in done.fetched.failed:
        complain(f"{failure.mailbox}, {failure.key}: not fetched: {failure.reason}")
    for mailbox, reason in done.fetched.troubles:
        complain(f"{mailbox}: {reason}")
    raise typer.Exit(done.fetched.exit_code)
