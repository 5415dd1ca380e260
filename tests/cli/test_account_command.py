"""`inboxstats account` as a user runs it, at a terminal and in a script: real servers, a real keyring."""

import hashlib
import json
import re
import ssl
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import filekeyring
import pytest
from command import Done, Inboxstats
from servers.certificates import Certificates
from servers.dns import dns_server
from servers.dovecot import Dovecot
from servers.greenmail import GreenMail
from servers.raw import Login
from servers.secret_service import SecretService

CANARY = "canary-Zt9!"
MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 100_000}\r\n".encode() for number in range(5)]


@pytest.fixture
def user(dovecot: Dovecot) -> Login:
    user = dovecot.add_user(password=CANARY)
    dovecot.fill(user, "INBOX", MESSAGES)
    dovecot.fill(user, "Lists/pythön", MESSAGES[:2])
    return user


@pytest.fixture
def keyring(keyring_service: SecretService) -> dict[str, str]:
    """The environment in which the keyring of a desktop is there."""
    bus = "DBUS_SESSION_BUS_ADDRESS"
    return {
        bus: keyring_service.environment[bus],
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }


def file_of(inboxstats: Inboxstats) -> Path:
    return inboxstats.home / ".config" / "inboxstats" / "config.toml"


def written(inboxstats: Inboxstats) -> dict[str, Any]:
    return dict(tomllib.loads(file_of(inboxstats).read_text())["accounts"])


def where(user: Login) -> list[str]:
    return ["--host", user.host, "--port", str(user.port), "--security", "none"]


def one_sentence(done: Done, code: int, *parts: str) -> None:
    assert done.code == code, done
    assert "Traceback" not in done.err
    last = done.err.splitlines()[-1]
    for part in parts:
        assert part in last


def test_at_a_terminal_an_address_a_password_and_the_mailboxes_are_all_that_is_asked(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, certificates: Certificates, keyring: dict[str, str]
) -> None:
    address = user.user
    answers = [
        ("Mail address: ", address),
        ("says that its mail is at localhost, which is another domain. Is that right? (y/n) [n]: ", "y"),
        (f"Password for {address} at localhost: ", CANARY),
        ("Which of them to fetch, with commas between (* is all) [INBOX]: ", "INBOX, Lists/*"),
    ]
    with dns_server({("_imaps._tcp.example.org", "SRV"): [f"0 1 {dovecot.tls_port} localhost."]}) as (dns, _):
        done, unasked = inboxstats.at_terminal(
            "account", "add", "--dns", dns, answers=answers, SSL_CERT_FILE=str(certificates.ca_file), **keyring
        )
    assert (done.code, unasked) == (0, []), done
    size = sum(map(len, MESSAGES)) / 1e6
    assert [line.split() for line in done.out.splitlines()[:3]] == [
        ["mailbox", "messages", "MB"],
        ["INBOX", "5", f"{size:.1f}"],
        ["Lists/pythön", "2", "0.2"],
    ]
    assert "To fetch: 7 messages (0.7 MB) in 2 mailboxes." in done.out
    assert CANARY not in done.out + done.err
    assert written(inboxstats) == {
        address: {"host": "localhost", "port": dovecot.tls_port, "user": address, "mailboxes": ["INBOX", "Lists/*"]}
    }
    environment = {**keyring, "SSL_CERT_FILE": str(certificates.ca_file)}
    assert inboxstats("fetch", **environment).out.startswith(f"{address}: 7 new messages")
    tested = inboxstats("account", "test", **environment)
    assert tested.code == 0, tested
    assert re.sub(r"localhost:\d+", "SERVER", tested.out).splitlines() == [
        f"ok       {address}: secret: from the keyring",
        f"ok       {address}: tls: SERVER: TLSv1.3, a valid certificate",
        f"ok       {address}: login: as {address}",
        f"ok       {address}: mailboxes: 2 of 2 are fetched: 7 messages, 0.7 MB",
    ]


def test_a_server_that_tells_no_sizes_of_mailboxes_has_them_added_up(
    inboxstats: Inboxstats, greenmail: GreenMail, greenmail_user: Login
) -> None:
    greenmail.deliver(MESSAGES, greenmail_user)
    command = ["account", "add", greenmail_user.user, *where(greenmail_user), "--name", "work"]
    done = inboxstats(*command, password=greenmail_user.password)
    assert done.code == 0, done
    assert [line.split() for line in done.out.splitlines()[:2]] == [
        ["mailbox", "messages", "MB"],
        ["INBOX", "5", "0.5"],
    ]
    assert "To fetch: 5 messages (0.5 MB) in 1 mailbox." in done.out
    assert "which other programs of yours can read" in done.err
    tested = inboxstats("account", "test", password=greenmail_user.password)
    assert "mailboxes: 1 of 1 is fetched: 5 messages, 0.5 MB" in tested.out


def test_a_mistyped_password_may_be_typed_again_and_a_certificate_of_ones_own_is_pinned_by_a_person(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, certificates: Certificates, keyring: dict[str, str]
) -> None:
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificates.good.path.read_text())).hexdigest()
    spelled = ":".join(digest[place : place + 2] for place in range(0, 64, 2)).upper()
    command = ("account", "add", user.user, "--host", "localhost", "--port", str(dovecot.tls_port), "--name", "own")
    answers = [
        ("is this certificate to be trusted from now on? (y/n) [n]: ", "y"),
        ("at localhost: ", "mistyped"),
        (f"Password for {user.user}: ", CANARY),
        ("[INBOX]: ", ""),
    ]
    done, unasked = inboxstats.at_terminal(*command, answers=answers, **keyring)
    assert (done.code, unasked) == (0, []), done
    assert spelled in done.err
    assert "refuses the login" in done.err
    assert written(inboxstats)["own"]["tls_fingerprint"] == digest
    assert inboxstats("account", "test", "own", **keyring).code == 0

    refused, _ = inboxstats.at_terminal(*command, "--replace", answers=[("[n]: ", "n")], **keyring)
    assert refused.code == 9


def test_without_a_keyring_a_command_is_asked_for(inboxstats: Inboxstats, user: Login, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(CANARY)
    answers = [("Command that prints the password, or none [none]: ", f"cat {tmp_path}/kept"), ("[INBOX]: ", "*")]
    done, unasked = inboxstats.at_terminal("account", "add", user.user, *where(user), answers=answers)
    assert (done.code, unasked) == (0, []), done
    assert "The keyring is switched off" in done.err
    assert written(inboxstats)[user.user]["password_command"] == ["cat", f"{tmp_path}/kept"]
    assert written(inboxstats)[user.user]["mailboxes"] == ["*"]


def test_in_a_script_all_is_an_option_and_json_tells_what_was_found(
    inboxstats: Inboxstats, user: Login, keyring: dict[str, str]
) -> None:
    command = ["account", "add", user.user, *where(user), "--name", "work", "-m", "Lists/*", "--json"]
    done = inboxstats(*command, "--password-stdin", stdin=f"{CANARY}\n", **keyring)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert sorted((each["name"], each["messages"], each["fetched"]) for each in found.pop("mailboxes")) == [
        ("INBOX", 5, False),
        ("Lists/pythön", 2, True),
    ]
    assert found == {
        "schema_version": 1, "config": str(file_of(inboxstats)), "account": "work", "host": user.host,
        "port": user.port, "user": user.user, "security": "none", "provider": "another provider",
        "found_by": "option", "secret": "keyring",
    }  # fmt: skip
    assert stat.S_IMODE(file_of(inboxstats).stat().st_mode) == 0o600
    assert inboxstats("fetch", "work", **keyring).out.startswith("work: 2 new messages")


def test_a_password_on_stdin_that_is_not_utf_8_is_never_kept_as_another_one(
    inboxstats: Inboxstats, tmp_path: Path
) -> None:
    environment = inboxstats.environment(**filekeyring.environment(tmp_path / "ring.json"))
    command = inboxstats.command("account", "add", "me@gmail.com", "--no-login", "--password-stdin")
    done = subprocess.run(command, env=environment, input=b"p\xe4ss\n", capture_output=True, check=False)
    assert done.returncode == 4
    assert b"The password on stdin is not UTF-8" in done.stderr
    assert not (tmp_path / "ring.json").exists()
    assert not file_of(inboxstats).exists()


def test_removing_an_account_removes_its_secret_though_another_has_the_login_by_a_command(
    inboxstats: Inboxstats, tmp_path: Path
) -> None:
    ring = filekeyring.environment(tmp_path / "ring.json")
    add = ["account", "add", "me@gmail.com", "--no-login"]
    assert inboxstats(*add, "--password-stdin", stdin=CANARY, **ring).code == 0
    assert inboxstats(*add, "--name", "other", "--password-command", "echo x").code == 0
    assert CANARY in (tmp_path / "ring.json").read_text()
    assert inboxstats("account", "remove", "me@gmail.com", "--yes", **ring).code == 0
    assert CANARY not in (tmp_path / "ring.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["account", "add"], "Say it by giving the address"),
        (["account", "add", "nobody"], "'nobody' is no mail address"),
        (["account", "add", "a@b..c"], "is no mail address"),
        (["account", "add", "me@example.org", "--port", "993"], "go with --host"),
        (["account", "add", "me@example.org", "--name", ""], "--name is empty"),
        (
            ["account", "add", "me@example.org", "--host", "h", "--no-login", "--password-command", "'"],
            "Check the quotes",
        ),
        (["account", "add", "me@example.org", "--host", ""], "--host is empty"),
        (["account", "add", "me@example.org", "--host", "h.example:993", "--no-login"], "--host h.example --port 993"),
        (["account", "add", "me@example.org", "--host", "imaps://h.example", "--no-login"], "is no name of a server"),
        (["account", "add", "me@example.org", "--host", "[::1]", "--no-login"], "is no name of a server"),
        (["account", "add", "me@example.org", "--host", "h.example", "--security", "none"], "for everyone to read"),
        (["account", "add", "me@hotmail.com", "--no-login"], "--client-id, see docs/oauth.md"),
        (
            ["account", "add", "me@hotmail.com", "--no-login", "--client-id", "x", "--password-stdin"],
            "takes no password",
        ),
        (["account", "add", "me@gmail.com", "--no-login", "--password-stdin"], "stdin has no password"),
        (["account", "test"], "There is no account"),
        (["account", "remove", "x"], "There is no account"),
    ],
)
def test_what_is_missing_or_wrong_without_a_terminal_is_a_usage_error(
    inboxstats: Inboxstats, arguments: list[str], part: str
) -> None:
    one_sentence(inboxstats(*arguments), 2, part)
    assert not file_of(inboxstats).exists()


def test_a_server_in_another_domain_is_taken_from_the_dns_only_by_a_person(inboxstats: Inboxstats) -> None:
    with dns_server({("_imaps._tcp.example.org", "SRV"): ["0 1 993 imap.example.net."]}) as (dns, _):
        done = inboxstats("account", "add", "me@example.org", "--dns", dns)
    one_sentence(done, 2, "imap.example.net", "another domain", "--host imap.example.net")


def test_a_server_that_does_not_answer_gives_way_to_the_domains_next_one(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, certificates: Certificates
) -> None:
    # localhost is a domain, too, so its server is not a foreign one.
    records = {("_imaps._tcp.localhost", "SRV"): ["0 1 1 localhost.", f"10 1 {dovecot.tls_port} localhost."]}
    with dns_server(records) as (dns, _):
        command = ["account", "add", "me@localhost", "--user", user.user, "--dns", dns]
        done = inboxstats(*command, password=CANARY, SSL_CERT_FILE=str(certificates.ca_file))
    assert done.code == 0, done
    assert "localhost:1 refuses connections" in done.err
    assert written(inboxstats)["me@localhost"]["port"] == dovecot.tls_port


def test_a_domain_without_any_server_is_said(inboxstats: Inboxstats) -> None:
    with dns_server({}) as (dns, asked):
        done = inboxstats("account", "add", "me@nowhere.invalid", "--dns", dns)
    one_sentence(done, 5, "No IMAP server is found for nowhere.invalid", "--host")
    assert {kind for _, kind in asked} == {"SRV", "MX"}


def test_a_person_names_the_server_that_is_not_found(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, certificates: Certificates
) -> None:
    answers = [
        ("IMAP server of nowhere.invalid, as its help pages name it: ", f"localhost:{dovecot.tls_port}"),
        ("[INBOX]: ", ""),
    ]
    with dns_server({}) as (dns, _):
        done, unasked = inboxstats.at_terminal(
            *("account", "add", "me@nowhere.invalid", "--dns", dns, "--user", user.user),
            *("--password-command", f"echo {CANARY}"),
            answers=answers,
            SSL_CERT_FILE=str(certificates.ca_file),
        )
    assert (done.code, unasked) == (0, []), done
    assert "Check the address and the network, or name its server" in done.err
    server = {"host": "localhost", "port": dovecot.tls_port, "user": user.user}
    assert written(inboxstats) == {"me@nowhere.invalid": {**server, "password_command": ["echo", CANARY]}}


def test_a_login_that_fails_writes_nothing(inboxstats: Inboxstats, user: Login) -> None:
    done = inboxstats("account", "add", user.user, *where(user), password="wrong")
    one_sentence(done, 4, "refuses the login")
    assert not file_of(inboxstats).exists()
    done = inboxstats("account", "add", user.user, *where(user), "-m", "Nix", password=CANARY)
    one_sentence(done, 2, "has no mailbox 'Nix'")
    assert not file_of(inboxstats).exists()
    done = inboxstats("account", "add", user.user, *where(user), "--password-stdin", stdin=CANARY)
    one_sentence(done, 4, "The password cannot be kept", "null backend")
    assert not file_of(inboxstats).exists()


def test_the_steps_of_a_provider_are_told_before_anything_is_asked(inboxstats: Inboxstats) -> None:
    done = inboxstats("account", "add", "me@gmail.com", "--no-login")
    assert done.code == 0, done
    assert "The server of Gmail is imap.gmail.com:993 (tls)." in done.err
    assert "https://myaccount.google.com/apppasswords" in done.err
    assert written(inboxstats) == {"me@gmail.com": {"host": "imap.gmail.com", "user": "me@gmail.com"}}
    one_sentence(inboxstats("account", "add", "me@gmail.com", "--no-login"), 2, "has an account", "--replace")


def test_an_account_of_a_provider_that_wants_oauth_is_written_with_its_client_id(inboxstats: Inboxstats) -> None:
    add = ["account", "add", "me@hotmail.com", "--no-login", "--name", "private"]
    done = inboxstats(*add, "--client-id", "1b2c")
    assert (done.code, done.out) == (
        0,
        f"Wrote the account private into {file_of(inboxstats)}. Next: inboxstats account login private\n",
    )
    assert "takes no password by IMAP any more, only OAuth" in done.err
    common = {"host": "outlook.office365.com", "user": "me@hotmail.com", "auth": "oauth"}
    assert written(inboxstats) == {"private": {**common, "client_id": "1b2c"}}
    done = inboxstats(*add, "--replace", "--password-command", "print-token")
    assert done.out.endswith("Next: inboxstats account test private\n")
    assert written(inboxstats) == {"private": {**common, "password_command": ["print-token"]}}


def test_as_scheduled_the_sessions_keyring_and_the_environments_password_are_not_there(
    inboxstats: Inboxstats, user: Login, keyring: dict[str, str]
) -> None:
    command = ["account", "add", user.user, *where(user), "--name", "work"]
    assert inboxstats(*command, "--password-stdin", stdin=CANARY, **keyring).code == 0
    assert inboxstats("account", "test", **keyring).code == 0
    bare = inboxstats("account", "test", "--as-scheduled", password=CANARY, **keyring)
    assert bare.code == 4
    assert bare.out.startswith("failed   work: secret: No password for")
    assert "left out work: login: without a secret" in bare.out


def test_as_scheduled_a_password_command_is_found_by_a_bare_path_alone(
    inboxstats: Inboxstats, user: Login, tmp_path: Path
) -> None:
    own = tmp_path / "bin" / "my-secret"
    own.parent.mkdir()
    own.write_text(f"#!/bin/sh\necho '{CANARY}'\n")
    own.chmod(0o700)
    path = f"{own.parent}:/usr/bin:/bin"
    for command, code in (("my-secret", 4), (str(own), 0)):
        add = ["account", "add", user.user, *where(user), "--name", "work", "--replace", "--password-command", command]
        assert inboxstats(*add, PATH=path).code == 0
        assert inboxstats("account", "test", "work", PATH=path).code == 0
        bare = inboxstats("account", "test", "work", "--as-scheduled", "--json", PATH=path)
        found = json.loads(bare.out)
        assert (bare.code, found["exit_code"]) == (code, code)
        assert [each["check"] for each in found["checks"]] == ["secret", "tls", "login", "mailboxes"]
        assert ("'my-secret' is not found" in bare.out) == (code == 4)


def test_a_test_says_which_stage_fails(inboxstats: Inboxstats, user: Login) -> None:
    common = f'host = "127.0.0.1"\nport = {user.port}\nsecurity = "none"\n'
    file = file_of(inboxstats)
    file.parent.mkdir(parents=True)
    file.write_text(
        f'[accounts.password]\nuser = "{user.user}"\npassword_command = ["echo", "wrong"]\n{common}'
        f'[accounts.mailbox]\nuser = "{user.user}"\npassword_command = ["echo", "{CANARY}"]\nmailboxes = ["Nix"]\n'
        f"{common}"
        '[accounts.closed]\nuser = "u"\npassword_command = ["echo", "x"]\nhost = "127.0.0.1"\nport = 1\n'
    )
    done = inboxstats("account", "test", "--json")
    checks = json.loads(done.out)["checks"]
    states = {(each["account"], each["check"]): (each["state"], each["exit_code"]) for each in checks}
    assert states == {
        ("password", "secret"): ("ok", 0), ("password", "tls"): ("ok", 0),
        ("password", "login"): ("failed", 4), ("password", "mailboxes"): ("left out", 0),
        ("mailbox", "secret"): ("ok", 0), ("mailbox", "tls"): ("ok", 0),
        ("mailbox", "login"): ("ok", 0), ("mailbox", "mailboxes"): ("failed", 2),
        ("closed", "secret"): ("ok", 0), ("closed", "tls"): ("failed", 5),
        ("closed", "login"): ("left out", 0), ("closed", "mailboxes"): ("left out", 0),
    }  # fmt: skip
    assert done.code == 5


def test_the_list_shows_where_a_secret_is_and_not_what_a_command_is_told(inboxstats: Inboxstats) -> None:
    assert "There is no account" in inboxstats("account", "list").out
    file = file_of(inboxstats)
    file.parent.mkdir(parents=True)
    file.write_text(
        f'[accounts."evil\\u001b[2J"]\nhost = "h.example"\nuser = "u"\npassword_command = ["vault", "{CANARY}"]\n'
        '[accounts.plain]\nhost = "i.example"\nuser = "v"\nsecurity = "starttls"\nmailboxes = ["*"]\n'
    )
    done = inboxstats("account", "list")
    assert (done.code, done.err) == (0, "")
    assert CANARY not in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert [line.split() for line in done.out.splitlines()][-1:] == [
        ["plain", "v", "i.example:143", "starttls", "*", "keyring"]
    ]
    rows = json.loads(inboxstats("account", "list", "--json").out)["accounts"]
    assert rows[1] == {
        "account": "plain", "host": "i.example", "port": 143, "user": "v", "security": "starttls",
        "mailboxes": ["*"], "auth": "password", "secret": "keyring",
    }  # fmt: skip


def added(inboxstats: Inboxstats, user: Login, name: str, keyring: dict[str, str]) -> None:
    command = ["account", "add", user.user, *where(user), "--name", name, "--password-stdin"]
    assert inboxstats(*command, stdin=CANARY, **keyring).code == 0
    assert inboxstats("fetch", name, **keyring).code == 0


def test_removing_an_account_takes_its_secret_and_leaves_its_mail_unless_said(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, keyring: dict[str, str]
) -> None:
    other = dovecot.add_user(password=CANARY)
    dovecot.fill(other, "INBOX", MESSAGES[:1])
    added(inboxstats, user, "work", keyring)
    added(inboxstats, other, "home", keyring)
    archive = inboxstats.home / ".local" / "share" / "inboxstats" / "archive"
    one_sentence(inboxstats("account", "remove", "work", **keyring), 2, "Say it by --yes")
    done = inboxstats("account", "remove", "work", "--yes", **keyring)
    assert (done.code, done.out) == (0, f"Removed work. Its mail stays in {archive}.\n")
    assert list(written(inboxstats)) == ["home"]
    assert len(list((archive / "work").rglob("*.eml"))) == 5
    kept_secret = ["account", "add", user.user, *where(user), "--name", "work"]
    one_sentence(inboxstats(*kept_secret, **keyring), 4, "the keyring has no entry for it")

    assert inboxstats("report", "--format", "json", **keyring).code == 0
    answers = [("Remove the account home", "y"), ("Delete its fetched mail", "y")]
    done, unasked = inboxstats.at_terminal("account", "remove", "home", answers=answers, **keyring)
    assert (done.code, done.out, unasked) == (0, "Removed home. Its mail is deleted.\n", [])
    assert sorted(each.name for each in archive.iterdir()) == [".lock", "archive.toml", "work"]
    # Mail without an account in config.toml can go, too, if that is what is meant.
    one_sentence(inboxstats("account", "remove", "work", "--yes"), 2, "only its mail is left", "--delete-archive")
    one_sentence(inboxstats("account", "remove", "work", "--delete-archive"), 2, "Say it by --yes")
    question = f"Delete the mail of work in {archive}? There may be no other copy (y/n) [n]: "
    done, unasked = inboxstats.at_terminal("account", "remove", "work", answers=[(question.rstrip(), "n")])
    assert (done.code, unasked) == (2, [])
    assert len(list((archive / "work").rglob("*.eml"))) == 5
    done = inboxstats("account", "remove", "work", "--yes", "--delete-archive", **keyring)
    assert (done.code, done.out) == (0, "Removed work. Its mail is deleted.\n")
    assert sorted(each.name for each in archive.iterdir()) == [".lock", "archive.toml"]


def test_a_person_who_says_no_removes_nothing(inboxstats: Inboxstats) -> None:
    inboxstats("account", "add", "me@gmail.com", "--no-login")
    done, unasked = inboxstats.at_terminal("account", "remove", "me@gmail.com", answers=[("(y/n) [n]: ", "")])
    assert (done.code, unasked) == (2, [])
    assert "Nothing was removed" in done.err
    assert list(written(inboxstats)) == ["me@gmail.com"]


def test_an_archive_that_another_run_holds_keeps_its_mail_and_its_account(inboxstats: Inboxstats, user: Login) -> None:
    from inboxstats.archive import Archive

    command = ["account", "add", user.user, *where(user), "--name", "work"]
    assert inboxstats(*command, password=CANARY).code == 0
    assert inboxstats("fetch", password=CANARY).code == 0
    with Archive.open(inboxstats.home / ".local" / "share" / "inboxstats" / "archive").lock():
        one_sentence(inboxstats("account", "remove", "work", "--yes", "--delete-archive"), 7, "Another run holds")
    assert list(written(inboxstats)) == ["work"]
