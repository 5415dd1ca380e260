"""A second parser in the same process, by Python alone."""

import importlib
import sys
from collections.abc import Callable
from unittest.mock import patch

import inboxstats
from inboxstats.parse import Read


def uncompiled_reader() -> Callable[[bytes], Read]:
    """What reads a message as a second copy of the parser does, to which nothing compiled is known."""
    with patch.dict(sys.modules), patch.object(inboxstats, "parse", inboxstats.parse):
        for name in [name for name in sys.modules if f"{name}.".startswith("inboxstats.parse.")]:
            del sys.modules[name]
        sys.modules["inboxstats.parse._compiled"] = None  # type: ignore[assignment] -- what makes its import fail
        module = importlib.import_module("inboxstats.parse")
        assert not importlib.import_module("inboxstats.parse.core").IS_COMPILED
    return lambda data: module.read_all([data])[0]
