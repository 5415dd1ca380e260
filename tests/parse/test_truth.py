"""Real mail against what other programs read in it: Python's email, GMime, Perl's Email::MIME, a grammar of dates.

The folder's README says how its truth was made; nothing of it was computed with this project's code.
"""

import csv
import json
import lzma
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from corpora import Corpora

from inboxstats.mail import Message
from inboxstats.parse import parse

WANTED = ("sender", "date_utc", "offset_min", "att_named", "list_id", "list_unsub")


def truth_rows(corpora: Corpora) -> dict[str, dict[str, str]]:
    with lzma.open(corpora.folder / "truth-messages.tsv.xz", "rt", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def as_truth_has_it(message: Message) -> dict[str, str]:
    date = message.date
    offset = date.utcoffset() if date else None
    return {
        "sender": message.sender.addr_spec if message.sender else "",
        "date_utc": date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if date else "",
        "offset_min": str(int(offset.total_seconds() // 60)) if offset is not None else "",
        "att_named": str(len(message.attachments)),
        "list_id": str(int(message.list_id is not None)),
        "list_unsub": str(int(message.has_list_unsubscribe)),
    }


def disagreements(messages: dict[str, bytes], truth: dict[str, dict[str, str]]) -> Iterator[str]:
    for name, data in messages.items():
        wanted = {key: truth[name][key].replace("(none)", "") for key in WANTED}
        if truth[name]["date_class"] != "ok":
            wanted |= {"date_utc": "", "offset_min": ""}  # a date that only lenient readers read
        found = as_truth_has_it(parse(data))
        if found != wanted:
            yield f"{name}: {found} instead of {wanted}"


@pytest.mark.parametrize(("line_end", "every"), [(b"\n", 1), (b"\r\n", 11)], ids=["LF", "CRLF"])
def test_all_that_the_truth_knows_is_found_in_the_corpus(corpora: Corpora, line_end: bytes, every: int) -> None:
    messages = {name: data.replace(b"\n", line_end) for name, data in corpora.messages(every=every).items()}
    assert len(messages) >= 10_900 // every

    assert list(disagreements(messages, truth_rows(corpora))) == []


def torture_messages(corpora: Corpora) -> dict[str, Message]:
    paths = sorted(corpora.torture.glob("*/*.eml"))
    return {f"{path.parent.name}/{path.name}": parse(path.read_bytes()) for path in paths}


def test_every_torturous_message_is_read_whole(corpora: Corpora) -> None:
    messages = torture_messages(corpora)

    assert len(messages) == 511
    assert [name for name, message in messages.items() if any("cannot be read" in it for it in message.defects)] == []


def test_what_other_test_suites_expect_and_two_programs_confirm_is_met(corpora: Corpora) -> None:
    messages = torture_messages(corpora)
    records = json.loads((corpora.folder / "expected-torture.json").read_text("utf-8"))["records"]

    checks = [check for record in records for check in expected(record, messages[record["file"]])]

    failed = [
        f"{file}: {what} {found!r} instead of {wanted!r}" for file, what, found, wanted in checks if found != wanted
    ]
    assert len(checks) >= 390
    assert len(failed) <= len(checks) * 0.02, "\n".join(failed)


def expected(record: dict[str, Any], message: Message) -> Iterator[tuple[str, str, object, object]]:
    """``(file, what, found, wanted)`` for each value of a record that two other programs confirm."""
    confirmed = {key for key, programs in record["agree"].items() if len(programs) >= 2}
    if "subject" in confirmed:
        yield record["file"], "subject", message.subject, " ".join(record["subject"].split())
    if "from" in confirmed and "@" in (record["from"][0]["addr"] or ""):
        found = message.sender.addr_spec if message.sender else None
        yield record["file"], "sender", found, record["from"][0]["addr"].lower()
    if "date" in confirmed:
        yield record["file"], "date", message.date, datetime.fromisoformat(record["date"])


# Where we hold with the minority, and why.
OUR_READING = {
    "cpython/msg_15.eml": "a multipart inside one with the same boundary: what follows belongs to the outer one",
    "ruby-mail/emails_rfc2822_example13.eml": "a blank before the colon: RFC 5322 allows it in its section 4.5.8",
    "spamscope-mail-parser/mail_malformed_1.eml": "as msg_15.eml",
    "spamscope-mail-parser/mail_test_15.eml": "From: a@b <c@d>: a name that looks like an address is only a name",
    "spamscope-mail-parser/mail_test_19.eml": "as mail_test_15.eml",
    "stalwart-mail-parser/malformed_017.eml": "multipart/mixed boundary=b, without the semicolon between",
}


def test_torturous_senders_and_attachments_are_those_of_most_programs(corpora: Corpora) -> None:
    messages = torture_messages(corpora)
    with open(corpora.folder / "torture.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 511

    failed = {}
    for row in rows:
        found = as_truth_has_it(messages[row["file"]])
        if (found["sender"], found["att_named"]) != (row["sender (majority)"], row["att_named"]):
            failed[row["file"]] = f"{found['sender']}, {found['att_named']} attachments: {row['parsers disagree on']}"

    assert failed.keys() == OUR_READING.keys(), failed
