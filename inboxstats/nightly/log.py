"""The log of the nights: rotated, for its user alone, and without addresses above debug level."""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

import platformdirs

from inboxstats.archive.files import FILE_MODE, make_folder
from inboxstats.errors import storage_errors
from inboxstats.visible import visible

MOST_BYTES = 1_000_000
BACKUPS = 5

_ADDRESS = re.compile(r"[^\s<>\"'(),;:@/\\]{1,256}@(?=[^\s<>\"'(),;:@/\\])")


def log_path() -> Path:
    """Where the log is: in the platform's folder for logs."""
    return platformdirs.user_log_path("inboxstats") / "nightly.log"


class _Handler(logging.handlers.RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            errors="backslashreplace",
            opener=lambda path, flags: os.open(path, flags, FILE_MODE),
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        """A line that finds no room is lost; a full disk is told of by the record and the digest, not by tracebacks."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class _Formatter(logging.Formatter):
    """A line a record; of an address, above debug level, the domain alone."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [visible(line) for line in super().format(record).splitlines()]
        text = "\n    ".join(lines)
        return text if record.levelno <= logging.DEBUG else masked(text)


def masked(text: str) -> str:
    """``"me@example.org refuses"`` as ``"…@example.org refuses"``."""
    return _ADDRESS.sub("…@", text)


@contextmanager
def logging_to(path: Path, level: int, *, alone: bool) -> Iterator[None]:
    """What the program logs goes into a file meanwhile; `alone`: and nowhere else. Raises StorageError."""
    with storage_errors("write the log", path):
        make_folder(str(path.parent), fsync=False)
        handler = _Handler(path, maxBytes=MOST_BYTES, backupCount=BACKUPS, encoding="utf-8")
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(level)
    logger = logging.getLogger("inboxstats")
    logger_level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = propagates and not alone
    logger.setLevel(min(level, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logger_level)
        logger.propagate = propagates
        handler.close()
