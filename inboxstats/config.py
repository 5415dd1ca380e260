"""config.toml as frozen values. Every mistake is one sentence with its line and its key."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import platformdirs
from annotated_types import Interval, MinLen

from inboxstats.bandwidth import bytes_per_second
from inboxstats.errors import UsageError, storage_error

if TYPE_CHECKING:  # see _STRICTNESS
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema, ErrorDetails

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


def without_nul(text: str) -> str:
    """The text itself, if no NUL is in it, which no system takes in a path or a command. Raises ValueError."""
    if "\0" in text:
        raise ValueError("no NUL can stand here")
    return text


def at_home(path: Path) -> Path:
    """The path, whose ``~`` is the home folder. Raises ValueError."""
    without_nul(str(path))
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("nobody knows the home folder that ~ means here; write it out") from None


@dataclass(frozen=True, slots=True)
class Known:
    """What pydantic keeps of a value: what `check` gives for it."""

    check: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


class _AsWritten:
    """No number of a text or a truth, no truth of a number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return cast("CoreSchema", {**handler(source), "strict": True})


Text = Annotated[str, Known(without_nul)]
Named = Annotated[str, MinLen(1), Known(without_nul)]
UserPath = Annotated[Path, Known(at_home)]
Names = tuple[Text, ...]
Whole = Annotated[int, _AsWritten()]
Truth = Annotated[bool, _AsWritten()]
Port = Annotated[Whole, Interval(ge=1, le=65535)]
Security = Literal["tls", "starttls", "none"]

_ALIASES = {"sender": "from"}  # a word of Python's
# For pydantic, which is imported where there is a file: it takes as long as all else of a command's start.
_STRICTNESS = {"extra": "forbid", "alias_generator": lambda name: _ALIASES.get(name, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`[accounts.NAME]`: a mailbox's owner on a server."""

    __pydantic_config__ = _STRICTNESS
    host: Named
    user: Named
    security: Security = "tls"
    port: Port | None = None
    tls_fingerprint: Annotated[Text, Known(known_fingerprint)] | None = None
    auth: Literal["password", "oauth"] = "password"
    sign_in: Literal["google", "microsoft"] | None = None
    client_id: Named | None = None
    tenant: Annotated[Text, Known(known_tenant)] = "common"
    authority: Annotated[Text, Known(known_authority)] = "https://login.microsoftonline.com"
    password_command: Names = ()
    mailboxes: Annotated[Names, MinLen(1)] = ("INBOX",)
    threads: Annotated[Whole, Interval(ge=1, le=64)] | None = None
    daily_megabytes: Annotated[Whole, Interval(ge=0, le=1_000_000)] | None = None  # 0 is any amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """`[report]`: where reports go. `keep` is how many the nightly run leaves."""

    __pydantic_config__ = _STRICTNESS
    out: UserPath | None = None
    formats: tuple[Format, ...] = ("html",)
    keep: Annotated[Whole, Interval(ge=1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSettings:
    """`[parse]`: how much of a message is read, see `parse.Limits`. Sizes are in bytes."""

    __pydantic_config__ = _STRICTNESS
    message_bytes: Annotated[Whole, Interval(ge=1024, le=1024**3)] | None = None
    header_bytes: Annotated[Whole, Interval(ge=1024, le=16 * 1024**2)] | None = None
    depth: Annotated[Whole, Interval(ge=1, le=500)] | None = None
    parts: Annotated[Whole, Interval(ge=1, le=100_000)] | None = None

    def given(self) -> dict[str, int]:
        """The limits that the file says, by their name."""
        return {name: value for name, value in as_toml(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSettings:
    """`[digest]`: who gets the nightly mail, by which server, and whether its counts are pushed (apprise)."""

    __pydantic_config__ = _STRICTNESS
    to: Annotated[Text, Known(known_address)] | None = None
    sender: Annotated[Text, Known(known_address)] | None = None
    smtp_host: Named | None = None
    smtp_port: Port | None = None
    smtp_security: Security = "tls"
    smtp_user: Named | None = None
    smtp_password_command: Names = ()
    notify: Truth = False
    notify_command: Names = ()
    quiet_when_nothing: Truth = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. ``None`` is not said there."""

    __pydantic_config__ = _STRICTNESS
    archive: UserPath | None = None
    timezone: Annotated[Text, Known(known_zone)] | None = None
    identity: Names = ()
    bandwidth: Annotated[Text, Known(known_bandwidth)] | None = None
    accounts: dict[Text, Account] = field(default_factory=dict)
    report: ReportSettings = ReportSettings()
    parse: ParseSettings = ParseSettings()
    digest: DigestSettings | None = None


def as_toml(section: Any) -> dict[str, Any]:
    """What a section says, by the file's names: lists for tuples, texts for paths, dicts for sections, or ``None``."""
    return {_ALIASES.get(each.name, each.name): _plain(getattr(section, each.name)) for each in fields(section)}


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
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{path}: no valid TOML: {problem}.") from problem
    if not values:
        return Config()

    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Config).validate_python(values)
    except ValidationError as problem:
        errors = sorted(problem.errors(), key=lambda error: line_of(text, _keys(error)))
        raise UsageError("\n".join(_sentence(path, text, error) for error in errors)) from None


def _sentence(path: Path, text: str, error: "ErrorDetails") -> str:
    keys = _keys(error)
    place = f"{path}, line {line_of(text, keys)}: "
    key = ".".join(keys)
    match error["type"]:
        case "unexpected_keyword_argument":
            return f"{place}{_unknown(keys, key)}"
        case "missing":
            return f"{place}{key} is missing. Add it."
        case "tuple_type":
            return f'{place}{key}: write a list, as in ["one", "two"].'
        case "path_type":
            return f"{place}{key}: Input should be a valid string."
        case "dataclass_type" | "dict_type":
            return f"{place}{key}: write a table, as in [{key}]."
        case _:
            return f"{place}{key}: {error['msg'].removeprefix('Value error, ')}."


def _unknown(keys: list[str], key: str) -> str:
    from difflib import get_close_matches

    if "password" in keys[-1]:
        return f"{key}: a password never stands in this file. Use password_command, or a keyring."
    if keys[-1] in ("client_secret", "refresh_token", "access_token"):
        return f"{key}: no secret stands in this file. Run `inboxstats account login`, which keeps it."
    known = _known_keys(keys[:-1])
    close = get_close_matches(keys[-1], known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(known)}."
    return f"unknown key {key!r}. {hint}"


def _keys(error: "ErrorDetails") -> list[str]:
    keys = [part for part in error["loc"] if isinstance(part, str)]
    return keys[:-2] if keys[-1] == "[key]" else keys  # a name that is no name


def _known_keys(section: list[str]) -> list[str]:
    sections: Mapping[str, Any] = {"report": ReportSettings, "parse": ParseSettings, "digest": DigestSettings}
    named = Account if section[:1] == ["accounts"] else sections[section[0]] if section else Config
    return [_ALIASES.get(each.name, each.name) for each in fields(named)]


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
