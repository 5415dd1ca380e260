"""From a collection to a report: parse what is new, select, compute."""

from collections.abc import Callable
from datetime import datetime

from inboxstats.collection import Collection
from inboxstats.dataset import Selection, select
from inboxstats.report.model import Report, build
from inboxstats.workers import Engine


def make(
    collection: Collection,
    selection: Selection,
    *,
    generated: datetime,
    engine: Engine = "processes",
    workers: int | None = None,
    top: int | None = None,
    progress: Callable[[int, int], None] = lambda _parsed, _total: None,
) -> Report:
    """The report on a collection, its message table brought up to date first. Raises StorageError."""
    updated = collection.update(engine=engine, workers=workers, progress=progress)
    unreadable = [
        (each.entry.file, each.reason)
        for each in updated.unreadable
        if selection.covers(each.entry.account, each.entry.mailbox)
    ]
    data = select(updated.rows, selection, unreadable=len(unreadable))
    return build(data, generated=generated, top=top, unreadable=unreadable)
