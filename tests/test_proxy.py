import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from proxy import Cut, Fault, Flip, Proxy, Stall, Trickle

GREETING = b"0123456789abcdef"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Before a server that greets each client, and says back what it hears."""

    def serve(client: socket.socket) -> None:
        client.sendall(GREETING)
        while data := client.recv(1000):
            client.sendall(data)
        client.close()

    with listening(serve) as port, Proxy(port) as running:
        yield running


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    threads: list[threading.Thread] = []

    def accept() -> None:
        try:
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
    for thread in threads:
        thread.join()


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def all_of(client: socket.socket, most: int = 1000) -> bytes:
    heard = b""
    while len(heard) < most and (data := client.recv(1000)):
        heard += data
    return heard


def test_both_ways_pass_and_are_recorded(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert all_of(client, 16) == GREETING
        client.sendall(b"hello")
        assert all_of(client, 5) == b"hello"
    assert (proxy.sent, proxy.received, proxy.connections) == (b"hello", GREETING + b"hello", 1)


@pytest.mark.parametrize(
    ("fault", "heard"), [(Cut(5), b"01234"), (Cut(0), b""), (Cut(2, at=b"789"), b"0123456789ab"), (Cut(16), GREETING)]
)
def test_a_cut_ends_the_connection_at_its_byte(proxy: Proxy, fault: Fault, heard: bytes) -> None:
    proxy.faults[1] = fault
    with connected(proxy) as client:
        client.sendall(b"more")
        assert all_of(client) == heard
    with connected(proxy) as client:
        assert all_of(client, 16) == GREETING


def test_a_reset_is_one(proxy: Proxy) -> None:
    proxy.always = Cut(5, reset=True)
    with connected(proxy) as client, pytest.raises(ConnectionResetError):
        all_of(client)


def test_a_stall_says_no_more_and_keeps_the_connection(proxy: Proxy) -> None:
    proxy.always = Stall(5)
    with connected(proxy) as client:
        assert all_of(client, 5) == b"01234"
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_trickle_takes_its_time_for_each_byte(proxy: Proxy) -> None:
    proxy.always = Trickle(6, seconds=0.02)
    with connected(proxy) as client:
        began = time.monotonic()
        assert all_of(client, 16) == GREETING
        assert time.monotonic() - began >= 0.2


def test_a_flip_changes_one_bit(proxy: Proxy) -> None:
    proxy.always = Flip(1, at=b"789", bit=1)
    with connected(proxy) as client:
        assert all_of(client, 16) == b"0123456789a`cdef"


def test_an_action_comes_before_the_server_hears(proxy: Proxy) -> None:
    heard = []
    proxy.before(b"stop", lambda: heard.append(proxy.received))
    with connected(proxy) as client:
        client.sendall(b"go")
        assert all_of(client, 18) == GREETING + b"go"
        client.sendall(b"stop")
        assert all_of(client, 4) == b"stop"
    assert heard == [GREETING + b"go"]


def test_what_was_said_can_be_forgotten(proxy: Proxy) -> None:
    with connected(proxy) as client:
        all_of(client, 16)
    proxy.forget()
    assert (proxy.sent, proxy.received) == (b"", b"")
