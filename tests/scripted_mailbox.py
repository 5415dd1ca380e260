"""What the scripted IMAP server (scripted.py) keeps: mailboxes of messages, and which of them a sequence set names."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

ANY_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the server keeps it; `size` is the RFC822.SIZE that it claims, the true one unless given.

    `labels` stand in X-GM-LABELS as they are given, as in ``"\\\\Inbox" Work``, where X-GM-EXT-1 is an extension.
    """

    data: bytes
    flags: str = r"\Seen"
    internal_date: datetime = ANY_DAY
    size: int | None = None
    labels: str | None = None


@dataclass(slots=True)
class Box:
    """A mailbox: messages by UID, ascending. Tests change it while it is served.

    `uid_validity` is sent as it is, ``None`` leaves it out; `attributes` are those of LIST. The rest is the server's
    own record of what tests changed.
    """

    messages: dict[int, Stored] = field(default_factory=dict)
    uid_validity: int | str | None = 1
    attributes: str = r"\HasNoChildren"
    seen: dict[int, Stored] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    modseq: int = 1
    next_uid: int = 1

    @property
    def uid_next(self) -> int:
        self.next_uid = max(self.next_uid, max(self.messages, default=0) + 1)
        return self.next_uid

    def notice(self) -> int:
        """HIGHESTMODSEQ: whatever was changed since the last call gets one that is higher (RFC 7162)."""
        changed = [uid for uid in {*self.seen, *self.messages} if self.seen.get(uid) != self.messages.get(uid)]
        if changed:
            self.modseq += 1
            self.modseqs.update(dict.fromkeys(changed, self.modseq))
            self.seen = dict(self.messages)
        return self.modseq

    def vanished_since(self, modseq: int) -> list[int]:
        """The UIDs expunged since then."""
        return sorted(uid for uid, each in self.modseqs.items() if each > modseq and uid not in self.messages)


def box(*messages: bytes, first_uid: int = 1) -> Box:
    """A mailbox of these messages with rising UIDs."""
    return Box({uid: Stored(data) for uid, data in enumerate(messages, first_uid)})


def numbers(sequence_set: str, *, most: int) -> set[int]:
    """Those that ``1,3:5,9:*`` holds; ``*`` is `most`, and a range may run backwards (RFC 9051, section 9)."""
    found: set[int] = set()
    for part in sequence_set.replace("*", str(most)).split(","):
        first, _, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        found.update(range(low, min(high, most) + 1))
    return found


def sequence_set(found: list[int]) -> str:
    """Ascending numbers as ``1:3,7``."""
    parts: list[list[int]] = []
    for number in found:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in parts)
