"""Checks of this machine: configuration, keyring, disk, archive, message table, timer."""

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inboxstats.archive import Archive, Owner, check_place, is_archive
from inboxstats.checks import Check, failed
from inboxstats.credentials import keyring
from inboxstats.errors import ExitCode, InboxstatsError
from inboxstats.schedule import find

if TYPE_CHECKING:
    from inboxstats.schedule import Timer

LEAST_FREE = 200_000_000
"""Bytes that a disk should have left, whatever is to be fetched."""


def of_keyring(*, is_missed: bool) -> Check:
    """Whether the keyring can keep a secret. `is_missed`: an account has none from elsewhere."""
    found = keyring.get("doctor")
    if found.usable:
        return Check("keyring", "ok", "answers")
    says = found.trouble[0].upper() + found.trouble[1:]
    if not is_missed:
        return Check("keyring", "warning", f"{says} No account needs it now.")
    return Check("keyring", "failed", f"{says} {keyring.ELSEWHERE}", ExitCode.CREDENTIALS)


def of_disk(archive: Path, *, messages: int, size: int) -> Check:
    """Whether there is room for so much new mail where the archive is or will be."""
    place = next(path for path in (archive, *archive.parents) if path.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        says = f"{place} is not writable. Give yourself the right to it, or choose another place by archive."
        return Check("disk", "failed", says, ExitCode.STORAGE)
    try:
        free = shutil.disk_usage(place).free
        files = _free_files(place)
    except OSError as problem:
        says = f"{place} cannot be looked at: {problem.strerror}. Check the disk."
        return Check("disk", "failed", says, ExitCode.STORAGE)
    if free < size + LEAST_FREE:
        says = (
            f"{_megabytes(free)} are free at {place}, {_megabytes(size + LEAST_FREE)} are needed. Free some, or choose "
            "another place by archive."
        )
        return Check("disk", "failed", says, ExitCode.STORAGE)
    if files is not None and files < messages:
        says = f"{place} has room for {files:,} files, and each of {messages:,} messages is one. Choose another place."
        return Check("disk", "failed", says, ExitCode.STORAGE)
    return Check("disk", "ok", f"{_megabytes(free)} free at {place}")


def of_archive(path: Path, owners: Mapping[str, Owner]) -> Check:
    """Whether the archive can be read, and the accounts' mail belongs there; nothing is locked."""
    try:
        if not is_archive(path):
            check_place(path)
            return Check("archive", "ok", f"{path} is not there yet; the first fetch makes it")
        archive = Archive.open(path)
        for name, owner in owners.items():
            archive.check_owner(name, owner, may_join=True)
        accounts = archive.accounts()
    except InboxstatsError as problem:
        return failed("archive", problem)
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Check("archive", "warning", f"{path} can be read by others. Say: chmod 700 {path}")
    mail = f"mail of {', '.join(accounts)}" if accounts else "no mail yet"
    return Check("archive", "ok", f"{path}: {mail} (`inboxstats verify` checks the messages)")


def of_table(path: Path) -> Check:
    """Whether the message table of an archive can be read; what is wrong with it, the next report mends."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, damaged = 0, []
    for part in sorted((path / ".cache" / "messages").glob("part-*.parquet")):
        try:
            rows += pq.read_metadata(part).num_rows
        except (OSError, pa.ArrowException):
            damaged.append(part.name)
    if damaged:
        says = f"{damaged[0]} cannot be read. The next report makes it anew from the mail."
        return Check("table", "warning", says)
    if not rows:
        return Check("table", "ok", "is not there yet; the first report makes it")
    return Check("table", "ok", f"{rows:,} {'row' if rows == 1 else 'rows'}")


def of_parser() -> Check:
    """Whether the innermost loops of reading mail could be compiled; no number depends on it."""
    from inboxstats.parse.core import IS_COMPILED

    if IS_COMPILED:
        return Check("parser", "ok", "compiled")
    return Check(
        "parser",
        "ok",
        "in Python alone, which is slower. With a C compiler and Python's headers, install inboxstats again.",
    )


def of_timer() -> Check:
    """Whether a timer runs the program every night."""
    return _of_timer(find())


def _of_timer(timer: "Timer | None") -> Check:
    if timer is None:
        return Check("timer", "warning", "There is none. `inboxstats schedule install` has mail fetched every night.")
    if timer.trouble is not None:
        return Check("timer", "failed", f"{timer.kind}: {timer.trouble}", ExitCode.USAGE)
    following = f", next {timer.next.astimezone():%Y-%m-%d %H:%M}" if timer.next else ""
    last = f", last {timer.last.astimezone():%Y-%m-%d %H:%M}" if timer.last else ""
    return Check("timer", "ok", f"{timer.kind}{following}{last}")


def _free_files(place: Path) -> int | None:
    """How many more files there can be; ``None`` where there is no such number."""
    if os.name == "nt":
        return None
    found = os.statvfs(place)
    return found.f_favail if found.f_files else None


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
