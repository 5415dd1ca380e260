"""Mail from an IMAP server (RFC 9051), read-only: EXAMINE and BODY.PEEK[] alone.

This package alone knows imapclient. One source is one connection and belongs to one thread, as the selected mailbox is
state of the connection.
"""

import contextlib
import imaplib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain, count
from typing import Any

from imapclient import IMAPClient, imap_utf7

from inboxstats.archive import MailboxState, Snapshot
from inboxstats.archive.layout import server_uidvalidity, uid_of
from inboxstats.archive.listing import Listing
from inboxstats.bandwidth import Bandwidth
from inboxstats.dialling import Dialled
from inboxstats.errors import MailboxRefusedError, ServerRefusalError, UnreadableAnswerError
from inboxstats.mail import Content, Mailbox, MessageKey, Part, Pieces
from inboxstats.sources.imap import changes, listing, states
from inboxstats.sources.imap.connection import Connection, Security, Server
from inboxstats.sources.imap.login import Credential
from inboxstats.sources.imap.names import LABELS, decoded
from inboxstats.sources.imap.opened import Command, Selected
from inboxstats.sources.imap.pipeline import Pipeline
from inboxstats.sources.imap.sizes import Extent, measured

__all__ = ["Extent", "ImapSource", "Security", "Server"]


class ImapSource:
    """The mail of one login. `bandwidth` caps the bodies of all siblings together.

    `dialled` is a connection to the server that is being opened already.
    """

    def __init__(
        self,
        server: Server,
        credential: Credential,
        bandwidth: Bandwidth | None = None,
        *,
        dialled: Dialled | None = None,
    ) -> None:
        self._bandwidth = bandwidth
        self._connection = Connection(server, credential, dialled)
        self._selected: tuple[tuple[IMAPClient, int, Mailbox], Selected] | None = None
        self._enabled: tuple[IMAPClient | None, bool] = (None, False)
        self._uidvalidity = 0
        self._pipeline: Pipeline | None = None
        self._fetched: Mailbox | None = None
        self._raw_names: dict[str, bytes] = {}
        self._told_ahead: dict[str, MailboxState] = {}

    def __repr__(self) -> str:
        return f"ImapSource({self._connection.server})"

    def sibling(self) -> "ImapSource":
        """Another connection with the same login. It knows the mailboxes by the names that this one gives them."""
        other = ImapSource(self._connection.server, self._connection.credential, self._bandwidth)
        other._raw_names = self._raw_names
        return other

    @property
    def login_seconds(self) -> float | None:
        """How long the server took to let us in, a round trip at least; ``None`` where that is not known."""
        return self._connection.login_seconds

    def connect(self) -> None:
        """Log in, unless that is done. Raises NetworkError, CredentialsError; TLSError before a secret is sent."""
        self._connection.connect()

    def reach(self) -> str | None:
        """Whether a verified channel can be had, without a login: TLS's version, ``None`` without TLS.

        Raises NetworkError, TLSError.
        """
        return self._connection.reach()

    def close(self) -> None:
        """Log out. Never raises."""
        self._connection.close()
        self._pipeline = None

    def abort(self) -> None:
        """Wake up the thread that waits for the server; its call fails. For another thread to call. Never raises."""
        self._connection.abort()

    def mailboxes(self, *, expected: str | None = None) -> list[Mailbox]:
        """The mailboxes that can be selected, in the server's order. Raises NetworkError.

        `expected` is the mailbox of which `status` will be asked: that answer comes along, without a round trip.
        """
        with self._connection.conversation("list the mailboxes") as client:
            asked = None if expected is None else states.ask(client, expected)
            rows = client.list_folders()
            told = None if asked is None else self._told(client, asked)
            self._told_ahead = {expected: told} if expected and told else {}
        found = []
        self._raw_names.clear()  # siblings have the same
        seen: set[bytes] = set()  # some servers list a mailbox twice, as two namespaces hold it
        # Those first that are written as they should be: no broken name takes the name of one of them.
        for attributes, delimiter, as_read in sorted(rows, key=lambda row: not _is_canonical(_as_sent(row[2]))):
            raw = _as_sent(as_read)
            words = frozenset(attribute.decode("ascii", "replace") for attribute in attributes)
            if raw not in seen and not {word.lower() for word in words} & {"\\noselect", "\\nonexistent"}:
                seen.add(raw)
                name = self._name(raw)
                found.append(Mailbox(name, delimiter.decode("ascii", "replace") if delimiter else None, words))
        return found

    def _told(self, client: IMAPClient, asked: bytes) -> MailboxState | None:
        """A status that was asked for ahead; ``None`` where the server refuses it: `status` will hear why."""
        try:
            return states.told(client, asked)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as refused:
            if throttled := self._connection.throttling(str(refused)):
                raise throttled from refused
            return None

    def _name(self, raw: bytes) -> str:
        """A name of its own for each name on the wire, of which two may decode to one: ``A&-B`` and ``A&B``."""
        as_sent = raw.decode("latin-1")
        names = chain((decoded(raw), as_sent), (f"{as_sent} ({number})" for number in count(2)))
        name = next(name for name in names if name not in self._raw_names)
        self._raw_names[name] = raw
        return name

    def has_labels(self) -> bool:
        """Whether the listing tells labels, and a message is in the mailbox of each of them. Raises NetworkError."""
        with self._connection.conversation("tell what it can do") as client:
            return bool(client.has_capability(LABELS))

    def status(self, mailbox: Mailbox) -> MailboxState:
        """What the server says of a mailbox in one round trip. Raises NetworkError."""
        if told := self._told_ahead.pop(mailbox.name, None):
            return told
        name = self._raw(mailbox)
        with self._connection.conversation(f"tell the status of {mailbox.name!r}") as client:
            return states.state(client.folder_status(name, states.items(client)))

    def extent(self, mailbox: Mailbox) -> Extent:
        """How much is in a mailbox, in one round trip. Raises NetworkError."""
        name = self._raw(mailbox)
        with self._connection.conversation(f"tell the size of {mailbox.name!r}") as client:
            # RFC 8438; a STATUS without it would have to add up the sizes of all messages.
            has_size = client.has_capability("STATUS=SIZE") or client.has_capability("IMAP4REV2")
            answer = client.folder_status(name, ["MESSAGES", "SIZE"] if has_size else ["MESSAGES"])
        messages, size = answer.get(b"MESSAGES"), answer.get(b"SIZE")
        return Extent(
            messages if isinstance(messages, int) else None, size if has_size and isinstance(size, int) else None
        )

    def measured(self, mailbox: Mailbox) -> Extent:
        """How much is in a mailbox, where `extent` tells no size: some round trips. Raises NetworkError."""
        with self._opened(mailbox, again=True) as (client, selected):
            return measured(client, selected.exists)

    def statuses(self, mailboxes: Sequence[Mailbox]) -> dict[str, MailboxState]:
        """What the server says of mailboxes, by name, as far as it tells of many at once. Raises NetworkError."""
        raws: dict[bytes, str] = {}
        for mailbox in mailboxes:
            with contextlib.suppress(MailboxRefusedError):  # `status` says why
                raws[self._raw(mailbox)] = mailbox.name
        try:
            with self._connection.conversation("tell the status of the mailboxes") as client:
                if len(mailboxes) < 2 or not client.has_capability("LIST-STATUS"):
                    return {}
                found = states.of_many(client, raws, " ".join(states.items(client)))
        except (ServerRefusalError, UnreadableAnswerError):
            return {}
        return {raws[raw]: states.state(answer) for raw, answer in found.items() if raw in raws}

    def listing(self, mailbox: Mailbox) -> Listing:
        """Every message with internal date, flags and size, by ascending UID. Raises NetworkError."""
        return self.snapshot(mailbox).listing

    def snapshot(
        self,
        mailbox: Mailbox,
        known: Snapshot | None = None,
        *,
        early: Callable[[Listing], None] = lambda _: None,
        expected: int | None = None,
    ) -> Snapshot:
        """The listing and its state. Where `known` is an earlier one, only what has changed is asked for, if it can be.

        While all is listed, `early` is given messages as they come, some at a time, maybe twice. Where `expected`
        tells how many there are, that may save a round trip. Raises NetworkError.
        """
        opened = partial(self._opened, mailbox)
        found = changes.changed(opened, known) if known else None
        return found or listing.whole(opened, early, expected=expected)

    def are_the_same(self, mailbox: Mailbox, sample: Listing) -> bool:
        """Whether these messages have the size and the internal date that they had. Raises NetworkError."""
        with self._opened(mailbox) as (client, _):
            return changes.are_the_same(client, sample)

    def still_there(self, mailbox: Mailbox, keys: Collection[MessageKey]) -> set[MessageKey]:
        """Which of these messages are on the server. Raises NetworkError."""
        by_uid = {uid_of(key): key for key in keys}
        with self._opened(mailbox, again=True) as (client, _):
            return {by_uid[uid] for uid in changes.still_there(client, by_uid)}

    def message_ids(self, mailbox: Mailbox, keys: Collection[MessageKey]) -> dict[MessageKey, bytes]:
        """The header with the Message-ID, empty where a message has none; those that are gone are left out.

        Raises NetworkError.
        """
        by_uid = {uid_of(key): key for key in keys}
        with self._opened(mailbox) as (client, _):
            answers = client.fetch(list(by_uid), ("BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]",))
        heads = {
            uid: [data for name, data in answer.items() if name.startswith(b"BODY[")] for uid, answer in answers.items()
        }
        return {by_uid[uid]: head[0] for uid, head in heads.items() if head and isinstance(head[0], bytes)}

    @contextlib.contextmanager
    def _opened(
        self,
        mailbox: Mailbox,
        *,
        again: bool = False,
        ahead: Callable[[IMAPClient], Command] | None = None,
        expected_bytes: int = 0,
    ) -> Iterator[tuple[IMAPClient, Selected]]:
        with self._connection.conversation(f"list {mailbox.name!r}", expected_bytes=expected_bytes) as client:
            self._enable(client)
            if again:
                self._selected = None
            if ahead is not None:
                imap = client._imap  # noqa: SLF001 -- the Channel
                imap.follow(partial(imap.send_ahead, *ahead(client)))
            yield client, self._examine(client, mailbox)

    def _enable(self, client: IMAPClient) -> None:
        """Have the server tell what changed, or even what vanished: ENABLE comes before any SELECT (RFC 5161).

        Its answer is read along with that of EXAMINE. A server that refuses what it offers changes nothing.
        """
        channel = client._imap  # noqa: SLF001 -- imapclient's own would wait for the answer
        if client is self._enabled[0] or channel.state != "AUTH":
            return
        self._enabled = (client, False)
        wanted = next((name for name in ("QRESYNC", "CONDSTORE") if client.has_capability(name)), None)
        if wanted and client.has_capability("ENABLE"):
            channel._command("ENABLE", wanted)  # noqa: SLF001 -- as above

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        """`ask` and `answer` for a few messages, each whole in memory. Raises what these raise."""
        self.ask(mailbox, keys)
        for key, content in self.answer(mailbox):
            yield key, content if isinstance(content, bytes) else b"".join(content.pieces)

    def prepare(self, mailbox: Mailbox) -> None:
        """Log in and have the server open a mailbox, for an `ask` that comes next. Raises NetworkError."""
        with self._connection.conversation(f"open {mailbox.name!r}") as client:
            if not self._is_selected(client, mailbox):
                self._selected = None
                # Its answer is read by `ask`, which sends right behind it: that saves a round trip.
                quoted = client._normalise_folder(self._raw(mailbox))  # noqa: SLF001 -- as imapclient will send it
                client._imap.send_ahead("EXAMINE", quoted)  # noqa: SLF001 -- the Channel

    def ask(
        self, mailbox: Mailbox, keys: Sequence[MessageKey], part: Part = Part.WHOLE, *, expected_bytes: int = 0
    ) -> bool:
        """Send for messages or their headers, which `answer` brings; several times, and the server need never wait.

        False where nothing was sent, as what is under way must be answered first: another mailbox is to be selected or
        another part asked for, a command was refused, or the connection proved slow and shall be compressed.
        `expected_bytes` lengthens the deadline. Raises NetworkError; MailboxRefusedError where the mailbox is gone or
        was renumbered since it was listed.
        """
        before = self._pipeline
        if before and (self._fetched != mailbox or before.part is not part or before.wants_compression):
            return False
        wanted = {uid_of(key): key for key in keys}
        with self._fetching(mailbox) as client:
            imap = client._imap  # noqa: SLF001 -- imapclient hands its transport to nobody
            if self._pipeline is None or self._pipeline.imap is not imap:
                self._pipeline = Pipeline(imap, self._bandwidth)
            if self._pipeline.wants_compression:
                self._pipeline.compress(is_offered=client.has_capability("COMPRESS=DEFLATE"))
            send = partial(self._pipeline.ask, wanted, part, expected_bytes=expected_bytes)
            is_open = self._is_selected(client, mailbox)
            if not is_open:  # what a renumbered mailbox sends goes down with the connection, unread
                imap.follow(send)
                self._examine(client, mailbox)
            if any(server_uidvalidity(key) != self._uidvalidity for key in keys):
                raise MailboxRefusedError(f"{mailbox.name!r} was renumbered while it was fetched. Run again.")
            if is_open:
                send()
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

    def _examine(self, client: IMAPClient, mailbox: Mailbox) -> Selected:
        """Select the mailbox read-only unless it is. Returns what the server said of it when it was selected."""
        if not self._is_selected(client, mailbox):
            self._selected = None
            try:
                answer: dict[bytes, Any] = client.select_folder(self._raw(mailbox), readonly=True)
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, UnicodeError) as refused:
                if throttled := self._connection.throttling(str(refused)):
                    raise throttled from refused
                raise MailboxRefusedError(
                    f"{mailbox.name!r} cannot be opened: {str(refused).rstrip('.')}."
                ) from refused
            state = states.state(answer)
            # RFC 9051, section 2.3.1.1, wants one; where a server gives none, its UIDs are taken as they are.
            self._uidvalidity = state.uidvalidity or 0
            if client is self._enabled[0] and b"QRESYNC" in answer.get(b"ENABLED", [b""])[0].upper().split():
                self._enabled = (client, True)
            qresync = client is self._enabled[0] and self._enabled[1]
            # imapclient takes the first, which may still be of the mailbox that was open before.
            exists = client._imap.untagged_responses.get("EXISTS", [answer[b"EXISTS"]])[-1]  # noqa: SLF001 -- the Channel
            selected = Selected(self._uidvalidity, int(exists), state.uidnext, state.highestmodseq, qresync)
            self._selected = ((client, self._connection.failures, mailbox), selected)
        assert self._selected
        return self._selected[1]

    def _is_selected(self, client: IMAPClient, mailbox: Mailbox) -> bool:
        return self._selected is not None and self._selected[0] == (client, self._connection.failures, mailbox)

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
    return bool(imap_utf7.encode(decoded(raw)) == raw)
