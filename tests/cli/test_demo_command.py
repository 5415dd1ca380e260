"""`inboxstats demo` as a user runs it, held against what its generator says it made."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from command import Inboxstats

from inboxstats.demo.mailbox import generate


def test_the_demo_fetches_and_reports_what_was_generated(inboxstats: Inboxstats, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    before = datetime.now(UTC).date()
    done = inboxstats("demo", "--messages", "400", "--out", str(out), "--threads", "4")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[-2].startswith("Fetched 400 messages with 4 threads in ")
    assert lines[-1] == f"Report: {(out / 'report' / 'latest').resolve() / 'report.html'}"
    if datetime.now(UTC).date() != before:
        return  # midnight: the demo's last day is one of two
    made = generate(messages=400, last_day=before)
    report = json.loads((out / "report" / "latest" / "report.json").read_text())
    originals = [message for message in made if not message.is_copy]
    totals = report["totals"]
    assert (totals["files"], totals["messages"], totals["duplicates"]) == (400, len(originals), 400 - len(originals))
    senders = {row[0]: row[2] for row in report["statistics"]["senders"]["rows"]}
    counts = Counter(message.letter.sender.addr_spec for message in originals)
    assert senders == dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])
    assert totals["attachments"] == sum(len(message.letter.attachments) for message in originals)
    stored = {path.read_bytes() for path in (out / "archive").rglob("*.eml")}
    assert stored == {message.data for message in made}


def test_a_second_demo_replaces_the_first(inboxstats: Inboxstats, tmp_path: Path) -> None:
    for count in ("60", "30"):
        done = inboxstats("demo", "--messages", count, "--out", str(tmp_path), "--json", "--engine", "serial")
        assert done.code == 0, done.err
    assert len(list((tmp_path / "archive").rglob("*.eml"))) == 30
    told = json.loads(done.out)
    assert (told["schema_version"], told["messages"], told["threads"]) == (1, 30, 8)
    assert Path(told["page"]).is_file()
