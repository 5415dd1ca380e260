"""The innermost loops of reading mail: compiled, if there was a compiler at the installation; else in Python alone."""

from importlib import import_module
from typing import TYPE_CHECKING

from inboxstats.parse import uncompiled

if TYPE_CHECKING:  # the contract of both
    _loops = uncompiled
else:
    try:
        _loops = import_module("inboxstats.parse._compiled")
    except ImportError:
        _loops = uncompiled
    # An editable installation keeps what was built of older sources, until it is installed again.
    if getattr(_loops, "CONTRACT", None) != uncompiled.CONTRACT:
        _loops = uncompiled

IS_COMPILED = _loops is not uncompiled

APART, PAIRED = uncompiled.APART, uncompiled.PAIRED
Characters = _loops.Characters
Fields = _loops.Fields
Lines = _loops.Lines
Pages = _loops.Pages
Vocabulary = _loops.Vocabulary
base64_letters = _loops.base64_letters
end_of_section = _loops.end_of_section
from_base64 = _loops.from_base64
from_quoted_printable = _loops.from_quoted_printable
next_delimiter = _loops.next_delimiter
with_lf = _loops.with_lf
