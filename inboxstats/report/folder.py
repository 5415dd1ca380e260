"""Where reports are kept: one folder a run, and `latest` beside them.

A run is written under a temporary name and renamed when it is complete, so an interrupted one harms no report.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from datetime import UTC
from pathlib import Path

from inboxstats.archive.files import FILE_MODE, TEMPORARY, make_folder
from inboxstats.errors import UsageError, storage_errors
from inboxstats.report import export
from inboxstats.report.model import Report

LATEST = "latest"

STAGING = ".inboxstats-"
"""How what is not complete begins, and TEMPORARY is its end: nobody else's files look so, and these may be swept."""

_RUN = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d+))?", re.ASCII)
"""A run's folder."""

COPY = ".inboxstats-copy"
"""Lies in a `latest` that is a copy of a run, and so ours to replace."""


def _write_page(report: Report, folder: Path) -> None:
    from inboxstats.report import page  # matplotlib and Jinja2: a report without a page needs neither

    page.write(report, folder / "report.html")


FORMATS: dict[str, Callable[[Report, Path], None]] = {
    "html": _write_page,
    "json": lambda report, folder: export.write_json(report, folder / "report.json"),
    "csv": lambda report, folder: export.write_csv(report, folder / "csv"),
}
"""Each writes the report into a folder."""


def write(report: Report, out: Path, formats: Collection[str]) -> Path:
    """Writes the report into ``out/2026-11-23T021500Z``, lets ``out/latest`` be it, and returns that folder.

    The folder is private to the user (0700, its files 0600). Raises UsageError for a format that is not in FORMATS,
    and for a `latest` that is the user's own; StorageError where the disk refuses.
    """
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise UsageError(f"Unknown format {', '.join(unknown)}: choose from {', '.join(FORMATS)}.")
    with storage_errors("write the report into", out):
        make_folder(str(out), fsync=False)
        with _alone_in(out):
            _check_latest(out / LATEST)
            _sweep(out)
            folder = _write_run(report, out, formats)
            _point_latest(folder)
    return folder


def _check_latest(latest: Path) -> None:
    if os.path.lexists(latest) and not latest.is_symlink() and not (latest / COPY).is_file():
        raise UsageError(f"{latest} is not ours to replace. Move it away, or choose another folder with --out.")


def _write_run(report: Report, out: Path, formats: Collection[str]) -> Path:
    staging = Path(tempfile.mkdtemp(prefix=STAGING, suffix=TEMPORARY, dir=out))
    try:
        for name in formats:
            FORMATS[name](report, staging)
        return staging.rename(_free(out / f"{report.generated.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _free(folder: Path) -> Path:
    """`folder`, or with a number where a run of the same second has taken it."""
    number = 2
    free = folder
    while free.exists():
        free = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return free


def _point_latest(folder: Path) -> None:
    latest = folder.with_name(LATEST)
    fresh, stale = (folder.with_name(f"{STAGING}{LATEST}-{state}{TEMPORARY}") for state in ("fresh", "stale"))
    try:
        fresh.symlink_to(folder.name, target_is_directory=True)
    except OSError:  # FAT; Windows without the right to make one
        shutil.copytree(folder, fresh)
        (fresh / COPY).touch(FILE_MODE)
    if os.path.lexists(latest) and not (fresh.is_symlink() and latest.is_symlink()):
        latest.rename(stale)  # only a link replaces a link in one step
    fresh.replace(latest)
    _sweep(folder.parent)


def prune(out: Path, keep: int) -> list[Path]:
    """Removes all but the latest `keep` runs, and never the one that `latest` is; returns those that went.

    What has another name than a run's is nobody's to remove. Raises StorageError.
    """
    if not out.is_dir():
        return []
    with storage_errors("remove old reports from", out), _alone_in(out):
        _sweep(out)
        latest = (out / LATEST).resolve()
        runs = sorted((path for path in out.iterdir() if _is_run(path)), key=_age)
        old = [path for path in runs[: max(0, len(runs) - keep)] if path != latest]
        for number, path in enumerate(old):
            # Renamed first: one that is interrupted leaves no half report.
            path.rename(out / f"{STAGING}old-{number}{TEMPORARY}")
        _sweep(out)
    return old


def _is_run(path: Path) -> bool:
    return _RUN.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _age(path: Path) -> tuple[str, int]:
    """By time, then by the number that a second run of the same second has."""
    found = _RUN.fullmatch(path.name)
    assert found is not None
    return found[1], int(found[2] or 1)


def _sweep(out: Path) -> None:
    """Removes what a run that was killed has left."""
    for left in out.glob(f"{STAGING}*{TEMPORARY}"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Waits for another run that writes here; a dead one's lock is free. Windows has no flock, and does without."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with open(out / ".lock", "a", opener=lambda path, flags: os.open(path, flags, FILE_MODE)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
