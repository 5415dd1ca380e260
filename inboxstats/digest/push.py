"""The digest's counts to a telephone or a chat, by apprise: no subject, no address, no name leaves the machine."""

import logging
import os
from collections.abc import Callable

from inboxstats.credentials import Login, secret_for
from inboxstats.errors import CredentialsError, NetworkError, UsageError

TITLE = "inboxstats"

ENVIRONMENT = "INBOXSTATS_NOTIFY"

_LOGIN = Login("notify", "digest", "notify", is_only=False)


def addresses(command: tuple[str, ...], warn: Callable[[str], None]) -> tuple[str, ...]:
    """The apprise URLs, which hold secrets: what a command prints, systemd's credential ``notify``, the keyring's
    entry ``digest@notify``, or INBOXSTATS_NOTIFY; blanks between several. Raises CredentialsError.
    """
    try:
        login = Login(_LOGIN.host, _LOGIN.user, _LOGIN.account, command, is_only=False)
        text = secret_for(login, warn=warn).text
    except CredentialsError:
        if command or not (text := os.environ.get(ENVIRONMENT, "")):
            if command:
                raise
            raise CredentialsError(
                "[digest] notify wants the address to push to, as of https://github.com/caronc/apprise: "
                f"give notify_command, `keyring set inboxstats {_LOGIN.entry}`, or {ENVIRONMENT}."
            ) from None
        warn(f"The address to push to comes from {ENVIRONMENT}, which other programs of yours can read.")
    return tuple(text.split())


def push(counts: str, urls: tuple[str, ...]) -> None:
    """Send a sentence of counts. Raises UsageError, NetworkError, without the URLs, as they hold secrets."""
    try:
        import apprise
    except ImportError as problem:
        raise UsageError("[digest] notify wants apprise: pip install 'inboxstats[notify]'.") from problem
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log the URLs
    sender = apprise.Apprise()
    for number, url in enumerate(urls, start=1):
        if not sender.add(url):
            raise UsageError(f"The address to push to, number {number}, is none that apprise knows. Write it anew.")
    if not sender.notify(body=counts, title=TITLE):
        raise NetworkError("The counts could not be pushed: a service does not answer or refuses. See your addresses.")
