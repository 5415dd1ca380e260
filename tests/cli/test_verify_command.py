"""`inboxstats verify` as a user runs it: what is damaged is named, set aside, and there again after the next fetch."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import Done, Inboxstats
from scripted import ScriptedServer
from scripted_mailbox import Box, Stored, box
from servers.dovecot import Dovecot
from servers.raw import Login, digests, flags

from inboxstats.archive import Archive

from .test_fetch_command import everything, one_sentence, options, stored

MESSAGES = [
    f"From: a{number}@example.com\r\nSubject: {number}\r\n\r\n{'x' * 200 * number}\r\n".encode()
    for number in range(1, 21)
]
NOT_CHECKED = "Not checked: the content of the files (--read-data), what the server has (--online).\n"


@pytest.fixture
def user(dovecot: Dovecot, dovecot_user: Login) -> Login:
    dovecot.fill(dovecot_user, "INBOX", MESSAGES, flags={0: ["\\Seen"]})
    return dovecot_user


@pytest.fixture
def archive(inboxstats: Inboxstats, user: Login, tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    assert inboxstats(*options(user, path), password=user.password).code == 0
    return path


def eml(archive: Path, uid: int) -> Path:
    (path,) = archive.rglob(f"{uid}.eml")
    return path


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def refetched(inboxstats: Inboxstats, user: Login, archive: Path) -> int:
    done = inboxstats(*options(user, archive), "--json", password=user.password)
    assert done.code == 0, done
    return int(json.loads(done.out)["accounts"][0]["stored"])


def online(user: Login, archive: Path) -> list[str]:
    return ["verify", "--online", *options(user, archive)[1:]]


def test_a_whole_archive_is_said_to_be_whole(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    before = everything(archive)
    by_size = inboxstats("verify", "--archive", str(archive))
    assert by_size.code == 0, by_size
    first, rest = by_size.out.split("\n", 1)
    pattern = rf"{user.user}: 20 messages \(0\.0 MB\) in 1 mailbox as stored, by size, in \d+\.\d s; no damage\."
    assert re.fullmatch(pattern, first)
    assert (rest, by_size.err) == (NOT_CHECKED, "")
    read = inboxstats("verify", "--archive", str(archive), "--read-data")
    assert re.search(r"by size and SHA-256, in \d+\.\d s \([\d,]+/s, \d+\.\d MB/s\); no damage\.", read.out)
    assert read.out.endswith("Not checked: what the server has (--online).\n")
    assert inboxstats("verify", "--archive", str(archive), "-q").out == ""
    assert everything(archive) == before


def test_what_is_damaged_is_named_set_aside_and_there_again_after_the_next_fetch(
    inboxstats: Inboxstats, user: Login, archive: Path
) -> None:
    flip(eml(archive, 3))
    eml(archive, 5).write_bytes(MESSAGES[4][:100])
    eml(archive, 7).unlink()
    done = inboxstats("verify", "--archive", str(archive), "--read-data")
    assert done.code == 8
    assert "17 messages" in done.out
    assert "; 2 damaged, 1 missing." in done.out
    place = f"inboxstats: {user.user}: INBOX: {user.user}/INBOX/1700000000/000000"
    assert sorted(done.err.splitlines()) == [
        f"{place}/3.eml is damaged: the content is not what was stored (SHA-256). Set aside as 3.eml.damaged; "
        "the next fetch gets it again.",
        f"{place}/5.eml is damaged: 100 bytes, {len(MESSAGES[4]):,} were stored. Set aside as 5.eml.damaged; "
        "the next fetch gets it again.",
        f"{place}/7.eml is not there; the next fetch gets it again.",
    ]
    assert inboxstats("verify", "--archive", str(archive)).code == 8  # it is not whole again by itself
    assert refetched(inboxstats, user, archive) == 3
    assert stored(archive) == digests(user)
    clean = inboxstats("verify", "--archive", str(archive), "--read-data")
    assert (clean.code, clean.err) == (0, "")
    assert refetched(inboxstats, user, archive) == 0
    assert len(list(archive.rglob("*.eml.damaged"))) == 2


def test_what_the_server_has_lost_too_is_kept_aside_and_said(
    inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path
) -> None:
    dovecot.create(user, "INBOX", uid_validity=1_800_000_000)
    dovecot.fill(user, "INBOX", MESSAGES[:2])
    assert refetched(inboxstats, user, archive) == 2
    damaged = archive / user.user / "INBOX" / "1700000000" / "000000" / "9.eml"
    flip(damaged)
    bytes_aside = damaged.read_bytes()
    done = inboxstats("verify", "--archive", str(archive), "--read-data")
    one_sentence(done, 8, "9.eml is damaged", "Set aside as 9.eml.damaged; the server no longer has it.")
    assert refetched(inboxstats, user, archive) == 0
    again = inboxstats("verify", "--archive", str(archive), "--read-data")
    assert (again.code, again.err) == (0, "")
    assert "1 message lost or set aside earlier, which the server no longer has." in again.out
    assert damaged.with_name("9.eml.damaged").read_bytes() == bytes_aside


def test_the_report_reads_a_message_that_was_restored(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    def senders() -> list[str]:
        done = inboxstats("sql", "SELECT sender FROM files ORDER BY 1", str(archive), "--json")
        return [row[0] for row in json.loads(done.out)["rows"]]

    path = eml(archive, 3)
    path.write_bytes(path.read_bytes().replace(b"a3@example.com", b"evil@evil.com!"))
    before = senders()
    assert "a3@example.com" not in before
    assert inboxstats("verify", "--archive", str(archive), "--read-data").code == 8
    assert refetched(inboxstats, user, archive) == 1
    assert senders() == sorted(f"a{number}@example.com" for number in range(1, 21))


def test_a_dry_run_only_names(inboxstats: Inboxstats, archive: Path) -> None:
    flip(eml(archive, 3))
    before = everything(archive)
    done = inboxstats("verify", "--archive", str(archive), "--read-data", "-n")
    one_sentence(done, 8, "3.eml is damaged", "Left as it is (--dry-run)")
    assert everything(archive) == before


def test_json_is_one_object_on_stdout(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    flip(eml(archive, 3))
    done = inboxstats("verify", "--archive", str(archive), "--read-data", "--json")
    found = json.loads(done.out)
    assert (done.code, found["exit_code"], found["schema_version"], found["read_data"]) == (8, 8, 1, True)
    (account,) = found["accounts"]
    place = f"{user.user}/INBOX/1700000000/000000/3.eml"
    assert account["findings"] == [
        {
            "kind": "damaged",
            "mailbox": "INBOX",
            "key": "1700000000-3",
            "path": place,
            "reason": "the content is not what was stored (SHA-256)",
            "set_aside": f"{place}.damaged",
            "on_server": True,
        }
    ]
    assert (account["messages"], account["server"], account["error"]) == (19, None, None)


def test_names_that_command_a_terminal_do_not(inboxstats: Inboxstats, tmp_path: Path) -> None:
    archive = tmp_path / "a"
    with ScriptedServer({"evil\x1b[2Jbox": box(MESSAGES[0])}) as server:
        login = Login("127.0.0.1", server.port, "me", "secret")
        assert inboxstats(*options(login, archive), "--all", password="secret").code == 0
    with open(bytes(eml(archive, 1).parent / "x") + b"\xff\x1b[31m.txt", "wb"):
        pass
    eml(archive, 1).write_bytes(b"")
    for more in (("-n", "-v"), ("-n", "--json"), ()):
        done = inboxstats("verify", "--archive", str(archive), *more)
        assert done.code == 8
        assert "\x1b" not in done.out + done.err
        assert "Traceback" not in done.err


def test_a_terminal_sees_progress(inboxstats: Inboxstats, archive: Path) -> None:
    leader, follower = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "inboxstats", "verify", "--archive", str(archive), "--read-data"],
        env=inboxstats.environment(TERM="xterm-256color", COLUMNS="100"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower, timeout=60, check=True,
    )  # fmt: skip
    os.close(follower)
    seen = os.read(leader, 65536)
    os.close(leader)
    assert b"Checking INBOX" in seen
    assert b"/20" in seen


def test_an_archive_in_use_is_said_at_once(inboxstats: Inboxstats, archive: Path) -> None:
    with Archive.open(archive).lock():
        one_sentence(inboxstats("verify", "--archive", str(archive)), 7, "Another run holds", "--wait")


def test_what_is_not_there_is_said(inboxstats: Inboxstats, archive: Path, tmp_path: Path) -> None:
    one_sentence(inboxstats("verify", "--archive", str(tmp_path / "none")), 2, "There is no archive yet")
    one_sentence(inboxstats("verify", "--archive", str(archive), "work"), 2, "has no account 'work'")
    one_sentence(inboxstats("verify", "--archive", str(archive), "-m", "Sent"), 2, "no mailbox 'Sent'", "'INBOX'")
    one_sentence(inboxstats("verify", "--archive", str(archive), "--online"), 2, "There is no account")
    (tmp_path / "empty").mkdir()
    Archive.create(tmp_path / "empty")
    empty = inboxstats("verify", "--archive", str(tmp_path / "empty"))
    assert (empty.code, empty.out) == (0, f"The archive has no mail yet.\n{NOT_CHECKED}")


@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (lambda data: data[:25], "cannot be read"),
        (lambda data: bytes([data[60] ^ 0x80]) + data[1:], "cannot be read"),
        (lambda data: data.replace(b"format = 1", b"format = 2"), "Install a newer inboxstats"),
    ],
)
def test_an_archive_toml_that_is_torn_or_newer_is_refused_and_left(
    inboxstats: Inboxstats, user: Login, archive: Path, harm: object, part: str
) -> None:
    path = archive / "archive.toml"
    path.write_bytes(harm(path.read_bytes()))  # type: ignore[operator]
    before = everything(archive)
    one_sentence(inboxstats("verify", "--archive", str(archive)), 8, part)
    one_sentence(inboxstats(*options(user, archive), password=user.password), 8, part)
    assert everything(archive) == before


@pytest.mark.parametrize("name", ["manifest.jsonl", "mailbox.json", "listing.parquet"])
@pytest.mark.parametrize("verified_first", [True, False])
def test_a_torn_record_is_made_again_from_files_and_server(
    inboxstats: Inboxstats, user: Login, archive: Path, name: str, verified_first: bool
) -> None:
    path = archive / user.user / "INBOX" / name
    path.write_bytes(path.read_bytes()[:-20])
    if verified_first:
        done = inboxstats("verify", "--archive", str(archive))
        assert done.code == (0 if name == "manifest.jsonl" else 8)  # what a killed run does to a manifest is no damage
        assert ("broke off" in done.out) == (name == "manifest.jsonl")
    assert refetched(inboxstats, user, archive) == 0
    assert inboxstats("verify", "--archive", str(archive), "--read-data").code == 0
    assert Archive.open(archive).mailboxes(user.user)[0].state() is not None


def test_a_folder_of_no_account_is_said(inboxstats: Inboxstats, archive: Path) -> None:
    (archive / "holiday").mkdir()
    done = inboxstats("verify", "--archive", str(archive))
    one_sentence(done, 0, "holiday belongs to no account")


def test_the_server_agrees_and_nothing_changes_there(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    before = flags(user)
    done = inboxstats(*online(user, archive), password=user.password)
    assert done.code == 0, done.err
    assert "INBOX: 20 on the server.\n" in done.out
    assert done.out.endswith("Not checked: the content of the files (--read-data).\n")
    assert flags(user) == before


def test_new_mail_is_no_trouble(inboxstats: Inboxstats, dovecot: Dovecot, user: Login, archive: Path) -> None:
    dovecot.fill(user, "INBOX", MESSAGES[:2])
    done = inboxstats(*online(user, archive), password=user.password)
    assert done.code == 0, done.err
    assert "INBOX: 22 on the server, 2 of them new since the last fetch." in done.out


def test_what_the_server_has_and_the_archive_lacks_is_named(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    for uid in (4, 5, 6, 11):
        eml(archive, uid).unlink()
    manifest = archive / user.user / "INBOX" / "manifest.jsonl"
    manifest.write_bytes(
        b"".join(
            line for line in manifest.read_bytes().splitlines(keepends=True)
            if json.loads(line)["uid"] not in (4, 5, 6, 11)
        )
    )  # fmt: skip
    assert inboxstats("verify", "--archive", str(archive)).code == 0
    done = inboxstats(*online(user, archive), password=user.password)
    one_sentence(done, 3, "INBOX: 4 messages of the server not in the archive (UID 4:6, 11). Fetch again.")
    assert refetched(inboxstats, user, archive) == 4
    assert inboxstats(*online(user, archive), password=user.password).code == 0


def test_a_server_that_lies_about_sizes_is_no_damage(inboxstats: Inboxstats, tmp_path: Path) -> None:
    inbox = Box({1: Stored(MESSAGES[0]), 2: Stored(MESSAGES[1], size=7)})
    with ScriptedServer({"INBOX": inbox}) as server:
        login = Login("127.0.0.1", server.port, "me", "secret")
        assert inboxstats(*options(login, tmp_path / "a"), password="secret").code == 0
        done = inboxstats(*online(login, tmp_path / "a"), "-v", password="secret")
    assert done.code == 0, done.err
    assert "INBOX: 2 on the server, 1 of another size than the server says (UID 2), which is no damage." in done.out


def test_mail_under_uids_that_were_used_again_is_compared_with_the_latest(
    inboxstats: Inboxstats, tmp_path: Path
) -> None:
    inbox = box(*(b"Message-ID: <old%d@x>\r\n\r\n" % number for number in range(9)))
    with ScriptedServer({"INBOX": inbox}) as server:
        login = Login("127.0.0.1", server.port, "me", "secret")
        fetch = options(login, tmp_path / "a")
        assert inboxstats(*fetch, password="secret").code == 0
        inbox.messages = box(*(b"Message-ID: <new%d@x>\r\n\r\n." % number for number in range(9))).messages
        assert inboxstats(*fetch, password="secret").code == 3
        assert len(list((tmp_path / "a").rglob("*.eml"))) == 18
        done = inboxstats(*online(login, tmp_path / "a"), "--read-data", password="secret")
    assert done.code == 0, done.err
    assert "INBOX: 9 on the server, 9 in the archive alone." in done.out


def test_a_mailbox_that_the_server_lost_is_kept_and_said(inboxstats: Inboxstats, tmp_path: Path) -> None:
    with ScriptedServer({"INBOX": box(MESSAGES[0]), "Old": box(MESSAGES[1])}) as server:
        login = Login("127.0.0.1", server.port, "me", "secret")
        assert inboxstats(*options(login, tmp_path / "a"), "--all", password="secret").code == 0
        del server.script.mailboxes[b"Old"]
        done = inboxstats(*online(login, tmp_path / "a"), password="secret")
    one_sentence(done, 0, "Old: the server no longer has this mailbox; the archive keeps it.")


def test_trouble_with_the_server_does_not_hide_damage(inboxstats: Inboxstats, user: Login, archive: Path) -> None:
    def tried(password: str) -> Done:
        return inboxstats(*online(user, archive), password=password)

    wrong = tried("canary-Zt9!")
    one_sentence(wrong, 4, "refuses the login")
    assert "20 messages" in wrong.out
    eml(archive, 3).unlink()
    wrong = tried("canary-Zt9!")
    assert wrong.code == 8
    assert "3.eml is not there" in wrong.err
    assert "refuses the login" in wrong.err


def test_another_accounts_server_is_refused_before_any_login(
    inboxstats: Inboxstats, user: Login, archive: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[accounts."{user.user}"]\nhost = "127.0.0.2"\nuser = "x"\nsecurity = "none"\n')
    done = inboxstats("verify", "--online", "--config", str(config), "--archive", str(archive), password="x")
    one_sentence(done, 2, "is me" if user.user == "me" else f"is {user.user} at {user.host}, not x at 127.0.0.2")
