"""`inboxstats fetch` as a user runs it, against real servers: what it brings, and what it says when it cannot."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Done, Inboxstats
from scripted import ScriptedServer, stall
from scripted_mailbox import box
from servers.certificates import Certificates
from servers.dovecot import Dovecot
from servers.greenmail import GreenMail
from servers.raw import Login, digests, flags

from inboxstats.archive import Archive

MESSAGES = [
    f"From: a{number}@example.com\r\nSubject: {number}\r\n\r\n{'x' * 200 * number}\r\n".encode()
    for number in range(1, 61)
]


def options(user: Login, archive: Path) -> list[str]:
    where = ["--host", user.host, "--port", str(user.port), "--user", user.user]
    return ["fetch", *where, "--security", "none", "--archive", str(archive)]


def stored(archive: Path) -> dict[int, str]:
    return {int(path.stem): hashlib.sha256(path.read_bytes()).hexdigest() for path in archive.rglob("*.eml")}


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def one_sentence(done: Done, code: int, *parts: str) -> None:
    """The run failed with that code, said so in one line, and showed no traceback."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if "comes from INBOXSTATS_PASSWORD" not in line]
    assert len(lines) == 1, done.err
    for part in parts:
        assert part in lines[0]


def wait_until(happened: Callable[[], bool]) -> None:
    """Another process does it, and tells nobody; it fails after half a minute."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks


@pytest.fixture
def user(dovecot: Dovecot, dovecot_user: Login) -> Login:
    dovecot.fill(dovecot_user, "INBOX", MESSAGES, flags={0: ["\\Seen"]})
    dovecot.fill(dovecot_user, "Lists/python", MESSAGES[:2])
    return dovecot_user


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_all_messages_are_brought_byte_for_byte_and_nothing_changes_on_the_server(
    inboxstats: Inboxstats, user: Login, archive: Path
) -> None:
    before = flags(user)
    done = inboxstats(*options(user, archive), password=user.password)
    assert done.code == 0, done.err
    assert re.fullmatch(
        rf"{user.user}: 60 new messages \(0\.4 MB\) in \d+\.\d s; 60 on the server in 1 mailbox\.\n", done.out
    )
    assert stored(archive) == digests(user)
    assert flags(user) == before
    assert Archive.open(archive).accounts() == [user.user]


def test_a_second_run_downloads_and_writes_nothing(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    inboxstats(*options(user, archive), password=user.password)
    before = everything(archive)
    again = inboxstats(*options(user, archive), password=user.password)
    assert again.out.startswith(f"{user.user}: 0 new messages (0.0 MB)")
    assert everything(archive) == before


def test_new_mail_alone_is_brought(inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path) -> None:
    inboxstats(*options(user, archive), password=user.password)
    dovecot.fill(user, "INBOX", [b"Subject: new\r\n\r\n"])
    again = inboxstats(*options(user, archive), "--json", password=user.password)
    assert json.loads(again.out)["accounts"][0]["stored"] == 1
    assert stored(archive) == digests(user)


def test_json_is_one_object_on_stdout(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), "--all", "--threads", "2", "--json", password=user.password)
    found = json.loads(done.out)
    (account,) = found["accounts"]
    assert (found["schema_version"], found["exit_code"], found["archive"]) == (1, 0, str(archive))
    assert sorted(account["mailboxes"]) == ["INBOX", "Lists/python"]
    assert (account["listed"], account["missing"], account["stored"], account["failed"]) == (62, 62, 62, [])
    size = sum(map(len, MESSAGES)) + sum(map(len, MESSAGES[:2]))
    assert (account["bytes"], account["error"], account["left"], account["gone"]) == (size, None, 0, 0)


def test_mailboxes_are_chosen_by_glob(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), "-m", "Lists/*", "--json", password=user.password)
    assert json.loads(done.out)["accounts"][0]["mailboxes"] == ["Lists/python"]
    assert len(stored(archive)) == 2


def test_a_dry_run_says_what_there_is_and_writes_nothing(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), "-n", password=user.password)
    assert done.out == f"{user.user}: 60 new messages (0.4 MB) to fetch in 1 mailbox, 60 on the server.\n"
    assert not archive.exists()


def test_since_leaves_out_what_came_before(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), "--since", "2999-01-01", "--json", password=user.password)
    assert json.loads(done.out)["accounts"][0]["missing"] == 0


def test_greenmail_is_fetched_as_well(
    inboxstats: Inboxstats, greenmail: GreenMail, greenmail_user: Login, archive: Path
) -> None:
    greenmail.deliver(MESSAGES, greenmail_user)
    done = inboxstats(*options(greenmail_user, archive), password=greenmail_user.password)
    assert done.code == 0, done.err
    assert stored(archive) == digests(greenmail_user)


def test_accounts_of_the_configuration_are_fetched_one_after_the_other(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path, tmp_path: Path
) -> None:
    other = dovecot.add_user()
    dovecot.fill(other, "INBOX", MESSAGES[:3])
    command = json.dumps([sys.executable, "-c", f"print({user.password!r})"])
    accounts = "".join(
        f'[accounts.{name}]\nhost = "{each.host}"\nport = {each.port}\nuser = "{each.user}"\nsecurity = "none"\n'
        f"password_command = {command}\n"
        for name, each in (("one", user), ("two", other))
    )
    (tmp_path / "config.toml").write_text(f'archive = "{archive}"\n{accounts}')
    done = inboxstats("fetch", "--json", INBOXSTATS_CONFIG=str(tmp_path / "config.toml"))
    assert [(row["account"], row["stored"]) for row in json.loads(done.out)["accounts"]] == [("one", 60), ("two", 3)]
    assert Archive.open(archive).accounts() == ["one", "two"]


def test_one_accounts_trouble_does_not_stop_the_others(
    inboxstats: Inboxstats, user: Login, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        f'[accounts.gone]\nhost = "127.0.0.1"\nport = 1\nuser = "x"\n'
        f'password_command = ["echo", "x"]\n'
        f'[accounts.here]\nhost = "{user.host}"\nport = {user.port}\nuser = "{user.user}"\nsecurity = "none"\n'
        f'password_command = ["echo", "{user.password}"]\n'
    )
    command = ("fetch", "--config", str(tmp_path / "config.toml"), "--archive", str(archive))
    done = inboxstats(*command)
    assert done.code == 5
    assert "gone: 127.0.0.1:1 refuses connections" in done.err
    assert done.out.startswith("here: 60 new messages")


def test_a_verified_channel_is_the_default(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path, certificates: Certificates
) -> None:
    where = ["fetch", "--host", "localhost", "--user", user.user, "--archive", str(archive)]
    trusted = {"SSL_CERT_FILE": str(certificates.ca_file)}
    for security, port in (("tls", dovecot.tls_port), ("starttls", dovecot.port)):
        command = [*where, "--port", str(port), "--security", security, "-n"]
        assert inboxstats(*command, password=user.password, **trusted).code == 0
    refused = inboxstats(*where, "--port", str(dovecot.tls_port), password=user.password)
    one_sentence(refused, 9, "certificate", "is not valid", "Nothing was sent")


def test_a_certificate_of_ones_own_is_pinned_with_what_the_refusal_says(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path, certificates: Certificates, tmp_path: Path
) -> None:
    for security, port in (("tls", dovecot.tls_port), ("starttls", dovecot.port)):
        where = ["--host", "127.0.0.1", "--port", str(port), "--user", user.user, "--security", security]
        command = ["fetch", *where, "--archive", str(archive), "-n"]
        refused = inboxstats(*command, password=user.password)
        one_sentence(refused, 9, "Proton Bridge", "Nothing was sent", certificates.good.fingerprint)
        pin = re.findall(r"--tls-fingerprint (\S+),", refused.err)
        assert inboxstats(*command, "--tls-fingerprint", *pin, password=user.password).code == 0
        other = "00" * 32
        one_sentence(
            inboxstats(*command, "--tls-fingerprint", other, password=user.password), 9, "another certificate than"
        )
        (tmp_path / "config.toml").write_text(
            f'[accounts.a]\nhost = "127.0.0.1"\nport = {port}\nuser = "{user.user}"\nsecurity = "{security}"\n'
            f'tls_fingerprint = "{pin[0]}"\n'
        )
        configured = ["fetch", "-n", "--config", str(tmp_path / "config.toml"), "--archive", str(archive)]
        assert inboxstats(*configured, password=user.password).code == 0


def test_a_wrong_password_is_said_and_tried_once(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), password="canary-Zt9!")
    one_sentence(done, 4, "refuses the login", "Check the user and the password")
    assert "canary" not in done.out + done.err


@pytest.mark.parametrize("password", ["canary-Zt9!", "cänary-Zt9!"])
def test_a_password_is_in_no_output_and_no_file(
    inboxstats: Inboxstats, dovecot: Dovecot, archive: Path, password: str
) -> None:
    user = dovecot.add_user(password=password)
    dovecot.fill(user, "INBOX", MESSAGES[:2])
    for given in (password, password + "wrong"):
        done = inboxstats(*options(user, archive), "-vv", password=given)
        assert done.code == (0 if given == password else 4)
        assert "nary-Zt9" not in done.out + done.err
    files = [path for path in (*archive.rglob("*"), *inboxstats.home.rglob("*")) if path.is_file()]
    assert files
    assert all(b"nary-Zt9" not in path.read_bytes() for path in files)


def test_verbose_tells_what_is_done(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    done = inboxstats(*options(user, archive), "-v", password=user.password)
    assert "inboxstats.fetch: INBOX: 60 messages, 60 of them missing" in done.err


def test_a_failed_login_does_not_make_the_archive_anybodys(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    mistyped = Login(user.host, user.port, "mistyped@example.org", "x")
    assert inboxstats(*options(mistyped, archive), password="x").code == 4
    assert inboxstats(*options(user, archive), password=user.password).code == 0


def test_no_password_names_the_ways_to_give_one(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    one_sentence(inboxstats(*options(user, archive)), 4, "--password-command", "keyring set", "INBOXSTATS_PASSWORD")


def test_the_environments_password_is_not_sent_to_several_servers(inboxstats: Inboxstats, tmp_path: Path) -> None:
    account = '[accounts.{}]\nhost = "127.0.0.1"\nport = 1\nuser = "x"\n'
    (tmp_path / "config.toml").write_text(account.format("one") + account.format("two"))
    command = ("fetch", "--config", str(tmp_path / "config.toml"), "--archive", str(tmp_path / "archive"))
    assert inboxstats(*command, password="x").code == 4
    assert "refuses connections" in inboxstats(*command, "two", password="x").err


def test_a_wrong_host_or_port_is_said(inboxstats: Inboxstats, archive: Path) -> None:
    command = ("fetch", "--user", "me@example.org", "--archive", str(archive))
    one_sentence(inboxstats(*command, "--host", "no-such-host.invalid", password="x"), 5, "is not found")
    for host in ("imap..example.org", "x" * 70 + ".example.org"):
        one_sentence(inboxstats(*command, "--host", host, password="x"), 5, "is not found")
    closed = inboxstats(*command, "--host", "127.0.0.1", "--port", "1", password="x")
    one_sentence(closed, 5, "127.0.0.1:1 refuses connections")


def test_an_unknown_mailbox_is_said_with_those_that_there_are(
    inboxstats: Inboxstats, user: Login, archive: Path
) -> None:
    done = inboxstats(*options(user, archive), "--mailbox", "Lists/pyton", password=user.password)
    one_sentence(done, 2, "no mailbox 'Lists/pyton'", "'Lists/python'")


def test_an_empty_mailbox_is_no_failure(inboxstats: Inboxstats, dovecot_user: Login, archive: Path) -> None:
    done = inboxstats(*options(dovecot_user, archive), password=dovecot_user.password)
    assert (done.code, done.out.split(" in ")[0]) == (0, f"{dovecot_user.user}: 0 new messages (0.0 MB)")


def test_a_mailbox_that_is_suddenly_empty_changes_nothing_and_is_reported(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path
) -> None:
    inboxstats(*options(user, archive), password=user.password)
    before = everything(archive)
    dovecot.create(user, "INBOX", first_uid=100)
    done = inboxstats(*options(user, archive), password=user.password)
    one_sentence(done, 3, "INBOX: the server says empty; kept 60 messages")
    assert everything(archive) == before


def test_a_renumbered_mailbox_is_fetched_again_and_the_old_messages_stay(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path
) -> None:
    inboxstats(*options(user, archive), password=user.password)
    dovecot.create(user, "INBOX", uid_validity=1_800_000_000)
    dovecot.fill(user, "INBOX", MESSAGES[:3])
    done = inboxstats(*options(user, archive), "--json", password=user.password)
    assert json.loads(done.out)["accounts"][0]["stored"] == 3
    generations = {path.parent.parent.name for path in archive.rglob("*.eml")}
    assert generations == {"1700000000", "1800000000"}
    assert len(list(archive.rglob("*.eml"))) == 63


def test_an_archive_in_use_is_said_at_once(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    with Archive.create(archive).lock():
        one_sentence(inboxstats(*options(user, archive), password=user.password), 7, "Another run holds", "--wait")


def test_another_accounts_archive_is_refused_before_any_login(
    inboxstats: Inboxstats, user: Login, archive: Path
) -> None:
    assert inboxstats(*options(user, archive), "-m", "Lists/*", password=user.password).code == 0
    stranger = Login("127.0.0.1", 1, "stranger@example.org", "x")
    one_sentence(inboxstats(*options(stranger, archive), password="x"), 2, "belongs to", "--archive")


def test_a_folder_that_is_no_archive_is_refused(inboxstats: Inboxstats, user: Login, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    for more in ((), ("--dry-run",)):
        done = inboxstats(*options(user, tmp_path), *more, password=user.password)
        one_sentence(done, 2, "holds other files")


def test_a_folder_that_cannot_be_made_is_said_before_any_login(inboxstats: Inboxstats, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nobody = Login("127.0.0.1", 1, "x", "x")
    one_sentence(inboxstats(*options(nobody, tmp_path / "file" / "archive"), password="x"), 6, "Cannot create")


def test_a_disk_that_is_full_is_said_and_keeps_what_is_complete(
    inboxstats: Inboxstats, user: Login, archive: Path
) -> None:
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", sys.executable, "-m", "inboxstats"]
    done = subprocess.run(
        [*limited, *options(user, archive)],
        env=inboxstats.environment(password=user.password),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert "would be larger than this system allows" in done.stderr
    assert not list(archive.rglob("*.part"))
    whole = digests(user)
    assert stored(archive).items() < whole.items()
    assert inboxstats(*options(user, archive), password=user.password).code == 0
    assert stored(archive) == whole


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("archive = \n", ("line 1, column 11",)),
        ("[accounts.a]\nhost = 'h'\nuser = 'u'\nthread = 3\n", ("line 4", "'accounts.a.thread'", "'threads'")),
    ],
)
def test_a_broken_configuration_is_said_with_line_and_key(
    inboxstats: Inboxstats, tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    one_sentence(inboxstats("fetch", "--config", str(path)), 2, str(path), *parts)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "There is no account"),
        (("--user", "me"), "--host is missing"),
        (("--host", "h"), "--user is missing"),
        (("--host", "h:993", "--user", "u"), "--host h --port 993"),
        (("--host", "h", "--user", "u", "--all", "-m", "INBOX"), "not both"),
        (("--host", "h", "--user", ""), "--user is missing"),
        (("--host", "", "--user", "u"), "--host is empty"),
        (("--host", "h", "--user", "u\n"), "cannot be typed"),
        (("--host", "h", "--user", "u", "work"), "not both"),
        (("--host", "imap.example.org", "--user", "u", "--security", "none"), "for everyone to read"),
        (("--host", "h", "--user", "u", "--password-command", "a 'b"), "Check the quotes"),
        (("--host", "h", "--user", "u", "--tls-fingerprint", "AB:CD"), "64 hex digits"),
        (("--tls-fingerprint", "ab" * 32), "--host is missing"),
        (("--host", "::1", "--user", "u", "--security", "none", "--tls-fingerprint", "ab" * 32), "Use tls or starttls"),
        (("--config", "/no/such/config.toml"), "does not exist"),
    ],
)
def test_options_that_do_not_fit_are_said(inboxstats: Inboxstats, arguments: tuple[str, ...], part: str) -> None:
    one_sentence(inboxstats("fetch", *arguments), 2, part)


@pytest.fixture
def slow() -> Iterator[tuple[ScriptedServer, Login]]:
    """A server that hangs in the fifth FETCH of bodies and in all that follow."""
    messages = {uid: f"Subject: {uid}\r\n\r\n{'x' * 300_000}\r\n".encode() for uid in range(1, 41)}
    with ScriptedServer({"INBOX": box(*messages.values())}) as server:
        for nth in range(5, 60):
            server.on("UID FETCH", stall(seconds=60), nth=nth)
        yield server, Login("127.0.0.1", server.port, "user", "secret")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_stops_within_five_seconds_and_loses_nothing(
    inboxstats: Inboxstats, slow: tuple[ScriptedServer, Login], archive: Path, number: signal.Signals, code: int
) -> None:
    server, login = slow
    running = inboxstats.start(*options(login, archive), "--threads", "2", password=login.password)
    wait_until(lambda: len(list(archive.rglob("*.eml"))) >= 6)
    began = time.monotonic()
    running.send_signal(number)
    _, err = running.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert running.returncode == code, err
    assert "Stopped. All that is complete is kept" in err
    assert "Traceback" not in err
    kept = list(archive.rglob("*.eml"))
    assert 0 < len(kept) < 40
    assert all(path.read_bytes().startswith(f"Subject: {path.stem}\r\n".encode()) for path in kept)
    assert {path.stat().st_size for path in kept} <= {len(f"Subject: {n}\r\n\r\n") + 300_002 for n in (1, 10)}
    assert not list(archive.rglob("*.part"))
    assert any(line.startswith("UID FETCH") for line in server.log)


def test_an_interrupt_while_listing_waits_for_nobody(inboxstats: Inboxstats, archive: Path) -> None:
    with ScriptedServer({"INBOX": box(b"Subject: x\r\n\r\n")}) as server:
        server.on("UID FETCH", stall(seconds=60))
        login = Login("127.0.0.1", server.port, "user", "secret")
        running = inboxstats.start(*options(login, archive), password=login.password)
        wait_until(lambda: any(line.startswith("UID FETCH") for line in server.log))
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
        assert time.monotonic() - began < 5
        assert running.returncode == 130, err


def test_a_mailbox_without_uidvalidity_is_warned_of_and_fetched(inboxstats: Inboxstats, archive: Path) -> None:
    inbox = box(b"Subject: x\r\n\r\n")
    inbox.uid_validity = None
    with ScriptedServer({"INBOX": inbox}) as server:
        login = Login("127.0.0.1", server.port, "user", "secret")
        done = inboxstats(*options(login, archive), password=login.password)
        assert done.code == 0
        assert "INBOX: the server gives it no usable UIDVALIDITY" in done.err
        again = json.loads(inboxstats(*options(login, archive), "--json", password=login.password).out)
    [account] = again["accounts"]
    assert (account["stored"], account["troubles"], account["exit_code"]) == (0, [], 0)
    assert [each["mailbox"] for each in account["warnings"]] == ["INBOX"]


@pytest.mark.parametrize("count", [5, 9, 12])
def test_a_mailbox_made_anew_under_its_uidvalidity_is_fetched_beside_the_old_one(
    inboxstats: Inboxstats, dovecot: Dovecot, dovecot_user: Login, archive: Path, count: int
) -> None:
    old = [f"Message-ID: <old{n}@x>\r\n\r\nold".encode() for n in range(9)]
    new = [f"Message-ID: <new{n}@x>\r\n\r\nnewer".encode() for n in range(count)]
    dovecot.fill(dovecot_user, "INBOX", old)
    assert inboxstats(*options(dovecot_user, archive), password=dovecot_user.password).code == 0
    dovecot.create(dovecot_user, "INBOX")
    dovecot.fill(dovecot_user, "INBOX", new)
    done = inboxstats(*options(dovecot_user, archive), password=dovecot_user.password)
    assert done.code == 3
    assert "INBOX: the server uses UIDs again for other messages" in done.err
    assert sorted(path.read_bytes() for path in archive.rglob("*.eml")) == sorted(old + new)
    assert inboxstats(*options(dovecot_user, archive), password=dovecot_user.password).code == 0


def test_a_terminal_sees_progress_and_a_pipe_does_not(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    quiet = inboxstats(*options(user, archive), password=user.password)
    assert "\x1b" not in quiet.err + quiet.out
    leader, follower = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "inboxstats", *options(user, archive.with_name("other"))],
        env=inboxstats.environment(password=user.password, TERM="xterm-256color", COLUMNS="100"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower, timeout=60, check=True,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        try:
            seen += os.read(leader, 65536)
        except OSError:  # what Linux says at the end of a terminal
            break
    os.close(leader)
    assert b"60/60" in seen
    assert b"MB/s" in seen
