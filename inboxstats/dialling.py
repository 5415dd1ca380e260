"""Connections that are opened while there is other work: importing what speaks over them takes two round trips.

No byte is sent here: there is neither TLS nor a login yet.
"""

import socket
import threading
import time

CONNECT_TIMEOUT = 20.0
"""Seconds for a connection to open."""

FRESH_SECONDS = 10.0
"""A server may soon hang up on who connects and says nothing: after this long another connection is opened."""


class Dialled:
    """A connection that a thread of its own opens, for one taker."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._is_over = False
        self._opened: socket.socket | None = None
        self._failure: OSError | UnicodeError | None = None
        self._began = time.monotonic()
        self._done = threading.Event()
        threading.Thread(target=self._dial, name="dial", daemon=True).start()

    def _dial(self) -> None:
        try:
            opened = connected(self._host, self._port, CONNECT_TIMEOUT)
        except (OSError, UnicodeError) as problem:  # a label that is empty or too long cannot be encoded
            self._failure = problem
        else:
            with self._lock:
                if self._is_over:
                    opened.close()
                else:
                    self._opened = opened
        finally:
            self._done.set()

    def take(self) -> socket.socket:
        """The connection, once it is open; a new one at the second time, or where it has waited long.

        Raises what `connected` raises.
        """
        self._done.wait()
        with self._lock:
            opened, self._opened = self._opened, None
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if opened is not None and time.monotonic() - self._began < FRESH_SECONDS:
            return opened
        if opened is not None:
            opened.close()
        return connected(self._host, self._port, CONNECT_TIMEOUT)

    def close(self) -> None:
        """Nobody takes it any more. Does not wait."""
        with self._lock:
            self._is_over = True
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def connected(host: str, port: int, seconds: float) -> socket.socket:
    """A connection to the first of the host's addresses that answers, within `seconds` for all of them together.

    `socket.create_connection` takes as long for each. Raises OSError, UnicodeError.
    """
    until = time.monotonic() + seconds
    addresses = socket.getaddrinfo(encoded(host), port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("no address answers")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(max(0.1, (until - time.monotonic()) / (len(addresses) - number)))
            opened.connect(address)
            opened.settimeout(seconds)
            # Else a command that is sent while another waits for its answer stays here for a round trip.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as problem:
            failure = problem
            opened.close()
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise failure


def encoded(host: str) -> str | bytes:
    """A host's name as `socket` and `ssl` take it: of ASCII, it needs no tables of IDNA, which take 8 ms to load."""
    return host.encode() if host.isascii() else host
