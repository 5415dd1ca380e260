"""config.toml as frozen values. Every mistake is one sentence with its line and its key."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from inboxstats.bandwidth import bytes_per_second
from inboxstats.errors import UsageError, storage_error

if TYPE_CHECKING:  # only a type's name
    from pydantic_core import ErrorDetails

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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


# TOML has neither paths nor tuples, so these two are made from strings and arrays.
UserPath = Annotated[Path, Field(strict=False), AfterValidator(Path.expanduser)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


class Account(_Section):
    """`[accounts.NAME]`: a mailbox's owner on a server."""

    host: str = Field(min_length=1)
    user: str = Field(min_length=1)
    security: Literal["tls", "starttls", "none"] = "tls"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls_fingerprint: Annotated[str, AfterValidator(known_fingerprint)] | None = None
    auth: Literal["password", "oauth"] = "password"
    sign_in: Literal["google", "microsoft"] | None = None
    client_id: str | None = Field(default=None, min_length=1)
    tenant: Annotated[str, AfterValidator(known_tenant)] = "common"
    authority: Annotated[str, AfterValidator(known_authority)] = "https://login.microsoftonline.com"
    password_command: Names = ()
    mailboxes: Annotated[Names, Field(min_length=1)] = ("INBOX",)
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    daily_megabytes: Annotated[int, Field(ge=0, le=1_000_000)] | None = None  # 0 is any amount


class ReportSettings(_Section):
    """`[report]`: where reports go. `keep` is how many the nightly run leaves."""

    out: UserPath | None = None
    formats: Annotated[tuple[Format, ...], Field(strict=False)] = ("html",)
    keep: int | None = Field(default=None, ge=1)


class ParseSettings(_Section):
    """`[parse]`: how much of a message is read, see `parse.Limits`. Sizes are in bytes."""

    message_bytes: int | None = Field(default=None, ge=1024, le=1024**3)
    header_bytes: int | None = Field(default=None, ge=1024, le=16 * 1024**2)
    depth: int | None = Field(default=None, ge=1, le=500)
    parts: int | None = Field(default=None, ge=1, le=100_000)

    def given(self) -> dict[str, int]:
        """The limits that the file says, by their name."""
        return self.model_dump(exclude_none=True)


class DigestSettings(_Section):
    """`[digest]`: who gets the nightly mail, by which server, and whether its counts are pushed (apprise)."""

    to: Annotated[str, AfterValidator(known_address)] | None = None
    sender: Annotated[str, AfterValidator(known_address)] | None = Field(default=None, alias="from")
    smtp_host: Annotated[str, Field(min_length=1)] | None = None
    smtp_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    smtp_security: Literal["tls", "starttls", "none"] = "tls"
    smtp_user: Annotated[str, Field(min_length=1)] | None = None
    smtp_password_command: Names = ()
    notify: bool = False
    notify_command: Names = ()
    quiet_when_nothing: bool = False


class Config(_Section):
    """The whole file. ``None`` is not said there."""

    archive: UserPath | None = None
    timezone: Annotated[str, AfterValidator(known_zone)] | None = None
    identity: Names = ()
    bandwidth: Annotated[str, AfterValidator(known_bandwidth)] | None = None
    accounts: dict[str, Account] = Field(default_factory=dict)
    report: ReportSettings = ReportSettings()
    parse: ParseSettings = ParseSettings()
    digest: DigestSettings | None = None


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
        if keys := _with_nul(values):
            raise UsageError(f"{path}, line {line_of(text, keys)}: {'.'.join(keys[:-1])}: no NUL can stand here.")
        return Config.model_validate(values)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{path}: no valid TOML: {problem}.") from problem
    except ValidationError as problem:
        errors = sorted(problem.errors(), key=lambda error: line_of(text, _keys(error)))
        raise UsageError("\n".join(_sentence(path, text, error) for error in errors)) from None


def _with_nul(value: object) -> list[str]:
    """The keys down to a text with a NUL, which no system takes in a path or a command, and that text; else nothing."""
    match value:
        case str():
            return [value] if "\0" in value else []
        case list():
            return next((found for each in value if (found := _with_nul(each))), [])
        case dict():
            for key, each in value.items():
                if found := _with_nul(key) or _with_nul(each):
                    return [key, *found]
    return []


def _sentence(path: Path, text: str, error: "ErrorDetails") -> str:
    keys = _keys(error)
    place = f"{path}, line {line_of(text, keys)}: "
    key = ".".join(keys)
    if error["type"] == "extra_forbidden":
        if "password" in keys[-1]:
            return f"{place}{key}: a password never stands in this file. Use password_command, or a keyring."
        if keys[-1] in ("client_secret", "refresh_token", "access_token"):
            return f"{place}{key}: no secret stands in this file. Run `inboxstats account login`, which keeps it."
        known = _known_keys(keys[:-1])
        close = get_close_matches(keys[-1], known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(known)}."
        return f"{place}unknown key {key!r}. {hint}"
    if error["type"] == "missing":
        return f"{place}{key} is missing. Add it."
    if error["type"] == "tuple_type":
        return f'{place}{key}: write a list, as in ["one", "two"].'
    return f"{place}{key}: {error['msg'].removeprefix('Value error, ')}."


def _keys(error: "ErrorDetails") -> list[str]:
    return [part for part in error["loc"] if isinstance(part, str)]


def _known_keys(section: list[str]) -> list[str]:
    match section:
        case ["accounts", _]:
            return list(Account.model_fields)
        case ["report"]:
            return list(ReportSettings.model_fields)
        case ["parse"]:
            return list(ParseSettings.model_fields)
        case ["digest"]:
            return [field.alias or name for name, field in DigestSettings.model_fields.items()]
        case _:
            return list(Config.model_fields)


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
