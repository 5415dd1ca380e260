"""What is to be told apart: the class of each message, as the user sorted it. ``None`` where it has none."""

from typing import Any, Literal

import pandas as pd

from inboxstats.globs import matches

Target = Literal["mailbox", "label", "spam", "people"]

SPAM_MAILBOXES = ("Junk", "Spam", "Junk Email", "Junk E-mail", "Bulk Mail", "*[/.]Junk", "*[/.]Spam")
"""What servers call the mailbox for spam (globs)."""

UNLABELLED = "(no label)"


def classes(
    messages: pd.DataFrame, target: Target, *, spam_mailboxes: tuple[str, ...] = SPAM_MAILBOXES
) -> "pd.Series[Any]":
    """The class of each message, in its place; missing where it tells none.

    mailbox -- the mailbox that it is in
    label   -- its first label in the alphabet, without those of the system, which begin with a backslash
    spam    -- ``spam`` where its mailbox or a label says so, else ``rest``
    people  -- ``bulk`` where it has List-Id or List-Unsubscribe, else ``people``
    """
    match target:
        case "mailbox":
            return messages["mailbox"].astype(object)
        case "label":
            return pd.Series([_label(labels) for labels in messages["labels"]], messages.index, dtype=object)
        case "spam":
            names = messages["mailbox"].unique()
            spam = {name for name in names if any(matches(name, glob) for glob in spam_mailboxes)}
            rows = zip(messages["mailbox"], messages["labels"], strict=True)
            found = ["spam" if mailbox in spam or _is_marked(labels) else "rest" for mailbox, labels in rows]
            return pd.Series(found, messages.index, dtype=object)
        case "people":
            is_bulk = messages["list_id"].notna() | messages["has_list_unsubscribe"].astype(bool)
            found = ["bulk" if each else "people" for each in is_bulk]
            return pd.Series(found, messages.index, dtype=object)


def _is_marked(labels: Any) -> bool:
    return _is_listed(labels) and any(label in ("\\Spam", "\\Junk") for label in labels)


def _is_listed(labels: Any) -> bool:
    """Whether a cell of a list column holds a list: pandas has other things in the place of none."""
    return hasattr(labels, "__len__")


def _label(labels: Any) -> str | None:
    if not _is_listed(labels):
        return None
    return min((label for label in labels if not label.startswith("\\")), default=UNLABELLED)
