"""What the machine and the link allow: bare sockets, no library, many messages under way, bytes straight to files.

Trusts its server in everything, checks nothing, and knows Dovecot's form of an answer alone. No client that keeps what
it is given could be much faster.

limit.py HOST PORT USER PASSWORD FOLDER
"""

import os
import socket
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import BinaryIO

CONNECTIONS, AT_ONCE, UNDER_WAY = 10, 50, 3


class Bare:
    """A connection with INBOX open."""

    def __init__(self, host: str, port: str, user: str, password: str) -> None:
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file: BinaryIO = self.socket.makefile("rb", 1 << 18)
        self.file.readline()
        for command in (f"LOGIN {user} {password}", "EXAMINE INBOX"):
            self.ask(command)
            self.lines()

    def ask(self, command: str) -> None:
        self.socket.sendall(f"A {command}\r\n".encode())

    def lines(self) -> list[bytes]:
        """The answer to a command, without literals."""
        return list(iter(self._line, b""))

    def _line(self) -> bytes:
        line = self.file.readline()
        if not line.startswith((b"* ", b"A OK")):
            sys.exit(f"the server says {line!r}")
        return line if line.startswith(b"* ") else b""

    def save(self, folder: str) -> None:
        """The messages of one command, each in a file."""
        while line := self._line():
            if line.endswith(b"}\r\n"):
                uid, _, size = line.partition(b"(UID ")[2].partition(b" BODY[] {")
                data = self.file.read(int(size[:-3]))
                self.file.readline()
                file = os.open(f"{folder}/{uid.decode()}.eml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.write(file, data)
                os.close(file)


def main() -> None:
    *login, folder = sys.argv[1:6]
    first = Bare(*login)
    first.ask("UID SEARCH ALL")
    uids = [uid.decode() for line in first.lines() if line.startswith(b"* SEARCH") for uid in line.split()[2:]]
    work: SimpleQueue[str] = SimpleQueue()
    for start in range(0, len(uids), AT_ONCE):
        work.put(",".join(uids[start : start + AT_ONCE]))

    def serve(number: int) -> None:
        bare = Bare(*login) if number else first
        under_way: deque[None] = deque()
        while True:
            try:
                while len(under_way) < UNDER_WAY:
                    bare.ask(f"UID FETCH {work.get_nowait()} (UID BODY.PEEK[])")
                    under_way.append(None)
            except Empty:
                pass
            if not under_way:
                return
            bare.save(folder)
            under_way.popleft()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(serve, range(CONNECTIONS)))


if __name__ == "__main__":
    main()
