"""What ran an experiment: without it a figure means nothing."""

import os
import platform
import sys
from dataclasses import dataclass

from inboxstats.workers import default_workers


@dataclass(frozen=True, slots=True)
class Machine:
    """`gil`: threads take turns at running Python. `load` is how many wanted a processor before; ``None``: unknown."""

    cores: int
    python: str
    implementation: str
    gil: bool
    system: str
    architecture: str
    load: float | None

    @property
    def is_busy(self) -> bool:
        """Others used more than a quarter of a processor when the experiment began."""
        return self.load is not None and self.load > 0.25 * self.cores


def this_machine() -> Machine:
    """The machine and the interpreter that this runs on, now."""
    is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)  # from Python 3.13 on there are interpreters without
    return Machine(
        cores=default_workers(),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        gil=bool(is_enabled()),
        system=platform.system(),
        architecture=platform.machine(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )
