"""The commands by name. A command's module is imported when the command is called, or described by --help.

All of them take longer to import than a download takes to log in.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

COMMANDS = {
    "demo": "demo.demo",
    "doctor": "doctor.doctor",
    "fetch": "fetch.fetch",
    "import": "importing.import_mail",
    "report": "report.report",
    "sql": "sql.sql",
    "verify": "verify.verify",
    "nightly": "nightly.nightly",
    "digest": "digest.digest",
    "status": "status.status",
    "bench": "bench.app",
    "account": "account.app",
    "classify": "classify.app",
    "config": "config.app",
    "schedule": "schedule.app",
}
"""Module and function, or group of commands, in the order of --help."""


class Commands(TyperGroup):
    """typer's group, with the commands above."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": None})
        self.commands = _Imported()


class _Imported(MutableMapping[str, Any]):
    """typer's commands, made when they are asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, _, member = COMMANDS[name].partition(".")
            self._made[name] = _command(name, getattr(import_module(f"inboxstats.cli.{module}"), member))
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _command(name: str, what: Any) -> Any:
    """What typer makes of a function, or of a group of them."""
    around = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(what, typer.Typer):
        around.add_typer(what, name=name)
    else:
        around.command(name)(what)
    return get_group(around).commands[name]
