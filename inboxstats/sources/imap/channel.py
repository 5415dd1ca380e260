"""The channel that a conversation goes over: TLS from the first byte or after STARTTLS, verified before anything else.

Nothing that came before TLS counts afterwards: whoever stands in between could have sent it (RFC 9051, section 11.1).
"""

import contextlib
import hashlib
import imaplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from inboxstats.dialling import CONNECT_TIMEOUT, Dialled, connected, encoded
from inboxstats.errors import TLSError
from inboxstats.sources.imap.transport import Incoming, Transport

Security = Literal["tls", "starttls", "none"]

READ_TIMEOUT = 60.0
"""Seconds for each read once the server has greeted, for which it has `dialling.CONNECT_TIMEOUT`."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to log in, and as whom. `security` ``none`` sends the password in the clear.

    `fingerprint` is the SHA-256 of the one certificate (DER) that is accepted, 64 lower-case hex digits; ``None``
    leaves it to the system's authorities and the host's name.
    """

    host: str
    port: int
    user: str
    security: Security = "tls"
    fingerprint: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Channel(imaplib.IMAP4):
    """imaplib's protocol over a channel of ours.

    `dialled` is the connection, where one is being opened already. `watch` is told of the socket as soon as there is
    one, so that another thread can cut a connection that is still being opened. Constructing it raises what `socket`,
    `ssl` and `imaplib` raise, and TLSError for another certificate than the pinned one.
    """

    def __init__(
        self, server: Server, *, verify: bool, watch: Callable[[socket.socket], None], dialled: Dialled | None = None
    ) -> None:
        self._server = server
        self._dialled = dialled
        self._verify = verify
        self._watch = watch
        self._unread = b""
        self._sent_ahead: tuple[tuple[str, ...], Any] | None = None
        self._follow: Callable[[], None] | None = None
        super().__init__(server.host, server.port)

    def send_ahead(self, *command: str) -> None:
        """Send a command already now: imaplib waits for its answer when it is told to send the same one, next."""
        # imaplib would refuse what is for an open mailbox alone, behind an EXAMINE that is not answered yet.
        state, self.state = self.state, "SELECTED"
        try:
            self._sent_ahead = (command, self._command(*command))
        finally:
            self.state = state

    def forget_ahead(self) -> None:
        """What was sent ahead was in vain: its answer, which may be long, must not be taken for that to another one."""
        ahead, self._sent_ahead = self._sent_ahead, None
        if ahead:
            while self.tagged_commands[ahead[1]] is None:
                self._get_response()
                self._check_bye()
                self.untagged_responses.clear()
            del self.tagged_commands[ahead[1]]
            self.untagged_responses.clear()

    def follow(self, send: Callable[[], None]) -> None:
        """Have `send` called right behind the next command, a round trip before that one is answered."""
        self._follow = send

    def _command(self, name: str, *args: Any) -> Any:
        if self._sent_ahead and self._sent_ahead[0] == (name, *args):
            tag, self._sent_ahead = self._sent_ahead[1], None
        else:
            self.forget_ahead()
            tag = super()._command(name, *args)  # type: ignore[misc]  # imaplib has it, typeshed has not
        send, self._follow = self._follow, None
        if send is not None:
            send()
        return tag

    def unread(self, line: bytes) -> None:
        """Have imaplib take this line, as `readline` gave it, for the next one."""
        self._unread = line

    def _get_line(self) -> bytes:
        if not self._unread:
            return cast(bytes, super()._get_line())  # type: ignore[misc]  # imaplib has it, typeshed has not
        line, self._unread = self._unread, b""
        if not line.endswith(b"\r\n"):
            raise self.abort("it ended within an answer")
        return line[:-2]

    def _get_capabilities(self) -> None:
        """imaplib's own asks, though nearly every server tells in its greeting (RFC 9051, section 7.1)."""
        told = self.untagged_responses.pop("CAPABILITY", [b""])[-1]
        words = told.decode().upper().split() if isinstance(told, bytes) and told.isascii() else []
        if "IMAP4REV1" in words:
            self.capabilities = tuple(words)
        else:
            super()._get_capabilities()  # type: ignore[misc]  # imaplib has it, typeshed has not

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """imaplib's own, but for what is read with."""
        super().open(host, port, timeout)
        self._transport = Transport(Incoming(self.sock))

    def read(self, size: int) -> bytes:
        """imaplib's own reads 8 KB at a time."""
        return self._transport.read(size)

    def readline(self) -> bytes:
        """imaplib's own reads 8 KB at a time."""
        return self._transport.readline()

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        server, seconds = self._server, timeout or CONNECT_TIMEOUT
        opened = self._dialled.take() if self._dialled else connected(server.host, server.port, seconds)
        self._watch(opened)
        return self._secured(opened) if server.security == "tls" else opened

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        """The socket under TLS, its certificate accepted. Closes the connection where it is not."""
        try:
            secured = self._context().wrap_socket(
                plain, server_hostname=encoded(self._server.host), do_handshake_on_connect=False
            )
        except BaseException:
            plain.close()
            raise
        self._watch(secured)
        try:
            secured.do_handshake()
            self._check_pin(secured)
        except BaseException:
            secured.close()
            raise
        return secured

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._server.fingerprint is not None or not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _check_pin(self, secured: ssl.SSLSocket) -> None:
        pinned = self._server.fingerprint
        seen = fingerprint(secured)
        if pinned is not None and self._verify and seen != pinned:
            raise TLSError(
                f"{self._server} shows another certificate than the pinned one: SHA-256 {spelled(seen)}, pinned is "
                f"{spelled(pinned)}. Nothing was sent. Where the server has a new certificate, compare this with what "
                "the server itself shows, and only then pin it with --tls-fingerprint."
            )

    def upgrade(self) -> None:
        """STARTTLS, and forget all that came before.

        Raises TLSError where the server does not offer it, refuses it, or sends anything between its OK and TLS.
        """
        if self.state != "NONAUTH":
            # RFC 9051, section 7.1.4: after PREAUTH no STARTTLS is possible; an attacker could have sent it.
            raise TLSError(
                f"{self._server} greets with PREAUTH, which rules out STARTTLS. Nothing was sent. Use --security tls."
            )
        if "STARTTLS" not in self.capabilities:
            raise TLSError(f"{self._server} offers no STARTTLS, so nothing was sent. Try --security tls with port 993.")
        # imaplib's own starttls keeps untagged answers and, since Python 3.14, its buffer: what is put in there in
        # plain text would be taken for what comes over TLS (CVE-2011-0411 and its kin).
        try:
            status, said = self._simple_command("STARTTLS")
        except self.abort:
            raise
        except self.error as bad:
            status, said = "BAD", [str(bad).encode()]
        if status != "OK":
            words = b" ".join(part for part in said if isinstance(part, bytes)).decode("utf-8", "replace")
            raise TLSError(f"{self._server} refuses STARTTLS: {words}. Nothing was sent. Try --security tls with 993.")
        if self._has_unread():
            raise TLSError(
                f"{self._server} goes on in plain text after STARTTLS, as one does who tampers with the connection. "
                "Nothing was sent. Try --security tls with 993, or another network."
            )
        self.sock: socket.socket = self._secured(self.sock)
        self._transport = Transport(Incoming(self.sock))
        self._tls_established = True
        self.untagged_responses.clear()
        self._get_capabilities()

    def _has_unread(self) -> bool:
        with _without_waiting(self.sock), contextlib.suppress(BlockingIOError):
            return self._transport.has_unread()
        return False

    def certificate(self) -> str | None:
        """The fingerprint of the server's certificate; ``None`` without TLS."""
        return fingerprint(self.sock) if isinstance(self.sock, ssl.SSLSocket) else None


@contextlib.contextmanager
def _without_waiting(sock: socket.socket) -> Iterator[None]:
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        yield
    finally:
        sock.settimeout(timeout)


def fingerprint(secured: ssl.SSLSocket) -> str:
    """The SHA-256 of the other side's certificate, in lower-case hex; ``""`` where it shows none."""
    certificate = secured.getpeercert(binary_form=True)
    return hashlib.sha256(certificate).hexdigest() if certificate else ""


def spelled(digest: str) -> str:
    """A fingerprint as other programs write it: ``"9F:86:…"``."""
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2)).upper()
