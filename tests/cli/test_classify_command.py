"""`inboxstats classify` as a user runs it: mail that was sorted, a new message in the wrong place, the report."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from command import Inboxstats

SORTED = 100


def write(folder: Path, number: int, *, is_spam: bool) -> None:
    when = format_datetime(datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=number))
    sender = f"win{number}@spam{number}.example" if is_spam else f"colleague{number % 4}@work.example"
    words = "prize money casino winner" if is_spam else "meeting minutes agenda friday"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.eml").write_text(
        f"From: {sender}\nDate: {when}\nMessage-ID: <{number}@x>\nSubject: {words}\n\n{words} {number}\n"
    )


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    for number in range(SORTED):
        write(tmp_path / "mail" / ("Junk" if number % 3 == 0 else "INBOX"), number, is_spam=number % 3 == 0)
    return tmp_path / "mail"


def test_what_was_learned_finds_a_new_message_in_the_wrong_place(inboxstats: Inboxstats, mail: Path) -> None:
    common = ("--timezone", "UTC", "--workers", "1")
    done = inboxstats("classify", "train", str(mail), "--target", "spam", "--trees", "20", *common)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "Learned from 75 messages, judged on 25 later ones (from 2026-03-17)."
    assert [line.split()[:4] for line in lines[3:5]] == [
        ["rest", "100.0%", "100.0%", "16"], ["spam", "100.0%", "100.0%", "9"],
    ]  # fmt: skip
    assert re.search(r"^the forest +100.0% +100.0%$", done.out, re.MULTILINE)
    assert re.search(r"^the most frequent class +64.0% +50.0% +0 +9  p = 0.004$", done.out, re.MULTILINE)  # 2 / 2⁹
    assert "do without it" not in done.out
    assert max(map(len, lines[:-1])) <= 80
    for number, is_spam in ((SORTED, True), (SORTED + 1, False)):
        write(mail / "INBOX", number, is_spam=is_spam)
    done = inboxstats("classify", "apply", str(mail), "--json", *common)
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["messages"], told["likely_misfiled"]) == (2, 1)
    report = ("report", str(mail), "--format", "json", "--engine", "serial", "--timezone", "UTC")
    table = json.loads(inboxstats(*report).out)["statistics"]["misfiled"]
    assert table["columns"] == ["file", "sender", "filed", "likely", "percent"]
    ((file, sender, filed, likely, percent),) = table["rows"]
    assert (file, sender, filed, likely) == ("INBOX/100.eml", "win100@spam100.example", "rest", "spam")
    assert percent >= 80
    shutil.rmtree(Path(told["predictions"]).parent / "messages")  # the table is made anew, and the predictions stay
    assert json.loads(inboxstats(*report).out)["statistics"]["misfiled"] == table
    asked = inboxstats("sql", "SELECT count(*) AS n FROM messages WHERE likely <> filed", str(mail), "--json")
    assert json.loads(asked.out)["rows"] == [[1]]


def test_json_has_the_judgement(inboxstats: Inboxstats, mail: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.skops"
    done = inboxstats(
        "classify", "train", str(mail), "--target", "mailbox", "--trees", "5", "--model", str(kept), "--json"
    )
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["schema_version"], told["target"], told["model"]) == (1, "mailbox", str(kept))
    assert [each["name"] for each in told["judgement"]["classes"]] == ["INBOX", "Junk"]
    assert sum(map(sum, told["judgement"]["confusion"])) == told["judgement"]["judged_on"] == 25
    assert kept.is_file()


def test_what_cannot_be_learned_or_applied_is_a_usage_error(inboxstats: Inboxstats, mail: Path) -> None:
    done = inboxstats("classify", "apply", str(mail))
    assert (done.code, done.out) == (2, "")
    assert "Run `inboxstats classify train` first" in done.err
    done = inboxstats("classify", "train", str(mail), "--target", "label")
    assert done.code == 2
    assert "Label mail on a server that has labels" in done.err
    assert "Traceback" not in done.err
