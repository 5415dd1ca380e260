"""Messages written straight into a mailbox of Dovecot's, a thousand times faster than IMAP's APPEND.

The layout is `LAYOUT=fs` with UTF-8 names: the mailbox ``Work/Café`` is the folder ``Work/Café``.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

SYSTEM_FLAGS = {"\\Answered": "R", "\\Deleted": "T", "\\Draft": "D", "\\Flagged": "F", "\\Seen": "S"}
FIRST_DATE = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
"""The internal date of the first message where none is given; each next is a minute later."""


def create(mailbox: Path, *, uid_validity: int, first_uid: int = 1) -> None:
    """An empty mailbox; what was there under that name, Dovecot's indexes too, is gone."""
    shutil.rmtree(mailbox, ignore_errors=True)
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True)
    # Dovecot's own record of UIDs: version, UIDVALIDITY, UIDNEXT, and a name of the mailbox for all time.
    header = f"3 V{uid_validity} N{first_uid} G{uid_validity:032x}\n"
    (mailbox / "dovecot-uidlist").write_text(header)


def add(
    mailbox: Path,
    messages: Iterable[bytes],
    *,
    internal_dates: Sequence[datetime] | None = None,
    flags: Mapping[int, Iterable[str]] | None = None,
) -> int:
    """How many messages were added. Their UIDs follow their order, from the mailbox's UIDNEXT on.

    `internal_dates` has a date a message, `flags` system flags by the message's place in `messages`, from 0.
    """
    taken = sum(len(os.listdir(mailbox / part)) for part in ("cur", "new"))
    count = 0
    for count, message in enumerate(messages, start=1):
        date = internal_dates[count - 1] if internal_dates else FIRST_DATE + timedelta(minutes=taken + count - 1)
        letters = "".join(sorted(SYSTEM_FLAGS[flag] for flag in (flags or {}).get(count - 1, ())))
        # Dovecot gives UIDs by the name's order. Without the sizes (S, W) in the name it reads every file for them.
        name = f"{taken + count:010d}.M0P1.tests,S={len(message)},W={_size_with_crlf(message)}:2,{letters}"
        path = mailbox / "cur" / name
        path.write_bytes(message)
        os.utime(path, (date.timestamp(), date.timestamp()))
    return count


def _size_with_crlf(message: bytes) -> int:
    return len(message) + message.count(b"\n") - message.count(b"\r\n")
