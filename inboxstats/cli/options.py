"""The options that several commands have, and where their defaults come from.

An option wins over the environment (INBOXSTATS_*), which wins over config.toml, which wins over the default.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inboxstats import bandwidth
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # imported where it is needed: --help needs none of it
    from inboxstats.config import Config
    from inboxstats.parse import Limits


def day_option(text: str) -> Any:
    """An option that takes a day."""
    return typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help=text, show_default=False)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Tell what is done; -vv also what the IMAP library says.")
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar, even on a terminal.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="INBOXSTATS_CONFIG", help="Another config.toml.", show_default=False
    ),
]
ArchiveFolder = Annotated[
    Path | None,
    typer.Option(
        "--archive", metavar="DIR", envvar="INBOXSTATS_ARCHIVE", help="The archive's folder.", show_default=False
    ),
]

Accounts = Annotated[
    list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Accounts of config.toml; default: all.")
]
Host = Annotated[
    str | None,
    typer.Option(envvar="INBOXSTATS_HOST", help="IMAP server, without a config.toml.", show_default=False),
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, envvar="INBOXSTATS_PORT", help="Default 993 for tls, else 143.", show_default=False),
]
User = Annotated[
    str | None, typer.Option(envvar="INBOXSTATS_USER", help="Login name, mostly the address.", show_default=False)
]
Security = Annotated[
    Literal["tls", "starttls", "none"],
    typer.Option(envvar="INBOXSTATS_SECURITY", help="none: loopback only, else --insecure."),
]
TlsFingerprint = Annotated[
    str | None,
    typer.Option(
        metavar="SHA256",
        envvar="INBOXSTATS_TLS_FINGERPRINT",
        help="The one certificate to accept, as of Proton Bridge: its SHA-256 in hex.",
        show_default=False,
    ),
]
PasswordCommand = Annotated[
    str | None,
    typer.Option(
        metavar="CMD",
        envvar="INBOXSTATS_PASSWORD_COMMAND",
        help="Prints the password; split as a shell splits words, run without one.",
        show_default=False,
    ),
]
Bandwidth = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        envvar="INBOXSTATS_BANDWIDTH",
        help="At most so many bytes a second, all connections together: 500k, 2M.",
        show_default=False,
    ),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Allow --security none to another machine.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for another run that holds the archive.")]

Engine = Annotated[
    Literal["processes", "threads", "serial"], typer.Option(envvar="INBOXSTATS_ENGINE", help="What parses.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=256, envvar="INBOXSTATS_WORKERS", help="Default: one a processor.", show_default=False),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE|sender",
        envvar="INBOXSTATS_TIMEZONE",
        help="Like Europe/Berlin, or each sender's own. Default: the machine's.",
        show_default=False,
    ),
]
Clock = Annotated[Literal["received", "date"], typer.Option(help="When the message arrived, or its Date header.")]


def config_path(given: Path | None) -> Path:
    """Where config.toml is; a file that was asked for by name must be there. Raises UsageError."""
    from inboxstats.config import default_path

    if given is None:
        return default_path()
    if not given.exists():
        raise UsageError(f"The configuration {given} does not exist. Check --config and INBOXSTATS_CONFIG.")
    return given


def writable_config_path(given: Path | None) -> Path:
    """Where config.toml is or will be."""
    from inboxstats.config import default_path

    return default_path() if given is None else given


def read_config(given: Path | None) -> "Config":
    """The configuration. Raises UsageError, StorageError."""
    from inboxstats import config

    return config.read(config_path(given))


def archive_path(given: Path | None, config: "Config") -> Path:
    """The archive's folder: the option's, the configuration's, else the platform's data folder."""
    from inboxstats.config import default_archive

    path = given or default_archive(config)
    return Path(os.path.abspath(path.expanduser()))


def bandwidth_cap(given: str | None, config: "Config") -> bandwidth.Bandwidth | None:
    """The cap that the option says, or the configuration; ``None`` where neither does. Raises UsageError."""
    text = config.bandwidth if given is None else given
    if text is None:
        return None
    try:
        return bandwidth.Bandwidth(bandwidth.bytes_per_second(text))
    except ValueError as problem:
        raise UsageError(f"--bandwidth: {problem}.") from problem


def fetched(archive: Path) -> Path:
    """The archive, where there is one. Raises UsageError."""
    if not archive.exists():
        raise UsageError(
            f"There is no archive yet ({archive}). Run `inboxstats fetch` or `inboxstats demo`, or give a path of mail."
        )
    return archive


def parse_limits(config: "Config") -> "Limits":
    """How much of a message is read: as the configuration says, else the default."""
    from inboxstats.parse import Limits

    return Limits(**config.parse.given())


def time_zone(given: str | None, config: "Config") -> str:
    """An IANA name, or ``sender``: the option's, the configuration's, else the machine's. Raises UsageError."""
    from inboxstats.config import known_zone
    from inboxstats.selection import SENDER_ZONE

    zone = given or config.timezone or _machine_zone()
    if zone != SENDER_ZONE:
        try:
            known_zone(zone)
        except ValueError as problem:
            raise UsageError(f"--timezone: {problem}, or `sender`.") from problem
    return zone


def _machine_zone() -> str:
    import tzlocal

    from inboxstats.config import known_zone

    try:
        return known_zone(tzlocal.get_localzone_name())
    except (LookupError, ValueError):  # a machine without a zone, or with one of its own making
        return "UTC"
