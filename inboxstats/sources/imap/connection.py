"""A connection to an IMAP server: a verified channel, a login, a deadline a command, and every error as a sentence.

Belongs to one thread. After any failure it is thrown away, and the next conversation opens another.
"""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError

from inboxstats.errors import (
    CredentialsError,
    InboxstatsError,
    NetworkError,
    ServerRefusalError,
    TLSError,
    UnreadableAnswerError,
)
from inboxstats.sources.imap.deadline import deadline

Security = Literal["tls", "starttls", "none"]

CONNECT_TIMEOUT, READ_TIMEOUT = 20.0, 60.0
"""Seconds for a connection to open and greet, and for each read afterwards."""

COMMAND_SECONDS, SLOWEST_BYTES_PER_SECOND = 120.0, 10_000
"""A command's deadline: this long, and longer by what it brings. A server that sends a byte a second passes every
read's timeout, but not this."""

# Response codes (RFC 5530) and words by which servers say "later" rather than "wrong password".
_TRY_LATER = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|THROTTLED|OVERQUOTA)\b|too many|maximum number of|try again|temporar",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to log in, and as whom. `security` ``none`` sends the password in the clear."""

    host: str
    port: int
    user: str
    security: Security = "tls"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """A connection, opened when first needed."""

    def __init__(self, server: Server, password: str) -> None:
        self.server = server
        self.password = password
        self._client: IMAPClient | None = None
        self.failures = 0
        """Rises with each conversation that failed: what was selected before is not any more."""

    def __repr__(self) -> str:
        return f"Connection({self.server})"

    def connect(self) -> None:
        """Open a verified channel and log in, unless that is done.

        Raises NetworkError, TLSError before anything secret is sent, CredentialsError.
        """
        if self._client is not None:
            return
        with self._reaching():
            client = IMAPClient(
                self.server.host,
                self.server.port,
                ssl=self.server.security == "tls",
                ssl_context=ssl.create_default_context() if self.server.security == "tls" else None,
                timeout=SocketTimeout(CONNECT_TIMEOUT, READ_TIMEOUT),
            )
        # imapclient makes imaplib format every body for its log: 4.2 times the time, 8 times the processor.
        client._imap.debug = 0  # noqa: SLF001 -- there is no public switch
        client.folder_encode = False
        client.normalise_times = False
        try:
            is_in = client._imap.state == "AUTH"  # noqa: SLF001 -- the greeting was PREAUTH
            if self.server.security == "starttls":
                self._secure(client, is_in=is_in)
            if not is_in:
                self._login(client)
        except BaseException:
            _hang_up(client)
            raise
        self._client = client

    def _secure(self, client: IMAPClient, *, is_in: bool) -> None:
        if is_in:
            # RFC 9051, section 7.1.4: after PREAUTH no STARTTLS is possible; an attacker could have sent it.
            raise TLSError(f"{self.server} greets with PREAUTH, which rules out STARTTLS. Use --security tls.")
        with self._reaching():
            try:
                if not client.has_capability("STARTTLS"):
                    raise TLSError(
                        f"{self.server} offers no STARTTLS, so nothing was sent. Try --security tls with port 993."
                    )
                client.starttls(ssl.create_default_context())
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as refused:
                raise TLSError(f"{self.server} refuses STARTTLS: {refused}. Try --security tls with 993.") from refused

    def _login(self, client: IMAPClient) -> None:
        user = self.server.user
        try:
            if user.isascii() and self.password.isascii():
                client.login(user, self.password)
            else:
                client.plain_login(user, self.password)  # LOGIN is ASCII only
        except LoginError as refused:
            said = str(refused).removeprefix("b'").removesuffix("'").replace(self.password, "…").rstrip(".")
            if _TRY_LATER.search(said):
                raise NetworkError(f"{self.server} lets {user} not in now: {said}. Run again later.") from None
            raise CredentialsError(
                f"{self.server} refuses the login of {user}: {said}. Check the user and the password; "
                "Gmail, Yahoo and iCloud want an app password."
            ) from None
        except (OSError, imaplib.IMAP4.error) as problem:
            raise NetworkError(f"{self.server} dropped the connection at the login: {problem}. Run again.") from problem

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what goes wrong before anything secret is sent into a sentence."""
        server = self.server
        try:
            yield
        except ssl.SSLCertVerificationError as problem:
            raise TLSError(
                f"The certificate of {server} is not valid: {problem.verify_message}. "
                "Nothing was sent. Check --host; for a server of your own, add its CA to the system's (SSL_CERT_FILE)."
            ) from problem
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as problem:
            raise NetworkError(f"{server} hangs up during the TLS handshake. Run again later.") from problem
        except ssl.SSLError as problem:
            raise TLSError(
                f"{server} speaks no TLS ({problem.reason or problem}). Nothing was sent. "
                "Check the port: 993 is for tls, 143 for starttls."
            ) from problem
        except (socket.gaierror, UnicodeError) as problem:  # a label that is empty or too long cannot be encoded
            raise NetworkError(f"The host {server.host} is not found. Check --host and the network.") from problem
        except TimeoutError as problem:
            raise NetworkError(f"{server} does not answer within {CONNECT_TIMEOUT:.0f} s. Check --port.") from problem
        except ConnectionRefusedError as problem:
            raise NetworkError(f"{server} refuses connections: no server there? Check --host and --port.") from problem
        except (OSError, imaplib.IMAP4.error) as problem:
            raise NetworkError(
                f"No IMAP conversation with {server}: {problem}. Check --port and --security."
            ) from problem

    def close(self) -> None:
        """Log out, without a round trip for the server's farewell. Never raises."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client._imap.send(b"END LOGOUT\r\n")  # noqa: SLF001 -- imapclient's own would wait
            _hang_up(client)

    def abort(self) -> None:
        """Wake up the thread that waits for the server; its call fails. For another thread to call. Never raises."""
        client = self._client
        if client is not None:
            _cut(client)

    @contextlib.contextmanager
    def conversation(self, doing: str, *, expected_bytes: int = 0) -> Iterator[IMAPClient]:
        """A connected client, with a deadline for what is done with it.

        Raises ServerRefusalError where the server says NO or BAD, after which nothing is selected any more;
        UnreadableAnswerError and other NetworkErrors, after which the connection is gone.
        """
        self.connect()
        client = self._client
        assert client is not None
        seconds = COMMAND_SECONDS + expected_bytes / SLOWEST_BYTES_PER_SECOND
        try:
            with deadline(seconds, partial(_cut, client)) as overdue:
                yield client
        except BaseException as problem:
            self.failures += 1
            if _is_refusal(problem):
                raise ServerRefusalError(f"{self.server} failed to {doing}: {problem}") from problem
            self._client = None
            _hang_up(client)  # without LOGOUT, whose answer may never come
            if isinstance(problem, InboxstatsError) or not isinstance(problem, Exception):
                raise
            if overdue.is_set():
                raise NetworkError(f"{self.server} took more than {seconds:.0f} s to {doing}.") from problem
            if isinstance(problem, OSError | imaplib.IMAP4.abort):
                raise NetworkError(
                    f"{self.server} dropped the connection while asked to {doing}: {problem}"
                ) from problem
            # The border of one job: imapclient raises whatever its parser meets.
            raise UnreadableAnswerError(f"{self.server} was asked to {doing}, and sent no IMAP: {problem}") from problem


def _is_refusal(problem: BaseException) -> bool:
    """A tagged NO or BAD. imaplib raises the same error for a line that it does not read to its end."""
    return type(problem) is imaplib.IMAP4.error and "got more than" not in str(problem)


def _cut(client: IMAPClient) -> None:
    """End the conversation under the hands of the thread that reads it."""
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown, which takes the TLS state away from the reading thread.
        socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)


def _hang_up(client: IMAPClient) -> None:
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        client.shutdown()
