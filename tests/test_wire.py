"""All that ever leaves the program, whatever it is told and whatever the server does, can change nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Inboxstats
from recorder import Recorder, changing, commands
from scripted import ScriptedServer, bye, drop, reply
from scripted_mailbox import box
from servers.certificates import Certificates
from servers.dovecot import Dovecot
from servers.greenmail import GreenMail
from servers.raw import Login, flags

from inboxstats.archive import Archive

MESSAGES = [
    f"From: a{number}@example.com\r\nSubject: {number}\r\n\r\n{'x' * 200}\r\n".encode() for number in range(1, 31)
]
SEEN = {0: ["\\Seen"], 1: ["\\Flagged"], 2: ["\\Seen", "\\Answered"]}


def arguments(user: Login, port: int, archive: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port), "--user", user.user, "--security", "none"]
    return [*where, "--archive", str(archive)]


@pytest.mark.parametrize(
    "command",
    [
        "SELECT INBOX", "CLOSE", "EXPUNGE", 'STORE 1 +FLAGS (\\Seen)', "UID STORE 1 FLAGS ()", "UID COPY 1 Trash",
        "UID MOVE 1 Trash", "APPEND INBOX x", "CREATE x", "DELETE x", "RENAME x y", "SUBSCRIBE x", "UID EXPUNGE 1",
        "UID FETCH 1 (BODY[])", "UID FETCH 1 (RFC822)", "UID FETCH 1 BODY[TEXT]", "UID FETCH 1 (UID BODY[]<0.5>)",
        "FETCH 1 (BODY.PEEK[])", "UID FETCH 1 (RFC822.TEXT)", 'ID ("name" "inboxstats" "user" "me")', "SETQUOTA x",
        "COMPRESS DEFLATE", "LOGOUT\nEXPUNGE",
    ],
)  # fmt: skip
def test_the_list_of_what_may_be_sent_leaves_out_what_changes_mail(command: str) -> None:
    assert changing([command]) == [command]


def test_the_recorder_reads_literals_and_continuations() -> None:
    sent = b'A1 LOGIN {2}\r\nme "x"\r\nA2 AUTHENTICATE PLAIN\r\nAGEAYg==\r\nA3 EXAMINE {4+}\r\na\r\nb\r\nA4 LOGOUT\r\n'
    assert commands(sent) == ['LOGIN me "x"', "AUTHENTICATE PLAIN AGEAYg==", "EXAMINE a\r\nb", "LOGOUT"]


@pytest.fixture
def user(dovecot: Dovecot, dovecot_user: Login) -> Login:
    for mailbox in ("INBOX", "Entwürfe & mehr"):
        dovecot.fill(dovecot_user, mailbox, MESSAGES, flags=SEEN)
    return dovecot_user


@pytest.fixture
def wire(user: Login) -> Iterator[Recorder]:
    with Recorder(user.host, user.port) as recorder:
        yield recorder


def test_dovecot_hears_only_what_reads_and_no_message_becomes_seen(
    inboxstats: Inboxstats, user: Login, wire: Recorder, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    common = arguments(user, wire.port, archive)
    before = {mailbox: flags(user, mailbox) for mailbox in ("INBOX", "Entwürfe & mehr")}
    assert len(set(before["INBOX"].values())) == 4  # unseen ones among them

    def run(*command: str, code: int = 0) -> None:
        done = inboxstats(command[0], *common, *command[1:], password=user.password)
        assert done.code == code, done.err

    run("fetch", "--all", "-n")
    run("fetch", "--all", "--threads", "3")
    run("fetch", "--all")
    run("verify", "--online", "--read-data")
    next(archive.rglob("7.eml")).unlink()
    run("verify", "--online", code=8)
    run("fetch", "--all")
    run("verify", "--online")
    run("fetch")
    assert {mailbox: flags(user, mailbox) for mailbox in before} == before
    heard = wire.commands()
    assert changing(heard) == []
    first_words = {
        " ".join(command.split()[:2]) if command.startswith("UID") else command.split()[0] for command in heard
    }
    assert {"LOGIN", "LIST", "STATUS", "EXAMINE", "UID FETCH", "LOGOUT", "ID"} <= first_words
    assert any(command.startswith("LIST") and "RETURN (STATUS" in command for command in heard)
    assert sum(command.startswith("UID FETCH") and "BODY.PEEK[]" in command for command in heard) >= 3


def test_a_password_beyond_ascii_goes_by_authenticate_and_no_other_way(
    inboxstats: Inboxstats, dovecot: Dovecot, tmp_path: Path
) -> None:
    user = dovecot.add_user(password="pässwörd €")
    dovecot.fill(user, "INBOX", MESSAGES[:2])
    with Recorder(user.host, user.port) as wire:
        done = inboxstats("fetch", *arguments(user, wire.port, tmp_path / "archive"), password=user.password)
    assert done.code == 0, done.err
    assert changing(wire.commands()) == []
    assert any(command.startswith("AUTHENTICATE PLAIN ") for command in wire.commands())
    assert not any(command.startswith("LOGIN") for command in wire.commands())


def test_greenmail_hears_only_what_reads_and_no_message_becomes_seen(
    inboxstats: Inboxstats, greenmail: GreenMail, greenmail_user: Login, tmp_path: Path
) -> None:
    greenmail.deliver(MESSAGES, greenmail_user)
    before = flags(greenmail_user)
    assert not any("\\Seen" in each for each in before.values())
    with Recorder(greenmail_user.host, greenmail_user.port) as wire:
        common = arguments(greenmail_user, wire.port, tmp_path / "archive")
        for command in (("fetch", "-n"), ("fetch", "--all"), ("fetch",), ("verify", "--online", "--read-data")):
            done = inboxstats(command[0], *common, *command[1:], password=greenmail_user.password)
            assert done.code == 0, done.err
    assert flags(greenmail_user) == before
    assert changing(wire.commands()) == []
    assert len(wire.sent) >= 4


def test_a_server_that_fails_in_every_way_hears_only_what_reads(inboxstats: Inboxstats, tmp_path: Path) -> None:
    user = Login("127.0.0.1", 0, "me", "secret")
    mailboxes = {name: box(*MESSAGES) for name in ("INBOX", "Lists/a b", 'quo"ted', "Entw&APw-rfe")}
    with ScriptedServer(mailboxes) as server:
        server.on("UID FETCH", drop(after=500), nth=3)
        server.on("UID FETCH", bye("going down"), nth=6)
        server.on("UID FETCH", reply("NO [SERVERBUG] no"), nth=8)
        server.on("UID FETCH", reply("BAD what"), nth=10)
        server.on("UID SEARCH", drop(), nth=2)
        server.on("STATUS", drop(), nth=3)
        server.script.bodies |= {4: "refused", 5: "nil", 6: "missing"}
        common = arguments(user, server.port, tmp_path / "archive")
        codes = []
        for command in (
            ("fetch", "--all", "-n"), ("fetch", "--all", "--threads", "3"), ("verify", "--online"), ("fetch", "--all")
        ):  # fmt: skip
            if command == ("verify", "--online"):
                next((tmp_path / "archive").rglob("9.eml")).unlink()
            codes.append(inboxstats(command[0], *common, *command[1:], password="secret").code)
        server.script.bodies.clear()
        codes.append(inboxstats("fetch", *common, "--all", password="secret").code)
        codes.append(inboxstats("fetch", *common, password="wrong").code)
    assert codes[1:] == [3, 8, 3, 0, 4]
    assert changing(server.log) == []
    assert len(Archive.open(tmp_path / "archive").mailboxes("me@127.0.0.1")) == 4


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_under_tls_nothing_else_is_said(
    inboxstats: Inboxstats, certificates: Certificates, tmp_path: Path, security: str
) -> None:
    with ScriptedServer(
        {"INBOX": box(*MESSAGES)}, certificate=certificates.self_signed, is_tls=security == "tls"
    ) as server:
        where = ["--host", "127.0.0.1", "--port", str(server.port), "--user", "me", "--security", security]
        common = [*where, "--archive", str(tmp_path / "archive")]
        refused = inboxstats("fetch", *common, password="secret")
        assert refused.code == 9
        assert [line for line in server.log if line not in ("CAPABILITY", "STARTTLS")] == []
        pin = ["--tls-fingerprint", certificates.self_signed.fingerprint]
        for command in ("fetch", "verify"):
            more = ["--online"] if command == "verify" else []
            done = inboxstats(command, *common, *pin, *more, password="secret")
            assert done.code == 0, done.err
    assert changing(server.log) == []
    assert set(server.script.clear) <= ({"CAPABILITY", "STARTTLS"} if security == "starttls" else set())
