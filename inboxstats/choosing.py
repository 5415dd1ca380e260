"""Which of the server's mailboxes a run is about."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from inboxstats.errors import UsageError
from inboxstats.globs import matches
from inboxstats.mail import Mailbox


def chosen(mailboxes: Iterable[Mailbox], patterns: Sequence[str]) -> list[Mailbox]:
    """The mailboxes that a name or a glob (`globs.matches`) stands for, in the server's order.

    Raises UsageError for a pattern that matches nothing.
    """
    there = list(mailboxes)
    for pattern in patterns:
        if not any(matches(box.name, pattern) for box in there):
            raise UsageError(f"The server has no mailbox {pattern!r}. {_suggestion(pattern, there)}")
    return [box for box in there if any(matches(box.name, pattern) for pattern in patterns)]


def is_all(mailbox: Mailbox) -> bool:
    r"""Whether a mailbox holds all the others' mail: ``\\All`` of RFC 6154."""
    return "\\all" in map(str.lower, mailbox.attributes)


def without_copies(mailboxes: Iterable[Mailbox]) -> list[Mailbox]:
    """Those of Gmail's mailboxes that hold each message once: the others are labels of what is in All Mail.

    All Mail has neither spam nor what is in the bin.
    """
    apart = {"\\all", "\\junk", "\\trash"}
    return [box for box in mailboxes if apart & set(map(str.lower, box.attributes))]


def _suggestion(pattern: str, there: Sequence[Mailbox]) -> str:
    names = [box.name for box in there]
    close = get_close_matches(pattern, names, n=3) or names[:10]
    more = f" and {len(names) - len(close)} more" if len(close) < len(names) else ""
    return f"There are: {', '.join(map(repr, close))}{more}." if close else "It has none at all."
