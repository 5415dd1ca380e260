"""`inboxstats nightly`, `digest` and `status` as a timer and a person run them, against GreenMail's IMAP and SMTP."""

import imaplib
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from command import Done, Inboxstats
from servers.greenmail import GreenMail
from servers.raw import Login

from inboxstats.nightly.record import AccountRun, Record, Run, write_record


def message(number: int, sender: str, to: str, subject: str, more: str = "") -> bytes:
    when = format_datetime(datetime.now(UTC))
    return (
        f"From: {sender}\r\nTo: {to}\r\nDate: {when}\r\nMessage-ID: <{number}@example.org>\r\nSubject: {subject}\r\n"
        f"{more}\r\nThe harvest report of the orchard.\r\n"
    ).encode()


@pytest.fixture
def reader(greenmail: GreenMail) -> Iterator[Login]:
    """Who gets the digest."""
    user = greenmail.add_user()
    yield user
    greenmail.remove_user(user)


class Home:
    """A home with a config.toml; and what its digests became."""

    def __init__(self, inboxstats: Inboxstats, me: Login, reader: Login, greenmail: GreenMail) -> None:
        self.inboxstats = inboxstats
        self.home, self.me, self.reader = inboxstats.home, me, reader
        self._smtp = greenmail.smtp
        self.config = self.home / ".config" / "inboxstats" / "config.toml"
        self.config.parent.mkdir(parents=True)
        self.write(self.account("work"))

    def account(self, name: str, password: str | None = None) -> str:
        return (
            f'[accounts.{name}]\nhost = "{self.me.host}"\nport = {self.me.port}\nuser = "{self.me.user}"\n'
            f'security = "none"\npassword_command = ["echo", "{password or self.me.password}"]\n'
        )

    def write(self, accounts: str, digest: str = "", smtp_port: int | None = None) -> None:
        self.config.write_text(
            f'timezone = "Europe/Berlin"\n{accounts}[report]\nformats = ["json"]\n[digest]\nto = "{self.reader.user}"\n'
            f'smtp_host = "{self.reader.host}"\nsmtp_port = {smtp_port or self._smtp}\nsmtp_security = "none"\n{digest}'
        )

    def __call__(self, *arguments: str) -> Done:
        done = self.inboxstats(*arguments, PATH="/usr/bin:/bin", NO_PROXY="*")
        assert "Traceback" not in done.err, done.err
        return done

    def archive(self) -> Path:
        return self.home / ".local" / "share" / "inboxstats" / "archive"

    def log(self) -> str:
        return (self.home / ".local" / "state" / "inboxstats" / "log" / "nightly.log").read_text()

    def digests(self) -> list[str]:
        """The mails that the reader got."""
        client = imaplib.IMAP4(self.reader.host, self.reader.port, timeout=60)
        try:
            client.login(self.reader.user, self.reader.password)
            client.select(readonly=True)
            numbers = client.search(None, "ALL")[1][0].split()
            answers: list[Any] = [client.fetch(number.decode(), "(RFC822)")[1] for number in numbers]
        finally:
            client.logout()
        return [answer[0][1].decode() for answer in answers]


@pytest.fixture
def home(inboxstats: Inboxstats, greenmail_user: Login, reader: Login, greenmail: GreenMail) -> Home:
    return Home(inboxstats, greenmail_user, reader, greenmail)


def test_two_nights_from_the_server_to_the_readers_inbox(home: Home, greenmail: GreenMail) -> None:
    before = home("status")
    assert (before.code, before.out.splitlines()[0]) == (3, "No night has run yet.")
    assert before.err == "inboxstats: No run of the last 36h went well: none ever ran.\n"

    me = home.me.user
    mail = [
        message(1, "Ann <ann@example.com>", me, "Lunch tomorrow?"),
        message(2, "no-reply@example.net", me, "Your order"),
        message(3, "Bob <bob@list.example>", me, "[list] hello", "List-Id: <list.example>\r\n"),
    ]
    greenmail.deliver(mail, home.me)
    first = home("nightly", "--quiet-when-nothing")
    assert (first.code, first.err) == (0, "")
    lines = first.out.splitlines()
    assert lines[0].startswith("work: 3 new messages")
    assert lines[1] == "3 new messages, 3 new senders, 1 more waits for an answer."
    assert any(line.startswith("  Ann <ann@example.com> · Lunch tomorrow? · ") for line in lines)
    assert sum("order" in line for line in lines) == 0
    assert lines[-1] == "The digest is sent."
    report = next(line for line in lines if line.startswith("Report: ")).removeprefix("Report: ")
    assert json.loads((Path(report) / "report.json").read_text())["totals"]["messages"] == 3
    (digest,) = home.digests()
    assert "Subject: inboxstats: 3 new messages, 3 new senders, 1 more waits for an answer\r\n" in digest

    # Nothing new: the second night is not heard of, and its record is there all the same.
    second = home("nightly", "--quiet", "--quiet-when-nothing")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert len(home.digests()) == 1
    status = home("status")
    assert (status.code, status.err) == (0, "")
    assert re.match(
        r"Last run: \d{4}-\d\d-\d\d \d\d:\d\d \(Europe/Berlin\), done\.\n  work  done, 0 new messages\n", status.out
    )
    assert "Next run: none, as no timer is installed: inboxstats schedule install\n" in status.out
    told = json.loads(home("status", "--json").out)
    assert (told["fresh"], told["running"], told["last"]["digest"]) == (True, False, "nothing")

    # What was told of is no news, and waits still.
    again = json.loads(home("digest", "--json").out)
    assert (again["messages"], again["new_senders"]) == (0, [])
    assert [(each["address"], each["is_new"]) for each in again["waiting"]] == [("ann@example.com", False)]
    assert home("digest", "--quiet-when-nothing").out == ""
    since = json.loads(home("digest", "--json", "--since", "2026-01-01").out)
    assert (since["messages"], len(since["new_senders"])) == (3, 3)
    future = home("digest", "--since", "2999-01-01")
    assert (future.code, future.out) == (2, "")
    assert "2999-01-01 is yet to come" in future.err

    log = home.log()
    assert "The night is over: exit code 0" in log
    for secret in (me, home.me.password, "ann@", "Lunch"):
        assert secret not in log


def test_one_accounts_trouble_stops_no_other_and_is_told(home: Home, greenmail: GreenMail) -> None:
    greenmail.deliver([message(1, "Ann <ann@example.com>", home.me.user, "Lunch?")], home.me)
    broken = home.account("broken", "canary-7f3a").replace(home.me.user, "other@example.org")
    home.write(broken + home.account("work"))
    done = home("nightly", "--json")
    assert done.code == 4
    told = json.loads(done.out)
    assert [(each["account"], each["exit_code"], each["stored"]) for each in told["accounts"]] == [
        *(("broken", 4, 0), ("work", 0, 1)),
    ]
    assert (told["exit_code"], told["digest"], told["report"] is None) == (4, "sent", False)
    (digest,) = home.digests()
    assert "1 trouble" in digest
    status = home("status")
    assert status.code == 3
    assert "  broken  failed: credentials (4), 0 new messages; last good run: never\n" in status.out
    assert "  work    done, 1 new message\n" in status.out
    for text in (done.out, done.err, digest, status.out, status.err, home.log()):
        assert "canary" not in text
    assert "other@" not in home.log()


def test_another_run_that_holds_the_archive_ends_it_with_7_and_no_record(home: Home) -> None:
    from inboxstats.archive import Archive

    with Archive.create(home.archive(), fsync=False).lock():
        done = home("nightly")
    assert (done.code, done.out) == (7, "")
    assert "Another run holds the archive" in done.err
    assert list((home.home / ".local" / "state" / "inboxstats").glob("*.json")) == []


def test_a_night_that_cannot_begin_is_told_by_status(home: Home) -> None:
    assert home("fetch", "--quiet").code == 0
    (home.archive() / "archive.toml").write_text("format = 99\n")
    done = home("nightly", "--quiet")
    assert (done.code, done.out, "has format 99" in done.err) == (8, "", True)
    status = home("status", "--tell")
    assert status.code == 3
    assert ", failed: the archive is damaged (8).\n" in status.out
    assert (
        f"  ! {home.archive()} has format 99, this program knows up to 1. Install a newer inboxstats.\n" in status.out
    )
    (told,) = home.digests()
    assert "ended early (failed: the archive is damaged (8)) and could not tell it itself" in told.replace("=\r\n", "")
    (home.archive() / "archive.toml").unlink()
    again = home("nightly", "--quiet", "--archive", str(home.home / "another"))
    assert again.code == 0, again


def test_an_account_that_would_show_its_password_stops_no_other(home: Home, greenmail: GreenMail) -> None:
    greenmail.deliver([message(1, "Ann <ann@example.com>", home.me.user, "Lunch?")], home.me)
    shown = home.account("shown").replace(f'host = "{home.me.host}"', 'host = "imap.example.org"')
    home.write(shown + home.account("work"))
    done = home("nightly", "--json")
    told = json.loads(done.out)
    assert [(each["account"], each["exit_code"], each["stored"]) for each in told["accounts"]] == [
        *(("shown", 2, 0), ("work", 0, 1)),
    ]
    assert done.code == 2
    assert "shown: " in done.err
    assert "for everyone to read" in done.err


def test_a_digest_can_be_sent_by_hand_and_says_what_is_missing(home: Home, greenmail: GreenMail) -> None:
    greenmail.deliver([message(1, "Ann <ann@example.com>", home.me.user, "Lunch?")], home.me)
    assert home("fetch", "--quiet").code == 0
    done = home("digest", "--send")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "The digest is sent.")
    assert len(home.digests()) == 1
    home.config.write_text(home.account("work"))
    done = home("digest", "--send", "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "Nobody is to get it" in done.err
    home.config.write_text(home.account("work") + '[digest]\nto = "a@example.org"\n')
    assert "[digest] smtp_host is missing" in home("digest", "--send", "--quiet").err
    home.config.write_text(
        home.account("work") + '[digest]\nto = "a@x.org"\nsmtp_host = "x.org"\nsmtp_security = "none"\n'
    )
    done = home("digest", "--send", "--quiet")
    assert (done.code, "for everyone to read" in done.err) == (2, True)


def test_a_night_that_is_stopped_is_told_by_status(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it never greets, and is waited for
        home.write(home.account("work").replace(f"port = {home.me.port}", f"port = {mute.getsockname()[1]}"))
        running = home.inboxstats.start("nightly", "--quiet")
        state = home.home / ".local" / "state" / "inboxstats"
        while not list(state.glob("*.json")):
            assert running.poll() is None
            time.sleep(0.05)
        assert "running" in home("status").out
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 143
        running.communicate()
    status = home("status", "--tell", "--quiet")
    assert status.code == 3
    (told,) = home.digests()
    assert "ended early (interrupted (143)) and could not tell it itself" in told.replace("=\r\n", "")


@pytest.mark.parametrize(("age", "code"), [("36h", 0), ("2h", 3), ("90m", 3), ("1d", 0)])
def test_monitoring_wants_a_good_run_of_that_age(inboxstats: Inboxstats, age: str, code: int) -> None:
    archive = inboxstats.home / "archive"
    done = datetime.now(UTC) - timedelta(hours=20)
    run = Run(done - timedelta(minutes=5), done, 0, (AccountRun("work", 0, 3),), digest="sent")
    _keep(inboxstats, archive, run)
    assert inboxstats("status", "--archive", str(archive), "--max-age", age, "--quiet").code == code


def test_a_run_that_was_killed_is_told_and_one_that_told_itself_is_not(home: Home) -> None:
    archive = home.archive()
    started = datetime.now(UTC) - timedelta(hours=1)
    _keep(home.inboxstats, archive, Run(started))
    done = home("status", "--tell")
    assert done.code == 3
    assert "killed before its end" in done.out
    assert "was killed and could not tell it itself" in home.digests()[0].replace("=\r\n", "")
    _keep(home.inboxstats, archive, Run(started, started, 4, digest="sent"))
    assert home("status", "--tell").code == 3
    assert len(home.digests()) == 1


@pytest.mark.parametrize("age", ["36", "0h", "1w"])
def test_an_age_that_is_none_is_refused(inboxstats: Inboxstats, age: str) -> None:
    done = inboxstats("status", f"--max-age={age}")
    assert (done.code, done.out) == (2, "")
    assert "is no age. Write minutes, hours or days" in done.err


def _keep(inboxstats: Inboxstats, archive: Path, *runs: Run) -> None:
    """The record of an archive, as the program finds it."""
    import hashlib
    import os

    digest = hashlib.sha256(os.fsencode(archive.resolve())).hexdigest()[:16]
    path = inboxstats.home / ".local" / "state" / "inboxstats" / f"nightly-{digest}.json"
    write_record(path, Record(archive, {}, runs))
