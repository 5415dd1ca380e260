"""`inboxstats config`: where config.toml is, what holds and why, changing it, checking it."""

import os
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inboxstats.cli.asking import confirm, is_anybody_there
from inboxstats.cli.options import (
    ConfigFile,
    Json,
    archive_path,
    config_path,
    read_config,
    time_zone,
    writable_config_path,
)
from inboxstats.cli.output import complain, counted, say, say_json
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # imported where it is needed: --help needs none of it
    from inboxstats.config import Config

SCHEMA_VERSION = 1
"""Of the --json object."""

VARIABLES = {
    ("archive",): "INBOXSTATS_ARCHIVE",
    ("timezone",): "INBOXSTATS_TIMEZONE",
    ("bandwidth",): "INBOXSTATS_BANDWIDTH",
    ("report", "out"): "INBOXSTATS_OUT",
}
"""Which variable wins over which key; INBOXSTATS_THREADS does so in every account."""

app = typer.Typer(
    help="config.toml: where it is, what holds, changing and checking it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True, slots=True)
class _Setting:
    """A key of config.toml, the value that holds, and where this comes from."""

    key: tuple[str, ...]
    value: Any
    origin: str


@app.command("path")
def path(config: ConfigFile = None) -> None:
    """Print where config.toml is, or will be."""
    say(str(writable_config_path(config)))


@app.command("validate")
def validate(config: ConfigFile = None) -> None:
    """Check config.toml: every mistake with its line, and what to write instead."""
    found = read_config(config)
    file = config_path(config)
    if not file.exists():
        say(f"{file} is not there; the defaults hold.")
        return
    say(f"{file} is valid: {counted(len(found.accounts), 'account')}.")


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value comes from.")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Print the values that hold, as TOML: of the environment, of config.toml, or the default.

    What has no value, and is left to the provider or to the machine, is left out.
    """
    settings = list(_settings(read_config(config), config_path(config)))
    if json:
        rows = [{"key": list(each.key), "value": each.value, "origin": each.origin} for each in settings]
        say_json({"schema_version": SCHEMA_VERSION, "config": str(config_path(config)), "settings": rows})
        return
    for line in _toml(settings, origin=origin).rstrip("\n").split("\n"):
        say(line)


def _settings(config: "Config", file: Path) -> Iterator[_Setting]:
    from inboxstats.cli.report import DEFAULT_OUT
    from inboxstats.config import as_toml, line_of, text_of

    text = text_of(file) if file.exists() else ""
    said = {key for key, _ in _flat(tomllib.loads(text))}
    # With the values that the program would use where nothing is said.
    used = {
        ("archive",): str(archive_path(None, config)),
        ("timezone",): time_zone(None, config),
        ("report", "out"): str((config.report.out or DEFAULT_OUT).expanduser()),
    }
    for key, value in _flat(as_toml(config)):
        variable = "INBOXSTATS_THREADS" if key[0] == "accounts" and key[-1] == "threads" else VARIABLES.get(key)
        if variable and (given := os.environ.get(variable)):
            yield _Setting(key, int(given) if given.isdigit() else given, variable)
        elif key in said:
            yield _Setting(key, used.get(key, value), f"line {line_of(text, list(key))}")
        else:
            yield _Setting(key, used.get(key, value), "default")


def _flat(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def _toml(settings: list[_Setting], *, origin: bool) -> str:
    """TOML whose keys without a section come first, as they must."""
    import tomlkit

    document = tomlkit.document()
    for each in sorted(settings, key=lambda each: len(each.key) > 1):
        if each.value is None:
            continue
        table: Any = document
        for depth, name in enumerate(each.key[:-1], start=1):
            if name not in table:
                table[name] = tomlkit.table(is_super_table=depth < len(each.key) - 1)
            table = table[name]
        item = tomlkit.item(each.value)
        if origin:
            item.comment(each.origin)
        table[each.key[-1]] = item
    return tomlkit.dumps(document)


@app.command("edit")
def edit(config: ConfigFile = None) -> None:
    """Open config.toml in $VISUAL or $EDITOR. It is replaced only by what is valid."""
    import tempfile

    from inboxstats import config as configs
    from inboxstats import config_edit

    file = writable_config_path(config)
    with config_edit.held(file) as target:
        before = configs.text_of(target)
        descriptor, name = tempfile.mkstemp(prefix=".config-", suffix=".toml", dir=target.parent)
        copy = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write((before or config_edit.BEGINNING).encode())
            after = _edited(copy, file)
        finally:
            copy.unlink()
        if after in (before, config_edit.BEGINNING):
            say("Nothing was changed.")
            return
        config_edit.write(target, after)
    say(f"Wrote {file}.")


def _edited(copy: Path, file: Path) -> str:
    """What a person made of the copy, which is valid. Raises UsageError where it is not, and is to stay so."""
    from inboxstats.config import parsed, text_of

    while True:
        _open_editor(copy)
        try:
            text = text_of(copy)
            parsed(text, file)
        except UsageError as mistake:
            complain(str(mistake))
            if not is_anybody_there() or not confirm("Edit it again?", option="a terminal"):
                raise UsageError(f"{file} is as it was.") from mistake
        else:
            return text


def _open_editor(path: Path) -> None:
    import subprocess

    default = "notepad" if os.name == "nt" else "vi"
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or default
    try:
        words = shlex.split(command) or [default]
    except ValueError as problem:
        raise UsageError(f"VISUAL or EDITOR cannot be split into words: {problem}. Check its quotes.") from problem
    try:
        done = subprocess.run([*words, str(path)], check=False, stdout=sys.stderr)  # noqa: S603 -- the user's editor
    except OSError as problem:
        raise UsageError(
            f"The editor {words[0]!r} cannot be run: {problem.strerror}. Set VISUAL or EDITOR to one that is there."
        ) from problem
    if done.returncode:
        raise UsageError(f"The editor {words[0]!r} failed with exit code {done.returncode}, so nothing was changed.")
