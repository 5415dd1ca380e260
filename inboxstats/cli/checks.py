"""How checks are told: a line each, or JSON; and how they are run as a timer would run them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxstats.checks import Check
from inboxstats.cli.output import complain, console, say, stdout_errors
from inboxstats.errors import ExitCode, InboxstatsError
from inboxstats.visible import visible

if TYPE_CHECKING:  # what looks at a server is imported when there is something to look at
    from inboxstats.checks.account import Sized

BARE_PATH = "/usr/bin:/bin"
"""What cron gives, and the least that any scheduler does."""

KEPT = ("HOME", "USER", "LOGNAME", "CREDENTIALS_DIRECTORY", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
        "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
"""Of the environment: a timer has these, or can be given them. Not the session's bus, no agent, no secret."""


def tell(check: Check) -> None:
    """A check as a line on stdout."""
    name = check.name if check.account is None else f"{check.account}: {check.name}"
    say(f"{check.state:<9}{name}: {check.says}")


def row(check: Check) -> dict[str, Any]:
    """A check for --json."""
    return {
        "check": check.name,
        "account": check.account,
        "state": check.state,
        "says": check.says,
        "exit_code": int(check.code),
    }


class UntestableError(InboxstatsError):
    """The checks themselves failed in the bare environment."""

    exit_code = ExitCode.BUG


def as_scheduled(command: Sequence[str], names: Sequence[str]) -> list[Check]:
    """The checks that a command of these accounts gives in the environment that a timer has.

    No session bus (which leads to a desktop's keyring), no SSH or GPG agent by the environment, no terminal, the
    shortest PATH, in the home folder. Raises UntestableError.
    """
    bare = {name: os.environ[name] for name in KEPT if name in os.environ}
    bare |= {"PATH": BARE_PATH} if os.name != "nt" else {"PATH": os.environ.get("PATH", "")}
    done = subprocess.run(  # noqa: S603 -- this program
        [sys.executable, "-P", "-m", "inboxstats", *command, "--json", "--", *names],
        env=bare,
        cwd=Path.home(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        start_new_session=True,
    )
    for line in done.stderr.splitlines():
        complain(line.removeprefix("inboxstats: "))
    try:
        rows = json.loads(done.stdout)["checks"]
    except (ValueError, KeyError) as problem:
        raise UntestableError(f"The checks failed with exit code {done.returncode}.") from problem
    return [
        Check(each["check"], each["state"], each["says"], ExitCode(each["exit_code"]), each["account"]) for each in rows
    ]


def shown(checks: Iterable[Check], *, silent: bool) -> list[Check]:
    """All checks, each told as soon as it is made."""
    made = []
    for check in checks:
        made.append(check)
        if not silent:
            tell(check)
    return made


def sizes(sized: "list[Sized]") -> None:
    """A table of mailboxes on stdout, INBOX first."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mailbox", overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("MB", justify="right")
    for each in sorted(sized, key=lambda each: (each.mailbox.name.upper() != "INBOX", each.mailbox.name.casefold())):
        messages, size = each.extent.messages, each.extent.size
        table.add_row(
            visible(each.mailbox.name),
            "?" if messages is None else f"{messages:,}",
            "?" if size is None else f"{'~' * each.extent.is_estimate}{size / 1e6:,.1f}",
        )
    with stdout_errors():
        console().print(table)
