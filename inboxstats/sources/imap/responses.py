"""The untagged responses to a command, read as they come: imapclient would collect all first."""

import re
from collections.abc import Collection, Iterator
from imaplib import IMAP4
from typing import Any

from imapclient import IMAPClient


def responses(
    client: IMAPClient, kinds: Collection[str], name: str, *command: Any, plain: re.Pattern[bytes] | None = None
) -> Iterator[tuple[str, list[Any]]]:
    """The untagged responses of these kinds to a command, as they come, with the literals between their parts.

    A line that is `plain` comes as its match, with ``""`` for the kind, and past imaplib, which takes three times as
    long. Raises what imaplib raises.
    """
    imap = client._imap  # noqa: SLF001 -- there is no public way to read on
    for kind in kinds:
        imap.untagged_responses.pop(kind, None)  # what an earlier command left
    tag = imap._command(name, *command)  # noqa: SLF001 -- as above
    while (answer := imap.tagged_commands[tag]) is None:
        if plain is not None:
            line = imap.readline()
            if found := plain.fullmatch(line):
                yield "", [found]
                continue
            imap.unread(line)
        imap._get_response()  # noqa: SLF001 -- as above
        for kind in kinds:
            if parts := imap.untagged_responses.pop(kind, None):
                yield kind, parts
        imap._check_bye()  # noqa: SLF001 -- as above
    del imap.tagged_commands[tag]
    status, text = answer
    if status != "OK":
        raise IMAP4.error(f"{status} {text[0].decode('utf-8', 'replace')}")


def searched(client: IMAPClient, criteria: str) -> list[int]:
    """The UIDs that a SEARCH finds, ascending. Raises what imaplib raises."""
    lines = (parts[0] for _, parts in responses(client, ("SEARCH",), "UID", "SEARCH", criteria))
    return sorted({int(uid) for line in lines for uid in line.split() if uid.isdigit()})
