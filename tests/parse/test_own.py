"""What the sender wrote is the same, whether its lines are read in runs or each by itself."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats.parse import own
from inboxstats.parse.own import own_text
from inboxstats.parse.uncompiled import Lines


class EachByItself:
    """Lines of which nothing is known before they are looked at."""

    def read(self, text: str) -> tuple[bytes, list[str], list[int]]:
        lines = text.split("\n")
        kinds = ["m" if ">" in line[:8] else "o" if line else "e" for line in lines]
        return "".join(kinds).encode(), lines, [1] * len(lines)

    def without_addresses(self, line: str) -> str:
        return Lines("", "", ()).without_addresses(line)


TEXT = (
    "",
    "",
    "barley",
    "漢字",
    "end of it",
    "end",
    "index a@b",
    "new file a//b",
    "a//",
    "Link: a//b",
    "From here",
    "x:",
)
QUOTED = (
    ">",
    "> a",
    "ab> a",
    " >",
    "    abcd> a",
    "On Monday, Ann",
    "Ann wrote:",
    "On Monday, Ann wrote:",
    " ",
    "\u3000",
    "\xa0\t",
)
FIELDS = ("From: Ann", "*Von:* a@b", " Sent: now", "Date: now", "Subject: a", "----Original message----", "От: Аня")
CODE = ("diff --git a", "--- a/b", "+++ b/a", "@@ -1", "+a", " a", "\ta", "---", "begin 644 a", "=ybegin a", "=yend")
BLOCKS = ("-----BEGIN PGP SIGNATURE-----", "-----END PGP", "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA1", "M1/2/3")
ENDS = (
    "-- ",
    "--",
    "----",
    "= * =",
    "- a",
    "# a",
    "unsubscribe",
    "mailing list",
    "Cc: a@b",
    "Co-developed-by: A <a@b>",
)
LINES = st.one_of(*map(st.sampled_from, (TEXT, QUOTED, FIELDS, CODE, BLOCKS, ENDS)))


@settings(max_examples=1_000)
@given(st.lists(st.one_of(LINES, st.text(max_size=8)), max_size=40))
def test_runs_of_lines_are_read_as_each_line_by_itself(lines: list[str]) -> None:
    text = "\n".join(lines)
    with patch.object(own, "_LINES", EachByItself()):
        expected = own_text(text)

    assert own_text(text) == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("barley\n\nmalt\n", "barley\n\nmalt\n"),
        ("barley\n> malt\n\nhops", "barley\n\nhops"),
        ("barley\n\nOn Monday,\nAnn wrote:\n\n> malt\n\nhops", "barley\n\n\nhops"),
        ("barley:\nhops:\n> malt\nyeast:\n> malt", "barley:"),
        ("a\nb\nOn Monday,\nAnn\nwrote:\n>\n", "a\nb\n"),
        ("a\nOn Monday,\nb\nAnn\nwrote:\n>\n", "a\nOn Monday,\nb\nAnn\n"),  # no more than three lines are taken
        ("barley\nsee http://a/b now\nmalt", "barley\nsee now\nmalt"),
        ("barley\n---\ndiff a\nnew file a/b/c\n\nmalt\nnew file", "barley\n\nmalt\nnew file"),
        ("begin 644 a\nM1\nend\nbarley", "barley"),
        ("barley\n----\nmalt\n\nunsubscribe", "barley"),
        ("barley\n----\nmalt\n" + "\n" * 13 + "unsubscribe", "barley"),
        ("barley\n----\nmalt\n" + "\n" * 14 + "unsubscribe", "barley\nmalt\n" + "\n" * 14 + "unsubscribe"),
        ("\nFrom: Ann\nDate: now\n\nbarley", "\n\nbarley"),
        ("barley\nFrom: Ann\nDate: now\n\nmalt", "barley"),
        ("barley\nFrom: Ann\n>\nc\nd\nDate: now", "barley"),
        ("barley\nFrom: Ann\nb\nc\nd\ne\nDate: now", "barley\nFrom: Ann\nb\nc\nd\ne\nDate: now"),
    ],
)
def test_what_the_sender_wrote(text: str, written: str) -> None:
    assert own_text(text) == written
