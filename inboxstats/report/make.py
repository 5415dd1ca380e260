"""From a collection to a report: parse what is new, select, compute.

Imports pandas only behind the parsing, which may have begun before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from inboxstats.collection import Collection
from inboxstats.errors import UsageError
from inboxstats.globs import matches
from inboxstats.selection import COUNTED, Selection, label_name
from inboxstats.workers import Engine

if TYPE_CHECKING:
    from inboxstats.report.model import Report

_NAMED = 10
"""Names that the sentence on a wrong filter tells."""


def make(
    collection: Collection,
    selection: Selection,
    *,
    generated: datetime,
    engine: Engine = "processes",
    workers: int | None = None,
    top: int | None = None,
    progress: Callable[[int, int], None] = lambda _parsed, _total: None,
) -> "Report":
    """The report on a collection, its message table brought up to date first.

    Raises UsageError for a filter that no account or mailbox can pass, StorageError.
    """
    _check_filters(collection, selection)
    updated = collection.update(engine=engine, workers=workers, progress=progress, columns=COUNTED)

    import pyarrow as pa

    from inboxstats.dataset import select
    from inboxstats.report.model import build

    # Sorted, as they come in the order in which the workers were done.
    unreadable = sorted(
        (each.entry.file, each.reason)
        for each in updated.unreadable
        if selection.covers(each.entry.account, each.entry.mailbox)
    )
    data = select(updated.rows, selection, unreadable=len(unreadable), phrases=updated.phrases)
    del updated  # the statistics need the room
    pa.default_memory_pool().release_unused()
    return build(data, generated=generated, top=top, unreadable=unreadable)


def _check_filters(collection: Collection, selection: Selection) -> None:
    """Before anything is parsed: a name that is misspelt would make a report on nothing."""
    there = list(collection.mailboxes())
    if not there:
        return
    _check("account", selection.accounts, sorted(account for account, _ in collection.sources if account is not None))
    in_accounts = Selection(accounts=selection.accounts)
    if names := {name for account, name in there if in_accounts.covers(account, name)}:
        if any(not any(matches(name, glob) for name in names) for glob in selection.mailboxes):
            names |= set(map(label_name, collection.labels()))
        _check("mailbox", selection.mailboxes, sorted(names))


def _check(kind: str, globs: Sequence[str], names: Sequence[str]) -> None:
    for glob in globs:
        if not any(matches(name, glob) for name in names):
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            known = f"There are: {', '.join(map(repr, names[:_NAMED]))}{more}." if names else "This mail has none."
            raise UsageError(f"--{kind} {glob!r} matches no {kind}. {known}")
