"""Whatever happens to mailboxes, network and disk, in any order: the invariants hold, and a run left alone is complete.

In this process and without fsync, so that a run takes milliseconds. Hypothesis looks for the shortest story that goes
wrong, and prints it. STORIES is how many are told; `make soak` tells many.
"""

import errno
import os
import tempfile
import threading
from pathlib import Path
from unittest import mock

from filelayer import Before, Operation, watched
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from invariants import Key, Witness
from scripted import ScriptedServer, bye, drop, reply
from scripted_mailbox import Box, Stored
from scripted_session import Fault

from inboxstats.archive import Archive, Owner
from inboxstats.errors import ExitCode, InboxstatsError, NetworkError, StorageError
from inboxstats.fetch import Fetched, fetch
from inboxstats.sources.imap import ImapSource, Server

from .rig import SECRET, changing

NAMES = ("INBOX", "Work", "Lists", "Lists/python", "Elsewhere")
WHICH = st.sampled_from(NAMES)
COMMANDS = ("LOGIN", "LIST", "STATUS", "EXAMINE", "UID SEARCH", "UID FETCH")


class Killed(BaseException):
    """The end of the process. Whatever is tidied up afterwards touches no file any more."""


class Mailbox(Box):
    """One that gives a UID once only, as a server must."""

    last_uid = 0

    @property
    def uid_next(self) -> int:
        return self.last_uid + 1

    def deliver(self, data: bytes) -> None:
        self.last_uid += 1
        self.messages[self.last_uid] = Stored(data)


class Silent:
    """Watches nothing."""

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...
    def headers(self, messages: int, seconds: float | None) -> None: ...
    def header_stored(self) -> None: ...
    def headers_done(self) -> None: ...


class Story(RuleBasedStateMachine):
    """A server with mailboxes, an archive, and what happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="story-")
        self.path = Path(self.folder.name) / "archive"
        self.witness = Witness(self.path, SECRET.encode())
        self.generations = 0
        self.delivered = 0
        self.server = ScriptedServer({"INBOX": self.new_mailbox()}, password=SECRET)
        self.server.__enter__()
        self.deliver("INBOX", 3)

    def new_mailbox(self) -> Mailbox:
        self.generations += 1
        return Mailbox(uid_validity=self.generations)

    @property
    def boxes(self) -> dict[str, Mailbox]:
        return {name.decode(): each for name, each in self.server.script.mailboxes.items()}  # type: ignore[misc]

    @rule(name=WHICH, count=st.integers(1, 60))
    def deliver(self, name: str, count: int) -> None:
        target = self.server.script.mailboxes.setdefault(name.encode(), self.new_mailbox())
        for _ in range(count):
            self.delivered += 1
            target.deliver(f"Subject: {self.delivered}\r\n\r\n{'x' * (self.delivered * 37 % 900)}\r\n".encode())  # type: ignore[attr-defined]

    @rule(name=WHICH, share=st.floats(0, 1), step=st.integers(1, 5))
    def expunge(self, name: str, share: float, step: int) -> None:
        if name in self.boxes:
            messages = self.boxes[name].messages
            for uid in list(messages)[int(share * len(messages)) :: step]:
                del messages[uid]

    @rule(name=WHICH, count=st.integers(0, 4))
    def recreate(self, name: str, count: int) -> None:
        self.server.script.mailboxes[name.encode()] = self.new_mailbox()
        self.deliver(name, count)

    @rule(name=WHICH, other=WHICH)
    def rename(self, name: str, other: str) -> None:
        if name in self.boxes and other not in self.boxes:
            self.server.script.mailboxes[other.encode()] = self.server.script.mailboxes.pop(name.encode())

    @rule(command=st.sampled_from(COMMANDS), soon=st.integers(1, 8), after=st.integers(0, 20_000))
    def drop_the_connection(self, command: str, soon: int, after: int) -> None:
        self.befall(command, drop(after=after), soon)

    @rule(command=st.sampled_from(COMMANDS), soon=st.integers(1, 8), text=st.sampled_from(["[UNAVAILABLE]", "[LIMIT]"]))
    def refuse(self, command: str, soon: int, text: str) -> None:
        self.befall(command, reply(f"NO {text} not now"), soon)

    @rule(command=st.sampled_from(COMMANDS), soon=st.integers(1, 8))
    def say_bye(self, command: str, soon: int) -> None:
        self.befall(command, bye("not now"), soon)

    @rule(most=st.integers(1, 3))
    def take_few_connections(self, most: int) -> None:
        self.server.script.most = most

    @rule(size=st.integers(3_000, 60_000))
    def send_little_a_connection(self, size: int) -> None:
        self.server.script.bytes_each = size

    @rule(data=st.data(), fault=st.sampled_from(["missing", "nil", "absent", "refused"]))
    def withhold_a_body(self, data: st.DataObject, fault: str) -> None:
        uids = sorted({uid for each in self.boxes.values() for uid in each.messages})
        if uids:
            self.server.script.bodies[data.draw(st.sampled_from(uids))] = fault  # type: ignore[assignment]

    def befall(self, command: str, fault: Fault, soon: int) -> None:
        self.server.on(command, fault, nth=self.server.script._seen.get(command, 0) + soon)

    @rule(threads=st.integers(1, 4), headers=st.booleans())
    def run(self, threads: int, headers: bool) -> None:
        done = self.fetch(threads, headers=headers)
        if isinstance(done, Fetched):
            self.judge(done)

    @rule(threads=st.integers(1, 4), headers=st.booleans(), at=st.integers(1, 150))
    def run_and_kill(self, threads: int, headers: bool, at: int) -> None:
        left = Countdown(at)

        def before(_: Operation) -> None:
            if left.is_over():
                raise Killed

        self.fetch(threads, before, headers=headers)

    @rule(threads=st.integers(1, 4), headers=st.booleans(), at=st.integers(1, 150), for_good=st.booleans())
    def run_on_a_full_disk(self, threads: int, headers: bool, at: int, for_good: bool) -> None:
        left = Countdown(at)
        failed = False

        def before(operation: Operation) -> None:
            nonlocal failed
            # Neither removing a file needs room, nor making a folder that is there.
            needs_room = operation.name != "unlink" and not (
                operation.name == "mkdir" and Path(operation.path).exists()
            )
            if needs_room and left.is_over() and (for_good or not failed):
                failed = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), operation.path)

        done = self.fetch(threads, before, headers=headers)
        if failed:
            error = done.error if isinstance(done, Fetched) else done
            assert isinstance(error, StorageError | NetworkError), "no word of the disk that was full"
            assert not list(self.path.rglob("*.part"))

    def fetch(
        self, threads: int, before: Before = lambda _: None, *, headers: bool = False
    ) -> Fetched | InboxstatsError | None:
        """What came of a run; ``None`` where it was killed."""
        self.witness.knows(self.boxes)
        source = ImapSource(Server("127.0.0.1", self.server.port, "me", "none"), SECRET)
        with mock.patch("inboxstats.download.admission.LONGEST_WAIT", 0.001), watched(self.path, before):
            try:
                archive = Archive.create(self.path, fsync=False)
                return fetch(
                    archive, "me", Owner("127.0.0.1", "me"), source, mailboxes=("*",), threads=threads,
                    watcher=Silent(), headers_first=headers, wait=lambda _: None,
                )  # fmt: skip
            except InboxstatsError as problem:
                return problem
            except Killed:
                return None
            finally:
                assert not [each for each in threading.enumerate() if each.name.startswith("download-")]

    def judge(self, done: Fetched) -> None:
        """What is missing after a run is what it says is missing."""
        stored = self.witness.look().keys()
        missing = self.witness.knows(self.boxes) - stored
        if done.exit_code == ExitCode.DONE:
            assert not missing
        elif done.exit_code == ExitCode.PARTLY:
            named = {(each.mailbox, each.key) for each in done.failed}
            lost = {mailbox for mailbox, _ in done.troubles}
            assert {key for key in missing if key.mailbox not in lost} == {
                Key(mailbox, *map(int, key.split("-"))) for mailbox, key in named
            }

    @invariant()
    def holds(self) -> None:
        if self.path.exists():
            self.witness.look()
        assert not changing(self.server.log)

    def teardown(self) -> None:
        try:
            script = self.server.script
            script.rules.clear()
            script.bodies.clear()
            script.most, script.bytes_each = 100, None
            done = self.fetch(3)
            assert isinstance(done, Fetched), done
            assert done.error is None
            assert not done.failed
            self.witness.look_whole(self.witness.knows(self.boxes))
            script.log.clear()
            again = self.fetch(1)
            assert isinstance(again, Fetched)
            assert again.missing == 0
            assert not [line for line in script.log if "BODY" in line]
        finally:
            self.server.__exit__()
            self.folder.cleanup()


class Countdown:
    """Over from its n-th look on, whichever thread looks."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()

    def is_over(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left <= 0


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=int(os.environ.get("STORIES", "20")),
    stateful_step_count=20,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
