"""The generated mailbox, read with the standard library's parser: an independent judge of what the letters promise."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from hashlib import sha256

import pytest

from inboxstats.demo.cast import ME
from inboxstats.demo.mailbox import DemoMessage, generate

LAST_DAY = date(2026, 11, 22)
AS_EVER = "278254be28ad270136678aea3fe15149814d270c3f654a2508039af69b1bf6b0"
RESERVED = re.compile(r"(.+\.)?(example\.(org|com|net)|example|test)", re.ASCII)  # RFC 2606


@pytest.fixture(scope="module")
def mailbox() -> list[DemoMessage]:
    return generate(last_day=LAST_DAY)


@pytest.fixture(scope="module")
def parsed(mailbox: Sequence[DemoMessage]) -> list[EmailMessage]:
    return [message_from_bytes(message.data, policy=default) for message in mailbox]


def test_the_same_arguments_give_the_same_bytes_on_every_machine(mailbox: Sequence[DemoMessage]) -> None:
    # A change of cast.py or of the phrases changes this on purpose; a new Python or platform must not.
    assert sha256(b"".join(message.data for message in mailbox)).hexdigest() == AS_EVER


def test_another_seed_gives_another_life() -> None:
    first, second = (generate(messages=50, seed=seed, last_day=LAST_DAY) for seed in (1, 2))
    assert {message.letter.message_id for message in first}.isdisjoint(message.letter.message_id for message in second)


@pytest.mark.parametrize("number", [0, 1, 79, 500])
def test_there_are_as_many_messages_as_were_asked_for(number: int) -> None:
    assert len(generate(messages=number, last_day=LAST_DAY)) == number


def test_headers_are_what_the_letter_says(mailbox: Sequence[DemoMessage], parsed: Sequence[EmailMessage]) -> None:
    for message, read in zip(mailbox, parsed, strict=True):
        letter = message.letter
        [sender] = read["From"].addresses
        assert (sender.display_name, sender.addr_spec) == (letter.sender.display_name, letter.sender.addr_spec)
        assert read["To"].addresses[0].addr_spec == letter.to.addr_spec
        assert read["Subject"] == letter.subject
        assert read["Date"].datetime == letter.date
        assert read["Date"].datetime.utcoffset() == letter.date.utcoffset()
        assert read["Message-ID"] == letter.message_id
        assert tuple((read["References"] or "").split()) == letter.references
        assert read["In-Reply-To"] == (letter.references[-1] if letter.references else None)
        assert read["List-Id"] == (f"<{letter.list_id}>" if letter.list_id else None)
        assert ("List-Unsubscribe" in read) == letter.unsubscribe
        assert not read.defects


def test_attachments_are_what_the_letter_says(mailbox: Sequence[DemoMessage], parsed: Sequence[EmailMessage]) -> None:
    for message, read in zip(mailbox, parsed, strict=True):
        found = [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in _files(read)]
        assert found == [(file.name, file.media_type, file.content) for file in message.letter.files]
        assert [attached.size for attached in message.letter.attachments] == [len(content) for *_, content in found]


def _files(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.walk() if part.get_content_disposition() == "attachment"]


def test_the_text_can_be_read_in_its_charset(mailbox: Sequence[DemoMessage], parsed: Sequence[EmailMessage]) -> None:
    for message, read in zip(mailbox, parsed, strict=True):
        letter = message.letter
        for kind in {"plain": ["plain"], "html": ["html"], "alternative": ["plain", "html"]}[letter.style]:
            part = read.get_body((kind,))
            assert part is not None
            assert part.get_content_charset() == letter.charset
            content = part.get_content()
            words = re.sub(r"<[^>]*>", " ", content) if kind == "html" else content
            written = letter.text.replace("&", "&amp;") if kind == "html" else letter.text
            assert _letters_of(written) in _letters_of(words)


def _letters_of(text: str) -> str:
    return re.sub(r"&\w+;|&#\w+;|\W", "", text)


def test_lines_end_in_crlf_and_none_is_longer_than_998(mailbox: Sequence[DemoMessage]) -> None:
    for message in mailbox:
        lines = message.data.split(b"\r\n")
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        assert max(map(len, lines)) <= 998  # RFC 5322, section 2.1.1


def test_names_and_domains_are_reserved_ones(mailbox: Sequence[DemoMessage]) -> None:
    for message in mailbox:
        letter = message.letter
        for domain in (letter.sender.domain, letter.to.domain, letter.list_id or "example.org"):
            assert RESERVED.fullmatch(domain), domain
    linked = {host for message in mailbox for host in re.findall(rb"https?://([\w.-]+)", message.data)}
    assert all(RESERVED.fullmatch(host.decode()) for host in linked), linked


def test_languages_charsets_encodings_and_zones_are_many(mailbox: Sequence[DemoMessage]) -> None:
    letters = [message.letter for message in mailbox]
    assert {letter.language for letter in letters} == {"en", "de", "fr", "es", "ja", "ru"}
    assert {letter.charset for letter in letters} == {
        "utf-8",
        "iso-8859-1",
        "iso-8859-15",
        "windows-1252",
        "koi8-r",
        "iso-2022-jp",
    }
    assert {letter.encoding for letter in letters} == {"7bit", "8bit", "quoted-printable", "base64"}
    assert {letter.style for letter in letters} == {"plain", "html", "alternative"}
    assert len({letter.date.utcoffset() for letter in letters}) >= 8
    kinds = Counter(file.media_type.rpartition(".")[2] for letter in letters for file in letter.files)
    assert set(kinds) == {"application/pdf", "image/png", "text/calendar", "application/zip", "sheet"}


def test_the_week_and_the_day_have_the_shape_of_a_working_life(mailbox: Sequence[DemoMessage]) -> None:
    weekdays = Counter(message.letter.date.isoweekday() for message in mailbox)
    assert max(weekdays[6], weekdays[7]) < min(weekdays[day] for day in range(1, 6))
    people = [message.letter.date.hour for message in mailbox if not message.letter.tool]
    assert sum(8 <= hour < 20 for hour in people) > 0.75 * len(people)
    assert sum(hour < 6 for hour in people) < 0.02 * len(people)


def test_holidays_are_quiet(mailbox: Sequence[DemoMessage]) -> None:
    office = [message.letter.date.date() for message in mailbox if message.letter.sender.domain == "harbour.example"]
    christmas = sum(date(2025, 12, 22) <= day <= date(2026, 1, 2) for day in office)
    a_spring_fortnight = sum(date(2026, 3, 2) <= day <= date(2026, 3, 13) for day in office)
    assert christmas < a_spring_fortnight / 3


def test_projects_and_newsletters_come_and_go(mailbox: Sequence[DemoMessage]) -> None:
    days = {
        topic: sorted(message.letter.date.date() for message in mailbox if message.letter.topic == topic)
        for topic in ("lighthouse", "compass", "running")
    }
    first_day, period = LAST_DAY - timedelta(days=546), timedelta(days=546)
    assert days["lighthouse"][-1] < first_day + 0.75 * period
    assert days["compass"][0] >= first_day + 0.55 * period
    assert days["running"][-1] <= first_day + 0.5 * period


def test_threads_answer_letters_that_came_before(mailbox: Sequence[DemoMessage]) -> None:
    sent = {message.letter.message_id: message.letter for message in mailbox}
    answers = [message.letter for message in mailbox if message.letter.references]
    assert len(answers) > len(mailbox) / 10
    for letter in answers:
        parent = sent[letter.references[-1]]
        assert parent.date <= letter.date
        assert letter.references == (*parent.references, parent.message_id)
        assert letter.subject == f"Re: {parent.subject.removeprefix('Re: ')}"
        assert letter.quoted.count("\n>") >= 1


def test_each_mailbox_holds_its_own(mailbox: Sequence[DemoMessage]) -> None:
    by_name = Counter(message.mailbox for message in mailbox)
    assert set(by_name) == {"INBOX", "Lists", "Sent", "Archive"}
    assert by_name["INBOX"] > len(mailbox) / 2
    assert all(
        (message.letter.sender == ME.address) == (message.mailbox == "Sent")
        for message in mailbox
        if not message.is_copy
    )
    copies = [message for message in mailbox if message.is_copy]
    originals = {message.data for message in mailbox if not message.is_copy}
    assert len(copies) == by_name["Archive"] == 2000 // 80
    assert all(message.data in originals for message in copies)


def test_mail_arrives_in_order_and_a_little_after_it_was_sent(mailbox: Sequence[DemoMessage]) -> None:
    arrivals = [message.internal_date for message in mailbox]
    assert arrivals == sorted(arrivals)
    assert all(
        timedelta(0) < message.internal_date - message.letter.date < timedelta(minutes=10) for message in mailbox
    )
    days = [message.letter.date.date() for message in mailbox]
    assert max(days) == LAST_DAY
    assert min(days) >= LAST_DAY - timedelta(days=546)


def test_some_of_the_newest_and_some_newsletters_are_unread_and_the_answered_are_seen(
    mailbox: Sequence[DemoMessage],
) -> None:
    unread = [message for message in mailbox if "\\Seen" not in message.flags]
    newest = [message for message in unread if LAST_DAY - message.letter.date.date() < timedelta(days=4)]
    assert newest
    assert 50 < len(unread) < 300
    assert all(message.letter.tool or message in newest for message in unread)
    answered = [message for message in mailbox if "\\Answered" in message.flags]
    assert answered
    assert all("\\Seen" in message.flags for message in answered)
