"""config.toml: read, or refused with line and key."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from inboxstats import config
from inboxstats.errors import StorageError, UsageError
from inboxstats.parse import Limits

WHOLE = """
archive = "~/Mail/inboxstats"
timezone = "Europe/Berlin"
identity = ["me@example.org"]
[accounts.work]
host = "imap.example.org"
port = 993
user = "me@example.org"
security = "tls"
password_command = ["pass", "show", "mail/work"]
mailboxes = ["INBOX", "Sent"]
threads = 8
[report]
out = "~/inboxstats"
formats = ["html", "json"]
keep = 30
[parse]
message_bytes = 1_000_000
depth = 10
[digest]
to = "me@example.org"
from = "inboxstats@example.org"
smtp_host = "smtp.example.org"
smtp_port = 465
smtp_security = "tls"
smtp_user = "me@example.org"
smtp_password_command = ["pass", "show", "mail/work"]
notify = true
notify_command = ["pass", "show", "notify"]
quiet_when_nothing = true
"""


def read(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return config.read(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "config.toml"), "FILE")


def test_the_documented_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = read(tmp_path, WHOLE)
    assert found.archive == Path("/home/me/Mail/inboxstats")
    assert found.timezone == "Europe/Berlin"
    assert found.identity == ("me@example.org",)
    work = found.accounts["work"]
    assert (work.host, work.port, work.user, work.security) == ("imap.example.org", 993, "me@example.org", "tls")
    assert work.password_command == ("pass", "show", "mail/work")
    assert (work.mailboxes, work.threads) == (("INBOX", "Sent"), 8)
    assert (found.report.out, found.report.formats) == (Path("/home/me/inboxstats"), ("html", "json"))
    assert found.parse.given() == {"message_bytes": 1_000_000, "depth": 10}
    assert found.digest is not None
    assert (found.digest.to, found.digest.sender) == ("me@example.org", "inboxstats@example.org")
    assert (found.digest.smtp_host, found.digest.smtp_port, found.digest.smtp_security) == (
        "smtp.example.org",
        465,
        "tls",
    )
    assert (found.digest.smtp_user, found.digest.smtp_password_command) == (
        "me@example.org",
        ("pass", "show", "mail/work"),
    )
    assert (found.digest.notify, found.digest.notify_command) == (True, ("pass", "show", "notify"))
    assert found.digest.quiet_when_nothing


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    found = config.read(tmp_path / "none.toml")
    assert found == config.Config()
    assert (found.accounts, found.report.formats) == ({}, ("html",))


def test_what_was_read_is_told_by_the_files_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    told = config.as_toml(read(tmp_path, WHOLE))
    written = tomllib.loads(WHOLE.replace("~", "/home/me"))
    assert told["accounts"].keys() == written["accounts"].keys()
    pairs = [(written, told), (written["accounts"]["work"], told["accounts"]["work"])]
    pairs += [(written[section], told[section]) for section in ("report", "parse", "digest")]
    for said, ours in pairs:
        plain = {key: value for key, value in said.items() if not isinstance(value, dict)}
        assert {key: ours[key] for key in plain} == plain


@pytest.mark.parametrize(
    ("section", "text"),
    [
        (config.Config(), "zzz = 1"),
        (config.Account(host="h", user="u"), "[accounts.a]\nhost = 'h'\nuser = 'u'\nzzz = 1"),
        (config.ReportSettings(), "[report]\nzzz = 1"),
        (config.ParseSettings(), "[parse]\nzzz = 1"),
        (config.DigestSettings(), "[digest]\nzzz = 1"),
    ],
)
def test_everything_that_a_section_holds_can_stand_in_the_file(section: object, text: str, tmp_path: Path) -> None:
    _, known = refusal(tmp_path, text).split(" Known here: ")
    assert known == f"{', '.join(config.as_toml(section))}."


def test_an_account_needs_host_and_user_alone(tmp_path: Path) -> None:
    account = read(tmp_path, '[accounts.a]\nhost = "h"\nuser = "u"').accounts["a"]
    assert (account.security, account.port, account.mailboxes, account.threads) == ("tls", None, ("INBOX",), None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("archive = \n", "FILE: no valid TOML: Invalid value (at line 1, column 11)."),
        ("\n\narchiv = 'x'\n", "FILE, line 3: unknown key 'archiv'. Did you mean 'archive'?"),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\n# usr\nusr = 'u'\n",
            "FILE, line 5: unknown key 'accounts.a.usr'. Did you mean 'user'?",
        ),
        ("[accounts.'x.y']\nhost = 'h'\n", "FILE, line 1: accounts.x.y.user is missing. Add it."),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\npassword = 'hunter2'\n",
            "FILE, line 4: accounts.a.password: a password never stands in this file. "
            "Use password_command, or a keyring.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nclient_secret = 'hunter2'\n",
            "FILE, line 4: accounts.a.client_secret: no secret stands in this file. "
            "Run `inboxstats account login`, which keeps it.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nauthority = 'http://login.example'\n",
            "FILE, line 4: accounts.a.authority: 'http://login.example' is no sign-in service; write one like "
            "https://login.microsoftonline.us.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\ntenant = '../x'\n",
            "FILE, line 4: accounts.a.tenant: '../x' is no tenant; write common, organizations, consumers, a domain or "
            "an id.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nport = 70000\n",
            "FILE, line 4: accounts.a.port: Input should be less than or equal to 65535.",
        ),
        (
            "timezone = 'Mars/Olympus'\n",
            "FILE, line 1: timezone: 'Mars/Olympus' is no time zone; write one like Europe/Berlin.",
        ),
        (
            "[report]\nformats = ['html', 'doc']\n",
            "FILE, line 2: report.formats: Input should be 'html', 'json' or 'csv'.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\npassword_command = 'pass show x'\n",
            'FILE, line 4: accounts.a.password_command: write a list, as in ["one", "two"].',
        ),
        (
            "[parse]\nmessage_bytes = '64 MB'\n",
            "FILE, line 2: parse.message_bytes: Input should be a valid integer.",
        ),
        ("[parse]\ndepth = 0\n", "FILE, line 2: parse.depth: Input should be greater than or equal to 1."),
        (
            "[parse]\nheader_bytes = 17_000_000\n",
            "FILE, line 2: parse.header_bytes: Input should be less than or equal to 16777216.",
        ),
        ("[parse]\npart = 5\n", "FILE, line 2: unknown key 'parse.part'. Did you mean 'parts'?"),
        (
            "bandwidth = 'fast'\n",
            "FILE, line 1: bandwidth: 'fast' is no bandwidth; write bytes a second such as 500k or 2M, 1k at least.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\ndaily_megabytes = -1\n",
            "FILE, line 4: accounts.a.daily_megabytes: Input should be greater than or equal to 0.",
        ),
        (
            "[digest]\nto = 'me@example.org\\r\\nBcc: you@example.org'\n".replace("'", '"'),
            "FILE, line 2: digest.to: 'me@example.org\\r\\nBcc: you@example.org' is no address; "
            "write one like me@example.org.",
        ),
        ("[digest]\nform = 'me@example.org'\n", "FILE, line 2: unknown key 'digest.form'. Did you mean 'from'?"),
        (
            "[digest]\nsmtp_password = 'hunter2'\n",
            "FILE, line 2: digest.smtp_password: a password never stands in this file. "
            "Use password_command, or a keyring.",
        ),
        ("[reports]\nout = 'x'\n", "FILE, line 1: unknown key 'reports'. Did you mean 'report'?"),
        ("report = 3\n", "FILE, line 1: report: write a table, as in [report]."),
        ("[accounts]\na = 'h'\n", "FILE, line 2: accounts.a: write a table, as in [accounts.a]."),
        ("[[accounts]]\nhost = 'h'\n", "FILE, line 1: accounts: write a table, as in [accounts]."),
        ("identity = 'me@example.org'\n", 'FILE, line 1: identity: write a list, as in ["one", "two"].'),
        ("identity = ['me', 1]\n", "FILE, line 1: identity: Input should be a valid string."),
        ("archive = 1\n", "FILE, line 1: archive: Input should be a valid string."),
        (
            "archive = '~nobody-of-that-name/mail'\n",
            "FILE, line 1: archive: nobody knows the home folder that ~ means here; write it out.",
        ),
        (
            "[accounts.a]\nhost = ''\nuser = 'u'\n",
            "FILE, line 2: accounts.a.host: String should have at least 1 character.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nmailboxes = []\n",
            "FILE, line 4: accounts.a.mailboxes: Tuple should have at least 1 item after validation, not 0.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nthreads = true\n",
            "FILE, line 4: accounts.a.threads: Input should be a valid integer.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nthreads = 2.0\n",
            "FILE, line 4: accounts.a.threads: Input should be a valid integer.",
        ),
        (
            "[accounts.a]\nhost = 'h'\nuser = 'u'\nsecurity = 'TLS'\n",
            "FILE, line 4: accounts.a.security: Input should be 'tls', 'starttls' or 'none'.",
        ),
        ("[digest]\nnotify = 1\n", "FILE, line 2: digest.notify: Input should be a valid boolean."),
    ],
)
def test_a_mistake_is_a_sentence_with_line_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == sentence


def test_a_nul_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    text = '[accounts.a]\nhost = "h"\nuser = "u"\npassword_command = ["echo", "a\\u0000b"]\n'
    assert refusal(tmp_path, text) == "FILE, line 4: accounts.a.password_command: no NUL can stand here."
    assert refusal(tmp_path, 'archive = "a\\u0000b"') == "FILE, line 1: archive: no NUL can stand here."
    assert refusal(tmp_path, f"[report]\nkeep = 0\n{text}").splitlines() == [
        "FILE, line 2: report.keep: Input should be greater than or equal to 1.",
        "FILE, line 6: accounts.a.password_command: no NUL can stand here.",
    ]
    name = '[accounts."a\\u0000b"]\nhost = "h"\nuser = "u"\n'
    assert refusal(tmp_path, name) == "FILE, line 1: accounts: no NUL can stand here."
    assert "NUL" in refusal(tmp_path, '[digest]\nto = "a\\u0000b@example.org"\n')
    assert "unknown key 'a\\x00b'" in refusal(tmp_path, '"a\\u0000b" = 1\n')


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbftimezone = 'UTC'\r\n")
    assert config.read(tmp_path / "config.toml").timezone == "UTC"


def test_every_limit_of_the_parser_can_be_said_and_the_document_says_the_defaults() -> None:
    text = (Path(__file__).parents[1] / "docs" / "hostile-mail.md").read_text()
    (section,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    documented = tomllib.loads(section)
    assert documented == {"parse": asdict(Limits())}
    assert config.parsed(section, Path("config.toml")).parse.given() == documented["parse"]


def test_several_mistakes_are_all_told(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a = 1\nb = 2\n").count("unknown key") == 2


def test_a_value_is_never_repeated(tmp_path: Path) -> None:
    text = "[accounts.a]\nhost = 'h'\nuser = 'u'\nport = 'hunter2'\npasswort = 'hunter2'"
    assert "hunter2" not in refusal(tmp_path, text)


def test_other_encodings_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"archive = 'caf\xe9'")
    with pytest.raises(UsageError, match="not UTF-8"):
        config.read(tmp_path / "config.toml")
    with pytest.raises(StorageError, match="Cannot read"):
        config.read(tmp_path)


DIGITS = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
COLONS = ":".join(DIGITS[place : place + 2] for place in range(0, 64, 2))


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        COLONS,
        COLONS.upper(),
        f" {DIGITS}\n",
        f"SHA256:{DIGITS}",
        f"sha256 Fingerprint={COLONS}",
    ],
)
def test_a_fingerprint_is_known_in_every_usual_form(text: str) -> None:
    assert config.known_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "x", DIGITS[:-1], DIGITS + "0", DIGITS[:40], "g" * 64, "sha256"])
def test_another_fingerprint_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no SHA-256 fingerprint .* 64 hex digits, with or without colons"):
        config.known_fingerprint(text)


def test_a_fingerprint_stands_in_an_account(tmp_path: Path) -> None:
    account = "[accounts.a]\nhost = 'h'\nuser = 'u'\ntls_fingerprint = "
    assert read(tmp_path, f"{account}'{COLONS.upper()}'\n").accounts["a"].tls_fingerprint == DIGITS
    said = refusal(tmp_path, f"{account}'abc'\n")
    assert said.startswith("FILE, line 4: accounts.a.tls_fingerprint: 'abc' is no SHA-256 fingerprint")
