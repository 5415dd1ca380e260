"""`inboxstats classify`: a forest that learns how the user sorts mail, and says what is likely in the wrong place."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inboxstats.cli.options import (
    Clock,
    ConfigFile,
    Json,
    NoProgress,
    Quiet,
    Verbose,
    Workers,
    archive_path,
    day_option,
    fetched,
    parse_limits,
    read_config,
    time_zone,
)
from inboxstats.cli.output import ParseBar, counted, say, say_json, set_up_logging, shows_progress

if TYPE_CHECKING:  # pandas
    import pandas as pd

    from inboxstats.classify.judgement import Judgement
    from inboxstats.classify.training import Learned
    from inboxstats.collection import Collection

SCHEMA_VERSION = 1
"""Of the --json object."""

app = typer.Typer(
    help="Learn how you sort mail, and find what is likely misfiled.", no_args_is_help=True, rich_markup_mode=None
)

MailPath = Annotated[
    Path | None, typer.Argument(metavar="PATH", help="An archive, Maildir, mbox or tree of .eml. Default: the archive.")
]
ModelFile = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="Default: model.skops beside the message table.", show_default=False),
]


@app.command("train")
def train(
    path: MailPath = None,
    target: Annotated[
        Literal["mailbox", "label", "spam", "people"],
        typer.Option(help="What to tell apart: mailboxes, labels, spam and the rest, or bulk mail and people."),
    ] = "mailbox",
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="GLOB", help="Learn from these alone, as often as you like."),
    ] = None,
    spam_mailbox: Annotated[
        list[str] | None,
        typer.Option("--spam-mailbox", metavar="GLOB", help="Where spam is. Default: Junk, Spam and their like."),
    ] = None,
    until: Annotated[datetime | None, day_option("Learn from mail up to that day alone.")] = None,
    test_share: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Of the mail, the latest part, is what it is judged on.")
    ] = 0.25,
    trees: Annotated[int, typer.Option(min=1, max=10_000, help="In the forest.")] = 300,
    model: ModelFile = None,
    workers: Workers = None,
    clock: Clock = "received",
    timezone: Annotated[str | None, typer.Option(metavar="ZONE|sender", help="Of hours and days.")] = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Learn from what you sorted, and say what that is worth.

    A forest learns from the earlier part of your mail and is judged on the later one, beside what anyone would guess.
    Then one that has learned from all of it is kept. Wants the extra `ml`: pip install 'inboxstats[ml]'
    """
    from inboxstats.classify import store, targets, training
    from inboxstats.workers import default_workers

    store.check()
    collection, messages = _messages(
        path,
        config=config,
        workers=workers,
        verbose=verbose,
        bar=shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress),
        clock=clock,
        timezone=timezone,
        mailboxes=tuple(mailbox or ()),
        until=until.date() if until else None,
    )
    settings = training.Settings(
        target=target,
        spam_mailboxes=tuple(spam_mailbox or targets.SPAM_MAILBOXES),
        trees=trees,
        workers=workers or default_workers(),
        share=test_share,
        clock=clock,
    )
    learned = training.learn(messages, settings)
    kept = model or _default_model(collection)
    store.save(learned.model, kept)
    if json:
        say_json(_json(learned, kept))
    elif not quiet:
        _tell(learned)
        say(f"Model: {kept}")


@app.command("apply")
def apply(
    path: MailPath = None,
    model: ModelFile = None,
    workers: Workers = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE|sender", help="Of hours and days.")] = None,
    config: ConfigFile = None,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    verbose: Verbose = 0,
) -> None:
    """Predict where new mail belongs.

    New is what came after all that the model learned from. What it says stands in the message table (`filed`, `likely`,
    `likelihood`), and the next report has the statistic *Likely misfiled*. No mail is moved.
    """
    from inboxstats import predictions
    from inboxstats.classify import store, training
    from inboxstats.stats import misfiled

    store.check()
    collection = _collection(path, config)
    trained = store.load(model or _default_model(collection))
    _, messages = _messages(
        path,
        config=config,
        workers=workers,
        verbose=verbose,
        bar=shows_progress(quiet=quiet or json or verbose > 0, no_progress=no_progress),
        clock=trained.clock,
        timezone=timezone,
    )
    new = messages[(messages["when"] > trained.until).to_numpy(bool, na_value=False) & training.is_whole(messages)]
    found = training.predict(trained, new)
    written = predictions.write(collection.cache, found)
    rows = found.to_pylist()
    elsewhere = sum(row["filed"] != row["likely"] and row["likelihood"] >= misfiled.LEAST_LIKELIHOOD for row in rows)
    if json:
        say_json(
            {
                "schema_version": SCHEMA_VERSION,
                "messages": len(rows),
                "likely_misfiled": elsewhere,
                "after": trained.until.isoformat(),
                "predictions": str(written),
            }
        )
    elif not quiet:
        say(
            f"{counted(len(rows), 'message')} after {trained.until:%Y-%m-%d %H:%M} UTC, {elsewhere:,} of them likely "
            "misfiled. The next report names them."
        )


def _collection(path: Path | None, config: Path | None) -> "Collection":
    from inboxstats.collection import open_collection

    configuration = read_config(config)
    place = path.expanduser() if path else fetched(archive_path(None, configuration))
    return open_collection(place, parse_limits(configuration))


def _messages(
    path: Path | None,
    *,
    config: Path | None,
    workers: int | None,
    verbose: int,
    bar: bool,
    timezone: str | None,
    **selection: Any,
) -> "tuple[Collection, pd.DataFrame]":
    """The messages, ordered by time, what is new parsed first."""
    from inboxstats.dataset import select
    from inboxstats.schema import decoded
    from inboxstats.selection import Selection

    set_up_logging(verbose)
    collection = _collection(path, config)
    with ParseBar(shown=bar) as progress:
        updated = collection.update(workers=workers, progress=progress)
    chosen = Selection(timezone=time_zone(timezone, read_config(config)), **selection)
    return collection, select(decoded(updated.rows), chosen).messages


def _default_model(collection: "Collection") -> Path:
    return collection.cache / "model.skops"


def _json(learned: "Learned", path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    judged = asdict(learned.judgement)
    judged["split"] = learned.judgement.split.isoformat()
    judged["words"] = [{"word": word, "weight": weight} for word, weight in learned.judgement.words]
    return {
        "schema_version": SCHEMA_VERSION,
        "target": learned.model.target,
        "model": str(path),
        "versions": learned.model.versions,
        "left_out": learned.left_out,
        "undated": learned.undated,
        "judgement": judged,
    }


def _tell(learned: "Learned") -> None:
    judged = learned.judgement
    say(
        f"Learned from {counted(judged.learned_from, 'message')}, judged on {judged.judged_on:,} later ones "
        f"(from {judged.split:%Y-%m-%d})."
    )
    for name, count in learned.left_out.items():
        say(f"{name}: left out, {counted(count, 'message')} are too few.")
    if learned.undated:
        say(f"{counted(learned.undated, 'message')} without a time: left out.")
    say("")
    _tell_classes(judged)
    say("")
    say(f"{'guess':<25}  right  per class  alone right  forest alone right")
    say(f"{'the forest':<25}  {judged.accuracy:>5.1%}  {judged.macro_recall:>9.1%}")
    for each in judged.baselines:
        say(
            f"{each.name:<25}  {each.accuracy:>5.1%}  {each.macro_recall:>9.1%}  {each.only_baseline:>11,}"
            f"  {each.only_forest:>11,}  p = {each.p:.1g}"
        )
    for each in judged.baselines:
        if not each.is_beaten:
            say(f"The forest does NOT beat {each.name}, or by no more than chance: do without it.")
    say("")
    say("What it stands on: accuracy lost where the features are shuffled")
    for one in judged.importances:
        say(f"  {one.group:<14}{one.mean:>8.2%}  ({one.least:.2%} to {one.most:.2%})")
    if judged.words:
        say(f"  Words: {', '.join(word[:20] for word, _ in judged.words[:6])}")
    say("")
    say(f"Votes against truth, off by {judged.calibration_error:.1%} on average:")
    for part in judged.calibration:
        say(f"  {part.low:.0%} to {part.high:.0%}: {part.true:>6.1%} right of {part.messages:,}")


def _tell_classes(judged: "Judgement") -> None:
    names = [each.name if len(each.name) <= 20 else f"{each.name[:19]}…" for each in judged.classes]
    width = max(map(len, [*names, "class"]))
    say(f"{'class':<{width}}  precision  recall  messages  called")
    for place, (name, each) in enumerate(zip(names, judged.classes, strict=True)):
        precision, recall = (f"{share:.1%}" if share is not None else "–" for share in (each.precision, each.recall))
        row = judged.confusion[place]
        called = [f"{names[other]} {count:,}" for other, count in enumerate(row) if count]
        say(f"{name:<{width}}  {precision:>9}  {recall:>6}  {each.messages:>8,}  {', '.join(called[:4])}")
