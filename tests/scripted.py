"""A scripted IMAP server for tests: it answers as RFC 9051 says until it is told to misbehave.

    with ScriptedServer({"INBOX": box(b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n")}) as server:
        server.on("UID FETCH", drop(after=100), nth=2)  # the second FETCH breaks off after 100 bytes
        server.script.bodies[2] = "nil"
        ...  # a client of 127.0.0.1, server.port
        assert server.log[-1] == "LOGOUT"

What real servers do on their own (CONDSTORE, speed) is tested with Dovecot and GreenMail.
"""

import ssl
import threading
from collections.abc import Mapping
from typing import Self

from scripted_mailbox import Box
from scripted_session import TCP, Fault, Rule, Script, Session
from servers.certificates import Certificate


def reply(text: str) -> Fault:
    """The tagged answer, such as ``"NO [UNAVAILABLE] try later"``, and nothing else."""
    return lambda session, tag, _line: session.send(f"{tag} {text}")


def bye(text: str) -> Fault:
    """An untagged BYE, and the end of the connection."""

    def fault(session: "Session", _tag: str, _line: str) -> None:
        session.send(f"* BYE {text}")
        session.drop()

    return fault


def drop(*, after: int = 0) -> Fault:
    """The right answer, but the connection ends after so many bytes of it."""

    def fault(session: "Session", tag: str, line: str) -> None:
        session.bytes_left = after
        session.answer(tag, line)
        session.drop()

    return fault


def stall(*, seconds: float) -> Fault:
    """The right answer, but late."""

    def fault(session: "Session", tag: str, line: str) -> None:
        session.script.stopping.wait(seconds)
        session.answer(tag, line)

    return fault


def untagged(*lines: bytes) -> Fault:
    """These lines first, as they are, then the right answer."""

    def fault(session: "Session", tag: str, line: str) -> None:
        for extra in lines:
            session.send_bytes(extra + b"\r\n")
        session.answer(tag, line)

    return fault


class ScriptedServer:
    """The server, in threads of its own while the context lasts.

    `mailboxes` goes by names as they stand on the wire (text stands for its UTF-8 bytes; broken ones go as bytes).
    With a `certificate` it offers STARTTLS, or speaks TLS from the first byte (`is_tls`).
    `script` holds the knobs: greeting, trickle, bodies, most, bytes_each, and the mailboxes.
    """

    def __init__(
        self,
        mailboxes: Mapping[str, Box] | Mapping[bytes, Box],
        *,
        password: str = "secret",
        certificate: Certificate | None = None,
        is_tls: bool = False,
    ) -> None:
        by_name = {name.encode() if isinstance(name, str) else name: each for name, each in mailboxes.items()}
        self.script = Script(by_name, password, is_tls=is_tls)
        if certificate is not None:
            self.script.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.script.context.load_cert_chain(certificate.path, certificate.key)
        self._tcp = TCP(("127.0.0.1", 0), Session)
        self._tcp.script = self.script
        self._thread = threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._tcp.server_address[1])

    @property
    def log(self) -> list[str]:
        """Every command line received, without its tag."""
        return self.script.log

    def on(self, command: str, fault: Fault, *, nth: int | None = None) -> None:
        """Meets commands that begin with `command` with `fault`: all, or the nth (from 1) of all connections."""
        self.script.rules.append(Rule(command, fault, nth))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.script.stopping.set()
        self._tcp.shutdown()
        with self.script.lock:
            for session in self.script.sessions:
                session.shut()
        self._tcp.server_close()  # waits for the sessions' threads
        self._thread.join()
