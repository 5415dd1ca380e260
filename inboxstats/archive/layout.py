"""Where things stand in an archive: names to paths and back. Touches no file.

    ACCOUNT/MAILBOX/UIDVALIDITY/BUCKET/UID.eml

A server's string is never a path: names are percent-encoded, and the raw name stands in mailbox.json.
"""

import hashlib
import re
from urllib.parse import quote, unquote

from inboxstats.mail import MessageKey

BUCKET_SIZE = 1000
"""UIDs a folder: few enough for every file system, many enough for one fsync of the folder to serve many files."""

IMPORTED = 2**62
"""The UIDVALIDITY of messages that no server numbered, but `inboxstats import`: far above all that a server's become
(`next_generation`), so that neither is ever taken for the other."""

LONGEST_NAME = 150
"""Encoded names are cut here, well below the 255 bytes that file systems allow."""

# Device names of Windows (CON.txt is one too), the current and the parent folder, and hidden files.
_UNSAFE_START = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|\.")


def folder_name(name: str) -> str:
    """A file name for an account's or a mailbox's name: ASCII, one to one, safe on every platform.

    ``"Entwürfe/2026"`` → ``"Entw%C3%BCrfe%2F2026"``. A name that is too long ends in ``%~`` and a hash of the whole;
    no other name holds ``%~``.
    """
    encoded = quote(name, safe="@+=,", errors="surrogatepass").replace("~", "%7E") or "%"
    if _UNSAFE_START.match(encoded):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    if encoded.endswith("."):
        encoded = encoded[:-1] + "%2E"
    return encoded if len(encoded) <= LONGEST_NAME else hashed_folder_name(name)


def hashed_folder_name(name: str) -> str:
    """Another name for the same thing, for a name that is too long or whose plain folder a twin already holds."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    start = quote(name, safe="@+=,", errors="surrogatepass").replace("~", "%7E").lstrip(".")
    return f"{start[: LONGEST_NAME - 20]}%~{digest}"


def name_of_folder(folder: str) -> str:
    """The name that `folder_name` encoded; for one that ends in a hash, its beginning."""
    return unquote(folder.partition("%~")[0], errors="surrogatepass") if folder != "%" else ""


def message_path(key: MessageKey) -> tuple[str, str, str]:
    """The folder of the UIDVALIDITY, the bucket and the file's name: ``("1700000000", "000042", "42017.eml")``."""
    uidvalidity, _, uid = key.partition("-")
    return uidvalidity, f"{int(uid) // BUCKET_SIZE:06d}", f"{uid}.eml"


def message_key(uidvalidity: int | str, uid: int | str) -> MessageKey:
    """The key of a message that an IMAP server numbered."""
    return MessageKey(f"{uidvalidity}-{uid}")


def uid_of(key: MessageKey) -> int:
    """The UID in a key."""
    return int(key.partition("-")[2])


def server_uidvalidity(key: MessageKey) -> int:
    """The UIDVALIDITY in a key as the server gave it."""
    return as_given(int(key.partition("-")[0]))


def is_imported(key: MessageKey) -> bool:
    """Whether a message came from a file of the user, not from a server."""
    return int(key.partition("-")[0]) == IMPORTED


def as_given(uidvalidity: int) -> int:
    """A UIDVALIDITY as the server gave it, without what `next_generation` added."""
    return uidvalidity % 2**32


def next_generation(uidvalidity: int) -> int:
    """A UIDVALIDITY for messages that a server put in the place of others without changing its own, which has 32 bits.

    So their files stand beside those of the messages that had their UIDs before.
    """
    return uidvalidity + 2**32
