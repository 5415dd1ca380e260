"""config.toml as frozen values. Every mistake is one sentence with its line and its key."""

import re
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs

from inboxstats import toml
from inboxstats.bandwidth import bytes_per_second
from inboxstats.errors import UsageError, storage_error

Format = Literal["html", "json", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)

DEFAULT_PORTS = {"tls": 993, "starttls": 143, "none": 143}


def known_zone(name: str) -> str:
    """The name itself, if it is an IANA time zone. Raises ValueError."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Berlin") from None
    return name


def known_fingerprint(text: str) -> str:
    """A certificate's SHA-256 as 64 lower-case hex digits, from hex with or without colons. Raises ValueError."""
    digits = re.sub(r"(?i)^sha-?256(?:[ _]fingerprint)?[:=]", "", text.strip()).replace(":", "").replace(" ", "")
    if re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        return digits.lower()
    raise ValueError(
        f"{text!r} is no SHA-256 fingerprint of a certificate; write its 64 hex digits, with or without colons "
        "(openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE)"
    )


def known_tenant(text: str) -> str:
    """The text itself, if it can be a tenant of Microsoft's: a name, a domain or an id. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", text):
        return text
    raise ValueError(f"{text!r} is no tenant; write common, organizations, consumers, a domain or an id")


def known_authority(text: str) -> str:
    """The text itself, if it is the address of a sign-in service, such as a national cloud's. Raises ValueError."""
    if re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d{1,5})?/?", text):
        return text.rstrip("/")
    raise ValueError(f"{text!r} is no sign-in service; write one like https://login.microsoftonline.us")


def known_bandwidth(text: str) -> str:
    """The text itself, if it says bytes a second. Raises ValueError."""
    bytes_per_second(text)
    return text


def known_address(text: str) -> str:
    """The text itself, if it is an address alone, ``local@domain``, that SMTP takes as it is. Raises ValueError."""
    if re.fullmatch(r"[!#-'*+/-9=?A-Z^-~-]+(\.[!#-'*+/-9=?A-Z^-~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", text):
        return text
    raise ValueError(f"{text!r} is no address; write one like me@example.org")


Security = Literal["tls", "starttls", "none"]
SECURITIES: tuple[Security, ...] = get_args(Security)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`[accounts.NAME]`: a mailbox's owner on a server."""

    host: str
    user: str
    security: Security = "tls"
    port: int | None = None
    tls_fingerprint: str | None = None
    auth: Literal["password", "oauth"] = "password"
    sign_in: Literal["google", "microsoft"] | None = None
    client_id: str | None = None
    tenant: str = "common"
    authority: str = "https://login.microsoftonline.com"
    password_command: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ("INBOX",)
    threads: int | None = None
    daily_megabytes: int | None = None  # 0 is any amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """`[report]`: where reports go. `keep` is how many the nightly run leaves."""

    out: Path | None = None
    formats: tuple[Format, ...] = ("html",)
    keep: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSettings:
    """`[parse]`: how much of a message is read, see `parse.Limits`. Sizes are in bytes."""

    message_bytes: int | None = None
    header_bytes: int | None = None
    depth: int | None = None
    parts: int | None = None

    def given(self) -> dict[str, int]:
        """The limits that the file says, by their name."""
        return {name: value for name, value in as_toml(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSettings:
    """`[digest]`: who gets the nightly mail, by which server, and whether its counts are pushed (apprise)."""

    to: str | None = None
    sender: str | None = None  # `from`, a word of Python's, in the file
    smtp_host: str | None = None
    smtp_port: int | None = None
    smtp_security: Security = "tls"
    smtp_user: str | None = None
    smtp_password_command: tuple[str, ...] = ()
    notify: bool = False
    notify_command: tuple[str, ...] = ()
    quiet_when_nothing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. ``None`` is not said there."""

    archive: Path | None = None
    timezone: str | None = None
    identity: tuple[str, ...] = ()
    bandwidth: str | None = None
    accounts: dict[str, Account] = field(default_factory=dict)
    report: ReportSettings = ReportSettings()
    parse: ParseSettings = ParseSettings()
    digest: DigestSettings | None = None


_NAMES = toml.several(toml.text())
_FIELDS = {"from": "sender"}
"""Names in the file that are others here."""

_ACCOUNT = {
    "host": toml.text(least=1),
    "user": toml.text(least=1),
    "security": toml.one_of(SECURITIES),
    "port": toml.whole(1, 65535),
    "tls_fingerprint": toml.known(known_fingerprint),
    "auth": toml.one_of(("password", "oauth")),
    "sign_in": toml.one_of(("google", "microsoft")),
    "client_id": toml.text(least=1),
    "tenant": toml.known(known_tenant),
    "authority": toml.known(known_authority),
    "password_command": _NAMES,
    "mailboxes": toml.several(toml.text(), least=1),
    "threads": toml.whole(1, 64),
    "daily_megabytes": toml.whole(0, 1_000_000),
}

_REPORT = {"out": toml.path, "formats": toml.several(toml.one_of(FORMATS)), "keep": toml.whole(1)}

_PARSE = {
    "message_bytes": toml.whole(1024, 1024**3),
    "header_bytes": toml.whole(1024, 16 * 1024**2),
    "depth": toml.whole(1, 500),
    "parts": toml.whole(1, 100_000),
}

_DIGEST = {
    "to": toml.known(known_address),
    "from": toml.known(known_address),
    "smtp_host": toml.text(least=1),
    "smtp_port": toml.whole(1, 65535),
    "smtp_security": toml.one_of(SECURITIES),
    "smtp_user": toml.text(least=1),
    "smtp_password_command": _NAMES,
    "notify": toml.truth,
    "notify_command": _NAMES,
    "quiet_when_nothing": toml.truth,
}

_CONFIG = {
    "archive": toml.path,
    "timezone": toml.known(known_zone),
    "identity": _NAMES,
    "bandwidth": toml.known(known_bandwidth),
    "accounts": toml.tables(toml.table(Account, _ACCOUNT, needed=("host", "user"))),
    "report": toml.table(ReportSettings, _REPORT),
    "parse": toml.table(ParseSettings, _PARSE),
    "digest": toml.table(DigestSettings, _DIGEST, fields=_FIELDS),
}

_checked = toml.table(Config, _CONFIG)


def as_toml(section: Any) -> dict[str, Any]:
    """What a section says, by the file's names: lists for tuples, texts for paths, dicts for sections, or ``None``."""
    names = {ours: theirs for theirs, ours in _FIELDS.items()}
    return {names.get(each.name, each.name): _plain(getattr(section, each.name)) for each in fields(section)}


def _plain(value: Any) -> Any:
    match value:
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case _:
            return as_toml(value) if is_dataclass(value) else value


def default_path() -> Path:
    """Where config.toml is, unless the user says otherwise: in the platform's folder for configurations."""
    return platformdirs.user_config_path("inboxstats") / "config.toml"


def default_archive(config: Config) -> Path:
    """The configured archive, else the one in the platform's data folder."""
    return config.archive or platformdirs.user_data_path("inboxstats") / "archive"


def read(path: Path) -> Config:
    """The configuration in a file; the defaults where there is none.

    Raises UsageError with file, line, key and what to write instead; StorageError where the file may not be read.
    """
    return parsed(text_of(path), path)


def text_of(path: Path) -> str:
    """What stands in the file; nothing where there is none. Raises UsageError, StorageError."""
    try:
        return path.read_bytes().decode("utf-8-sig")  # as some editors of Windows begin a file
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as problem:
        raise UsageError(f"{path}: not UTF-8 (byte {problem.start}). Save it as UTF-8.") from problem
    except OSError as problem:
        raise storage_error("read", path, problem) from problem


def parsed(text: str, path: Path) -> Config:
    """The configuration that a text says; `path` is for the sentences. Raises UsageError as `read` does."""
    try:
        configuration: Config = _checked(tomllib.loads(text))
        return configuration
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{path}: no valid TOML: {problem}.") from problem
    except toml.Mistakes as mistakes:
        lines = [(line_of(text, list(each.keys)), each.said(".".join(each.keys))) for each in mistakes.found]
        told = [f"{path}, line {line}: {said}" for line, said in sorted(lines, key=itemgetter(0))]
        raise UsageError("\n".join(told)) from None


def line_of(text: str, keys: list[str]) -> int:
    """The line where a key stands, else that of its section, else 1: tomllib keeps no positions."""
    section: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = _parts(header[1])
            here = section
        elif assignment := re.match(r"\s*([^#=\[\]]+?)\s*=", line):
            here = section + _parts(assignment[1])
        else:
            continue
        if len(here) > depth and here == keys[: len(here)]:
            best, depth = number, len(here)
    return best


def _parts(dotted: str) -> list[str]:
    """``accounts."me@example.org".host`` → its three parts."""
    return ["".join(found) for found in re.findall(r"""\"([^"]*)"|'([^']*)'|([^\s."']+)""", dotted)]
