"""The innermost loops of reading mail: compiled, if there was a compiler at the installation; else in Python alone."""

from typing import TYPE_CHECKING

from inboxstats.parse.uncompiled import APART, PAIRED

if TYPE_CHECKING:  # the contract of both
    from inboxstats.parse.uncompiled import Characters, Fields, Lines, Vocabulary, base64_letters
else:
    try:
        from inboxstats.parse._compiled import Characters, Fields, Lines, Vocabulary, base64_letters
    except ImportError:
        from inboxstats.parse.uncompiled import Characters, Fields, Lines, Vocabulary, base64_letters

__all__ = ["APART", "IS_COMPILED", "PAIRED", "Characters", "Fields", "Lines", "Vocabulary", "base64_letters"]

IS_COMPILED = Vocabulary.__module__.endswith("._compiled")
