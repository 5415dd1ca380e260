"""How the program speaks: data to stdout, the rest to stderr, nothing from mail or from a server unescaped."""

import contextlib
import io
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from inboxstats.errors import StorageError
from inboxstats.visible import spelled_out, visible

if TYPE_CHECKING:  # rich's progress bar takes 40 ms, which --help has not
    from rich.console import Console
    from rich.progress import Progress


class ReaderGone(Exception):  # noqa: N818 -- no failure of ours
    """Nobody reads stdout any more. Not a BrokenPipeError, of which typer makes exit code 1."""


def make_writable() -> None:
    """A character that the terminal's encoding has not is written as an escape, not as a traceback.

    What is written to a stream that was closed before the start, as by ``>&-``, goes nowhere.
    """
    # Python has None in its place, and the next file that is opened would have its descriptor.
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(os.devnull, "w"))


@contextlib.contextmanager
def stdout_errors() -> Iterator[None]:
    """Everything that is written in it has arrived afterwards. Raises ReaderGone, StorageError."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as gone:
        raise ReaderGone from gone
    except OSError as problem:
        raise StorageError(f"Cannot write to stdout: {problem.strerror or problem}.") from problem


def say(text: str) -> None:
    """A line of result on stdout."""
    with stdout_errors():
        sys.stdout.write(visible(text) + "\n")


def say_lines(text: str) -> None:
    """Lines of result on stdout; none where there are none."""
    for line in text.splitlines():
        say(line)


def say_text(text: str) -> None:
    """A result for programs, which is UTF-8 whatever the terminal's encoding is."""
    with stdout_errors():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())


def say_json(value: Any) -> None:
    """A result for programs on stdout; characters that a terminal obeys are escaped."""
    say_text(spelled_out(json.dumps(value, ensure_ascii=False, indent=1)) + "\n")


def complain(text: str) -> None:
    """Something that went wrong, on stderr, a line a sentence that stands on its own line."""
    with contextlib.suppress(OSError):  # there is no other place to say it
        for line in text.splitlines():
            sys.stderr.write(f"inboxstats: {visible(line)}\n")


class _Formatter(logging.Formatter):
    """A line a record, with nothing in it that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def set_up_logging(verbose: int) -> None:
    """-v tells what is done, -vv also the conversation with the server; a password is in neither."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("inboxstats").setLevel(logging.INFO if verbose else logging.WARNING)
    # The demo's server, whose clients may leave in the middle of an answer, would tell of its sockets.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    # What signs in would tell of its tries, and in its debug log of more than that.
    for name in ("urllib3", "requests_oauthlib", "oauthlib", "msal", "google", "google_auth_oauthlib"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("imapclient").setLevel(logging.DEBUG if verbose > 1 else logging.WARNING)


def shows_progress(*, quiet: bool, no_progress: bool) -> bool:
    """Whether a progress bar has somebody to look at it: a terminal that can move its cursor."""
    return sys.stderr.isatty() and not quiet and not no_progress and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> "Console":
    """A console on stdout (or stderr); NO_COLOR and pipes are respected by rich."""
    from rich.console import Console

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            raise ReaderGone  # rich would exit with 1

    return OurConsole(stderr=stderr, highlight=False, markup=False, emoji=False)


class _Bar(AbstractContextManager["_Bar"]):
    """A progress bar that counts messages, with their rate and the time left; nothing where nobody looks."""

    def __init__(self, *, shown: bool, beside: "Progress | None" = None, name: str = "") -> None:
        """`beside` other bars, one of which is named for what it shows."""
        self._is_beside = beside is not None
        self._progress = beside or (_progress() if shown else None)
        self._name = f"{visible(name)}: " if name else ""
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._progress and not self._is_beside:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress and not self._is_beside:
            self._progress.stop()

    def _begin(self, description: str, total: int | None) -> None:
        if self._progress:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(self._name + description, total=total, rate="")

    def _show(self, done: float, *, size: int = 0) -> None:
        if self._progress:
            elapsed = next((task.elapsed for task in self._progress.tasks if task.id == self._task), None) or 0.0
            rate = f"{done / elapsed:,.0f}/s" if elapsed > 0 else ""
            if size and elapsed > 0:
                rate += f" {megabytes(size / elapsed)}/s"
            self._progress.update(self._task, completed=done, rate=rate)


class FetchBar(_Bar):
    """A `fetch.Watcher`. `note` is for what a user should read, also where there is no bar."""

    _messages = _bytes = _headers = 0
    _wanted = (0, 0)
    _has_begun = False

    def __init__(
        self,
        *,
        shown: bool,
        beside: "Progress | None" = None,
        name: str = "",
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(shown=shown, beside=beside, name=name)
        self._note = note

    def listing(self, mailbox: str) -> None:
        self._begin(f"Listing {visible(mailbox)}", None)

    def begin(self, messages: int, size: int) -> None:
        self._wanted = (messages, size)
        self._begin(f"Fetching {megabytes(size)}", messages)
        self._has_begun = True

    def stored(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size
        if self._has_begun and not self._headers:  # else the bar is another one: of the listing, of headers
            self._show(self._messages, size=self._bytes)

    def headers(self, messages: int, seconds: float | None) -> None:
        self._note(f"{_why_headers(*self._wanted, seconds)} {counted(messages, 'header')} first.")
        self._begin("Fetching headers", messages)

    def header_stored(self) -> None:
        self._headers += 1
        self._show(self._headers)

    def headers_done(self) -> None:
        self._headers = 0
        self._note("the headers are here: `inboxstats report` can be run now, while the text comes.")
        messages, size = self._wanted
        self._begin(f"Fetching {megabytes(size)}", messages)
        self._show(self._messages, size=self._bytes)


def _why_headers(messages: int, size: int, seconds: float | None) -> str:
    all_of_it = f"{counted(messages, 'message')} ({megabytes(size)})"
    if seconds is None:
        return f"{all_of_it} to fetch,"
    if math.isinf(seconds):
        return f"{all_of_it} are more than may be fetched today, so"
    return f"{all_of_it} would take {duration(seconds)}, so"


class ImportBar(_Bar):
    """An `importing.Watcher`."""

    _messages = _bytes = 0

    def begin(self, mailbox: str) -> None:
        self._messages = self._bytes = 0
        self._begin(f"Importing {visible(mailbox)}", None)

    def read(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size
        if self._messages % 100 == 0:
            self._show(self._messages, size=self._bytes)


class VerifyBar(_Bar):
    """A `verify.Watcher`."""

    _messages = _bytes = 0

    def begin(self, mailbox: str, messages: int) -> None:
        self._messages = self._bytes = 0
        self._begin(f"Checking {visible(mailbox)}", messages)

    def checked(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size
        if self._messages % 100 == 0:
            self._show(self._messages, size=self._bytes)

    def listing(self, mailbox: str) -> None:
        self._begin(f"Listing {visible(mailbox)}", None)


class ParseBar(_Bar):
    """What `table.MessageTable.update` calls."""

    def __call__(self, done: int, total: int) -> None:
        if self._task is None:
            self._begin("Parsing", total)
        self._show(done)


@contextlib.contextmanager
def bars(*, shown: bool) -> Iterator["Progress | None"]:
    """A place for several bars, one below the other; ``None`` where nobody looks."""
    if not shown:
        yield None
        return
    with _progress() as progress:
        yield progress


class RunsBar(_Bar):
    """What `bench.timing.measure` calls."""

    def __init__(self, what: str, *, shown: bool) -> None:
        super().__init__(shown=shown)
        self._what = what

    def __call__(self, done: int, total: int) -> None:
        if self._progress:
            if self._task is None:
                self._begin(f"Measuring {self._what}", total)
            self._progress.update(self._task, completed=done)


def _progress() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )


def open_in_browser(page: Path) -> None:
    """Show a page; a browser's own chatter does not get between our data."""
    import webbrowser

    with contextlib.redirect_stdout(sys.stderr):
        if not webbrowser.open(page.resolve().as_uri()):
            complain(f"No browser could be started. Open {page} yourself.")


def megabytes(size: float) -> str:
    """``1234567`` → ``"1.2 MB"``."""
    return f"{size / 1e6:,.1f} MB"


def duration(seconds: float) -> str:
    """``90`` → ``"about 2 minutes"``; ``10000`` → ``"about 2.8 hours"``."""
    if seconds < 90 * 60:
        return f"about {counted(max(1, round(seconds / 60)), 'minute')}"
    return f"about {seconds / 3600:,.1f} hours"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1, "message"`` → ``"1 message"``; ``2000`` → ``"2,000 messages"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
