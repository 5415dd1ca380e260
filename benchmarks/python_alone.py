"""Our reading of mail without what is compiled, in a worker process, which does nothing else."""

import importlib
import sys
from collections.abc import Sequence

from inboxstats.mail import Location

COMPILED = "inboxstats.parse._compiled"


def read_rows(locations: Sequence[Location]) -> Sequence[object]:
    """What `inboxstats.parse.files.read_rows` gives."""
    if sys.modules.get(COMPILED, True) is not None:
        for name in [name for name in sys.modules if name.startswith("inboxstats.parse")]:
            del sys.modules[name]
        sys.modules[COMPILED] = None  # type: ignore[assignment] -- what makes its import fail
    rows: Sequence[object] = importlib.import_module("inboxstats.parse.files").read_rows(locations)
    return rows
