"""GreenMail: one that runs already, one in Docker, or the standalone jar, whichever can be had first.

What it does to mail that comes by SMTP (2.1.13, seen in test_greenmail.py): it puts Return-Path and Received before
it, drops the last CRLF, and turns header bytes that are no UTF-8 into U+FFFD. Lines of any length, bare CRs, NULs,
8-bit bodies and lines that begin with a dot stay as they are. So it is no server for byte identity: Dovecot is.

Nor for large mailboxes: each FETCH costs the square of the messages in its mailbox. All of a mailbox, 50 a FETCH, on
two cores: 1,000 messages 0.5 s, 3,000 messages 6 s, 10,900 messages 310 s. Deliver some 1,000 to a user.
"""

import fcntl
import json
import os
import re
import shutil
import smtplib
import subprocess
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .process import LOOPBACK, UnavailableError, free_ports, running
from .raw import Login, with_crlf

REPOSITORY = Path(__file__).parents[2]
POM = REPOSITORY / "tests" / "pom.xml"
TARGET = REPOSITORY / "tests" / "target"
COMPOSE = REPOSITORY / "docker-compose.yml"
RUNNING = "INBOXSTATS_GREENMAIL"
API_PORT = 8080
PASSWORD = "correct horse"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class GreenMail:
    """A GreenMail that runs, by the ports of its services. `imaps` has a certificate that nobody should trust."""

    host: str
    imap: int
    imaps: int
    smtp: int
    api: int
    log: Path | None = None

    def add_user(self, name: str | None = None, password: str = PASSWORD) -> Login:
        """A user who may log in from now on, with an empty INBOX; without a name, one that nobody had before.

        The name is the address too.
        """
        # A GreenMail that ran before, or that other test processes use as well, remembers their users.
        name = name or f"user{next(_numbers)}.{os.getpid()}.{time.time_ns()}@example.org"
        self._call("POST", "/api/user", {"email": name, "login": name, "password": password})
        return Login(self.host, self.imap, name, password)

    def remove_user(self, user: Login) -> None:
        """The user is gone, and the memory that their mail took is free."""
        self._call("DELETE", f"/api/user/{urllib.parse.quote(user.user, safe='')}")

    def deliver(self, messages: Iterable[bytes], recipient: Login, *, sender: str = "sender@example.org") -> int:
        """How many messages went to the recipient's INBOX by SMTP, over one connection.

        Line ends become CRLF, as SMTP demands; smtplib doubles leading dots and sends 8-bit bytes as they are.
        """
        delivered = 0
        with smtplib.SMTP(self.host, self.smtp, timeout=60) as client:
            for message in messages:
                client.sendmail(sender, [recipient.user], with_crlf(message))
                delivered += 1
        return delivered

    def is_ready(self) -> bool:
        """Whether it says so itself: all its services are up."""
        try:
            self._call("GET", "/api/service/readiness")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        url = f"http://{self.host}:{self.api}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        # No proxy of the environment stands between the tests and loopback.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            answer.read()


@contextmanager
def greenmail_server(log: Path) -> Iterator[GreenMail]:
    """A GreenMail, stopped afterwards unless it ran before.

    Raises UnavailableError, with all the reasons, where none can be had.
    """
    if address := os.environ.get(RUNNING):
        yield _already_running(address)
        return
    reasons = []
    for start in (_in_docker, _from_jar):
        with ExitStack() as stack:
            try:
                server = stack.enter_context(start(log))
            except UnavailableError as reason:
                reasons.append(str(reason))
                continue
            yield server
            return
    raise UnavailableError(
        f"No GreenMail: {' '.join(reasons)} Start Docker, or install Java 11 or newer and Maven (Debian: apt-get "
        f"install default-jre-headless maven), or name one that runs, {RUNNING}=host:port."
    )


def _already_running(address: str) -> GreenMail:
    """`address` has the IMAP port; the other mail services stand at the same distance from their standard ports."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{RUNNING}={address}: write host:port, with the port of IMAP, such as 127.0.0.1:3143.")
    offset = int(port) - 143
    server = GreenMail(host, imap=int(port), imaps=993 + offset, smtp=25 + offset, api=API_PORT)
    if not server.is_ready():
        raise ConnectionError(f"{RUNNING}={address}: no GreenMail's API answers on {host}:{API_PORT}.")
    return server


@contextmanager
def _in_docker(log: Path) -> Iterator[GreenMail]:
    if not _succeeds("docker", "info"):
        raise UnavailableError("no Docker engine answers.")
    imap, imaps, smtp, api = free_ports(4)
    ports = {"IMAP": imap, "IMAPS": imaps, "SMTP": smtp, "API": api}
    environment = os.environ | {f"GREENMAIL_{name}_PORT": str(port) for name, port in ports.items()}
    # A project of its own, so that it touches no other GreenMail: not one started by hand, not another test's.
    compose = ["docker", "compose", "--file", str(COMPOSE), "--project-name", f"inboxstats-tests-{imap}"]
    server = GreenMail(LOOPBACK, imap, imaps, smtp, api, log)
    try:
        up = subprocess.run([*compose, "up", "--detach", "--wait"], env=environment, capture_output=True, text=True)
        # Not ready although it is up: the engine stands on another machine, and so do the ports.
        if up.returncode or not server.is_ready():
            raise UnavailableError(f"docker compose up failed ({_last_line(up.stderr)}).")
        yield server
    finally:
        with open(log, "ab") as file:
            subprocess.run([*compose, "logs", "--no-color"], env=environment, stdout=file, stderr=file)
            subprocess.run([*compose, "down"], env=environment, stdout=file, stderr=file)


@contextmanager
def _from_jar(log: Path) -> Iterator[GreenMail]:
    java, jar = _java(), _jar()
    imap, imaps, smtp, api = free_ports(4)
    ports = {"imap": imap, "imaps": imaps, "smtp": smtp, "api": api}
    options = [f"-Dgreenmail.{name}.hostname={LOOPBACK}" for name in ports]
    options += [f"-Dgreenmail.{name}.port={port}" for name, port in ports.items()]
    server = GreenMail(LOOPBACK, imap, imaps, smtp, api, log)
    # The default start-up limit of one second is too short for a busy machine.
    command = [java, "-Xmx1g", "-XX:+UseSerialGC", *options, "-Dgreenmail.startup.timeout=60000", "-jar", str(jar)]
    with running(command, ready=server.is_ready, log=log):
        yield server


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java")
    if java is None:
        raise UnavailableError("Java is missing.")
    told = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', told)  # "17.0.15"; Java 8 calls itself "1.8.0"
    if version is None or int(version[1]) < 11:
        raise UnavailableError(f"{java} is older than Java 11.")
    return java


def _jar() -> Path:
    jar = TARGET / f"greenmail-standalone-{pinned_version()}.jar"
    TARGET.mkdir(exist_ok=True)
    with open(TARGET / "lock", "w") as lock:
        # One of the test processes fetches it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jar.exists():
            _copy_jar()
    return jar


def _copy_jar() -> None:
    if shutil.which("mvn") is None:
        raise UnavailableError("Maven (mvn) is missing.")
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM), "dependency:copy"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(f"Maven could not fetch the jar ({_first_error(done.stdout)}).")


def pinned_version() -> str:
    """GreenMail's version in tests/pom.xml."""
    version = ET.parse(POM).findtext(".//{*}greenmail.version")
    assert version, f"{POM} has no greenmail.version"
    return version


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no reason given"])[-1]


def _first_error(output: str) -> str:
    return next((line for line in output.splitlines() if "ERROR" in line), "no reason given")
