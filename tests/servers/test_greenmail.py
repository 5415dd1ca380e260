"""GreenMail as the other tests rely on it, and the order in which one is found."""

import imaplib
import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from imapclient import IMAPClient

from . import raw
from .greenmail import COMPOSE, GreenMail, greenmail_server, pinned_version
from .process import UnavailableError, free_ports, is_listening
from .raw import Login

HEAD = b"From: a@example.org\r\nSubject: test\r\n\r\n"


def stored(message: bytes) -> str:
    """A pattern for what GreenMail 2.1.13 makes of a message that came by SMTP."""
    envelope = rb"Return-Path: <sender@example\.org>\r\nReceived: from [^\r\n]+\r\n"
    return (envelope + re.escape(message.removesuffix(b"\r\n"))).decode("latin-1")


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(HEAD + b"text\r\n", id="plain"),
        pytest.param(HEAD + b"text", id="no line end"),
        pytest.param(HEAD + b".\r\n..\r\n.a\r\n", id="dots"),
        pytest.param(HEAD + b"Latin-1 \xe4\r\n", id="8-bit body"),
        pytest.param(HEAD + b"y" * 5000 + b"\r\n", id="long line"),
        pytest.param(HEAD + b"a\rb\r\n", id="bare CR"),
        pytest.param(HEAD + b"a\0b\r\n", id="NUL"),
        pytest.param("Subject: Grüße\r\n\r\ntext\r\n".encode(), id="UTF-8 in a header"),
    ],
)
def test_delivered_mail_keeps_all_but_its_last_crlf(
    greenmail: GreenMail, greenmail_user: Login, message: bytes
) -> None:
    assert greenmail.deliver([message], greenmail_user) == 1
    ((_, found),) = raw.messages(greenmail_user)
    assert re.fullmatch(stored(message), found.decode("latin-1"))


def test_header_bytes_that_are_no_utf_8_are_lost(greenmail: GreenMail, greenmail_user: Login) -> None:
    greenmail.deliver([b"Subject: gr\xfc\xdfe\r\n\r\ntext\r\n"], greenmail_user)
    ((_, found),) = raw.messages(greenmail_user)
    assert "Subject: gr\ufffd\ufffde\r\n".encode() in found


def test_line_feeds_travel_as_crlf(greenmail: GreenMail, greenmail_user: Login) -> None:
    greenmail.deliver([b"Subject: test\n\none\ntwo\n"], greenmail_user)
    ((_, found),) = raw.messages(greenmail_user)
    assert found.endswith(b"\r\nSubject: test\r\n\r\none\r\ntwo")


def test_1000_messages_arrive_each_once(greenmail: GreenMail, greenmail_user: Login) -> None:
    assert greenmail.deliver((HEAD + b"number %d\r\n" % number for number in range(1000)), greenmail_user) == 1000
    found = [message.rpartition(b"\r\n")[2] for _, message in raw.messages(greenmail_user)]
    assert sorted(found) == sorted(b"number %d" % number for number in range(1000))


def test_imapclient_reads_them_unseen(greenmail: GreenMail, greenmail_user: Login) -> None:
    greenmail.deliver([HEAD + b"text\r\n"], greenmail_user)
    with IMAPClient(greenmail.host, greenmail.imap, ssl=False) as client:
        client.login(greenmail_user.user, greenmail_user.password)
        client.select_folder("INBOX", readonly=True)
        assert b"Subject: test" in client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"]
    assert raw.flags(greenmail_user) == {1: frozenset()}


def test_users_see_their_own_mail_alone(greenmail: GreenMail, greenmail_user: Login) -> None:
    other = greenmail.add_user()
    greenmail.deliver([HEAD], other)
    assert (len(raw.digests(greenmail_user)), len(raw.digests(other))) == (0, 1)
    greenmail.remove_user(other)
    with pytest.raises(imaplib.IMAP4.error, match="Invalid login"):
        raw.digests(other)


def test_a_wrong_password_is_refused(greenmail_user: Login) -> None:
    wrong = Login(greenmail_user.host, greenmail_user.port, greenmail_user.user, "wrong")
    with pytest.raises(imaplib.IMAP4.error, match="Invalid login"):
        raw.digests(wrong)


def test_its_imaps_answers_with_a_certificate_that_nobody_trusts(greenmail: GreenMail, greenmail_user: Login) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        imaplib.IMAP4_SSL(greenmail.host, greenmail.imaps, ssl_context=ssl.create_default_context())
    unverified = ssl._create_unverified_context()
    with imaplib.IMAP4_SSL(greenmail.host, greenmail.imaps, ssl_context=unverified) as client:
        assert client.login(greenmail_user.user, greenmail_user.password)[0] == "OK"


def test_the_container_is_pinned_to_the_version_of_the_jar() -> None:
    assert re.findall(r"image: greenmail/standalone:(\S+)", COMPOSE.read_text()) == [pinned_version()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the container's health check is for bash: install it")
def test_the_health_check_of_the_container_tells_up_from_down(greenmail: GreenMail) -> None:
    (block,) = re.findall(r"- -c\n +- >-\n((?: {10}\S.*\n)+)", COMPOSE.read_text())
    check = " ".join(line.strip() for line in block.splitlines())

    def status(port: int) -> int:
        command = ["bash", "-c", check.replace("/8080", f"/{port}")]
        return subprocess.run(command, capture_output=True, timeout=10).returncode

    assert status(greenmail.api) == 0
    assert status(free_ports(1)[0]) != 0


def test_after_the_end_its_ports_are_free(
    greenmail: GreenMail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if greenmail.log is None:
        pytest.skip("INBOXSTATS_GREENMAIL names a server that is not ours to stop")
    monkeypatch.delenv("INBOXSTATS_GREENMAIL", raising=False)
    with greenmail_server(tmp_path / "log") as server:
        assert is_listening(server.imap)
    assert [is_listening(port) for port in (server.imap, server.imaps, server.smtp, server.api)] == [False] * 4
    assert "GreenMail" in (tmp_path / "log").read_text()


def test_one_that_runs_is_taken_first(greenmail: GreenMail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.greenmail.API_PORT", greenmail.api)
    monkeypatch.setenv("INBOXSTATS_GREENMAIL", f"{greenmail.host}:3143")
    with greenmail_server(tmp_path / "log") as server:
        assert server == GreenMail(greenmail.host, imap=3143, imaps=3993, smtp=3025, api=greenmail.api)
    assert greenmail.is_ready()


def test_one_that_should_run_and_does_not_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.greenmail.API_PORT", free_ports(1)[0])
    monkeypatch.setenv("INBOXSTATS_GREENMAIL", "127.0.0.1:3143")
    with (
        pytest.raises(ConnectionError, match=r"INBOXSTATS_GREENMAIL=127\.0\.0\.1:3143"),
        greenmail_server(tmp_path / "log"),
    ):
        pass
    monkeypatch.setenv("INBOXSTATS_GREENMAIL", "3143")
    with pytest.raises(ValueError, match="write host:port"), greenmail_server(tmp_path / "log"):
        pass


ENGINE_WITHOUT_THE_IMAGE = '[ "$1" = info ] && exit; case "$*" in *" up "*) echo pull access denied >&2; exit 1;; esac'


@pytest.mark.parametrize(
    ("docker", "java", "reasons"),
    [
        (None, None, ["no Docker engine answers", "Java is missing"]),
        ("exit 1", "echo 'openjdk version \"1.8.0_292\"' >&2", ["no Docker engine answers", "older than Java 11"]),
        (ENGINE_WITHOUT_THE_IMAGE, None, [r"docker compose up failed \(pull access denied\)", "Java is missing"]),
    ],
)
def test_where_none_can_be_had_every_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: str | None, java: str | None, reasons: list[str]
) -> None:
    for name, script in (("docker", docker), ("java", java)):
        if script:
            (tmp_path / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
            os.chmod(tmp_path / name, 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("INBOXSTATS_GREENMAIL", raising=False)
    message = ".*".join([*reasons, "apt-get install default-jre-headless maven"])
    with pytest.raises(UnavailableError, match=message), greenmail_server(tmp_path / "log"):
        pass
