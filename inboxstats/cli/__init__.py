"""The command line (typer): the only printing, the only exit codes. Each command in its own file.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

import contextlib
import gc
import os
import signal
import sys
import time
from functools import partial
from types import FrameType
from typing import Annotated, NoReturn

import typer

from inboxstats import __version__
from inboxstats.cli.commands import Commands
from inboxstats.cli.output import ReaderGone, complain, make_writable
from inboxstats.errors import ExitCode, InboxstatsError

EPILOG = (
    "Exit codes: 0 done · 1 a bug · 2 usage or config · 3 partly done, what is missing is listed · 4 credentials · "
    "5 server or network, run again · 6 local storage · 7 another run holds the archive · 8 archive damaged · "
    "9 TLS refused · 130/143 interrupted."
)

SAME_SIGNAL = 0.5
"""Seconds in which a signal is no second one."""

_SIGNALS = ((signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED))

DELAY, MOST_DELAYS = 0.01, 200
"""Seconds after which it is seen whether importlib is done, and how often at most."""

app = typer.Typer(
    name="inboxstats",
    cls=Commands,
    help="What an inbox is made of: who writes, about what, at which hour. It only ever reads your mail.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Stopped(BaseException):
    """SIGINT or SIGTERM. Not a KeyboardInterrupt, which typer would take for its own."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=lambda wanted: _version(wanted=wanted)),
    ] = False,
) -> None:
    """What an inbox is made of: who writes, about what, at which hour. It only ever reads your mail."""


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"inboxstats {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line and leave with the documented exit code."""
    code: int = ExitCode.DONE
    make_writable()
    # Else pydantic reads what is installed beside us, for a tenth of the start, and runs any plugins of its own there.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(50_000)  # else it goes through what is being imported eighty times, 4 % of the start
    heed_signals()
    try:
        app()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else ExitCode.DONE
    except InboxstatsError as problem:
        complain(str(problem))
        code = problem.exit_code
    except Stopped as stopped:
        complain("Stopped. All that is complete is kept; run again to go on.")
        code = stopped.code
    except ReaderGone:
        pass  # it has seen enough, as `head` does
    _leave(code)


def heed_signals() -> None:
    """Have SIGINT and SIGTERM raise `Stopped`, and a second one end the program at once."""
    for number, code in _SIGNALS:
        signal.signal(number, partial(_stop, code))


def _stop(code: ExitCode, _number: int, frame: FrameType | None, *, delays: int = MOST_DELAYS) -> None:
    if frame and frame.f_code.co_filename.startswith("<frozen importlib") and delays and sys.platform != "win32":
        # What is raised in importlib's own code may be swallowed there, or leave a lock that a thread then waits for.
        signal.signal(signal.SIGALRM, partial(_stop, code, delays=delays - 1))
        signal.setitimer(signal.ITIMER_REAL, DELAY)
        return
    began = time.monotonic()

    def again(*_: object) -> None:
        # A second one ends the program at once, tidied up or not: the next run sweeps. One that comes with the first
        # is the first: some programs signal a process and its group.
        if time.monotonic() - began > SAME_SIGNAL:
            _end_at_once(code)

    signal.signal(signal.SIGINT, again)
    signal.signal(signal.SIGTERM, again)
    raise Stopped(code)


def _end_at_once(code: ExitCode, *_: object) -> NoReturn:
    os._exit(code)


def _leave(code: int) -> NoReturn:
    for number, stopped in _SIGNALS:  # nobody catches an exception any more
        signal.signal(number, partial(_end_at_once, stopped))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # What is buffered goes nowhere, and the interpreter must not complain of it at its end.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
