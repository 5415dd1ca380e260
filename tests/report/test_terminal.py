import io
import unicodedata
from datetime import date

import pytest
from factories import dataset, header_row, row
from rich.cells import cell_len
from rich.console import Console

from inboxstats.report import terminal
from inboxstats.report.model import Report, build

from .conftest import NOW


def shown(report: Report, width: int) -> list[str]:
    file = io.StringIO()
    terminal.render(report, Console(file=file, width=width))
    return file.getvalue().splitlines()


def test_the_summary_reads_as_a_person_would_want_it(ordinary: Report) -> None:
    lines = shown(ordinary, 80)
    assert lines[:2] == [
        "5 messages, 5 January 2026 to 2 March 2026",
        "7 files = 5 messages + 1 duplicate + 1 unreadable",
    ]
    # Columns of (80 - 4) / 2 = 38 cells. A month takes 7, its number 1, two spaces: 28 cells for the bar of three
    # messages, 28 / 3 = 9 cells and 3 eighths for that of one.
    assert [line[:38] for line in lines if line.startswith("2026-")] == [
        "2026-01 █████████▍                   1",
        "2026-03 ████████████████████████████ 3",
    ]
    assert "ann@example.com" in "\n".join(lines)


def test_the_summary_says_how_much_of_the_text_has_arrived(arriving: Report, ordinary: Report) -> None:
    lines = shown(arriving, 200)
    assert lines[1] == "5 files = 4 messages + 1 duplicate + 0 unreadable"
    assert (
        "3 of 4 messages so far by their headers alone: keywords and attachments are of the other 1. "
        "`inboxstats fetch` brings the rest."
    ) in lines
    assert "headers alone" not in "".join(shown(ordinary, 200))


def test_a_report_of_headers_alone_says_that_there_is_no_text_yet() -> None:
    lines = shown(build(dataset(header_row(1)), generated=NOW, top=None), 200)
    assert "1 of 1 message so far by their headers alone: keywords and attachments are of none yet." in "".join(lines)
    assert "ann@example.com" in "".join(lines)


def test_one_attachment_of_one_byte_is_one() -> None:
    plan = {"file_name": "plan.pdf", "media_type": "application/pdf", "size": 1, "inline": False}
    one = shown(build(dataset(row(1, size=1, attachments=[plan])), generated=NOW, top=None), 200)
    assert any(line.startswith("1 byte of mail · 1 attachment, in 1 message · ") for line in one)
    two = shown(build(dataset(row(1, size=2, attachments=[plan, plan])), generated=NOW, top=None), 200)
    assert any(line.startswith("2 bytes of mail · 2 attachments, in 1 message · ") for line in two)


def test_hours_are_a_sparkline_of_24_cells(ordinary: Report) -> None:
    lines = shown(ordinary, 80)
    at = next(number for number, line in enumerate(lines) if "Hours of the day" in line)
    # Two at 9, two at 17: the highest bar; all others none.
    assert lines[at + 1][42:].rstrip() == "▁" * 9 + "█" + "▁" * 7 + "█" + "▁" * 6
    assert lines[at].endswith("peak 09:00, 2")


@pytest.mark.parametrize("width", [20, 40, 71, 72, 80, 120, 200])
@pytest.mark.parametrize("kind", ["ordinary", "empty", "hostile"])
def test_no_line_is_wider_than_the_terminal(kind: str, width: int, request: pytest.FixtureRequest) -> None:
    lines = shown(request.getfixturevalue(kind), width)
    assert max(map(cell_len, lines)) <= width


def test_nothing_from_mail_commands_the_terminal(hostile: Report) -> None:
    text = "\n".join(shown(hostile, 80)).replace("\n", "")
    assert not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_markup_and_emoji_codes_in_mail_are_text() -> None:
    rows = [row(list_id="[bold]x[/bold] :smile: [/]")]
    assert "[bold]x[/bold] :smile: [/]" in "\n".join(shown(build(dataset(*rows), generated=NOW, top=0), 120))


def test_columns_line_up_beside_wide_characters() -> None:
    rows = [row(number, keywords=["日本語", "tea"]) for number in range(3)]
    lines = shown(build(dataset(*rows), generated=NOW, top=0), 80)
    bars = [line[: line.index("█")] for line in lines if line.startswith(("日本語", "tea"))]
    assert [cell_len(start) for start in bars] == [7, 7]


def test_a_terminal_has_colours_and_a_pipe_has_none(ordinary: Report) -> None:
    pipe, screen = io.StringIO(), io.StringIO()
    terminal.render(ordinary, Console(file=pipe, width=80))
    terminal.render(ordinary, Console(file=screen, width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[" not in pipe.getvalue()
    assert "\x1b[" in screen.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_pipe_without_utf_8_gets_what_it_can_hold(hostile: Report, encoding: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    terminal.render(hostile, Console(file=file, width=80))
    file.flush()
    assert b"####" in file.buffer.getvalue()  # type: ignore[attr-defined]


def test_of_many_months_the_last_twelve_that_have_mail_are_shown() -> None:
    rows = [row(number, when=f"20{20 + number // 12}-{number % 12 + 1:02d}-01T00:00:00+00:00") for number in range(30)]
    ahead = row(30, when="2031-01-01T00:00:00+00:00")
    lines = shown(build(dataset(*rows, ahead), generated=NOW, top=0), 80)
    # Thirty months from January 2020 end in June 2022; months without a message are left out.
    months = [f"2021-{month:02d}" for month in range(8, 13)] + [f"2022-{month:02d}" for month in range(1, 7)]
    assert [line[:7] for line in lines if line.startswith("20")] == [*months, "2031-01"]


def test_no_mail_is_said_kindly(empty: Report) -> None:
    assert shown(empty, 80)[0] == "No messages here yet"


def test_filters_that_leave_nothing_are_named() -> None:
    since = dataset(row(), since=date(2027, 3, 3), until=date(2027, 3, 4))
    assert shown(build(since, generated=NOW, top=0), 80)[0] == "No messages since 3 March 2027, until 4 March 2027"
    drafts = dataset(row(), accounts=("me@*",), mailboxes=("Drafts\x1b[2J",))
    assert shown(build(drafts, generated=NOW, top=0), 80)[0].startswith("No messages in account me@*, mailbox Drafts")


def test_a_moved_mailbox_is_told_in_a_line() -> None:
    moved = build(dataset(row(internal_date=NOW), clock="received"), generated=NOW, top=0)
    line = next(line for line in shown(moved, 160) if "moved mailbox" in line)
    assert line.startswith("Most messages arrived long after their Date header says")
    assert line.endswith("--clock date counts by that header.")


def test_distinctive_words_are_a_line_a_sender_or_a_month(wordy: Report) -> None:
    lines = shown(wordy, 80)
    at = next(number for number, line in enumerate(lines) if line.startswith("Distinctive words of senders"))
    # Left of the gap, in 38 cells of which an address takes 15: two fifths of them.
    assert [line[:38].rstrip() for line in lines[at : at + 3]] == [
        "Distinctive words of senders",
        "ann@example.org tea",
        "bob@example.org milk",
    ]
