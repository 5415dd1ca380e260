"""What a server says of mailboxes without opening them (STATUS: RFC 9051, section 6.3.11)."""

import re
from collections.abc import Collection, Mapping
from imaplib import IMAP4
from typing import Any

from imapclient import IMAPClient
from imapclient.response_parser import parse_response

from inboxstats.archive import MailboxState
from inboxstats.sources.imap.opened import SEARCHED_AT_ONCE, some_of
from inboxstats.sources.imap.responses import responses


def usable_uidvalidity(answer: object) -> int | None:
    """A UIDVALIDITY as RFC 9051, section 2.3.1.1, wants it: 32 bits, not 0; else ``None``."""
    return answer if isinstance(answer, int) and 0 < answer < 2**32 else None


def ask(client: IMAPClient, name: str) -> bytes | None:
    """Send for what `told` then reads, without waiting; ``None`` for a name that needs quoting, or is a pattern."""
    if not re.fullmatch(r"[A-Za-z0-9 ./_-]+", name):
        return None
    tag = client._imap._command("STATUS", f'"{name}"', f"({' '.join(items(client))})")  # noqa: SLF001 -- imapclient's own would wait
    return bytes(tag)


def told(client: IMAPClient, tag: bytes) -> MailboxState | None:
    """The answer; ``None`` for one that says nothing. Raises what imaplib raises: also for a mailbox not there."""
    imap = client._imap  # noqa: SLF001 -- the Channel
    status, text = imap._command_complete("STATUS", tag)  # noqa: SLF001 -- imaplib sends and waits in one
    if status != "OK":
        raise IMAP4.error(f"{status} {text[0].decode('utf-8', 'replace')}")
    match parse_response(imap.untagged_responses.pop("STATUS", [])):
        case (_, tuple(facts)):
            return state(dict(zip(facts[::2], facts[1::2], strict=True)))
    return None


def of_many(client: IMAPClient, mailboxes: Collection[bytes], wanted: str) -> dict[bytes, dict[bytes, Any]]:
    """STATUS of many mailboxes in few round trips (LIST-STATUS: RFC 5819), without those that the server left out.

    By names as they are on the wire; ones that would be taken for patterns are left out, too.
    """
    quoted = {name: b'"' + re.sub(rb'(["\\])', rb"\\\1", name) + b'"' for name in mailboxes if _is_plain(name)}
    found: dict[bytes, dict[bytes, Any]] = {}
    for some in some_of(list(quoted.values()), SEARCHED_AT_ONCE // 10):
        command = ("LIST", '""', b"(" + b" ".join(some) + b")", f"RETURN (STATUS ({wanted}))")
        for _, parts in responses(client, ("STATUS",), *command):
            match parse_response(parts):
                case (bytes() | int() as name, tuple(facts)):
                    raw = name if isinstance(name, bytes) else str(name).encode()
                    found[raw] = dict(zip(facts[::2], facts[1::2], strict=True))
    return found


def _is_plain(name: bytes) -> bool:
    return name.isascii() and not re.search(rb"[\x00-\x1f\x7f*%]", name)


def items(client: IMAPClient) -> list[str]:
    """What STATUS is asked for."""
    found = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
    return [*found, "HIGHESTMODSEQ"] if client.has_capability("CONDSTORE") else found


def state(answer: Mapping[bytes, Any]) -> MailboxState:
    """What STATUS or EXAMINE said. A HIGHESTMODSEQ of 0 is none (RFC 7162, section 3.1.2)."""
    uidnext, messages, highestmodseq = (answer.get(name) for name in (b"UIDNEXT", b"MESSAGES", b"HIGHESTMODSEQ"))
    return MailboxState(
        uidvalidity=usable_uidvalidity(answer.get(b"UIDVALIDITY")),
        uidnext=uidnext if isinstance(uidnext, int) and uidnext > 0 else None,
        messages=messages if isinstance(messages, int) else None,
        highestmodseq=highestmodseq if isinstance(highestmodseq, int) and highestmodseq > 0 else None,
    )
