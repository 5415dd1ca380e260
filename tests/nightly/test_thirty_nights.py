"""Thirty nights: mail arrives, servers fail, a night is missed, the disk fills, the program dies, the clock changes.

At the end all numbers are those of one fetch and one report over everything, and each message was told of once.
"""

import errno
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from filelayer import Before, Operation, watched
from scripted import ScriptedServer, drop, reply
from scripted_mailbox import Box, Stored

from inboxstats.archive import Archive, Owner
from inboxstats.collection import open_collection
from inboxstats.dataset import Selection
from inboxstats.digest import Findings
from inboxstats.errors import InboxstatsError, NetworkError
from inboxstats.fetch import fetch
from inboxstats.nightly.record import AccountRun, Run, read_record, record_path
from inboxstats.nightly.run import Night, run
from inboxstats.report.export import to_text
from inboxstats.report.make import make
from inboxstats.sources.imap import ImapSource, Server

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 10, 10)  # the clock goes back on 25 October, the 16th night
NIGHTS = 30
MISSED = 11
"""The machine was off."""
SENDERS = ("ann@example.com", "bob@example.com", "cem@example.net", "dan@example.net", "eve@example.org")


class Killed(BaseException):
    """The end of the process: no file changes any more."""


class Silent:
    """Watches nothing."""

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...


@dataclass
class World:
    """Two accounts on servers of their own, and what was said of their mail."""

    servers: dict[str, ScriptedServer]
    boxes: dict[str, Box]
    night: Night
    random: random.Random
    delivered: int = 0
    told: Counter[str] = field(default_factory=Counter)
    new_senders: list[str] = field(default_factory=list)

    def deliver(self, account: str, since: datetime, until: datetime) -> None:
        """Some mail arrives in between."""
        box = self.boxes[account]
        for when in sorted(self.random.uniform(0, 1) for _ in range(self.random.randrange(6))):
            self.delivered += 1
            arrived = (since + when * (until - since)).replace(microsecond=0)
            sender = self.random.choice(SENDERS[: 1 + self.delivered // 10])
            box.messages[box.uid_next] = Stored(
                f"From: {sender}\r\nTo: me@example.org\r\nMessage-ID: <{self.delivered}@example.org>\r\n"
                f"Date: {arrived:%a, %d %b %Y %H:%M:%S} +0000\r\nSubject: Number {self.delivered}\r\n\r\n"
                f"{'The harvest of the orchard. ' * self.random.randrange(1, 40)}\r\n".encode(),
                internal_date=arrived,
            )

    def fetch(self, names: Sequence[str]) -> Iterator[AccountRun]:
        archive = Archive.open(self.night.archive, fsync=False)
        for name in names:
            yield self._fetch_one(archive, name)

    def _fetch_one(self, archive: Archive, name: str) -> AccountRun:
        source = ImapSource(Server("127.0.0.1", self.servers[name].port, name, "none"), "secret")
        try:
            done = fetch(
                archive, name, Owner("127.0.0.1", name), source, mailboxes=("INBOX",), threads=2, watcher=Silent(),
                wait=lambda _: None,
            )  # fmt: skip
        except InboxstatsError as problem:
            return AccountRun(name, problem.exit_code, error=str(problem))
        error = None if done.error is None else str(done.error)
        return AccountRun(name, done.exit_code, done.stored, done.bytes, error)

    def hear(self, findings: Findings) -> str:
        """A digest that arrives: which messages it told of."""
        for name, box in self.boxes.items():
            since = findings.period.accounts[name]
            self.told.update(
                f"{name} {uid}"
                for uid, each in box.messages.items()
                if since < each.internal_date <= findings.period.until
            )
        assert findings.messages == sum(
            findings.period.accounts[name] < each.internal_date <= findings.period.until
            for name, box in self.boxes.items()
            for each in box.messages.values()
        )
        self.new_senders += [sender.address for sender in findings.senders]
        return "sent"

    def sleep(self, moment: datetime, *, send: Callable[[Findings], str] | None = None) -> Run | None:
        """A night at a moment; ``None`` where it was killed."""
        try:
            done, _ = run(self.night, fetch=self.fetch, send=send or self.hear, now=lambda: moment, wait=lambda _: None)
        except Killed:
            return None
        return done


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Archive.create(tmp_path / "archive", fsync=False)
    night = Night(
        archive=tmp_path / "archive",
        accounts=("work", "home"),
        mine=frozenset({"me@example.org"}),
        timezone="Europe/Berlin",
        out=tmp_path / "out",
        formats=("json",),
        keep=3,
        retries=1,
    )
    boxes = {name: Box(uid_validity=number) for number, name in enumerate(night.accounts, 1)}
    with ScriptedServer({"INBOX": boxes["work"]}) as work, ScriptedServer({"INBOX": boxes["home"]}) as home:
        yield World({"work": work, "home": home}, boxes, night, random.Random(20261128))


def full_disk(after: int) -> Before:
    """The disk has room for so many operations."""
    left = iter(range(after))

    def before(operation: Operation) -> None:
        if operation.name != "unlink" and next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), operation.path)

    return before


def kill(after: int) -> Before:
    left = iter(range(after))

    def before(_: Operation) -> None:
        if next(left, None) is None:
            raise Killed

    return before


def refuse(_: Findings) -> str:
    raise NetworkError("smtp.example.org:465 cannot be reached.")


@pytest.mark.timeout(1200)  # each night reads, parses and reports: much where the machine is busy
def test_thirty_nights_come_to_the_same_as_one(world: World, tmp_path: Path) -> None:
    codes: dict[int, int | None] = {}
    before = moment_of(0)
    for number in range(1, NIGHTS + 1):
        moment = moment_of(number)
        for account in world.night.accounts:
            world.deliver(account, before, moment)
        before = moment
        if number != MISSED:
            with mock.patch("inboxstats.download.admission.LONGEST_WAIT", 0.001):
                codes[number] = a_night(world, number, moment)
        for server in world.servers.values():
            server.script.rules.clear()

    wrong = {number: code for number, code in codes.items() if code != 0}
    assert wrong == {4: 5, 7: 5, 14: 6, 18: 6, 20: None, 22: 5, 25: 4}
    assert world.told == Counter(f"{name} {uid}" for name, box in world.boxes.items() for uid in box.messages)
    assert sorted(world.new_senders) == sorted(SENDERS)
    record = read_record(record_path(world.night.archive), world.night.archive)
    assert len(record.runs) == NIGHTS - 1
    assert [each.exit_code for each in record.runs if each.finished is None] == [None]
    assert len([path for path in (tmp_path / "out").iterdir() if path.name.startswith("2026-")]) == 3
    assert all_mail(world.night.archive) == sorted(
        hashlib.sha256(each.data).hexdigest() for box in world.boxes.values() for each in box.messages.values()
    )
    assert report_of(world.night.archive) == report_of(in_one_go(world, tmp_path / "once"))


def moment_of(number: int) -> datetime:
    """3:00 in Berlin, which is 1:00 UTC until the clock changes, and 2:00 afterwards."""
    return datetime.combine(FIRST + timedelta(days=number), time(3), BERLIN).astimezone(UTC)


def a_night(world: World, number: int, moment: datetime) -> int | None:
    """What befalls in which night; the exit code, ``None`` where it was killed."""
    work, home = world.servers["work"], world.servers["home"]
    done: Run | None
    match number:
        case 4:  # the server is down, at the second try, too
            work.on("LOGIN", reply("NO [UNAVAILABLE] not now"))
            done = world.sleep(moment)
        case 7:  # each connection breaks off
            home.on("UID FETCH", drop(after=10))
            work.on("EXAMINE", drop())
            done = world.sleep(moment)
        case 9:  # it breaks off once, and the run makes up for it
            home.on("UID FETCH", drop(after=200), nth=1)
            done = world.sleep(moment)
        case 14:
            with watched(world.night.archive, full_disk(after=3)):
                done = world.sleep(moment)
        case 18:  # no report can be written
            out, world.night = world.night.out, replace(world.night, out=Path("/dev/null/out"))
            done = world.sleep(moment)
            world.night = replace(world.night, out=out)
        case 20:
            with watched(world.night.archive.parent, kill(after=12)):
                done = world.sleep(moment)
        case 22:
            done = world.sleep(moment, send=refuse)
        case 25:
            home.on("LOGIN", reply("NO [AUTHENTICATIONFAILED] no"))
            done = world.sleep(moment)
        case _:
            done = world.sleep(moment)
    return None if done is None else done.exit_code


def in_one_go(world: World, path: Path) -> Path:
    """Another archive, of one fetch."""
    once = World(world.servers, world.boxes, replace(world.night, archive=path), world.random)
    Archive.create(path, fsync=False)
    assert [each.exit_code for each in once.fetch(world.night.accounts)] == [0, 0]
    return path


def report_of(archive: Path) -> Any:
    made = make(
        open_collection(archive),
        Selection(timezone="Europe/Berlin"),
        generated=moment_of(NIGHTS),
        engine="serial",
        top=0,
    )
    return json.loads(to_text(made))


def all_mail(archive: Path) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in archive.rglob("*.eml"))
