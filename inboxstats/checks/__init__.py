"""What `account test` and `doctor` look at: each check gives a line, and changes nothing.

`of_account` logs in, once; the others look at this machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from inboxstats.errors import ExitCode, InboxstatsError

State = Literal["ok", "warning", "failed", "left out"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it stands, and a sentence; where it does not stand well, this says how to mend it.

    code    -- what a command ends with that meets this
    account -- whose it is, where it is an account's
    """

    name: str
    state: State
    says: str
    code: ExitCode = ExitCode.DONE
    account: str | None = None


def failed(name: str, problem: InboxstatsError, *, account: str | None = None) -> Check:
    """What an expected error says of it."""
    return Check(name, "failed", str(problem), problem.exit_code, account)


def worst(checks: Iterable[Check]) -> ExitCode:
    """The exit code of all together."""
    return max((each.code for each in checks), default=ExitCode.DONE)
