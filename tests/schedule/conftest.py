"""A machine whose commands are recorded and answered as a test says; tasks to put on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from inboxstats.schedule import Machine, Task
from inboxstats.schedule.machine import NOT_FOUND, Ran

BERLIN = ZoneInfo("Europe/Berlin")


@dataclass
class Commands:
    """Answers the commands of a machine: by the first two words, else as one that is not there."""

    answers: dict[str, Ran] = field(default_factory=dict)
    seen: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, command: Sequence[str], _stdin: bytes) -> Ran:
        self.seen.append(tuple(command))
        for words, answer in self.answers.items():
            if " ".join(command).startswith(words):
                return answer
        return Ran(NOT_FOUND, err=b"not installed")


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def machine(tmp_path: Path, commands: Commands) -> Callable[[str], Machine]:
    def make(platform: str) -> Machine:
        home = tmp_path / "home"
        return Machine(
            platform=platform,
            home=home,
            config_home=home / ".config",
            data_home=home / ".local" / "share",
            temporary=tmp_path / "temporary",
            uid=1000,
            zone=BERLIN,
            clock=BERLIN,
            run=commands,
        )

    return make


@pytest.fixture
def task() -> Task:
    return Task(("/opt/in box/bin/inboxstats",), Path('/home/me/50% $HOME "mine"/config.toml'), time(3, 5), "/usr/bin")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
