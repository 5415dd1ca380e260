"""Connections that are opened while there is other work."""

import socket
import threading
from collections.abc import Iterator

import pytest

from inboxstats import dialling
from inboxstats.dialling import Dialled

SECONDS = 20.0


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_the_connection_is_opened_before_anybody_takes_it(listening: socket.socket) -> None:
    dialled = Dialled("127.0.0.1", port_of(listening))
    near, address = listening.accept()
    with near, dialled.take() as taken:
        assert taken.getsockname() == address
        near.sendall(b"* OK hello\r\n")
        assert taken.recv(100) == b"* OK hello\r\n"


def test_a_second_taker_has_a_connection_of_its_own(listening: socket.socket) -> None:
    dialled = Dialled("127.0.0.1", port_of(listening))
    with dialled.take() as first, dialled.take() as second:
        assert first.getsockname() != second.getsockname()
        for _ in range(2):
            listening.accept()[0].close()


def test_one_that_has_waited_too_long_is_opened_anew(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled = Dialled("127.0.0.1", port_of(listening))
    stale, address = listening.accept()
    monkeypatch.setattr(dialling, "FRESH_SECONDS", 0)
    with stale, dialled.take() as taken:
        assert taken.getsockname() != address
        stale.settimeout(SECONDS)
        assert stale.recv(1) == b""  # it was hung up
        listening.accept()[0].close()


def test_what_went_wrong_is_told_to_the_one_who_takes_it() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        refused = Dialled("127.0.0.1", port_of(bound))  # bound, but nobody listens
        with pytest.raises(ConnectionRefusedError):
            refused.take()
    with pytest.raises(UnicodeError):
        Dialled("ä" * 64 + ".example", 1).take()
    with pytest.raises(socket.gaierror):
        Dialled("a" * 64 + ".example", 1).take()


def test_nobody_is_left_connected_by_a_dialling_that_is_given_up(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    connected = dialling.connected

    def slowly(host: str, port: int, seconds: float) -> socket.socket:
        assert goes_on.wait(SECONDS)
        return connected(host, port, seconds)

    monkeypatch.setattr(dialling, "connected", slowly)
    dialled = Dialled("127.0.0.1", port_of(listening))
    dialled.close()  # before it is open
    goes_on.set()
    near, _ = listening.accept()
    with near:
        near.settimeout(SECONDS)
        assert near.recv(1) == b""
