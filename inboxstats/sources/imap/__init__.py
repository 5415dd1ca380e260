"""Mail from an IMAP server (RFC 9051), read-only: EXAMINE and BODY.PEEK[] alone.

This package alone knows imapclient. One source is one connection and belongs to one thread, as the selected mailbox is
state of the connection.
"""

import contextlib
import imaplib
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any

from imapclient import IMAPClient, imap_utf7

from inboxstats.archive import MailboxState
from inboxstats.archive.layout import message_key
from inboxstats.bandwidth import Bandwidth
from inboxstats.errors import MailboxRefusedError, ServerRefusalError, UnreadableAnswerError
from inboxstats.mail import Content, Mailbox, MessageInfo, MessageKey, Pieces
from inboxstats.sources.imap.connection import Connection, Security, Server
from inboxstats.sources.imap.pipeline import Pipeline

__all__ = ["ImapSource", "Security", "Server"]

SEARCHED_AT_ONCE, DESCRIBED_AT_ONCE = 5000, 2000
"""Messages a SEARCH and a FETCH of the listing: no line is over 64 KB, where Dovecot stops (imaplib does at 1 MB)."""

LARGEST_SIZE = 2**63 - 1
"""RFC 9051's number64."""

LISTING_TRIES = 3
"""How often a listing begins anew because another client expunges messages meanwhile."""


class ImapSource:
    """The mail of one login. `bandwidth` caps the bodies of all siblings together."""

    def __init__(self, server: Server, password: str, bandwidth: Bandwidth | None = None) -> None:
        self._bandwidth = bandwidth
        self._connection = Connection(server, password)
        self._selected: tuple[IMAPClient, int, Mailbox] | None = None
        self._uidvalidity = self._exists = 0
        self._pipeline: Pipeline | None = None
        self._fetched: Mailbox | None = None
        self._raw_names: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"ImapSource({self._connection.server})"

    def sibling(self) -> "ImapSource":
        """Another connection with the same login. It knows the mailboxes by the names that this one gave them."""
        other = ImapSource(self._connection.server, self._connection.password, self._bandwidth)
        other._raw_names = dict(self._raw_names)
        return other

    def connect(self) -> None:
        """Log in, unless that is done. Raises NetworkError, CredentialsError; TLSError before a secret is sent."""
        self._connection.connect()

    def close(self) -> None:
        """Log out. Never raises."""
        self._connection.close()
        self._pipeline = None

    def abort(self) -> None:
        """Wake up the thread that waits for the server; its call fails. For another thread to call. Never raises."""
        self._connection.abort()

    def mailboxes(self) -> list[Mailbox]:
        """The mailboxes that can be selected, in the server's order. Raises NetworkError."""
        with self._connection.conversation("list the mailboxes") as client:
            rows = client.list_folders()
        found = []
        self._raw_names = {}
        # Those first that are written as they should be: no broken name takes the name of one of them.
        for attributes, delimiter, raw in sorted(rows, key=lambda row: not _is_canonical(_as_sent(row[2]))):
            words = frozenset(attribute.decode("ascii", "replace") for attribute in attributes)
            if not {word.lower() for word in words} & {"\\noselect", "\\nonexistent"}:
                name = self._name(_as_sent(raw))
                found.append(Mailbox(name, delimiter.decode("ascii", "replace") if delimiter else None, words))
        return found

    def _name(self, raw: bytes) -> str:
        """A name of its own for each name on the wire, of which two may decode to one: ``A&-B`` and ``A&B``."""
        as_sent = raw.decode("latin-1")
        names = chain((_decoded(raw), as_sent), (f"{as_sent} ({number})" for number in count(2)))
        name = next(name for name in names if name not in self._raw_names)
        self._raw_names[name] = raw
        return name

    def status(self, mailbox: Mailbox) -> MailboxState:
        """What the server says of a mailbox in one round trip. Raises NetworkError."""
        name = self._raw(mailbox)
        wanted = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
        with self._connection.conversation(f"tell the status of {mailbox.name!r}") as client:
            if client.has_capability("CONDSTORE"):
                wanted.append("HIGHESTMODSEQ")
            answer = client.folder_status(name, wanted)
        return MailboxState(
            uidvalidity=answer.get(b"UIDVALIDITY"),
            uidnext=answer.get(b"UIDNEXT"),
            messages=answer.get(b"MESSAGES"),
            highestmodseq=answer.get(b"HIGHESTMODSEQ"),
        )

    def listing(self, mailbox: Mailbox) -> dict[MessageKey, MessageInfo]:
        """Every message with internal date, flags and size, by ascending UID. Raises NetworkError."""
        for _ in range(LISTING_TRIES):
            uids = self._uids(mailbox)
            if uids is not None:
                break
        else:
            raise ServerRefusalError(f"{mailbox.name!r} changes faster than it can be listed. Run again later.")
        found: dict[MessageKey, MessageInfo] = {}
        for first in range(0, len(uids), DESCRIBED_AT_ONCE):
            for info in self._described(mailbox, uids[first : first + DESCRIBED_AT_ONCE]):
                found[info.key] = info
        return found

    def _uids(self, mailbox: Mailbox) -> list[int] | None:
        """All UIDs, ascending, asked for by ranges of sequence numbers; ``None`` where these moved meanwhile.

        A message that another client expunges renumbers those behind it (RFC 9051, section 7.5.1), which would leave
        a gap between two ranges. So each range begins with the last message of the one before.
        """
        uids: list[int] = []
        with self._connection.conversation(f"list {mailbox.name!r}") as client:
            self._selected = None
            exists = self._examine(client, mailbox)
            for first in range(1, exists + 1, SEARCHED_AT_ONCE):
                answer = sorted(client.search(f"{max(first - 1, 1)}:{min(first + SEARCHED_AT_ONCE - 1, exists)}"))
                if uids and answer[:1] != uids[-1:]:
                    return None
                uids += answer[1:] if uids else answer
        return uids

    def _described(self, mailbox: Mailbox, uids: list[int]) -> list[MessageInfo]:
        answers: dict[int, dict[bytes, Any]]
        try:
            answers = self._items(mailbox, uids, ("INTERNALDATE", "RFC822.SIZE", "FLAGS"))
        except (ServerRefusalError, UnreadableAnswerError):
            # One flag or one date that imapclient cannot read fails them all: then without.
            try:
                answers = self._items(mailbox, uids, ("INTERNALDATE", "RFC822.SIZE"))
            except (ServerRefusalError, UnreadableAnswerError):
                answers = self._items(mailbox, uids, ("RFC822.SIZE",))
        # One that the answer leaves out is listed all the same: whether it is gone, the next SEARCH tells.
        return [_info(message_key(self._uidvalidity, uid), answers.get(uid, {})) for uid in uids]

    def _items(self, mailbox: Mailbox, uids: list[int], items: Sequence[str]) -> dict[int, dict[bytes, Any]]:
        with self._connection.conversation(f"list {mailbox.name!r}") as client:
            self._examine(client, mailbox)
            answers: dict[int, dict[bytes, Any]] = client.fetch(uids, items)
            return answers

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        """`ask` and `answer` for a few messages, each whole in memory. Raises what these raise."""
        self.ask(mailbox, keys)
        for key, content in self.answer(mailbox):
            yield key, content if isinstance(content, bytes) else b"".join(content.pieces)

    def prepare(self, mailbox: Mailbox) -> None:
        """Log in and select a mailbox, that `ask` need not. Raises NetworkError."""
        with self._connection.conversation(f"open {mailbox.name!r}") as client:
            self._examine(client, mailbox)

    def ask(self, mailbox: Mailbox, keys: Sequence[MessageKey], *, expected_bytes: int = 0) -> bool:
        """Send for messages, which `answer` brings; several times, and the server need never wait for the next one.

        False where nothing was sent, as what is under way must be answered first: another mailbox is to be selected, a
        command was refused, or the connection proved slow and shall be compressed. `expected_bytes` lengthens the
        deadline. Raises NetworkError; MailboxRefusedError where the mailbox is gone or was renumbered since it was
        listed.
        """
        before = self._pipeline
        if before and (self._fetched != mailbox or before.wants_compression):
            return False
        wanted = {int(key.partition("-")[2]): key for key in keys}
        with self._fetching(mailbox) as client:
            self._examine(client, mailbox)
            if any(key != message_key(self._uidvalidity, uid) for uid, key in wanted.items()):
                raise MailboxRefusedError(f"{mailbox.name!r} was renumbered while it was fetched. Run again.")
            imap = client._imap  # noqa: SLF001 -- imapclient hands its transport to nobody
            if self._pipeline is None or self._pipeline.imap is not imap:
                imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pipeline = Pipeline(imap, self._bandwidth)
            if self._pipeline.wants_compression:
                self._pipeline.compress(is_offered=client.has_capability("COMPRESS=DEFLATE"))
            self._pipeline.ask(wanted, expected_bytes=expected_bytes)
            self._fetched = mailbox
        return True

    def answer(self, mailbox: Mailbox) -> Iterator[tuple[MessageKey, Content]]:
        """The messages' bytes as the server has them, of the oldest `ask`, in any order; those gone are left out.

        Take each before the next. One of a later `ask` may be among them. Raises NetworkError, after which every `ask`
        has come to nothing; ServerRefusalError where the server says NO, which leaves the others as they are.
        """
        pipeline = self._pipeline
        assert pipeline, "nothing was asked"
        with self._fetching(mailbox, expected_bytes=pipeline.expected_bytes):
            for key, content in pipeline.answer():
                yield key, content if isinstance(content, bytes) else self._guarded(content, mailbox)
        completion = pipeline.completion
        if completion is not None and completion.status != "OK":
            self._fetched = self._selected = None  # it may be gone
            if throttled := self._connection.throttling(completion.text):
                self.close()
                raise throttled
            raise ServerRefusalError(
                f"{self._connection.server} failed to send messages of {mailbox.name!r}: {completion.text}"
            )

    def _guarded(self, content: Pieces, mailbox: Mailbox) -> Pieces:
        """Pieces that fail as a conversation does: whoever takes them reads from the connection."""

        def pieces() -> Iterator[bytes]:
            with self._fetching(mailbox, expected_bytes=content.size):
                yield from content.pieces

        return Pieces(content.size, pieces())

    @contextlib.contextmanager
    def _fetching(self, mailbox: Mailbox, *, expected_bytes: int = 0) -> Iterator[IMAPClient]:
        """A conversation about messages: where it fails, what is under way is lost with the connection."""
        doing = f"send messages of {mailbox.name!r}"
        try:
            with self._connection.conversation(doing, expected_bytes=expected_bytes) as client:
                yield client
        except BaseException:
            self._pipeline = None
            raise

    def _examine(self, client: IMAPClient, mailbox: Mailbox) -> int:
        """Select the mailbox read-only unless it is. Returns how many messages it had when it was selected."""
        wanted = (client, self._connection.failures, mailbox)
        if self._selected != wanted:
            self._selected = None
            try:
                answer: dict[bytes, Any] = client.select_folder(self._raw(mailbox), readonly=True)
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, UnicodeError) as refused:
                if throttled := self._connection.throttling(str(refused)):
                    raise throttled from refused
                raise MailboxRefusedError(f"{mailbox.name!r} cannot be opened: {refused}.") from refused
            # RFC 9051, section 2.3.1.1, wants one; where a server gives none, its UIDs are taken as they are.
            self._uidvalidity = int(answer.get(b"UIDVALIDITY") or 0)
            self._exists = int(answer[b"EXISTS"])
            self._selected = wanted
        return self._exists

    def _raw(self, mailbox: Mailbox) -> bytes:
        raw = self._raw_names.get(mailbox.name) or imap_utf7.encode(mailbox.name)
        # A line break would end the command, and what follows it would be another: whoever shares a mailbox with the
        # user could so have one deleted.
        if set(raw) & set(b"\r\n\0"):
            raise MailboxRefusedError(
                f"{mailbox.name!r} has a line break or a NUL in its name, which no command can hold. Rename it."
            )
        return bytes(raw)


def _as_sent(name: bytes | int) -> bytes:
    """imapclient takes a name of digits for a number."""
    return name if isinstance(name, bytes) else str(name).encode()


def _is_canonical(raw: bytes) -> bool:
    """Whether a name is in modified UTF-7, as it should be."""
    return bool(imap_utf7.encode(_decoded(raw)) == raw)


def _decoded(raw: bytes) -> str:
    """A mailbox name as text: modified UTF-7, else UTF-8 as some servers send it, else byte for byte."""
    if raw.isascii():
        with contextlib.suppress(UnicodeError, ValueError):
            text = str(imap_utf7.decode(raw))
            text.encode()  # half a surrogate pair is no text
            return text
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode()
    return raw.decode("latin-1")


def _info(key: MessageKey, answer: dict[bytes, Any]) -> MessageInfo:
    flags = (flag.decode("utf-8", "replace") for flag in answer.get(b"FLAGS", ()) if isinstance(flag, bytes))
    size = answer.get(b"RFC822.SIZE")
    return MessageInfo(
        key,
        _plausible(answer.get(b"INTERNALDATE")),
        frozenset(flags) - {"\\Recent"},  # tells of the session, not of the message; gone from RFC 9051
        size if isinstance(size, int) and 0 <= size <= LARGEST_SIZE else None,
    )


def _plausible(date: object) -> datetime | None:
    """An internal date as it can be: some servers make up 1601 or 9999 where they have none."""
    if isinstance(date, datetime) and date.tzinfo is not None and 1970 <= date.year <= 2199:
        return date
    return None
