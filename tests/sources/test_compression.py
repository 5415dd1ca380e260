"""COMPRESS=DEFLATE: only where a connection is slow and the server offers it, and then byte for byte."""

import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedServer
from scripted_mailbox import box
from servers.certificates import Certificates
from servers.dovecot import dovecot_server
from servers.raw import Login

from inboxstats.archive.layout import message_key
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Security, Server, pipeline
from inboxstats.sources.imap.compression import RAW, Deflated

INBOX = Mailbox("INBOX")
MESSAGES = [f"Subject: {number}\r\n\r\n{'hello ' * 9000}\r\n".encode() for number in range(1, 21)]
SETTINGS = "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}\n"


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=RAW)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_what_was_deflated_is_read_however_it_arrives(parts: list[bytes], sizes: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        compressor = zlib.compressobj(wbits=RAW)
        sent = b"".join(compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH) for part in parts)
        while sent:
            theirs.sendall(sent[: sizes[0]])
            sent = sent[sizes[0] :]
        theirs.shutdown(socket.SHUT_WR)
        transport, found = Deflated(ours), b""
        while some := transport.read(sizes[-1]):
            found += some
        assert found == b"".join(parts)


def test_what_is_sent_can_be_inflated_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport, inflate = Deflated(ours), zlib.decompressobj(wbits=RAW)
        for line in (b"B1 UID FETCH 1:5\r\n", b"B2 LOGOUT\r\n"):
            transport.send(line)
            assert inflate.decompress(theirs.recv(1000)) == line


def test_a_little_that_inflates_to_very_much_takes_no_memory() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = threading.Thread(target=theirs.sendall, args=(deflated(b"x" * 200_000_000),))
        sending.start()
        transport = Deflated(ours)
        tracemalloc.start()
        for _ in range(200):
            assert transport.read(1_000_000) == b"x" * 1_000_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        sending.join()
        assert peak < 8_000_000


def test_bytes_that_are_not_deflated_are_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"* OK in plain text\r\n")
        with pytest.raises(zlib.error):
            Deflated(ours).readline()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection is slow, after 100,000 bytes."""
    monkeypatch.setattr(pipeline, "WARM_UP", 50_000)
    monkeypatch.setattr(pipeline, "SAMPLE", 50_000)
    monkeypatch.setattr(pipeline, "SLOW", float("inf"))


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[tuple[Login, int]]:
    """A Dovecot that offers compression: a login with MESSAGES, and the port of TLS."""
    log = tmp_path_factory.mktemp("dovecot") / "log"
    with dovecot_server(log, certificates.good, settings=SETTINGS) as server:
        user = server.add_user()
        server.fill(user, "INBOX", MESSAGES)
        yield user, server.tls_port


def fetched(source: ImapSource, *, step: int = 4) -> dict[str, bytes]:
    """All messages, with two commands under way where that may be."""
    found: dict[str, bytes] = {}
    keys = list(source.listing(INBOX))
    groups = [keys[first : first + step] for first in range(0, len(keys), step)]
    under_way = 0
    while groups or under_way:
        while groups and under_way < 2 and source.ask(INBOX, groups[0]):
            groups.pop(0)
            under_way += 1
        for key, content in source.answer(INBOX):
            found[key] = content if isinstance(content, bytes) else b"".join(content.pieces)
        under_way -= 1
    return found


def is_compressed(source: ImapSource) -> bool:
    client = source._connection._client
    assert client is not None
    return isinstance(getattr(client._imap.send, "__self__", None), Deflated)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_slow_connection_goes_on_compressed_and_nothing_is_changed_by_it(
    offering: tuple[Login, int], certificates: Certificates, monkeypatch: pytest.MonkeyPatch, security: Security
) -> None:
    user, tls_port = offering
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    port = tls_port if security == "tls" else user.port
    source = ImapSource(Server(user.host, port, user.user, security), user.password)
    found = fetched(source)
    assert is_compressed(source)
    assert list(found.values()) == MESSAGES
    assert fetched(source) == found  # imaplib's own commands go over it, too
    source.close()


def test_a_fast_connection_is_left_as_it_is(offering: tuple[Login, int]) -> None:
    user, _ = offering
    source = ImapSource(Server(user.host, user.port, user.user, "none"), user.password)
    assert len(fetched(source)) == len(MESSAGES)
    assert not is_compressed(source)
    source.close()


@pytest.mark.usefixtures("slow")
def test_a_server_that_offers_no_compression_is_asked_for_none() -> None:
    with ScriptedServer({"INBOX": box(*MESSAGES)}) as server:
        source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
        assert len(fetched(source)) == len(MESSAGES)
        source.close()
        assert not any("COMPRESS" in line for line in server.log)
        assert sum(line == "CAPABILITY" for line in server.log) <= 3


def test_the_time_that_counts_is_the_time_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pipeline.time, "monotonic", lambda: now)

    class Slowly:
        """A megabyte a second."""

        def __init__(self) -> None:
            self.left = [
                line for uid in range(1, 7) for line in (b"* 1 FETCH (UID %d BODY[] {1000000}\r\n" % uid, b")\r\n")
            ]

        def readline(self) -> bytes:
            return self.left.pop(0) if self.left else b"B1 OK\r\n"

        def read(self, size: int) -> bytes:
            nonlocal now
            now += size / 1e6
            return b"x" * size

        def send(self, data: bytes) -> None: ...

    monkeypatch.setattr("inboxstats.sources.imap.bodies.PIECE", 1_000_000)
    line = pipeline.Pipeline(Slowly())  # type: ignore[arg-type]
    line.ask({uid: message_key(7, uid) for uid in range(1, 7)}, expected_bytes=0)
    known = []
    for _ in line.answer():
        known.append(line.is_slow)
        now += 1000  # a slow disk is none of the connection's doing
    assert known == [False, False, True, True, True, True]
    assert line._waited == 4.0
