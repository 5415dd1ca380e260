"""`inboxstats verify`: is the archive as it was stored, and has it all that the server has?"""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inboxstats.cli.accounts import A_SERVER, Job, adhoc_job, declared_jobs, owner_of, refuse_plain_text, source_of
from inboxstats.cli.options import (
    ArchiveFolder,
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
    config_path,
    fetched,
    read_config,
)
from inboxstats.cli.output import (
    VerifyBar,
    complain,
    counted,
    megabytes,
    say,
    say_json,
    set_up_logging,
    shows_progress,
)
from inboxstats.errors import ExitCode, InboxstatsError, UsageError

if TYPE_CHECKING:  # what checks is imported when there is something to check
    from inboxstats.archive import Archive
    from inboxstats.config import Config
    from inboxstats.verify import Finding, Online, Verified

SCHEMA_VERSION = 1
"""Of the --json object."""

SHOWN = 20
"""How many UIDs a line names; --json has them all."""


@dataclass(frozen=True, slots=True)
class _Settings:
    mailboxes: tuple[str, ...]
    read_data: bool
    online: bool
    dry_run: bool
    bar: bool
    quiet: bool
    verbose: bool


def verify(
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Accounts of the archive; default: all.")
    ] = None,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="GLOB", help="Which mailboxes, as often as you like; default all."),
    ] = None,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every file and compare its SHA-256; else its size alone.")
    ] = False,
    online: Annotated[bool, typer.Option("--online", help="Compare with the server's listing, too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only name what is damaged; set nothing aside.")
    ] = False,
    archive: ArchiveFolder = None,
    host: Host = None,
    port: Port = None,
    user: User = None,
    security: Security = "tls",
    tls_fingerprint: TlsFingerprint = None,
    password_command: PasswordCommand = None,
    insecure: Insecure = False,
    wait: Wait = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Check that every message is in the archive as it was stored.

    What is damaged is named and set aside (42.eml becomes 42.eml.damaged; nothing is deleted), and the next fetch gets
    it again: exit code 8. With --online, which logs in as `fetch` does, messages are named that the server has and the
    archive has not. Changes nothing on the server.
    """
    set_up_logging(verbose)
    configuration = read_config(config)
    adhoc = adhoc_job(host, port, user, security, password_command, tls_fingerprint)
    if adhoc and accounts:
        raise UsageError(f"Give either accounts ({', '.join(accounts)}) or --host, not both.")
    settings = _Settings(
        mailboxes=tuple(mailbox or ("*",)),
        read_data=read_data,
        online=online,
        dry_run=dry_run,
        bar=shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress),
        quiet=quiet,
        verbose=verbose > 0,
    )

    from inboxstats.archive import Archive
    from inboxstats.verify import strangers

    opened = Archive.open(fetched(archive_path(archive, configuration)))
    names = _accounts(opened, [adhoc.name] if adhoc else accounts or [])
    jobs = _jobs(adhoc, configuration, names, config_path(config)) if online else {}
    for job in jobs.values():
        refuse_plain_text(job, insecure=insecure)
    # A backup that nobody can write to needs no lock, and can have none.
    held = nullcontext() if dry_run and not os.access(opened.path, os.W_OK) else opened.lock(wait=wait)
    rows = []
    with held:
        for name in names:
            rows.append(_verify_one(opened, name, jobs.get(name), settings))
            if not json:
                _tell(rows[-1], opened.path, settings)
        strange = [str(path) for path in strangers(opened)]
    codes = [row["exit_code"] for row in rows]
    code = ExitCode.DAMAGED if ExitCode.DAMAGED in codes else max(codes, default=ExitCode.DONE)
    if json:
        head = {"schema_version": SCHEMA_VERSION, "archive": str(opened.path), "exit_code": int(code)}
        how = {"read_data": read_data, "online": online, "dry_run": dry_run}
        say_json(head | how | {"accounts": rows, "strange": strange})
    else:
        _conclude(rows, strange, settings)
    raise typer.Exit(code)


def _accounts(archive: "Archive", wanted: list[str]) -> list[str]:
    there = archive.accounts()
    if unknown := [name for name in wanted if name not in there]:
        known = ", ".join(there) or "none"
        raise UsageError(f"{archive.path} has no account {unknown[0]!r}. There are: {known}.")
    return list(dict.fromkeys(wanted)) or there


def _jobs(adhoc: Job | None, config: "Config", names: list[str], path: Path) -> dict[str, Job]:
    """How to log in for each account. Raises UsageError for one of which that is not known."""
    if adhoc:
        return {adhoc.name: adhoc}
    return {job.name: job for job in declared_jobs(config, names, path, instead=A_SERVER)}


def _verify_one(archive: "Archive", name: str, job: Job | None, settings: _Settings) -> dict[str, Any]:
    """Check an account; what keeps it from being checked is told in the row."""
    from inboxstats import verify as verifying

    began = time.monotonic()
    try:
        with VerifyBar(shown=settings.bar) as bar:
            done = verifying.verify(
                archive,
                name,
                watcher=bar,
                mailboxes=settings.mailboxes,
                read_data=settings.read_data,
                dry_run=settings.dry_run,
                owner=owner_of(job) if job else None,
                server=source_of(job, quiet=settings.quiet) if job else None,
            )
    except InboxstatsError as problem:
        return {"account": name, "exit_code": int(problem.exit_code), "error": str(problem)}
    return _row(done, archive.path, seconds=time.monotonic() - began)


def _row(done: "Verified", root: Path, *, seconds: float) -> dict[str, Any]:
    def total(field: str) -> int:
        return sum(getattr(each, field) for each in done.mailboxes)

    return {
        "account": done.account,
        "exit_code": int(done.exit_code),
        "error": str(done.online.error) if done.online and done.online.error else None,
        "seconds": round(seconds, 3),
        "mailboxes": [each.mailbox for each in done.mailboxes],
        **{field: total(field) for field in ("messages", "bytes", "entered", "kept_aside", "temporary")},
        "torn": [each.mailbox for each in done.mailboxes if each.is_torn],
        "findings": [_finding(each, root) for each in done.findings],
        "unreadable": [
            {"path": os.path.relpath(path, root), "reason": why} for each in done.mailboxes for path, why in each.denied
        ],
        "strange": [os.path.relpath(path, root) for each in done.mailboxes for path in each.strange],
        "server": _server(done.online) if done.online else None,
    }


def _finding(finding: "Finding", root: Path) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "mailbox": finding.mailbox,
        "key": finding.key,
        "path": os.path.relpath(finding.path, root),
        "reason": finding.reason,
        "set_aside": os.path.relpath(finding.aside, root) if finding.aside else None,
        "on_server": finding.on_server,
    }


def _server(online: "Online") -> dict[str, Any]:
    return {
        "mailboxes": [
            {
                "mailbox": each.mailbox,
                "listed": each.listed,
                "missing": list(each.missing),
                "new": each.new,
                "other_size": list(each.sizes),
                "gone": each.gone,
            }
            for each in online.compared
        ],
        "absent": online.absent,
        "troubles": [{"mailbox": box, "reason": reason} for box, reason in online.troubles],
    }


def _tell(row: dict[str, Any], root: Path, settings: _Settings) -> None:
    """The summary on stdout, what is wrong on stderr."""
    account = row["account"]
    if "findings" in row:
        if not settings.quiet:
            for line in _summary(row, settings):
                say(f"{account}: {line}")
        for finding in row["findings"]:
            complain(f"{account}: {_sentence(finding, dry_run=settings.dry_run)}")
        for each in row["unreadable"]:
            complain(f"{account}: {root / each['path']} could not be read: {each['reason']}. Give yourself the right.")
        for line in _of_server(row["server"]):
            complain(f"{account}: {line}")
    if row["error"]:
        complain(f"{account}: {row['error']}")


def _summary(row: dict[str, Any], settings: _Settings) -> Iterator[str]:
    where = counted(len(row["mailboxes"]), "mailbox", "mailboxes")
    what = f"{counted(row['messages'], 'message')} ({megabytes(row['bytes'])}) in {where} as stored"
    seconds = max(row["seconds"], 0.001)
    speed = f" ({row['messages'] / seconds:,.0f}/s, {megabytes(row['bytes'] / seconds)}/s)"
    kinds = [each["kind"] for each in row["findings"]]
    said = (("damaged", "damaged"), ("missing", "missing"), ("record", "of the archive's own records damaged"))
    wrong = [f"{kinds.count(kind):,} {words}" for kind, words in said if kind in kinds]
    how = "by size and SHA-256" if settings.read_data else "by size"
    took = f"in {row['seconds']:.1f} s{speed if settings.read_data else ''}"
    yield f"{what}, {how}, {took}; {', '.join(wrong) or 'no damage'}."
    if row["entered"]:
        when = "the next run enters them" if settings.dry_run else "entered now"
        yield f"{counted(row['entered'], 'message')} without a row in the manifest, as after a killed run: {when}."
    if row["kept_aside"]:
        yield f"{counted(row['kept_aside'], 'message')} lost or set aside earlier, which the server no longer has."
    if row["temporary"]:
        yield f"{counted(row['temporary'], 'half-written file')}, which the next fetch removes."
    for mailbox in row["torn"]:
        yield f"{mailbox}: the last line of manifest.jsonl broke off, as when a run is killed; that costs no message."
    if row["strange"]:
        named = f": {', '.join(row['strange'])}" if settings.verbose else " (-v names them)"
        yield f"{counted(len(row['strange']), 'file')} that inboxstats did not write{named}."
    for each in row["server"]["mailboxes"] if row["server"] else ():
        yield _compared(each, verbose=settings.verbose)


def _compared(each: dict[str, Any], *, verbose: bool) -> str:
    parts = [f"{each['listed']:,} on the server"]
    if each["new"]:
        parts.append(f"{each['new']:,} of them new since the last fetch")
    if each["gone"]:
        parts.append(f"{each['gone']:,} in the archive alone")
    if each["other_size"]:
        named = f" (UID {_uids(each['other_size'])})" if verbose else ""
        parts.append(f"{len(each['other_size']):,} of another size than the server says{named}, which is no damage")
    return f"{each['mailbox']}: {', '.join(parts)}."


def _of_server(server: dict[str, Any] | None) -> Iterator[str]:
    if server is None:
        return
    for each in server["mailboxes"]:
        if each["missing"]:
            number, uids = counted(len(each["missing"]), "message"), _uids(each["missing"])
            yield f"{each['mailbox']}: {number} of the server not in the archive (UID {uids}). Fetch again."
    for name in server["absent"]:
        yield f"{name}: the server no longer has this mailbox; the archive keeps it."
    for each in server["troubles"]:
        yield f"{each['mailbox']}: {each['reason']}"


def _sentence(finding: dict[str, Any], *, dry_run: bool) -> str:
    from inboxstats.archive.layout import is_imported

    place = f"{finding['mailbox']}: {finding['path']}"
    aside = f" Set aside as {os.path.basename(finding['set_aside'])}" if finding["set_aside"] else ""
    if finding["kind"] == "record":
        return f"{place}: {finding['reason']}.{aside + ', and made again.' if aside else ''}"
    match finding["on_server"]:
        case True:
            fate = "the next fetch gets it again"
        case False if is_imported(finding["key"]):
            fate = "importing it again restores it"
        case False:
            fate = "the server no longer has it"
        case _:
            fate = "the next fetch gets it again if the server has it"
    if finding["kind"] == "missing":
        return f"{place} {finding['reason']}; {fate}."
    left = "" if aside or not dry_run else " Left as it is (--dry-run)"
    return f"{place} is damaged: {finding['reason']}.{aside or left}; {fate}."


def _uids(keys: list[str]) -> str:
    """``["7-1", "7-2", "7-3", "7-9"]`` → ``"1:3, 9"``, as IMAP writes sets, cut where it grows long."""
    ranges: list[list[int]] = []
    for uid in sorted(int(key.partition("-")[2]) for key in keys):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    shown = [str(first) if first == last else f"{first}:{last}" for first, last in ranges[:SHOWN]]
    return ", ".join(shown) + (", …" if len(ranges) > SHOWN else "")


def _conclude(rows: list[dict[str, Any]], strange: list[str], settings: _Settings) -> None:
    for path in strange:
        complain(f"{path} belongs to no account of the archive, and was not checked.")
    if settings.quiet:
        return
    if not rows:
        say("The archive has no mail yet.")
    left = [
        name
        for name, done in (("the content of the files (--read-data)", settings.read_data),
                           ("what the server has (--online)", settings.online))
        if not done
    ]  # fmt: skip
    if left:
        say(f"Not checked: {', '.join(left)}.")
