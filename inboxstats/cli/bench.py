"""`inboxstats bench`: threads against processes, measured on the user's own machine and mailbox."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inboxstats.cli import bench_mail
from inboxstats.cli.options import (
    ConfigFile,
    Host,
    Insecure,
    Json,
    NoProgress,
    PasswordCommand,
    Port,
    Quiet,
    Security,
    TlsFingerprint,
    User,
)
from inboxstats.cli.output import (
    RunsBar,
    complain,
    open_in_browser,
    say,
    say_json,
    set_up_logging,
    shows_progress,
)
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # numpy, pandas and what speaks to a server
    from inboxstats.bench.model import Experiment, Outcome

app = typer.Typer(
    help="Threads against processes: experiments on your own machine and mailbox.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Repeat = Annotated[
    int | None,
    typer.Option(
        min=1, max=1000, help="Rounds, each way once in each. Default: 5; forest and download 3.", show_default=False
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="A glance: less work, 3 rounds.")]
ChartFile = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw the bar chart: .svg or .png.", show_default=False),
]
Numbers = Annotated[int | None, typer.Option(min=1, help="In the list. Default: 50,000.", show_default=False)]
Delay = Annotated[float, typer.Option(min=0, max=60_000, metavar="MS", help="Until a page comes, in milliseconds.")]
Pages = Annotated[int | None, typer.Option(min=1, help="That a run gets. Default: 10.", show_default=False)]
Trees = Annotated[int | None, typer.Option(min=1, help="In the forest. Default: 500.", show_default=False)]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="The article's. Default: 10, or what the provider bears.", show_default=False),
]
Rtt = Annotated[
    float | None,
    typer.Option(
        min=0, max=60_000, metavar="MS", help="Round trip to the demo's server. Default: 40.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class _Plan:
    """An experiment that can be made ready, and how many rounds it gets."""

    name: str
    ready: Callable[[], AbstractContextManager["Experiment"]]
    rounds: int


@app.command("cpu")
def cpu(
    numbers: Numbers = None,
    repeat: Repeat = None,
    quick: Quick = False,
    chart: ChartFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """A job that burns the processor.

    A list of random numbers is multiplied up 1, 2, 4 and 8 times: in sequence, by as many threads, by as many
    processes.
    """
    _one(_cpu(numbers, repeat, quick=quick), chart=chart, json=json, quiet=quiet, no_progress=no_progress)


@app.command("io")
def io(
    delay: Delay = 50.0,
    pages: Pages = None,
    repeat: Repeat = None,
    quick: Quick = False,
    chart: ChartFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """A job that waits for the network.

    A page is fetched from a web server of our own on this machine and written to a file, in a loop. The loop runs 1, 2,
    4 and 8 times: in sequence, by as many threads, by as many processes.
    """
    _one(_io(delay, pages, repeat, quick=quick), chart=chart, json=json, quiet=quiet, no_progress=no_progress)


@app.command("download")
def download(
    account: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="Of config.toml. Default: the demo's server.")
    ] = None,
    mailbox: Annotated[str, typer.Option("--mailbox", "-m", help="Which one.")] = "INBOX",
    messages: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="The newest. Default: 100.", show_default=False)
    ] = None,
    threads: Threads = None,
    rtt: Rtt = None,
    repeat: Repeat = None,
    quick: Quick = False,
    chart: ChartFile = None,
    host: Host = None,
    port: Port = None,
    user: User = None,
    security: Security = "tls",
    tls_fingerprint: TlsFingerprint = None,
    password_command: PasswordCommand = None,
    insecure: Insecure = False,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """A mailbox downloaded: one by one, by threads, in batches, by us.

    Without an account it is the demo's server in a process of its own, --rtt away (extra `demo`). Read-only, as always:
    messages come into a temporary folder, each of them once a way and a round.
    """
    rounds = repeat or 3
    chosen = bench_mail.Chosen(mailbox, messages or (50 if quick else 100), threads, rounds)
    job = bench_mail.job_of(
        account, host, port, user, security, password_command, tls_fingerprint, config=config, insecure=insecure
    )
    if job is not None and rtt is not None:
        raise UsageError("--rtt is for the demo's server: an account has a round trip of its own.")

    def ready() -> AbstractContextManager["Experiment"]:
        if job is None:
            return bench_mail.demo(chosen, rtt=40.0 if rtt is None else rtt)
        return bench_mail.account(chosen, job, quiet=quiet)

    _one(_Plan("download", ready, rounds), chart=chart, json=json, quiet=quiet, no_progress=no_progress)


@app.command("parse")
def parse(
    path: Annotated[
        Path | None, typer.Argument(help="An archive, Maildir, mbox or tree of .eml. Default: generated mail.")
    ] = None,
    messages: Annotated[
        int | None, typer.Option(min=1, help="At most so many. Default: 2,000.", show_default=False)
    ] = None,
    repeat: Repeat = None,
    quick: Quick = False,
    chart: ChartFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """An archive parsed: in series, in threads, in processes.

    By the standard library, and by our parser.
    """
    plan = _parse(path, messages, repeat, quick=quick)
    _one(plan, chart=chart, json=json, quiet=quiet, no_progress=no_progress)


@app.command("forest")
def forest(
    trees: Trees = None,
    repeat: Repeat = None,
    quick: Quick = False,
    chart: ChartFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """A random forest trained with 1, 2, 4 and all jobs.

    10,000 made-up samples with 50 features in 10 classes. Wants the extra `ml`: pip install 'inboxstats[ml]'
    """
    _one(_forest(trees, repeat, quick=quick), chart=chart, json=json, quiet=quiet, no_progress=no_progress)


@app.command("all")
def all_experiments(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where page and charts go. Default: bench in the cache.", show_default=False),
    ] = None,
    rtt: Rtt = None,
    repeat: Repeat = None,
    quick: Quick = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> None:
    """All experiments, side by side on a page.

    Some ten minutes; less with --quick or --repeat. What needs an extra that is not installed is left out, and said.
    """
    import platformdirs

    from inboxstats.bench import page

    chosen = bench_mail.Chosen("INBOX", 50 if quick else 100, None, repeat or 3)
    plans = (
        _cpu(None, repeat, quick=quick),
        _io(50.0, None, repeat, quick=quick),
        _Plan("download", lambda: bench_mail.demo(chosen, rtt=40.0 if rtt is None else rtt), chosen.rounds),
        _parse(None, None, repeat, quick=quick),
        _forest(None, repeat, quick=quick),
    )
    folder = (out or platformdirs.user_cache_path("inboxstats") / "bench").expanduser()
    outcomes: list[Outcome] = []
    left_out: dict[str, str] = {}
    for plan in plans:
        try:
            outcome = _measured(plan, quiet=quiet or json, no_progress=no_progress)
        except UsageError as problem:
            left_out[plan.name] = str(problem)
            complain(f"{plan.name} is left out: {problem}")
            continue
        outcomes.append(outcome)
        if not (quiet or json):
            _tell(outcome)
            say("")
    written = page.write(outcomes, folder, left_out=left_out)
    if json:
        say_json(_all_json(outcomes, left_out))
    elif not quiet:
        _tell_lessons(outcomes)
        say(f"Page: {written}")
    if open_page:
        open_in_browser(written)


def _cpu(numbers: int | None, repeat: int | None, *, quick: bool) -> _Plan:
    def ready() -> AbstractContextManager["Experiment"]:
        from inboxstats.bench import cpu

        return nullcontext(cpu.experiment(numbers=numbers or (20_000 if quick else 50_000)))

    return _Plan("cpu", ready, repeat or (3 if quick else 5))


def _io(delay: float, pages: int | None, repeat: int | None, *, quick: bool) -> _Plan:
    def ready() -> AbstractContextManager["Experiment"]:
        from inboxstats.bench import io

        return io.experiment(delay=delay / 1000, count=pages or (3 if quick else 10))

    return _Plan("io", ready, repeat or (3 if quick else 5))


def _parse(path: Path | None, messages: int | None, repeat: int | None, *, quick: bool) -> _Plan:
    most = messages or (500 if quick else 2000)

    @contextmanager
    def ready() -> Iterator["Experiment"]:
        from inboxstats.bench import parse

        with ExitStack() as stack:
            yield parse.experiment(stack.enter_context(bench_mail.collection(path, most)), messages=most)

    return _Plan("parse", ready, repeat or (3 if quick else 5))


def _forest(trees: int | None, repeat: int | None, *, quick: bool) -> _Plan:
    def ready() -> AbstractContextManager["Experiment"]:
        from inboxstats.bench import forest

        return nullcontext(forest.experiment(trees=trees or (50 if quick else 500)))

    return _Plan("forest", ready, repeat or 3)


def _measured(plan: _Plan, *, quiet: bool, no_progress: bool) -> "Outcome":
    from inboxstats.bench import timing

    set_up_logging(0)
    timing.prepare()
    shown = shows_progress(quiet=quiet, no_progress=no_progress)
    with plan.ready() as experiment, RunsBar(plan.name, shown=shown) as bar:
        return timing.measure(experiment, rounds=plan.rounds, progress=bar)


def _one(plan: _Plan, *, chart: Path | None, json: bool, quiet: bool, no_progress: bool) -> None:
    """Measure one experiment and tell of it."""
    if chart is not None and chart.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--chart {chart} must end in .svg or .png.")
    outcome = _measured(plan, quiet=quiet or json, no_progress=no_progress)
    if chart is not None:
        from inboxstats.bench import page

        page.write_chart(outcome, chart)
    if json:
        say_json(_json(outcome))
    elif not quiet:
        _tell(outcome)


def _json(outcome: "Outcome") -> dict[str, Any]:
    from inboxstats.bench import figures, words

    return {**figures.as_json(outcome), "sentences": words.sentences(outcome)}


def _all_json(outcomes: "list[Outcome]", left_out: dict[str, str]) -> dict[str, Any]:
    """One object as those of the experiments are; its rows say which experiment they are of."""
    from inboxstats.bench import figures, words

    each = [_json(outcome) for outcome in outcomes]
    shared = ("schema_version", "machine", "results")
    return {
        "schema_version": figures.SCHEMA_VERSION,
        "experiment": "all",
        "machine": each[0]["machine"],
        "results": [{"experiment": one["experiment"], **row} for one in each for row in one["results"]],
        "experiments": [{key: value for key, value in one.items() if key not in shared} for one in each],
        "lessons": [{"question": question, "answer": answer} for question, answer in words.lessons(outcomes)],
        "left_out": left_out,
    }


def _tell(outcome: "Outcome") -> None:
    """The table and what it means, no wider than the terminal."""
    from inboxstats.bench import page, words

    say(outcome.title)
    say(words.settings_line(outcome))
    say(words.machine_line(outcome.machine))
    say("")
    rows = [page.Row("", "median", "range", "speed-up"), *page.rows(outcome)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [
            row.way.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        say("  ".join(cells).rstrip())
    say("")
    for sentence in words.sentences(outcome):
        _say_wrapped(sentence)


def _tell_lessons(outcomes: "list[Outcome]") -> None:
    from inboxstats.bench import words

    for question, answer in words.lessons(outcomes):
        say(question)
        _say_wrapped(answer)


def _say_wrapped(text: str) -> None:
    import shutil
    import textwrap

    width = min(shutil.get_terminal_size().columns, 100)
    for line in textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False):
        say(line)
