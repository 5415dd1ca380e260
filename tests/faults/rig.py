"""A user with an archive, who runs the program against a server while faults happen."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked import Done, Running, Start
from invariants import Witness, everything
from scripted import ScriptedServer
from scripted_mailbox import Box, box
from servers.dovecot import UID_VALIDITY
from servers.raw import Login, with_crlf

SECRET = "canary-Zt9!"
"""The password of every login; it must be in no output and in no file."""

READ_ONLY = re.compile(
    r"(CAPABILITY|ENABLE|COMPRESS|ID|LOGIN|AUTHENTICATE|NOOP|LOGOUT"
    r"|LIST|STATUS|EXAMINE|UNSELECT|UID SEARCH|UID FETCH)\b",
    re.I,
)
EMPTYING = re.compile(r"BODY(?!\.PEEK|STRUCTURE)|RFC822(?!\.SIZE)", re.I)
"""Items of a FETCH that would set \\Seen."""


@dataclass(slots=True)
class Rig:
    """A user with an archive, who runs the program under such conditions as a test gives (forked.Conditions)."""

    root: Path
    start_program: Start
    archive: Path
    witness: Witness
    user: str = "me"
    settings: dict[str, float] = field(default_factory=dict)

    def options(self, port: int) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(port), "--user", self.user, "--security", "none"]
        return [*where, "--archive", str(self.archive)]

    def password(self, password: str) -> None:
        """What the user gives for a password from now on."""
        account = self.user if "@" in self.user else f"{self.user}@127.0.0.1"
        (self.root / "credentials" / account).write_text(password)

    def start(self, port: int, *options: str, **conditions: Any) -> Running:
        """`inboxstats fetch`, begun."""
        settings = self.settings | conditions.pop("settings", {})
        return self.start_program("fetch", *self.options(port), *options, settings=settings, **conditions)

    def fetch(self, server: ScriptedServer, *options: str, port: int | None = None, **conditions: Any) -> Done:
        """A run of `inboxstats fetch`, after which the invariants hold; through a proxy where its `port` is given."""
        boxes = named(server)
        self.witness.knows(boxes)
        done = self.start(port or server.port, *options, **conditions).wait()
        self.witness.knows(boxes)
        self.check(done)
        assert not changing(server.log), f"these commands change something: {changing(server.log)}"
        return done

    def fetch_as(
        self, user: Login, mailboxes: Mapping[str, Sequence[bytes]], *options: str, port: int = 0, **conditions: Any
    ) -> Done:
        """A run for a user of a real server whose mailboxes have these messages, of UIDs from 1; with SECRET."""
        self.user = user.user
        self.password(SECRET)
        self.witness.knows(
            {name: Box(box(*map(with_crlf, each)).messages, UID_VALIDITY) for name, each in mailboxes.items()}
        )
        done = self.start(port or user.port, *options, **conditions).wait()
        self.check(done)
        return done

    def check(self, done: Done) -> None:
        """The invariants, of an archive and of what a run said."""
        assert "Traceback" not in done.err, done.err
        assert SECRET not in done.out + done.err
        if self.archive.exists():
            self.witness.look()

    def completes(self, server: ScriptedServer, *options: str) -> None:
        """A run without faults brings all that is missing; one more asks for no body and writes nothing."""
        server.script.rules.clear()
        server.script.bodies.clear()
        server.script.bytes_each = None
        done = self.fetch(server, *options)
        assert done.code == 0, done
        everyone = "--all" in options
        present = self.witness.knows(named(server))
        self.witness.look_whole(key for key in present if everyone or key.mailbox == "INBOX")
        self.changes_nothing(server, *options)

    def changes_nothing(self, server: ScriptedServer, *options: str) -> None:
        before = everything(self.archive)
        server.log.clear()
        assert self.fetch(server, *options).code == 0
        assert not bodies_asked_for(server), "it asked for bodies although nothing was new"
        assert everything(self.archive) == before, "it wrote although nothing was new"


def named(server: ScriptedServer) -> Mapping[str, Box]:
    """The mailboxes that a client can select, by their names."""
    return {
        name.decode("ascii"): each
        for name, each in list(server.script.mailboxes.items())
        if name.isascii() and b"&" not in name
    }


def changing(log: Iterable[str]) -> list[str]:
    """The commands that could change something on a server."""
    return [line for line in log if not READ_ONLY.match(line) or EMPTYING.search(line)]


def bodies_asked_for(server: ScriptedServer) -> list[str]:
    """The commands that ask for whole messages."""
    return [line for line in server.log if "BODY" in line.upper()]


def said(done: Done, code: int, *parts: str) -> None:
    """The run ended with that code, and one line of what it complained of holds all the parts."""
    assert done.code == code, done
    assert any(all(part in line for part in parts) for line in done.err.splitlines()), done.err


def stored(rig: Rig, mailbox: str = "INBOX") -> set[int]:
    """The UIDs that the archive has of a mailbox."""
    return {key.uid for key in rig.witness.look() if key.mailbox == mailbox}


def unfetched(done: Done, mailbox: str = "INBOX") -> set[int]:
    """The UIDs that a run names as not fetched."""
    return {int(uid) for uid in re.findall(rf"{re.escape(mailbox)}, \d+-(\d+): not fetched", done.err)}
