"""A second reader of IMAP, on the standard library alone, to hold inboxstats against."""

import binascii
import hashlib
import imaplib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in where, in clear text."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


def with_crlf(message: bytes) -> bytes:
    """The message as it travels: each line end is CRLF (RFC 5322, section 2.1); a CR alone stays what it is."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", message)


def digests(login: Login, mailbox: str = "INBOX") -> dict[int, str]:
    """SHA-256 of every message, by UID. Leaves \\Seen alone."""
    return {uid: hashlib.sha256(message).hexdigest() for uid, message in messages(login, mailbox)}


def messages(login: Login, mailbox: str = "INBOX") -> Iterator[tuple[int, bytes]]:
    """UID and bytes of every message, CHUNK of them held at a time."""
    with examined(login, mailbox) as client:
        uids = _search(client)
        for start in range(0, len(uids), CHUNK):
            for head, body in _fetch(client, uids[start : start + CHUNK], "(UID BODY.PEEK[])"):
                yield _uid(head), body


def flags(login: Login, mailbox: str = "INBOX") -> dict[int, frozenset[str]]:
    """The flags of every message, by UID; \\Recent, which no client can set, is left out."""
    with examined(login, mailbox) as client:
        heads = [head for head, _ in _fetch(client, _search(client), "(UID FLAGS)")]
    found = {_uid(head): imaplib.ParseFlags(head) for head in heads}
    return {uid: frozenset(flag.decode() for flag in each) - {"\\Recent"} for uid, each in found.items()}


def uid_validity(login: Login, mailbox: str = "INBOX") -> int:
    """UIDVALIDITY as the mailbox is opened."""
    with examined(login, mailbox) as client:
        return int(client.response("UIDVALIDITY")[1][0])


@contextmanager
def examined(login: Login, mailbox: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """A client that has the mailbox open, read-only. Raises imaplib.IMAP4.error."""
    client = imaplib.IMAP4(login.host, login.port, timeout=60)
    try:
        client.login(login.user, login.password)
        quoted = utf_7(mailbox).replace("\\", "\\\\").replace('"', '\\"')
        status, answer = client.select(f'"{quoted}"', readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error(f"EXAMINE {mailbox}: {answer!r}")
        yield client
    except BaseException:
        client.shutdown()
        raise
    client.logout()


def utf_7(mailbox: str) -> str:
    """A mailbox name as IMAP4rev1 writes it: ``"Entwürfe"`` is ``"Entw&APw-rfe"`` (RFC 3501, section 5.1.3)."""

    def shifted(run: "re.Match[str]") -> str:
        encoded = binascii.b2a_base64(run[0].encode("utf-16-be"), newline=False).rstrip(b"=")
        return f"&{encoded.replace(b'/', b',').decode()}-"

    return re.sub(r"[^\x20-\x7e]+", shifted, mailbox.replace("&", "&-"))


def _search(client: imaplib.IMAP4) -> list[int]:
    return [int(uid) for uid in client.uid("SEARCH", "ALL")[1][0].split()]


def _fetch(client: imaplib.IMAP4, uids: list[int], what: str) -> Iterator[tuple[bytes, bytes]]:
    """The line of each answer up to its literal, and the literal, empty where there is none."""
    if not uids:
        return
    for answer in client.uid("FETCH", ",".join(map(str, uids)), what)[1]:
        if isinstance(answer, tuple):
            yield answer
        elif b"UID" in answer:
            yield answer, b""


def _uid(head: bytes) -> int:
    found = re.search(rb"UID (\d+)", head)
    assert found, f"no UID in {head!r}"
    return int(found[1])
