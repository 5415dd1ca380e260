"""What `inboxstats account add` is told of OAuth by options, and asks where they do not say it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inboxstats.cli.asking import ask
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # imported where it is needed: --help needs none of it
    from inboxstats.config import Account

Auth = Annotated[
    Literal["password", "oauth"] | None,
    typer.Option(help="How to log in. Default: by OAuth where an option says so, or the provider wants it."),
]
ClientId = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Log in by OAuth, as Microsoft wants: docs/oauth.md.", show_default=False),
]
SignIn = Annotated[
    Literal["google", "microsoft"] | None, typer.Option(help="OAuth: whose, where the server does not tell.")
]
Tenant = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="OAuth at Microsoft: your organization. Default: common.", show_default=False),
]
Authority = Annotated[
    str | None, typer.Option(metavar="URL", help="OAuth at Microsoft: a national cloud's sign-in.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class GivenOAuth:
    """What the options say; ``None`` where they say nothing."""

    auth: Literal["password", "oauth"] | None
    client_id: str | None
    sign_in: Literal["google", "microsoft"] | None
    tenant: str | None
    authority: str | None

    def is_wanted(self, *, by_provider: bool) -> bool:
        """Whether the login goes by OAuth. Raises UsageError where options contradict each other."""
        others = self._said()
        if self.auth == "password" and others:
            option = next(iter(others)).replace("_", "-")
            raise UsageError(f"--{option} is OAuth's, and --auth password wants none. Give one of the two.")
        return self.auth == "oauth" or (self.auth is None and (by_provider or bool(others)))

    def applied(self, account: "Account") -> "Account":
        """The account with what is given, and with the answers to what is missing. Raises UsageError."""
        from inboxstats.cli.oauth import sign_in_of
        from inboxstats.config import known_authority, known_tenant

        said = self._said() | {"auth": "oauth"}
        for name, known in (("tenant", known_tenant), ("authority", known_authority)):
            if name in said:
                said[name] = _known(f"--{name}", said[name], known)
        account = replace(account, **said)
        if account.password_command:  # it prints the tokens
            return account
        if sign_in_of(account) is None:
            account = replace(account, sign_in=_asked_sign_in(account.host))
        if account.client_id is None:
            what = "Client id (docs/oauth.md says how to come to one)"
            account = replace(account, client_id=ask(what, option="--client-id, see docs/oauth.md"))
        return account

    def _said(self) -> dict[str, Any]:
        names = ("client_id", "sign_in", "tenant", "authority")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _known(option: str, text: str, known: Callable[[str], str]) -> str:
    try:
        return known(text)
    except ValueError as problem:
        raise UsageError(f"{option}: {problem}.") from None


_SIGN_INS: tuple[Literal["google", "microsoft"], ...] = ("google", "microsoft")


def _asked_sign_in(host: str) -> Literal["google", "microsoft"]:
    answer = ask(f"Whose sign-in does {host} take, google or microsoft", option="--sign-in, or by --password-command")
    for each in _SIGN_INS:
        if answer == each:
            return each
    raise UsageError(
        f"{answer!r} is neither google nor microsoft. With another's, give a --password-command that prints an "
        "access token."
    )
