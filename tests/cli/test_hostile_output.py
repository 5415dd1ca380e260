"""What mail and servers say reaches no terminal as a command: on stdout, on stderr, in files that one might `cat`."""

import base64
import unicodedata
from pathlib import Path

import pytest
from command import Inboxstats
from scripted import ScriptedServer, bye, reply, untagged
from scripted_mailbox import box

COMMANDS = (
    "\x1b]52;c;aGk=\x07"  # writes the clipboard
    "\x1b]8;;mailto:x\x1b\\link\x1b]8;;\x1b\\"
    "\x1b[2J\x9b31m"  # CSI in two bytes and in one
    "\x07\x08\x7f\u202egnp.exe\u2066\u200b"
)
HARMLESS = "[2J"
"""What is left of them to see, whatever stands in the place of the rest."""


def commands(text: str) -> set[str]:
    """The characters of an output that a terminal obeys, or that turn or hide what stands beside them."""
    found = {each for each in text.replace("\r\n", "\n") if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")}
    return (found | set(text) & set("\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")) - {"\n"}


def word() -> str:
    return f"=?utf-8?b?{base64.b64encode(COMMANDS.encode()).decode()}?="


FIELDS = {
    "display name, encoded": f"From: {word()} <ann@example.com>\n",
    "display name, raw": f'From: "{COMMANDS}" <bob@example.com>\n',
    "local part": f"From: cal{COMMANDS}@example.com\n",
    "domain": f"From: dan@{COMMANDS}.example.com\n",
    "Subject": f"From: eve@example.com\nSubject: {word()} {COMMANDS}\n",
    "Message-ID": f"From: fay@example.com\nMessage-ID: <{COMMANDS}@example.com>\n",
    "List-Id": f"From: gus@example.com\nList-Id: <{COMMANDS}>\n",
    "file name": f'From: hal@example.com\nContent-Type: application/pdf; name="{word()}"\n',
    "media type": f"From: ivy@example.com\nContent-Type: app/{COMMANDS}; name=x\n",
    "charset": f"From: jim@example.com\nContent-Type: text/plain; charset={COMMANDS}\n",
    "Date": f"From: kim@example.com\nDate: {COMMANDS}\n",
}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Every field that mail can fill, folders and files with such names, and two that cannot be read."""
    folder = tmp_path / "mail"
    hostile = folder / f"box{COMMANDS}"
    hostile.mkdir(parents=True)
    for number, head in enumerate(FIELDS.values()):
        (folder / f"{number}.eml").write_bytes(f"{head}\nharvest{COMMANDS}orchard {COMMANDS}\n".encode())
    (hostile / f"1{COMMANDS}.eml").write_bytes(b"From: lea@example.com\n\nharvest\n")
    (hostile / f"loop{COMMANDS}.eml").symlink_to(f"loop{COMMANDS}.eml")
    (folder / f"{COMMANDS}loop.eml").symlink_to(f"{COMMANDS}loop.eml")
    return folder


def test_the_check_finds_each_of_them() -> None:
    assert commands(COMMANDS) == set("\x1b\x07\x9b\x08\x7f\u202e\u2066\u200b")
    assert commands("a\r\nb\n") == set()


def test_the_report_commands_no_terminal_in_any_format(inboxstats: Inboxstats, mail: Path) -> None:
    out = mail.parent / "out"
    done = inboxstats("report", str(mail), "--top", "0", "--format", "html,json,csv", "--out", str(out), "-v")
    assert done.code == 3
    assert "inboxstats: \ufffd]52;c;aGk=\ufffd" in done.err
    assert "]52;c" in done.out
    assert commands(done.out + done.err) == set()
    names = sorted(path.name for path in (out / "latest").rglob("*") if path.is_file())
    assert {"report.html", "report.json", "senders.csv", "unreadable.csv"} <= set(names)
    for path in (out / "latest").rglob("*"):
        if path.is_file():
            assert commands(path.read_bytes().decode()) == set(), path.name
    as_json = inboxstats("report", str(mail), "--json", "--top", "0")
    assert "\\u001b]52;c" in as_json.out
    assert commands(as_json.out + as_json.err) == set()


def test_a_filter_that_names_what_there_is_commands_no_terminal(inboxstats: Inboxstats, mail: Path) -> None:
    done = inboxstats("report", str(mail), "--mailbox", f"none{COMMANDS}")
    assert done.code == 2
    assert "There are: " in done.err
    assert commands(done.out + done.err) == set()


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_answers_of_sql_command_no_terminal(inboxstats: Inboxstats, mail: Path, form: str) -> None:
    for query in (
        "SELECT subject FROM files WHERE sender = 'eve@example.com'",
        "SELECT * FROM files",  # too wide for a table: a block of lines a row
        "FROM attachments",
        "FROM keywords",
        f'SELECT 1 AS "{COMMANDS}", sender_name FROM files',
        "SELECT {'a': sender_name, 'b': [file, mailbox]} AS both FROM files",
    ):
        done = inboxstats("sql", query, str(mail), "--format", form, "-v")
        assert done.code == 3, done.err
        assert commands(done.out + done.err) == set(), query
        assert HARMLESS in done.out or "keywords" in query, query


def test_a_query_that_fails_with_what_mail_says_commands_no_terminal(inboxstats: Inboxstats, mail: Path) -> None:
    for query in ("SELECT error(subject) FROM files WHERE sender = 'eve@example.com'", f'SELECT "{COMMANDS}"'):
        done = inboxstats("sql", query, str(mail))
        assert done.code == 2
        assert commands(done.out + done.err) == set()


SERVERS = {
    "refusal of LOGIN": ("LOGIN", reply(f"NO [AUTHENTICATIONFAILED] {COMMANDS}")),
    "refusal of EXAMINE": ("EXAMINE", reply(f"NO {COMMANDS}")),
    "refusal of FETCH": ("UID FETCH", reply(f"NO {COMMANDS}")),
    "BAD": ("UID SEARCH", reply(f"BAD {COMMANDS}")),
    "BYE": ("UID FETCH", bye(COMMANDS)),
    "ALERT": ("EXAMINE", untagged(f"* OK [ALERT] {COMMANDS}".encode())),
    "no IMAP": ("UID SEARCH", untagged(f"* {COMMANDS} (((".encode(), COMMANDS.encode())),
}


@pytest.mark.parametrize("what", SERVERS)
@pytest.mark.parametrize("options", [["-vv"], ["--json"]], ids=" ".join)
def test_what_a_server_says_commands_no_terminal(
    inboxstats: Inboxstats, tmp_path: Path, what: str, options: list[str]
) -> None:
    name = COMMANDS.replace("\\", "")
    with ScriptedServer({"INBOX": box(b"Subject: x\r\n\r\n"), name: box(b"Subject: y\r\n\r\n")}) as server:
        command, fault = SERVERS[what]
        server.on(command, fault)
        where = ["--host", "127.0.0.1", "--port", str(server.port), "--user", "user", "--security", "none"]
        archive = tmp_path / "archive"
        done = inboxstats("fetch", *where, "--all", "--archive", str(archive), *options, password="secret")
    assert "Traceback" not in done.err
    assert commands(done.out + done.err) == set()
