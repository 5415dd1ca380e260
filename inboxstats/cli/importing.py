"""`inboxstats import`: mail in the user's own files into the archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inboxstats.cli.options import (
    ArchiveFolder,
    ConfigFile,
    Json,
    NoProgress,
    Quiet,
    Verbose,
    Wait,
    archive_path,
    read_config,
)
from inboxstats.cli.output import (
    ImportBar,
    complain,
    counted,
    megabytes,
    say,
    say_json,
    set_up_logging,
    shows_progress,
)
from inboxstats.cli.storage import opened_archive
from inboxstats.errors import UsageError
from inboxstats.visible import visible

if TYPE_CHECKING:  # what imports is imported when there is something to import
    from inboxstats.importing import Imported

SCHEMA_VERSION = 1
"""Of the --json object."""

SHOWN = 20
"""Unreadable files that are named in the terminal; --json has all."""


def import_mail(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="mbox files (also .gz), Maildirs, folders of them or of .eml files."),
    ],
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The account that the mail is; it need not exist yet.")
    ],
    quoting: Annotated[
        Literal["mboxrd", "mboxo", "none"],
        typer.Option("--from-quoting", help="How an mbox quotes lines that begin with `From `; none leaves them."),
    ] = "mboxrd",
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what there is to import.")] = False,
    archive: ArchiveFolder = None,
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
    """Bring mail from files into the archive, each message once, however often it is run. Changes nothing at PATH.

    Each mbox, Maildir and folder of .eml files becomes a mailbox of the account, beside what `fetch` brings.
    """
    from inboxstats import importing

    set_up_logging(verbose)
    if not account or not account.isprintable():
        raise UsageError("--account is empty or cannot be typed. Give a name, such as the mail address.")
    configuration = read_config(config)
    bar = shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress)
    path = archive_path(archive, configuration)
    importing.check(paths, path)
    with (
        opened_archive(path, fsync=not no_fsync, wait=wait, dry_run=dry_run) as opened,
        ImportBar(shown=bar) as watcher,
    ):
        is_new = account not in opened.owners and bool(opened.owners)
        done = importing.import_mail(opened, account, paths, watcher=watcher, quoting=quoting, dry_run=dry_run)
    if json:
        say_json({"schema_version": SCHEMA_VERSION, "archive": str(opened.path), **_row(done)})
    else:
        if is_new and done.mailboxes:
            others = ", ".join(sorted(name for name in opened.owners if name != account))
            complain(f"{account} is a new account of the archive, beside {others}.")
        _tell(done, quiet=quiet, dry_run=dry_run)
    raise typer.Exit(done.exit_code)


def _row(done: "Imported") -> dict[str, Any]:
    return {
        "account": done.account,
        "exit_code": int(done.exit_code),
        "error": None if done.error is None else str(done.error),
        "mailboxes": [
            {"mailbox": name, "messages": each.messages, "stored": each.stored, "bytes": each.bytes}
            for name, each in done.mailboxes.items()
        ],
        "unreadable": [{"path": each.place, "reason": each.reason} for each in done.unreadable],
    }


def _tell(done: "Imported", *, quiet: bool, dry_run: bool) -> None:
    """The summary on stdout, what could not be read on stderr."""
    counts = done.mailboxes.values()
    read, stored = sum(each.messages for each in counts), sum(each.stored for each in counts)
    if not quiet and done.mailboxes:
        where = counted(len(done.mailboxes), "mailbox", "mailboxes")
        new = f"{counted(stored, 'new message')} ({megabytes(sum(each.bytes for each in counts))})"
        say(f"{done.account}: {new}{' to import' if dry_run else ''}; {read:,} read in {where}.")
    for each in done.unreadable[:SHOWN]:  # on one line, though a file's name may hold line breaks
        complain(visible(f"{each.place}: {each.reason}."))
    if len(done.unreadable) > SHOWN:
        complain(f"… and {len(done.unreadable) - SHOWN:,} more that could not be read (--json names all).")
    if done.error is not None:
        complain(str(done.error))
