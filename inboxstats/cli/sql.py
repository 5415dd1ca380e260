"""`inboxstats sql`: a question to the message table."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from inboxstats.cli.options import (
    ArchiveFolder,
    Clock,
    ConfigFile,
    Engine,
    Json,
    NoProgress,
    TimeZone,
    Verbose,
    Workers,
    archive_path,
    fetched,
    parse_limits,
    read_config,
    time_zone,
)
from inboxstats.cli.output import ParseBar, complain, console, counted, say_text, set_up_logging, shows_progress
from inboxstats.errors import ExitCode, UsageError


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="A question in DuckDB's SQL; - reads it from stdin.", show_default=False),
    ] = None,
    path: Annotated[
        Path | None, typer.Argument(help="Mail as `report` takes it; default: the archive.", show_default=False)
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", "-f", help="How the answer is written.")
    ] = "table",
    engine: Engine = "processes",
    workers: Workers = None,
    timezone: TimeZone = None,
    clock: Clock = "received",
    archive: ArchiveFolder = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the answer and errors.")] = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Ask the message table in SQL.

    Views: messages, files (duplicates, too), attachments, keywords.

    Parses first what no earlier run has parsed. A query reads the views and nothing else.
    """
    set_up_logging(verbose)
    configuration = read_config(config)
    text = _query(query)
    zone = time_zone(timezone, configuration)

    from inboxstats import sql as table
    from inboxstats.collection import open_collection
    from inboxstats.selection import Selection

    table.check(text)  # before anything is parsed
    collection = open_collection(path or fetched(archive_path(archive, configuration)), parse_limits(configuration))
    bar = shows_progress(quiet=quiet or verbose > 0, no_progress=no_progress)
    with ParseBar(shown=bar) as progress:
        updated = collection.update(engine=engine, workers=workers, progress=progress)
    answer = table.ask(text, updated.rows, Selection(timezone=zone, clock=clock))
    match "json" if json else form:
        case "json":
            say_text(table.to_json(answer))
        case "csv":
            say_text(table.to_csv(answer))
        case _:
            say_text(table.to_table(answer, console().width))
    if updated.unreadable:
        files = counted(len(updated.unreadable), "file")
        complain(f"{files} cannot be read, in no view; `inboxstats report` names what is missing.")
    raise typer.Exit(ExitCode.PARTLY if updated.unreadable else ExitCode.DONE)


def _query(given: str | None) -> str:
    if given is None:
        from inboxstats.sql import VIEWS

        views = ", ".join(f"{name} ({meaning})" for name, meaning in VIEWS.items())
        raise UsageError(f"Give a query, such as 'FROM messages LIMIT 5', or - for stdin. Views: {views}.")
    if given != "-":
        return given
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as problem:
        raise UsageError("The query on stdin is not valid UTF-8.") from problem
