"""What is said, in the words that a reader sees."""

from dataclasses import replace

from inboxstats.digest import Findings
from inboxstats.digest.senders import NewSender
from inboxstats.digest.wording import headline, text


def test_the_digest_is_said_line_by_line(full: Findings) -> None:
    assert list(text(full)) == [
        "1,234 new messages, 2 new senders, 2 unusual days, 1 more waits for an answer, 1 trouble.",
        "2026-11-27 03:00 to 2026-11-28 03:00 (Europe/Berlin)",
        "",
        "Went wrong",
        "  work: imap.example.org:993 cannot be reached.",
        "",
        "Waits for an answer",
        "  Ann Bcc: all@example.org <ann@example.com> · \ufffd]52;c;aGk=\ufffd lunch \ufffd? · Fri 27 Nov, 09:05",
        "  Paypal <[Cyrillic+Latin] раураl@example.com> · (no subject) · Fri 20 Nov, 09:05",
        "  (No sent mail of two weeks is in the archive: what you answered shows only where the server marks it.)",
        "",
        "Unusual days",
        "  Friday, 2026-11-27 · 40 messages in all; 12.5 is usual on a Friday",
        "  Friday, 2026-11-27 · nothing from shop@example.com; 3 is usual on a Friday",
        "",
        "New senders",
        "  Ann <script>alert(1)</script> <ann@example.com> · 2 messages",
        "  bob@example.net · 1 message",
        "",
        "Words that begin to rise",
        "  harvest · 20 messages in 28 days, 5 before",
    ]


def test_a_quiet_night_is_two_lines(full: Findings) -> None:
    quiet = replace(full, messages=0, senders=(), days=(), words=(), waiting=(), troubles=())
    assert list(text(quiet)) == ["No new messages.", "2026-11-27 03:00 to 2026-11-28 03:00 (Europe/Berlin)"]
    assert quiet.is_nothing


def test_long_lists_and_long_texts_are_cut_and_said_to_be(full: Findings) -> None:
    many = tuple(NewSender(f"{number}@example.com", "x" * 500, 1) for number in range(12))
    lines = list(text(replace(full, senders=many)))
    assert "  … and 2 more" in lines
    assert max(map(len, lines)) < 150
    assert any(line.endswith("… <0@example.com> · 1 message") for line in lines)


def test_nothing_is_to_be_told_where_nothing_is_new(full: Findings) -> None:
    old = tuple(each for each in full.waiting if not each.is_new)
    nothing = replace(full, senders=(), days=(), words=(), waiting=old, troubles=())
    assert nothing.is_nothing
    assert not replace(nothing, waiting=full.waiting).is_nothing
    for field in ("senders", "days", "words", "troubles"):
        assert not replace(nothing, **{field: getattr(full, field)}).is_nothing


def test_the_headline_has_no_word_from_mail(full: Findings) -> None:
    said = headline(full)
    for word in ("Ann", "bob", "example", "lunch", "harvest", "Paypal", "work"):
        assert word not in said
