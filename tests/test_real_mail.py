"""Real mail against independent truth: the whole way from servers to report.json, and the corpus as files.

The truth was computed without this project, by Python's email, GMime, Email::MIME and a strict grammar of dates.
"""

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command import Inboxstats
from corpora import Corpora
from servers.dovecot import Dovecot
from servers.greenmail import GreenMail
from servers.raw import digests, flags, with_crlf

REPORT = ("--format", "json", "--clock", "date", "--duplicates", "keep", "--top", "0")
EVERY = 9
"""CI takes one message in so many of the corpus, 1,212; `make corpora` all."""

A_MAILBOX = 1000

ACCOUNT = """
[accounts."{user.user}"]
host = "{user.host}"
port = {user.port}
user = "{user.user}"
security = "none"
password_command = ["echo", "{user.password}"]
"""

Truth = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def truth(corpora: Corpora) -> Truth:
    """The truth of each message, by its name ``"SET/NAME.eml"``."""
    with lzma.open(corpora.folder / "truth-messages.tsv.xz", "rt", encoding="utf-8", newline="") as file:
        header, *lines = file.read().removesuffix("\n").split("\n")
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    return {row["file"]: row for row in rows}


def expected(rows: Iterable[Mapping[str, str]], *, own_offset: bool) -> dict[str, Any]:
    """What the report on messages must say, counted from their truth alone."""
    rows = list(rows)
    senders = [row["sender"] for row in rows if row["sender"] not in {"", "(none)"}]
    times = [
        datetime.strptime(row["date_utc"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        + timedelta(minutes=int(row["offset_min"]) if own_offset else 0)
        for row in rows
        if row["date_class"] == "ok"
    ]
    named = [int(row["att_named"]) for row in rows]
    return {
        "senders": Counter(senders),
        "domains": Counter(sender.rpartition("@")[2].rstrip(".") for sender in senders),
        "hours": Counter(time.hour for time in times),
        "weekdays": Counter(time.isoweekday() for time in times),
        "busy_hours": Counter((time.isoweekday(), time.hour) for time in times),
        "months": Counter(f"{time:%Y-%m}" for time in times),
        "days": Counter(f"{time:%Y-%m-%d}" for time in times),
        "totals": {
            "files": len(rows),
            "messages": len(rows),
            "duplicates": 0,
            "unreadable": 0,
            "undated": len(rows) - len(times),
            "without_sender": len(rows) - len(senders),
            "messages_with_attachments": sum(count > 0 for count in named),
            "attachments": sum(named),
            "with_list_id": sum(int(row["list_id"]) for row in rows),
            "with_list_unsubscribe": sum(int(row["list_unsub"]) for row in rows),
            "headers_only": 0,
        },
    }


def counted(report: Mapping[str, Any]) -> dict[str, Any]:
    """The same figures as a report.json gives them."""

    def table(name: str, *keys: str) -> Counter[Any]:
        statistic = report["statistics"][name]
        columns = statistic["columns"]
        places = [columns.index(key) for key in keys]
        counts = columns.index("messages")
        found: Counter[Any] = Counter()
        for row in statistic["rows"]:
            found[tuple(row[place] for place in places) if len(keys) > 1 else row[places[0]]] += row[counts]
        return +found

    return {
        "senders": table("senders", "address"),
        "domains": table("domains", "domain"),
        "hours": table("hours", "hour"),
        "weekdays": table("weekdays", "weekday"),
        "busy_hours": table("busy_hours", "weekday", "hour"),
        "months": table("months", "month"),
        "days": table("days", "day"),
        "totals": {name: value for name, value in report["totals"].items() if name != "bytes"},
    }


@pytest.mark.parametrize("timezone", ["UTC", "sender"])
def test_the_corpus_as_files_agrees_with_its_truth(
    corpora: Corpora, truth: Truth, inboxstats: Inboxstats, timezone: str
) -> None:
    done = inboxstats("report", str(corpora.corpus), "--timezone", timezone, *REPORT)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert counted(report) == expected(truth.values(), own_offset=timezone == "sender")
    assert report["totals"]["bytes"] == 93_278_665


def chosen(corpora: Corpora, truth: Truth, every: int) -> tuple[dict[str, bytes], dict[str, Any]]:
    messages = corpora.messages(every=every)
    return messages, expected((truth[name] for name in messages), own_offset=False)


def report_on(inboxstats: Inboxstats, archive: Path) -> dict[str, Any]:
    done = inboxstats("report", str(archive), "--timezone", "UTC", *REPORT)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def through_dovecot(
    inboxstats: Inboxstats, dovecot: Dovecot, archive: Path, messages: Mapping[str, bytes]
) -> dict[str, Any]:
    """Fetch from Dovecot, prove every byte and that nothing changed there, and report."""
    user = dovecot.add_user()
    dovecot.fill(user, "INBOX", [with_crlf(data) for data in messages.values()])
    before = flags(user)
    options = ("--host", user.host, "--port", str(user.port), "--user", user.user, "--security", "none")
    done = inboxstats("fetch", *options, "--threads", "8", "--archive", str(archive), password=user.password)
    assert done.code == 0, done.err
    stored = {int(path.stem): hashlib.sha256(path.read_bytes()).hexdigest() for path in archive.rglob("*.eml")}
    assert stored == digests(user)
    assert len(stored) == len(messages)
    assert flags(user) == before
    return report_on(inboxstats, archive)


def through_greenmail(
    inboxstats: Inboxstats, greenmail: GreenMail, archive: Path, messages: Mapping[str, bytes]
) -> dict[str, Any]:
    """Deliver to as many accounts as it takes, fetch them all, and report.

    No mailbox is large, as GreenMail walks through all of one for each FETCH: 1,000 messages take half a second,
    10,900 took 310.
    """
    every = list(messages.values())
    users = []
    for first in range(0, len(every), A_MAILBOX):
        users.append(greenmail.add_user())
        greenmail.deliver(every[first : first + A_MAILBOX], users[-1])
    config = archive.with_name("config.toml")
    config.write_text("".join(ACCOUNT.format(user=user) for user in users))
    done = inboxstats("fetch", "--config", str(config), "--archive", str(archive), "--json")
    assert done.code == 0, done.err
    assert sum(account["stored"] for account in json.loads(done.out)["accounts"]) == len(messages)
    for user in users:
        greenmail.remove_user(user)
    return report_on(inboxstats, archive)


def test_real_mail_through_dovecot_is_byte_identical_and_agrees_with_its_truth(
    corpora: Corpora, truth: Truth, inboxstats: Inboxstats, dovecot: Dovecot, tmp_path: Path
) -> None:
    messages, figures = chosen(corpora, truth, EVERY)
    assert len(messages) >= 1000
    assert counted(through_dovecot(inboxstats, dovecot, tmp_path / "archive", messages)) == figures


def test_real_mail_through_greenmail_agrees_with_its_truth(
    corpora: Corpora, truth: Truth, inboxstats: Inboxstats, greenmail: GreenMail, tmp_path: Path
) -> None:
    messages, figures = chosen(corpora, truth, EVERY)
    assert counted(through_greenmail(inboxstats, greenmail, tmp_path / "archive", messages)) == figures


@pytest.mark.corpora
@pytest.mark.timeout(1200)
def test_the_whole_corpus_through_dovecot(
    corpora: Corpora, truth: Truth, inboxstats: Inboxstats, dovecot: Dovecot, tmp_path: Path
) -> None:
    messages, figures = chosen(corpora, truth, 1)
    assert counted(through_dovecot(inboxstats, dovecot, tmp_path / "archive", messages)) == figures


@pytest.mark.corpora
@pytest.mark.timeout(1200)
def test_the_whole_corpus_through_greenmail(
    corpora: Corpora, truth: Truth, inboxstats: Inboxstats, greenmail: GreenMail, tmp_path: Path
) -> None:
    messages, figures = chosen(corpora, truth, 1)
    assert counted(through_greenmail(inboxstats, greenmail, tmp_path / "archive", messages)) == figures
