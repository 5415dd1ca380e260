"""A mailbox downloaded one message at a time, fifty at a time, by threads as the article does it, and by us.

Read-only: EXAMINE and BODY.PEEK[] alone. What comes goes into a temporary folder.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inboxstats.archive import Archive, Owner
from inboxstats.archive.listing import Listing
from inboxstats.bench.model import Experiment, Name, Way
from inboxstats.download import Wanted, download
from inboxstats.errors import NetworkError, UsageError
from inboxstats.mail import Mailbox, MessageKey
from inboxstats.sources.imap import ImapSource

BATCH = 50
"""Messages that one FETCH asks for."""

ONE, BATCHED = "1 a FETCH", f"{BATCH} a FETCH"


@dataclass(frozen=True, slots=True)
class Work:
    """Messages of a mailbox, in the listing's order; `source` is never connected itself, its siblings are."""

    source: ImapSource
    mailbox: Mailbox
    listing: Listing

    @property
    def keys(self) -> list[MessageKey]:
        return list(self.listing)


@contextmanager
def experiment(
    source: ImapSource, mailbox: str, *, messages: int, threads: int, ours: int, link: str, most_bytes: int | None
) -> Iterator[Experiment]:
    """The newest `messages` of a mailbox, by `threads` threads of the article's and at most `ours` of our own.

    link -- where the server is, in words
    most_bytes -- a run may take, of which the ways and their warm-up take a share; ``None`` is any amount

    Raises NetworkError, CredentialsError, TLSError; UsageError where there is no such mailbox, or nothing in it.
    """
    work = _work(source, mailbox, messages)
    if most_bytes is not None and work.listing.total_size() > most_bytes:
        raise UsageError(
            f"The {len(work.listing)} messages have {work.listing.total_size() / 1e6:,.0f} MB, and so many times that "
            "is more than the provider gives a day. Ask for less with --messages or --repeat."
        )
    with tempfile.TemporaryDirectory(prefix="inboxstats-bench-") as name:
        folder = Path(name)

        def way(mode: str, fetch: Callable[[Work, Path], None]) -> Callable[[], None]:
            def run() -> None:
                out = folder / mode
                out.mkdir()
                fetch(work, out)
                stored = sum(1 for _ in out.rglob("*.eml"))
                if stored != len(work.listing):
                    raise NetworkError(f"{stored} of {len(work.listing)} messages came. Run again.")

            return run

        def tidy() -> None:
            for each in folder.iterdir():
                shutil.rmtree(each)

        one = Name("sequence", 1, ONE)
        yield Experiment(
            name="download",
            title="A mailbox downloaded",
            settings={
                "messages": len(work.listing),
                "bytes": work.listing.total_size(),
                "link": link,
            },
            ways=(
                Way(one, way("one", one_by_one), against=one),
                Way(Name("article", threads, ONE), way("article", threaded(threads)), against=one),
                Way(Name("sequence", 1, BATCHED), way("batches", batches), against=one),
                Way(Name("ours", ours), way("ours", our_downloader(ours)), against=one),
            ),
            warm_up=way("warm", our_downloader(1)),  # the server's caches
            tidy=tidy,
            waits=True,
        )


def _work(source: ImapSource, wanted: str, messages: int) -> Work:
    try:
        source.connect()
        found = {mailbox.name: mailbox for mailbox in source.mailboxes()}
        if wanted not in found:
            raise UsageError(f"The server has no mailbox {wanted!r}. There are: {', '.join(map(repr, found))}.")
        listing = source.snapshot(found[wanted]).listing
    finally:
        source.close()
    if not listing:
        raise UsageError(f"{wanted!r} is empty. Name another mailbox with --mailbox.")
    newest = listing.select(range(max(0, len(listing) - messages), len(listing)))
    return Work(source, found[wanted], newest)


def one_by_one(work: Work, folder: Path) -> None:
    """One connection, one message after the other. Raises NetworkError."""
    _save(work.source.sibling(), work.mailbox, ([key] for key in work.keys), folder)


def batches(work: Work, folder: Path) -> None:
    """One connection, `BATCH` messages a FETCH, one FETCH after the other. Raises NetworkError."""
    keys = work.keys
    asked = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    _save(work.source.sibling(), work.mailbox, asked, folder)


def threaded(threads: int) -> Callable[[Work, Path], None]:
    """So many threads with a connection and an equal share each, one message after the other. Raises NetworkError."""

    def fetch(work: Work, folder: Path) -> None:
        keys = work.keys
        share = -(-len(keys) // threads)
        parts = [keys[start : start + share] for start in range(0, len(keys), share)]
        sources = [work.source.sibling() for _ in parts]
        with ThreadPoolExecutor(len(parts)) as pool:
            try:
                futures = [
                    pool.submit(_save, source, work.mailbox, ([key] for key in part), folder)
                    for source, part in zip(sources, parts, strict=True)
                ]
                for future in futures:
                    future.result()
            except BaseException:  # Ctrl-C: the threads wait for their server, and this waits for them
                for source in sources:
                    source.abort()
                raise

    return fetch


def our_downloader(threads: int) -> Callable[[Work, Path], None]:
    """What `inboxstats fetch` does, with so many threads at most. Raises what ended it early."""

    def fetch(work: Work, folder: Path) -> None:
        archive = Archive.create(folder / "archive", fsync=False)
        archive.admit("bench", Owner("bench", "bench"))
        target = archive.mailbox("bench", work.mailbox)
        connections = [work.source.sibling() for _ in range(threads)]
        done = download([Wanted(target, work.listing)], connections, progress=lambda _messages, _size: None)
        if done.error is not None:
            raise done.error

    return fetch


def _save(source: ImapSource, mailbox: Mailbox, asked: Iterable[Sequence[MessageKey]], folder: Path) -> None:
    """Each message in a file of its own, a FETCH for each of `asked`."""
    try:
        for keys in asked:
            for key, data in source.fetch(mailbox, keys):
                (folder / f"{key}.eml").write_bytes(data)
    finally:
        source.close()
