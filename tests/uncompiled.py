"""A second parser in the same process, which Python alone does."""

import importlib
import sys
from collections.abc import Callable
from unittest.mock import patch

import inboxstats
from inboxstats.mail import Message


def uncompiled_parse() -> Callable[[bytes], Message]:
    """`parse` of a second copy of the parser, to which nothing compiled is known."""
    with patch.dict(sys.modules), patch.object(inboxstats, "parse", inboxstats.parse):
        for name in [name for name in sys.modules if f"{name}.".startswith("inboxstats.parse.")]:
            del sys.modules[name]
        sys.modules["inboxstats.parse._compiled"] = None  # type: ignore[assignment] -- what makes its import fail
        module = importlib.import_module("inboxstats.parse")
        assert not importlib.import_module("inboxstats.parse.core").IS_COMPILED
        parse: Callable[[bytes], Message] = module.parse
        return parse
