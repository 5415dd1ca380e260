"""A wire between a client and a real server that writes down every command, literals and continuations included."""

import contextlib
import re
import socket
import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

READ_ONLY = re.compile(
    r"""(?ix)
    CAPABILITY | STARTTLS | NOOP | UNSELECT | LOGOUT
    | ID\ \("name"\ "inboxstats"\ "version"\ "[\d.]+"\)
    | LOGIN\ .* | AUTHENTICATE\ PLAIN(\ \S+)?
    | ENABLE(\ [A-Z0-9=]+)+
    | LIST\ "?"?\ .+
    | STATUS\ .+\ \((MESSAGES|UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ|UNSEEN|\ )+\)
    | EXAMINE\ .+
    | UID\ SEARCH\ [^{}]+
    | UID\ FETCH\ [\d:,*]+\ \(?(UID|FLAGS|INTERNALDATE|RFC822\.SIZE|MODSEQ|X-GM-LABELS|X-GM-MSGID|EMAILID
                                |BODY\.PEEK\[[^\]]*\](<[\d.]+>)?|\ )+\)?(\ \(CHANGEDSINCE\ \d+(\ VANISHED)?\))?
    """
)
"""All that may ever leave the program: nothing here can change a mailbox. SELECT, CLOSE and BODY[] could."""


def changing(commands: list[str]) -> list[str]:
    """Those that are none of `READ_ONLY`."""
    return [command for command in commands if not READ_ONLY.fullmatch(command)]


class Recorder:
    """Passes on what a client of 127.0.0.1, `port` and the server at `host`, `to` say to each other."""

    def __init__(self, host: str, to: int) -> None:
        self.sent: list[bytearray] = []
        self._tcp = _TCP(("127.0.0.1", 0), _Wire)
        self._tcp.to, self._tcp.sent = (host, to), self.sent
        self._thread = threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._tcp.server_address[1])

    def commands(self) -> list[str]:
        """All commands without their tags, connection by connection."""
        return [command for each in self.sent for command in commands(bytes(each))]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()


def commands(sent: bytes) -> list[str]:
    """What a client sent as commands without their tags; a literal stands where it was announced."""
    found = []
    lines = sent
    while lines:
        line, _, lines = lines.partition(b"\r\n")
        while literal := re.search(rb"\{(\d+)\+?\}$", line):
            size = int(literal[1])
            rest, _, after = lines[size:].partition(b"\r\n")
            line, lines = line[: literal.start()] + lines[:size] + rest, after
        if found and found[-1].upper() == "AUTHENTICATE PLAIN":
            found[-1] += f" {line.decode()}"  # what the server's continuation asked for
        else:
            found.append(line.partition(b" ")[2].decode("utf-8", "backslashreplace"))
    return found


class _TCP(ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True
    to: tuple[str, int]
    sent: list[bytearray]


class _Wire(BaseRequestHandler):
    server: _TCP

    def handle(self) -> None:
        heard = bytearray()
        self.server.sent.append(heard)
        with socket.create_connection(self.server.to) as upstream:
            back = threading.Thread(target=_pass_on, args=(upstream, self.request, bytearray()))
            back.start()
            _pass_on(self.request, upstream, heard)
            back.join()


def _pass_on(source: socket.socket, to: socket.socket, heard: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            heard += data
            to.sendall(data)
    for end in (source, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
