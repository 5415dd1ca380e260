"""A connection of the scripted IMAP server: the right answers of RFC 9051, and the script that says where to depart.

Speaks what a reader of mail needs, and changes nothing. Tests begin at scripted.py.
"""

import base64
import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Literal, NoReturn

from scripted_mailbox import Box, Stored, numbers, sequence_set

CAPABILITIES = "IMAP4rev1 ID UNSELECT"
ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"|\{(\d+)\+?\}\r\n|([^\s"]+)', re.DOTALL)

BodyFault = Literal["missing", "nil", "absent", "refused"]


class _Dropped(Exception):  # noqa: N818 - not an error: the end of a connection
    pass


Fault = Callable[["Session", str, str], None]
"""Takes the session, the tag and the command line without its tag, and answers in the server's place."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Meets commands that begin with `command` with `fault`: all of them, or the nth (from 1) of all connections."""

    command: str
    fault: Fault
    nth: int | None


@dataclass(slots=True)
class Script:
    """What there is to serve, and how to depart from it.

    log       -- every command line received, without its tag, in the order of arrival
    greeting  -- the first line; ``None`` says nothing at all
    bodies    -- what is wrong with a UID's body: ``missing`` (a FETCH answer without it), ``nil``, ``absent``
                 (no FETCH answer for this UID) or ``refused`` (NO for any command that asks for it)
    extensions -- more capabilities, of CONDSTORE, ENABLE, QRESYNC, ESEARCH, LIST-EXTENDED, LIST-STATUS, X-GM-EXT-1
    most      -- how many connections are served at once; one more gets a BYE
    trickle   -- seconds between two bytes of the greeting
    context   -- the TLS that STARTTLS leads to, or that is spoken from the first byte (`is_tls`)
    clear     -- those lines of the log that came in plain text
    bytes_each -- how many bytes a connection may send before it breaks off
    tokens    -- those that AUTHENTICATE XOAUTH2 and OAUTHBEARER take; the mechanisms are `extensions`, as AUTH=XOAUTH2
    """

    mailboxes: dict[bytes, Box]
    password: str
    log: list[str] = field(default_factory=list)
    greeting: bytes | None = b"* OK ready"
    bodies: dict[int, BodyFault] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    most: int = 100
    bytes_each: int | None = None
    tokens: set[str] = field(default_factory=set)
    trickle: float | None = None
    context: ssl.SSLContext | None = None
    is_tls: bool = False
    clear: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    sessions: set["Session"] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: dict[str, int] = field(default_factory=dict)

    def fault_for(self, line: str) -> Fault | None:
        """What is to happen to this command, which is counted and logged."""
        with self.lock:
            self.log.append(line)
            fitting = [rule for rule in self.rules if line.upper().startswith(rule.command)]
            for command in {rule.command for rule in fitting}:
                self._seen[command] = self._seen.get(command, 0) + 1
            return next((rule.fault for rule in fitting if rule.nth in (None, self._seen[rule.command])), None)


class TCP(ThreadingTCPServer):
    """Listens, and gives each connection a thread."""

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 50
    script: Script


class Session(StreamRequestHandler):
    """One connection. Faults may use `send`, `send_bytes`, `answer`, `drop` and `script`."""

    server: TCP
    wbufsize = 65_536
    disable_nagle_algorithm = True
    bytes_left: int | None = None
    """How many more bytes may be sent before the connection ends."""
    token: str | None = None
    """With which it logged in."""
    _box: Box | None = None
    _is_in: bool = False

    @property
    def script(self) -> Script:
        """What the server was told."""
        return self.server.script

    def handle(self) -> None:
        """Greets, then answers until the connection ends. What is still to be sent goes after that."""
        with self.script.lock:
            self.script.sessions.add(self)
            is_too_many = len(self.script.sessions) > self.script.most
        self.bytes_left = self.script.bytes_each
        try:
            if not self.script.stopping.is_set():
                if self.script.is_tls:
                    self.secure()
                self._serve(is_too_many=is_too_many)
        except (_Dropped, OSError):
            pass
        finally:
            with self.script.lock:
                self.script.sessions.discard(self)
            if isinstance(self.connection, ssl.SSLSocket):
                with contextlib.suppress(OSError, ValueError):
                    self.wfile.flush()
                self.connection.close()

    def secure(self) -> None:
        """TLS from here on."""
        assert self.script.context is not None
        self.wfile.flush()
        self.rfile.close()
        self.wfile.close()
        self.connection = self.script.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", self.wbufsize)

    def finish(self) -> None:
        """Sends what is left, which a client that is gone does not hear."""
        with contextlib.suppress(OSError):
            super().finish()
        self.rfile.close()  # where sending failed, it was left open

    def shut(self) -> None:
        """Ends the connection from another thread."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, *, is_too_many: bool) -> None:
        if is_too_many:
            self.send("* BYE Too many connections")
            return
        if self.script.greeting is not None:
            self._greet(self.script.greeting + b"\r\n")
        for tag, line in iter(self._command, None):
            if not isinstance(self.connection, ssl.SSLSocket):
                self.script.clear.append(line)
            fault = self.script.fault_for(line)
            if fault:
                fault(self, tag, line)
            else:
                self.answer(tag, line)
            if line.upper() == "LOGOUT":
                return
            self.wfile.flush()

    def _greet(self, line: bytes) -> None:
        for byte in line:
            self.send_bytes(bytes([byte]))
            if self.script.trickle is not None:
                self.wfile.flush()
                if self.script.stopping.wait(self.script.trickle):
                    self.drop()
        self.wfile.flush()

    def _command(self) -> tuple[str, str] | None:
        """A tag and the rest of a command, with its literals in their places (RFC 9051, section 4.3)."""
        line = self.rfile.readline()
        while literal := re.search(rb"\{(\d+)(\+?)\}\r\n$", line):
            if not literal[2]:
                self.send("+ go on")
                self.wfile.flush()
            line += self.rfile.read(int(literal[1])) + self.rfile.readline()
        tag, _, rest = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape").partition(" ")
        return (tag, rest) if line else None

    def answer(self, tag: str, line: str) -> None:
        """Answers a command as the RFC says."""
        name, _, rest = line.partition(" ")
        if name.upper() == "UID":
            verb, _, rest = rest.partition(" ")
            name = f"UID {verb}"
        if name.upper() == "STARTTLS" and self.script.context:
            self.starttls(tag)
            return
        method = ANSWERS.get(name.upper())
        if method is None or (name.upper() not in BEFORE_LOGIN and not self._is_in):
            self.send(f"{tag} BAD Unknown command, or not now")
        else:
            self.send(f"{tag} {method(self, rest)}")

    def starttls(self, tag: str) -> None:
        """The OK in plain text, then TLS."""
        self.send(f"{tag} OK begin")
        self.secure()

    def send(self, line: str) -> None:
        """One line."""
        self.send_bytes(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def send_bytes(self, data: bytes) -> None:
        """The bytes as they are, as far as `bytes_left` allows."""
        if self.bytes_left is None:
            self.wfile.write(data)
            return
        self.wfile.write(data[: self.bytes_left])
        self.bytes_left -= min(len(data), self.bytes_left)
        if not self.bytes_left:
            self.drop()

    def drop(self) -> NoReturn:
        """Ends the connection, once all that was sent is on its way."""
        raise _Dropped

    def _capability(self, _rest: str) -> str:
        can_upgrade = self.script.context and not isinstance(self.connection, ssl.SSLSocket)
        more = [*self.script.extensions, *(["STARTTLS"] if can_upgrade else [])]
        self.send(" ".join(["* CAPABILITY", CAPABILITIES, *more]))
        return "OK done"

    def _login(self, rest: str) -> str:
        self._is_in = _arguments(rest)[1] == self.script.password.encode()
        return "OK done" if self._is_in else "NO [AUTHENTICATIONFAILED] Wrong password"

    def _authenticate(self, rest: str) -> str:
        """RFC 7628, sections 3.1 and 3.2.2; XOAUTH2 differs in the first field and in how an error ends."""
        if f"AUTH={rest.upper()}" not in self.script.extensions:
            return "NO Unknown mechanism"
        first = base64.b64decode(self._continued(b"")).decode()
        fields = dict(part.split("=", 1) for part in first.split("\1")[1:] if part)
        token = fields["auth"].removeprefix("Bearer ")
        self.script.log.append(f"({rest} {first.partition(chr(1))[0]})")
        self._is_in = token in self.script.tokens
        if self._is_in:
            self.token = token
            return "OK done"
        problem = {"status": "invalid_token", "scope": "https://mail.example.org/", "schemes": "bearer"}
        last = self._continued(base64.b64encode(json.dumps(problem).encode()))
        assert base64.b64decode(last) == (b"\1" if rest.upper() == "OAUTHBEARER" else b"")
        return "NO [AUTHENTICATIONFAILED] Invalid credentials"

    def _continued(self, challenge: bytes) -> bytes:
        """What the client answers to a challenge."""
        self.send_bytes(b"+ " + challenge + b"\r\n")
        self.wfile.flush()
        return self.rfile.readline().rstrip(b"\r\n")

    def _id(self, _rest: str) -> str:
        self.send('* ID ("name" "scripted")')
        return "OK done"

    def _list(self, rest: str) -> str:
        wanted = re.search(r"\((.*)\) RETURN \(STATUS", rest)
        for name, each in self.script.mailboxes.items():
            if wanted and name not in _arguments(wanted[1]):
                continue
            self.send_bytes(b'* LIST (%b) "/" {%d}\r\n%b\r\n' % (each.attributes.encode(), len(name), name))
            if wanted:
                self._tell_status(name, each)
        return "OK done"

    def _status(self, rest: str) -> str:
        name = _arguments(rest)[0]
        each = self.script.mailboxes.get(name)
        if each is None:
            return "NO [NONEXISTENT] No such mailbox"
        self._tell_status(name, each)
        return "OK done"

    def _tell_status(self, name: bytes, each: Box) -> None:
        facts = {"MESSAGES": len(each.messages), "UIDNEXT": each.uid_next, "UIDVALIDITY": each.uid_validity}
        if "CONDSTORE" in self.script.extensions:
            facts["HIGHESTMODSEQ"] = each.notice()
        shown = " ".join(f"{key} {value}" for key, value in facts.items() if value is not None)
        self.send_bytes(b"* STATUS {%d}\r\n%b (%b)\r\n" % (len(name), name, shown.encode()))

    def _enable(self, rest: str) -> str:
        self.send(f"* ENABLED {rest}")
        return "OK done"

    def _examine(self, rest: str) -> str:
        self._box = self.script.mailboxes.get(_arguments(rest)[0])
        if self._box is None:
            return "NO [NONEXISTENT] No such mailbox"
        self.send(r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)")
        self.send(f"* {len(self._box.messages)} EXISTS")
        self.send(f"* OK [UIDNEXT {self._box.uid_next}] next")
        if "CONDSTORE" in self.script.extensions:
            self.send(f"* OK [HIGHESTMODSEQ {self._box.notice()}] highest")
        if self._box.uid_validity is not None:
            self.send(f"* OK [UIDVALIDITY {self._box.uid_validity}] valid")
        return "OK [READ-ONLY] done"

    def _uid_search(self, rest: str) -> str:
        uids = list(self._selected())
        key, _, of_uids = rest.removeprefix("RETURN (ALL) ").partition(" ")
        if key.upper() == "UID":
            wanted = numbers(of_uids, most=max(uids, default=0))
            found = [uid for uid in uids if uid in wanted]
        else:
            wanted = numbers("1:*" if key.upper() == "ALL" else key, most=len(uids))
            found = [uid for number, uid in enumerate(uids, 1) if number in wanted]
        if "RETURN" in rest:
            self.send(f'* ESEARCH (TAG "any") UID ALL {sequence_set(found)}')
        else:
            self.send(" ".join(["* SEARCH", *map(str, found)]))
        return "OK done"

    def _uid_fetch(self, rest: str) -> str:
        return self._fetch(rest, by_uid=True)

    def _fetch(self, rest: str, *, by_uid: bool = False) -> str:
        asked, _, items = rest.partition(" ")
        messages = self._selected()
        chosen = numbers(asked, most=max(messages, default=0) if by_uid else len(messages))
        if since := re.search(r" \(CHANGEDSINCE (\d+)(.*)\)$", items):
            assert self._box
            items = items[: since.start()] + " MODSEQ"
            if since[2] and (gone := self._box.vanished_since(int(since[1]))):
                self.send(f"* VANISHED (EARLIER) {sequence_set(gone)}")
            chosen &= {uid for uid, modseq in self._box.modseqs.items() if modseq > int(since[1])}
        wanted = [(number, uid) for number, uid in enumerate(messages, 1) if (uid if by_uid else number) in chosen]
        with_body = "BODY.PEEK[]" in items.upper()
        if with_body and any(self.script.bodies.get(uid) == "refused" for _, uid in wanted):
            return "NO [SERVERBUG] Cannot read this message"
        for number, uid in wanted:
            if self.script.bodies.get(uid) != "absent":
                self.send_bytes(b"* %d FETCH (%b)\r\n" % (number, self._fetched(uid, messages[uid], items.upper())))
        return "OK done"

    def _fetched(self, uid: int, message: Stored, items: str) -> bytes:
        facts = [f"UID {uid}".encode()]
        if "FLAGS" in items:
            facts.append(f"FLAGS ({message.flags})".encode())
        if "INTERNALDATE" in items:
            facts.append(f'INTERNALDATE "{message.internal_date:%d-%b-%Y %H:%M:%S %z}"'.encode())
        if "RFC822.SIZE" in items:
            facts.append(f"RFC822.SIZE {len(message.data) if message.size is None else message.size}".encode())
        if "X-GM-LABELS" in items and "X-GM-EXT-1" in self.script.extensions:
            facts.append(f"X-GM-LABELS ({message.labels or ''})".encode())
        if "MODSEQ" in items and self._box:
            facts.append(f"MODSEQ ({self._box.modseqs.get(uid, 1)})".encode())
        if asked := re.search(r"HEADER\.FIELDS \((.*?)\)", items):
            found = header_fields(message.data, asked[1].split())
            facts.append(b"BODY[%b] {%d}\r\n%b" % (asked[0].encode(), len(found), found))
        elif "BODY" in items and self.script.bodies.get(uid) != "missing":
            literal = b"{%d}\r\n%b" % (len(message.data), message.data)
            facts.append(b"BODY[] " + (b"NIL" if self.script.bodies.get(uid) == "nil" else literal))
        return b" ".join(facts)

    def _selected(self) -> dict[int, Stored]:
        return dict(self._box.messages) if self._box else {}

    def _unselect(self, _rest: str) -> str:
        self._box = None
        return "OK done"

    def _noop(self, _rest: str) -> str:
        return "OK done"

    def _logout(self, _rest: str) -> str:
        self.send("* BYE Until next time")
        return "OK done"


ANSWERS: Mapping[str, Callable[[Session, str], str]] = {
    "CAPABILITY": Session._capability,
    "LOGIN": Session._login,
    "AUTHENTICATE": Session._authenticate,
    "ID": Session._id,
    "NOOP": Session._noop,
    "LOGOUT": Session._logout,
    "LIST": Session._list,
    "STATUS": Session._status,
    "EXAMINE": Session._examine,
    "SELECT": Session._examine,
    "UNSELECT": Session._unselect,
    "ENABLE": Session._enable,
    "FETCH": Session._fetch,
    "UID SEARCH": Session._uid_search,
    "UID FETCH": Session._uid_fetch,
}
BEFORE_LOGIN = {"CAPABILITY", "LOGIN", "AUTHENTICATE", "ID", "NOOP", "LOGOUT"}


def header_fields(message: bytes, names: list[str]) -> bytes:
    """The fields of these names with their continuation lines, and the empty line (RFC 9051, section 6.4.5)."""
    header = re.split(rb"(?m)^\r?\n", message, maxsplit=1)[0]
    fields = re.findall(rb"(?m)^[!-9;-~]+[ \t]*:.*\n(?:[ \t].*\n)*", header)
    wanted = [name.lower().encode() for name in names]
    return b"".join([*(each for each in fields if each.partition(b":")[0].strip().lower() in wanted), b"\r\n"])


def _arguments(rest: str) -> list[bytes]:
    """Quoted strings, literals and atoms, as the bytes that they mean."""
    data = rest.encode("utf-8", "surrogateescape")
    found = []
    while match := ARGUMENT.match(data.lstrip(b" ")):
        data = data.lstrip(b" ")[match.end() :]
        if match[2] is not None:
            found.append(data[: int(match[2])])
            data = data[int(match[2]) :]
        else:
            found.append(match[3] or re.sub(rb"\\(.)", rb"\1", match[1]))
    return found
