"""A night over an archive on the disk, with servers, senders and clocks that a test gives."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inboxstats.archive import Archive, Owner
from inboxstats.digest import Findings
from inboxstats.errors import CredentialsError, NetworkError, StorageError
from inboxstats.mail import Mailbox
from inboxstats.nightly.record import AccountRun, Record, Run, read_record, record_path
from inboxstats.nightly.run import Night, run

NIGHT = datetime(2026, 11, 28, 2, 30, tzinfo=UTC)


class Clock:
    """Each look takes a minute."""

    def __init__(self, now: datetime = NIGHT) -> None:
        self.now = now

    def __call__(self) -> datetime:
        now, self.now = self.now, self.now + timedelta(minutes=1)
        return now


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    archive.admit("work", Owner("imap.example.org", "me@example.org"))
    return archive


@pytest.fixture
def night(tmp_path: Path, archive: Archive) -> Night:
    return Night(
        archive=archive.path,
        accounts=("work", "home"),
        mine=frozenset({"me@example.org"}),
        timezone="UTC",
        out=tmp_path / "out",
        formats=("json",),
    )


@pytest.fixture
def deliver(archive: Archive) -> Callable[[int, datetime], None]:
    """Puts a message into the archive, as a fetch would."""

    def put(uid: int, when: datetime) -> None:
        folder = archive.path / "work" / "INBOX" / "1" / "000000"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{uid}.eml").write_bytes(
            f"From: ann{uid}@example.com\r\nTo: me@example.org\r\nMessage-ID: <{uid}@example.com>\r\n"
            f"Date: {when:%a, %d %b %Y %H:%M:%S} +0000\r\nSubject: Lunch {uid}?\r\n\r\nAre you there?\r\n".encode()
        )
        archive.mailbox("work", Mailbox("INBOX")).note_name()

    return put


def fetched(*answers: AccountRun) -> Callable[[Sequence[str]], list[AccountRun]]:
    """Answers for each account, the next one each time; the last one of each stays. The order is not that asked for."""
    left = {answer.account: [each for each in answers if each.account == answer.account] for answer in answers}
    return lambda names: [left[name].pop(0) if len(left[name]) > 1 else left[name][0] for name in sorted(names)]


GOOD = (AccountRun("work", 0, stored=2), AccountRun("home", 0))


def test_a_night_fetches_reports_tells_and_remembers(
    night: Night, deliver: Callable[[int, datetime], None], tmp_path: Path
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))
    deliver(2, NIGHT - timedelta(days=3))
    told: list[Findings] = []
    done, findings = run(night, fetch=fetched(*GOOD), send=lambda each: told.append(each) or "sent", now=Clock())
    assert told == [findings]
    assert findings is not None
    # The first digest is of a day: one of the two is new; both wait.
    assert (findings.messages, [each.subject for each in findings.waiting]) == (1, ["Lunch 1?", "Lunch 2?"])
    assert done == Run(
        NIGHT, NIGHT + timedelta(minutes=1), 0, GOOD, str(tmp_path / "out" / "2026-11-28T023000Z"), 0, 0, "sent"
    )
    assert (tmp_path / "out" / "latest" / "report.json").is_file()
    record = read_record(record_path(night.archive), night.archive)
    assert record == Record(night.archive, {"work": NIGHT, "home": NIGHT}, (done,))


def test_one_accounts_trouble_stops_nothing_and_the_worst_code_counts(
    night: Night, deliver: Callable[[int, datetime], None]
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))
    bad = AccountRun("work", 4, error="imap.example.org refuses the login.")
    done, findings = run(
        night, fetch=fetched(bad, AccountRun("home", 3, troubles=("x",))), send=lambda _: "off", now=Clock()
    )
    assert (done.exit_code, done.digest) == (4, "off")
    assert done.report is not None
    assert findings is not None
    assert findings.troubles == ("work: imap.example.org refuses the login.", "home: x")


def test_mail_of_an_account_that_was_down_is_told_of_when_it_comes(
    night: Night, deliver: Callable[[int, datetime], None]
) -> None:
    down = AccountRun("work", 5, error="imap.example.org cannot be reached.")
    run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(NIGHT - timedelta(days=2)))
    run(night, fetch=fetched(down, AccountRun("home", 0)), send=lambda _: "sent", now=Clock(NIGHT - timedelta(days=1)))
    deliver(1, NIGHT - timedelta(days=1, hours=3))  # came while the server was down
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock())
    assert findings is not None
    assert findings.messages == 1
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(NIGHT + timedelta(days=1)))
    assert findings is not None
    assert findings.messages == 0


def test_a_digest_of_the_future_hides_no_mail(night: Night, deliver: Callable[[int, datetime], None]) -> None:
    wrong = NIGHT + timedelta(days=365)
    run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(wrong))
    deliver(1, NIGHT - timedelta(hours=3))
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock())
    assert findings is not None
    assert findings.messages == 1


def test_a_digest_that_could_not_be_sent_is_told_the_next_night(
    night: Night, deliver: Callable[[int, datetime], None]
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))

    def fail(_: Findings) -> str:
        raise NetworkError("smtp.example.org:465 cannot be reached.")

    done, _ = run(night, fetch=fetched(*GOOD), send=fail, now=Clock())
    assert (done.exit_code, done.digest) == (5, "failed")
    assert done.troubles == ("The digest could not be sent: smtp.example.org:465 cannot be reached.",)
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(NIGHT + timedelta(hours=23)))
    assert findings is not None
    assert findings.messages == 1


def test_a_server_that_cannot_be_reached_is_tried_again_after_all_others(night: Night) -> None:
    pauses: list[float] = []
    asked: list[str] = []
    answers = fetched(
        AccountRun("work", 5, stored=1, error="down"),
        AccountRun("work", 5, error="down"),
        AccountRun("work", 0, stored=2),
        AccountRun("home", 4, error="refused"),
    )

    def fetch(names: Sequence[str]) -> list[AccountRun]:
        asked.append(" ".join(names))
        return answers(names)

    done, _ = run(replace(night, retries=3), fetch=fetch, send=lambda _: "off", now=Clock(), wait=pauses.append)
    # A refused login is never tried again: that would lock the account.
    assert asked == ["work home", "work", "work"]
    assert pauses == [60, 300]
    assert (done.accounts[0].exit_code, done.accounts[0].stored) == (0, 3)
    assert done.exit_code == 4


def test_without_retries_nothing_is_waited_for(night: Night) -> None:
    def never(_: float) -> None:
        raise AssertionError

    run(
        night,
        fetch=fetched(AccountRun("work", 5), AccountRun("home", 5)),
        send=lambda _: "off",
        now=Clock(),
        wait=never,
    )


def test_a_report_that_cannot_be_written_does_not_stop_the_digest(
    night: Night, deliver: Callable[[int, datetime], None], tmp_path: Path
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))
    (tmp_path / "out").write_text("a file")
    told: list[Findings] = []
    done, _ = run(night, fetch=fetched(*GOOD), send=lambda each: told.append(each) or "sent", now=Clock())
    assert (done.exit_code, done.report) == (6, None)
    assert told[0].troubles[0].startswith("No report: Cannot write the report into")
    assert told[0].messages == 1


def test_a_message_table_that_cannot_be_written_is_told_of_and_the_mail_once_it_can(
    night: Night, deliver: Callable[[int, datetime], None]
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))
    (night.archive / ".cache").write_text("in its place")
    told: list[Findings] = []
    done, _ = run(night, fetch=fetched(*GOOD), send=lambda each: told.append(each) or "sent", now=Clock())
    assert (done.exit_code, done.digest) == (6, "sent")
    report, counts = told[0].troubles
    assert report.startswith("No report: Cannot ")
    assert counts.startswith("No counts in the digest: Cannot ")
    (night.archive / ".cache").unlink()
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(NIGHT + timedelta(days=1)))
    assert findings is not None
    assert findings.messages == 1


def test_a_damaged_archive_is_told_of_and_its_mail_once_it_is_mended(
    night: Night, deliver: Callable[[int, datetime], None]
) -> None:
    deliver(1, NIGHT - timedelta(hours=3))
    whole = (night.archive / "archive.toml").read_text()
    (night.archive / "archive.toml").write_text("no toml at all [")
    told: list[Findings] = []
    done, _ = run(night, fetch=fetched(*GOOD), send=lambda each: told.append(each) or "sent", now=Clock())
    assert done.exit_code == 8
    assert (told[0].messages, len(told[0].troubles)) == (0, 1)
    (night.archive / "archive.toml").write_text(whole)
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock(NIGHT + timedelta(days=1)))
    assert findings is not None
    assert findings.messages == 1


def test_a_record_that_cannot_be_written_does_not_stop_the_digest(night: Night, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    told: list[Findings] = []
    done, _ = run(night, fetch=fetched(*GOOD), send=lambda each: told.append(each) or "sent", now=Clock())
    assert (done.exit_code, done.digest, done.report is None) == (6, "sent", False)
    (trouble,) = told[0].troubles
    assert trouble.startswith("Cannot write ")


def test_old_reports_go_and_the_latest_stay(night: Night, tmp_path: Path) -> None:
    for days in range(4):
        done, _ = run(
            replace(night, keep=2), fetch=fetched(*GOOD), send=lambda _: "off", now=Clock(NIGHT + timedelta(days=days))
        )
    assert done.removed_reports == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock") == [
        *("2026-11-30T023000Z", "2026-12-01T023000Z", "latest"),
    ]


def test_files_that_cannot_be_read_are_told_of_once(night: Night, deliver: Callable[[int, datetime], None]) -> None:
    deliver(1, NIGHT)
    os.mkfifo(night.archive / "work" / "INBOX" / "1" / "000000" / "2.eml")
    first, _ = run(night, fetch=fetched(*GOOD), send=lambda _: "off", now=Clock())
    second, _ = run(night, fetch=fetched(*GOOD), send=lambda _: "off", now=Clock(NIGHT + timedelta(days=1)))
    assert (first.unreadable, second.unreadable) == (1, 1)
    assert (first.exit_code, second.exit_code) == (3, 0)
    assert "1 file cannot be read; `inboxstats report` names it." in first.troubles


class Stop(BaseException):
    """As Ctrl-C comes."""

    code = 130


@pytest.mark.parametrize(
    ("problem", "code"),
    [(Stop(), 130), (ZeroDivisionError("a bug"), 1), (StorageError("x"), 6), (CredentialsError("y"), 4)],
)
def test_a_night_that_ends_early_is_remembered_with_its_code(night: Night, problem: BaseException, code: int) -> None:
    def fetch(_: Sequence[str]) -> list[AccountRun]:
        raise problem

    with pytest.raises(type(problem)):
        run(night, fetch=fetch, send=lambda _: "off", now=Clock())
    last = read_record(record_path(night.archive), night.archive).last
    assert last is not None
    assert (last.exit_code, last.finished, last.digest) == (code, NIGHT + timedelta(minutes=1), None)


def test_a_night_that_was_killed_is_told_by_the_next(night: Night) -> None:
    class Killed(BaseException):
        pass

    def looks() -> Iterator[datetime]:
        yield NIGHT - timedelta(days=1)
        raise Killed  # before an end can be noted, as kill -9 does

    clock = looks()
    with pytest.raises(Killed):
        run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=lambda: next(clock))
    last = read_record(record_path(night.archive), night.archive).last
    assert last is not None
    assert (last.finished, last.exit_code) == (None, None)
    _, findings = run(night, fetch=fetched(*GOOD), send=lambda _: "sent", now=Clock())
    assert findings is not None
    assert findings.troubles == ("The run of 2026-11-27 02:30 UTC was killed before its end; this one made up for it.",)
