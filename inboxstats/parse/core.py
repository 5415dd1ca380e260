"""The innermost loops of reading mail: compiled, if there was a compiler at the installation; else in Python alone."""

from typing import TYPE_CHECKING

from inboxstats.parse.uncompiled import APART, CONTRACT, PAIRED

if TYPE_CHECKING:  # the contract of both
    from inboxstats.parse.uncompiled import (
        Characters,
        Fields,
        Lines,
        Pages,
        Vocabulary,
        base64_letters,
        end_of_section,
        from_base64,
        from_quoted_printable,
        next_delimiter,
        with_lf,
    )
else:
    try:
        from inboxstats.parse._compiled import CONTRACT as BUILT
        from inboxstats.parse._compiled import (
            Characters,
            Fields,
            Lines,
            Pages,
            Vocabulary,
            base64_letters,
            end_of_section,
            from_base64,
            from_quoted_printable,
            next_delimiter,
            with_lf,
        )

        # An editable installation keeps what was built of older sources, until it is installed again.
        if BUILT != CONTRACT:
            raise ImportError
    except ImportError:
        from inboxstats.parse.uncompiled import (
            Characters,
            Fields,
            Lines,
            Pages,
            Vocabulary,
            base64_letters,
            end_of_section,
            from_base64,
            from_quoted_printable,
            next_delimiter,
            with_lf,
        )

__all__ = [
    "APART", "IS_COMPILED", "PAIRED", "Characters", "Fields", "Lines", "Pages", "Vocabulary", "base64_letters",
    "end_of_section", "from_base64", "from_quoted_printable", "next_delimiter", "with_lf",
]  # fmt: skip

IS_COMPILED = Vocabulary.__module__.endswith("._compiled")
