import os
import socket
import sys
from pathlib import Path

import pytest

from .process import LOOPBACK, free_ports, is_listening, running


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_free_port_can_be_listened_on_and_is_then_not_free_any_more() -> None:
    (port,) = free_ports(1)
    assert not is_listening(port)
    with socket.create_server((LOOPBACK, port)):
        assert is_listening(port)


def test_ports_are_given_out_once() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 3.*port is taken"),
        running(["sh", "-c", "echo port is taken; exit 3"], ready=lambda: False, log=tmp_path / "log"),
    ):
        pass


def test_a_server_that_is_never_ready_is_an_error_and_is_stopped(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with (
        pytest.raises(RuntimeError, match="not ready after"),
        running(
            ["sh", "-c", f"echo $$ > {pid}; exec sleep 60"], ready=lambda: False, log=tmp_path / "log", seconds=0.5
        ),
    ):
        pass
    assert not is_alive(int(pid.read_text()))


def test_what_a_server_started_ends_with_it_even_if_it_ignores_sigterm(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    stubborn = f"trap '' TERM; exec {sys.executable} -m http.server --bind {LOOPBACK} {port}"
    with running(["sh", "-c", f"({stubborn}) & wait"], ready=lambda: is_listening(port), log=tmp_path / "log"):
        assert is_listening(port)
    assert not is_listening(port)
