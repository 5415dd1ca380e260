"""A connection to an IMAP server: a verified channel, a login, a deadline a command, and every error as a sentence.

Belongs to one thread. After any failure it is thrown away, and the next conversation opens another.
"""

import contextlib
import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from functools import partial

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError

from inboxstats.dialling import CONNECT_TIMEOUT, Dialled
from inboxstats.errors import (
    CredentialsError,
    InboxstatsError,
    NetworkError,
    ServerRefusalError,
    ThrottledError,
    TLSError,
    UnreadableAnswerError,
    is_short_of_files,
    storage_error,
)
from inboxstats.providers import provider_of
from inboxstats.sources.imap.channel import READ_TIMEOUT, Channel, Security, Server, spelled
from inboxstats.sources.imap.deadline import deadline
from inboxstats.sources.imap.login import Credential, TokenLogin, mechanism
from inboxstats.sources.imap.throttling import throttling
from inboxstats.version import __version__
from inboxstats.visible import without_secret

__all__ = ["Connection", "Security", "Server"]

LOGIN_SECONDS = 90.0
"""The deadline for opening a connection, from its first packet to the end of the login: a server that greets with a
byte a second passes every read's timeout, but not this."""

COMMAND_SECONDS, SLOWEST_BYTES_PER_SECOND = 120.0, 10_000
"""A command's deadline: this long, and longer by what it brings. A server that sends a byte a second passes every
read's timeout, but not this."""

# Response codes (RFC 5530) and words by which servers say "later" rather than "wrong password".
_TRY_LATER = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|THROTTLED|OVERQUOTA)\b|too many|maximum number of|try again|temporar",
    re.IGNORECASE,
)


class _TokenRefusedError(CredentialsError):
    """Another token may be taken."""


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """imapclient's commands over a channel of ours."""

    def __init__(
        self, server: Server, *, verify: bool, watch: Callable[[socket.socket], None], dialled: Dialled | None
    ) -> None:
        self._open = partial(Channel, server, verify=verify, watch=watch, dialled=dialled)
        is_tls = server.security == "tls"
        super().__init__(server.host, server.port, ssl=is_tls, timeout=SocketTimeout(CONNECT_TIMEOUT, READ_TIMEOUT))

    def _create_IMAP4(self) -> Channel:  # noqa: N802 -- imapclient's name
        return self._open()


class Connection:
    """A connection, opened when first needed, out of `dialled` where it is given."""

    def __init__(self, server: Server, credential: Credential, dialled: Dialled | None = None) -> None:
        self.server = server
        self.credential = credential
        self._dialled = dialled
        self._secret = credential if isinstance(credential, str) else ""
        """What was said last to log in."""
        self._client: IMAPClient | None = None
        self._socket: socket.socket | None = None  # of the connection that is there or being opened
        self.login_seconds: float | None = None
        """How long the server took to let us in last: a round trip at least."""
        self.failures = 0
        """Rises with each conversation that failed: what was selected before is not any more."""

    def __repr__(self) -> str:
        return f"Connection({self.server})"

    def connect(self) -> None:
        """Open a verified channel and log in, unless that is done.

        Raises NetworkError, TLSError before anything secret is sent, CredentialsError; StorageError where too many
        files are open.
        """
        if self._client is not None:
            return
        if isinstance(self.credential, str):
            self._connect()
            return
        self._secret = self.credential.current()
        try:
            self._connect()
        except _TokenRefusedError:  # it may be at its end; once
            self._secret = self.credential.renewed(self._secret)
            self._connect()

    def _connect(self) -> None:
        with deadline(LOGIN_SECONDS, self._cut) as overdue:
            try:
                self._client = self._opened()
            except NetworkError as problem:
                if overdue.is_set():
                    raise NetworkError(
                        f"{self.server} took more than {LOGIN_SECONDS:.0f} s to greet and to let {self.server.user} "
                        "in. Run again later."
                    ) from problem
                raise

    def reach(self) -> str | None:
        """Open a verified channel, without a login, and close it. Returns the version of TLS, ``None`` without TLS.

        Raises NetworkError, TLSError, StorageError.
        """
        with deadline(LOGIN_SECONDS, self._cut), self._reaching():
            client = self._channel(verify=True)
            version = getattr(client._imap.sock, "version", lambda: None)()  # noqa: SLF001 -- there is no public way
        _hang_up(client)
        return None if version is None else str(version)

    def _opened(self) -> IMAPClient:
        with self._reaching():
            client = self._channel(verify=True)
        try:
            if client._imap.state == "NONAUTH":  # noqa: SLF001 -- else the greeting was PREAUTH
                began = time.monotonic()
                self._login(client)
                self.login_seconds = time.monotonic() - began
            self._introduce(client)
        except BaseException:
            _hang_up(client)
            raise
        return client

    def _channel(self, *, verify: bool) -> _Client:
        """A client before its login. Raises TLSError, and what goes wrong in the libraries below."""
        dialled, self._dialled = self._dialled, None
        client = _Client(self.server, verify=verify, watch=self._watch, dialled=dialled)
        # imapclient makes imaplib format every body for its log: 4.2 times the time, 8 times the processor.
        client._imap.debug = 0  # noqa: SLF001 -- there is no public switch
        client.folder_encode = False
        client.normalise_times = False
        if self.server.security == "starttls":
            try:
                client._imap.upgrade()  # noqa: SLF001 -- the Channel
            except BaseException:
                _hang_up(client)
                raise
        return client

    def _watch(self, opened: socket.socket) -> None:
        self._socket = opened

    def _introduce(self, client: IMAPClient) -> None:
        """Say which program this is (RFC 2971), where the server asks: some give no mail to one that does not.

        The answer tells nothing that is needed: it is read along with that of the next command.
        """
        channel = client._imap  # noqa: SLF001 -- imapclient's own would wait for the answer
        if "ID" in channel.capabilities:
            with self._reaching():
                channel._command("ID", f'("name" "inboxstats" "version" "{__version__}")')  # noqa: SLF001 -- as above

    def _login(self, client: IMAPClient) -> None:
        user = self.server.user
        offered = client._imap.capabilities  # noqa: SLF001 -- imapclient's own would ask again
        token_login = None if isinstance(self.credential, str) else self._token_login(offered)
        if (
            token_login is None
            and "LOGINDISABLED" in offered
            and (self.server.security == "none" or "AUTH=PLAIN" not in offered)
        ):
            raise TLSError(
                f"{self.server} allows no login by password over this connection (LOGINDISABLED), so nothing was sent. "
                "Try --security tls or starttls."
            )
        try:
            if token_login is not None:
                client.sasl_login(mechanism(offered), token_login)
            elif "LOGINDISABLED" not in offered and user.isascii() and self._secret.isascii():
                client.login(user, self._secret)
            else:
                client.plain_login(user, self._secret)  # LOGIN is ASCII only
        except LoginError as refused:
            if isinstance(refused.__context__, imaplib.IMAP4.abort):  # imapclient calls this a wrong password, too
                raise self.throttling(str(refused.__context__)) or NetworkError(
                    f"{self.server} dropped the connection at the login. Run again later."
                ) from refused.__context__
            said = without_secret(str(refused).removeprefix("b'").removesuffix("'"), self._secret).rstrip(".")
            if throttled := self.throttling(said):
                raise throttled from None
            if _TRY_LATER.search(said):
                raise NetworkError(f"{self.server} lets {user} not in now: {said}. Run again later.") from None
            if token_login is not None and not isinstance(self.credential, str):
                why = f"{said} ({token_login.said})" if token_login.said else said
                raise _TokenRefusedError(
                    f"{self.server} refuses the OAuth token of {user}: {why}. {self.credential.mend}"
                ) from None
            raise CredentialsError(
                f"{self.server} refuses the login of {user}: {said}. Check the user and the password. "
                f"{provider_of(self.server.host, self.server.port).advice}"
            ) from None
        except (OSError, imaplib.IMAP4.error) as problem:
            if throttled := self.throttling(str(problem)):
                raise throttled from problem
            said = without_secret(str(problem), self._secret)
            raise NetworkError(f"{self.server} dropped the connection at the login: {said}. Run again.") from problem

    def _token_login(self, offered: Collection[str]) -> TokenLogin:
        server = self.server
        name = mechanism(offered)
        if name is None:
            raise CredentialsError(
                f"{server} takes no OAuth token (neither OAUTHBEARER nor XOAUTH2), so none was sent. "
                'Take auth = "oauth" out of config.toml.'
            )
        return TokenLogin(name, server.user, self._secret, host=server.host, port=server.port)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what goes wrong before anything secret is sent into a sentence."""
        server = self.server
        try:
            yield
        except ssl.SSLCertVerificationError as problem:
            seen = self._shown_certificate()
            raise TLSError(
                f"The certificate of {server} is not valid: {problem.verify_message.rstrip('.')}. Nothing was sent. "
                f"Check --host. {_how_to_pin(seen)}",
                fingerprint=seen,
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
            if isinstance(problem, OSError) and is_short_of_files(problem):
                raise storage_error("connect to", str(server), problem) from problem
            if isinstance(problem, imaplib.IMAP4.error) and (throttled := self.throttling(str(problem))):
                raise throttled from problem
            raise NetworkError(
                f"No IMAP conversation with {server}: {problem}. Check --port and --security."
            ) from problem

    def _shown_certificate(self) -> str | None:
        """The fingerprint of the certificate that nobody vouches for; ``None`` where the server shows none."""
        try:
            client = self._channel(verify=False)
            seen = client._imap.certificate()  # noqa: SLF001 -- the Channel
            _hang_up(client)  # it was never more than looked at
        except (InboxstatsError, OSError, imaplib.IMAP4.error):
            return None
        return str(seen) if seen else None

    def throttling(self, said: str) -> ThrottledError | None:
        """The complaint in what the server said, if it is one about too much work."""
        said = without_secret(said, self._secret)
        return throttling(self.server, said, now=datetime.now().astimezone())

    def close(self) -> None:
        """Log out, without a round trip for the server's farewell. Never raises."""
        dialled, self._dialled = self._dialled, None
        if dialled is not None:
            dialled.close()
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client._imap.send(b"END LOGOUT\r\n")  # noqa: SLF001 -- imapclient's own would wait
            _hang_up(client)

    def abort(self) -> None:
        """Wake up the thread that waits for the server; its call fails. For another thread to call. Never raises."""
        self._cut()

    def _cut(self) -> None:
        """End the conversation under the hands of the thread that reads it."""
        current = self._socket
        if current is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS state away from the reading thread.
                socket.socket.shutdown(current, socket.SHUT_RDWR)

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
            with deadline(seconds, self._cut) as overdue:
                yield client
        except BaseException as problem:
            self.failures += 1
            throttled = self.throttling(str(problem)) if _is_said_by_the_server(problem) else None
            if throttled is None and _is_refusal(problem):
                raise ServerRefusalError(f"{self.server} failed to {doing}: {problem}") from problem
            self._client = None
            _hang_up(client)  # without LOGOUT, whose answer may never come
            if throttled is not None:
                raise throttled from problem
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


def _how_to_pin(seen: str | None) -> str:
    """What a user does whose server has a certificate of its own; with its fingerprint, where it shows one."""
    shown = f" (SHA-256 {spelled(seen)})" if seen else ""
    return (
        "For a server of your own, or a bridge on this machine such as Proton Bridge, compare the certificate's "
        f"fingerprint{shown} with the one that the server itself shows, as anybody could have sent this one, and "
        f"pin it: --tls-fingerprint {spelled(seen) if seen else 'SHA256'}, or tls_fingerprint in config.toml."
    )


def _is_said_by_the_server(problem: BaseException) -> bool:
    """A NO, a BAD or a BYE; not what the system says, as of too many open files."""
    is_bye = isinstance(problem, ConnectionError) and str(problem).startswith("BYE")  # of bodies.answers
    return is_bye or isinstance(problem, imaplib.IMAP4.error)


def _is_refusal(problem: BaseException) -> bool:
    """A tagged NO or BAD. imaplib raises the same error for a line that it does not read to its end."""
    return type(problem) is imaplib.IMAP4.error and "got more than" not in str(problem)


def _hang_up(client: IMAPClient) -> None:
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        client.shutdown()
