"""An account's OAuth: whose sign-in, which registration, and the tokens for its connections."""

from typing import TYPE_CHECKING

from inboxstats.errors import CredentialsError, UsageError

if TYPE_CHECKING:  # what signs in is imported when there is something to sign in to
    from inboxstats.config import Account
    from inboxstats.oauth import Client, Service, Tokens
    from inboxstats.providers import SignIn


def entry_of(account: "Account") -> str:
    """Where the keyring has the account's refresh token."""
    return f"oauth {account.user}@{account.host}"


def mend_of(name: str) -> str:
    """What a person does whose token is at its end."""
    return f"Run `inboxstats account login {name}`."


def sign_in_of(account: "Account") -> "SignIn | None":
    """Whose OAuth it is; ``None`` where that is not known."""
    from inboxstats.config import DEFAULT_PORTS
    from inboxstats.providers import provider_of

    return account.sign_in or provider_of(account.host, account.port or DEFAULT_PORTS[account.security]).sign_in


def registration_of(name: str, account: "Account") -> tuple["Client", "Service"]:
    """The user's client id, and who takes it. Raises UsageError."""
    from inboxstats.oauth import Client, service_of

    kind = sign_in_of(account)
    if kind is None:
        raise UsageError(
            f'How to sign in for {account.host} is not known (Gmail and Microsoft are). Write sign_in = "google" '
            'or "microsoft", or give a password_command that prints an access token.'
        )
    if account.client_id is None:
        raise UsageError(
            f"[accounts.{name}] has no client_id. Register a program of your own (docs/oauth.md) and write its id "
            "there."
        )
    return Client(account.client_id, account.user, f"{account.authority}/{account.tenant}"), service_of(kind)


def tokens_of(name: str, account: "Account") -> "Tokens":
    """Access tokens: those that password_command prints, else those that the kept refresh token gives.

    Raises UsageError, CredentialsError.
    """
    from inboxstats.credentials.command import first_line
    from inboxstats.oauth import command_tokens, kept_tokens
    from inboxstats.oauth.keeping import kept

    command = account.password_command
    if command:
        mend = "password_command must print an access token that is still good."
        return command_tokens(lambda: first_line(command, is_alone=True), mend=mend)
    client, service = registration_of(name, account)
    found = kept(entry_of(account))
    if found is None:
        raise CredentialsError(f"{name} has not signed in yet. {mend_of(name)}")
    return kept_tokens(client, service, entry_of(account), found, mend=mend_of(name))
