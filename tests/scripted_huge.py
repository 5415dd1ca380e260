"""A mailbox of as many messages as you like for the scripted server (scripted.py), made up while it answers.

    server = ScriptedServer({"INBOX": box()})
    Huge(1_000_000).serve(server)

Message n has the UID 3 n, so that no two stand side by side: a set of them all is as long as it can be.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripted import ScriptedServer
from scripted_session import Session

STEP = 3


@dataclass(slots=True)
class Huge:
    """`exists` messages; `gone` are the numbers of those that were expunged, `flagged` of those whose flags changed.

    longest -- the longest line sent
    """

    exists: int
    gone: frozenset[int] = frozenset()
    flagged: frozenset[int] = frozenset()
    modseq: int = 500
    longest: int = field(default=0)

    def serve(self, server: ScriptedServer) -> None:
        """Answer in the server's place from now on."""
        for command, answer in (
            ("STATUS", self._status), ("EXAMINE", self._examine),
            ("UID FETCH", self._uid_fetch), ("UID SEARCH", self._uid_search),
        ):  # fmt: skip
            server.on(command, answer)

    def uids(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Sequence numbers of a range, with their UIDs."""
        gone, number = sorted(self.gone), 0
        while number != (behind := first + bisect_right(gone, number)):
            number = behind
        for place in range(first, min(last, self.exists - len(gone)) + 1):
            while number in self.gone:
                number += 1
            yield place, number * STEP
            number += 1

    def _numbers(self, first: int, last: int) -> Iterator[int]:
        """The messages of a range of UIDs."""
        numbers = range(-(-first // STEP), min(last // STEP, self.exists) + 1)
        return (number for number in numbers if number not in self.gone)

    def _facts(self) -> tuple[int, int]:
        return self.exists - len(self.gone), self.exists * STEP + 1

    def _send(self, session: Session, line: str) -> None:
        self.longest = max(self.longest, len(line) + 2)
        session.send(line)

    def _status(self, session: Session, tag: str, _line: str) -> None:
        messages, uidnext = self._facts()
        modseq = f" HIGHESTMODSEQ {self.modseq}" if "CONDSTORE" in session.script.extensions else ""
        self._send(session, f'* STATUS "INBOX" (MESSAGES {messages} UIDNEXT {uidnext} UIDVALIDITY 1{modseq})')
        session.send(f"{tag} OK done")

    def _examine(self, session: Session, tag: str, _line: str) -> None:
        messages, uidnext = self._facts()
        session.send(f"* {messages} EXISTS")
        session.send(f"* OK [UIDNEXT {uidnext}] next")
        session.send("* OK [UIDVALIDITY 1] valid")
        if "CONDSTORE" in session.script.extensions:
            session.send(f"* OK [HIGHESTMODSEQ {self.modseq}] highest")
        session.send(f"{tag} OK [READ-ONLY] done")

    def _uid_fetch(self, session: Session, tag: str, line: str) -> None:
        if "CHANGEDSINCE" in line:
            if "VANISHED" in line and self.gone:
                self._send(session, f"* VANISHED (EARLIER) {','.join(str(each * STEP) for each in sorted(self.gone))}")
            for number in sorted(self.flagged):
                self._tell(session, number, number * STEP)
        else:
            for part in line.split()[2].split(","):
                first, _, last = part.partition(":")
                for number in self._numbers(int(first), int(last or first)):
                    self._tell(session, number, number * STEP)
        session.send(f"{tag} OK done")

    def _uid_search(self, session: Session, tag: str, line: str) -> None:
        wanted = line.split()[-1]
        found: list[int] = []
        for part in wanted.split(","):
            first, _, last = part.replace("*", str(self.exists - len(self.gone))).partition(":")
            if " UID " in line[len("UID") :]:
                found += (number * STEP for number in self._numbers(int(first), int(last or first)))
            else:
                found += (uid for _, uid in self.uids(int(first), int(last or first)))
        self._send(session, " ".join(["* SEARCH", *map(str, found)]))
        session.send(f"{tag} OK done")

    def _tell(self, session: Session, place: int, uid: int) -> None:
        number = uid // STEP
        flags = r"\Flagged" if number in self.flagged else r"\Seen" if number % 4 else r"\Seen \Answered $Junk"
        date = (
            f"{1 + number // 50_000:02d}-Mar-2026 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
        )
        self._send(
            session,
            f'* {place} FETCH (UID {uid} FLAGS ({flags}) INTERNALDATE "{date} +0100" RFC822.SIZE {number + 500})',
        )
