"""Checks of an account: its secret, the channel, the login, and how much is in its mailboxes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from inboxstats.checks import Check, failed
from inboxstats.choosing import chosen
from inboxstats.credentials import Way
from inboxstats.errors import InboxstatsError, ServerRefusalError, UnreadableAnswerError
from inboxstats.globs import matches
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import Extent, ImapSource, Server

WAYS: dict[Way, str] = {
    "command": "password_command",
    "systemd": "systemd's credentials",
    "keyring": "the keyring",
    "environment": "INBOXSTATS_PASSWORD",
    "prompt": "the terminal",
}
"""Where a secret comes from, in words."""


MEASURING = 10.0
"""Seconds after which no more mailboxes are measured."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A mailbox on the server, how much is in it, and whether the account fetches it."""

    mailbox: Mailbox
    extent: Extent
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What is to be checked. `login` gives the source, not connected yet, and where its secret came from.

    `login` raises CredentialsError, UsageError.
    """

    name: str
    server: Server
    mailboxes: tuple[str, ...]
    login: Callable[[], tuple[ImapSource, Way]]


def survey(source: ImapSource, patterns: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> list[Sized]:
    """Every mailbox of the server, in its order, with what is in it: a round trip each. Raises NetworkError.

    Where a server tells no sizes, as Gmail's does not, those of messages are added up, as far as MEASURING allows.
    """
    found = [
        Sized(box, source.extent(box), any(matches(box.name, pattern) for pattern in patterns))
        for box in source.mailboxes()
    ]
    end = clock() + MEASURING
    measured: dict[str, Sized] = {}
    for each in sorted(found, key=lambda each: not each.is_wanted):
        if each.extent.size is None and clock() < end:
            with suppress(ServerRefusalError, UnreadableAnswerError):  # then it stays unknown
                measured[each.mailbox.name] = replace(each, extent=source.measured(each.mailbox))
    return [measured.get(each.mailbox.name, each) for each in found]


def total(sized: Sequence[Sized]) -> Extent:
    """What the wanted ones have together, as far as the server tells."""
    wanted = [each.extent for each in sized if each.is_wanted]
    sizes = [extent.size for extent in wanted]
    known = [size for size in sizes if size is not None]
    return Extent(
        sum(extent.messages or 0 for extent in wanted),
        sum(known) if len(known) == len(sizes) and sizes else None,
        any(extent.is_estimate for extent in wanted),
    )


def of_account(account: Account, keep: Callable[[list[Sized]], None] = lambda _: None) -> Iterator[Check]:
    """The checks of an account, one after the other; a login is tried once. `keep` is given its mailboxes."""
    source: ImapSource | None = None
    try:
        source, way = account.login()
        yield Check("secret", "ok", f"from {WAYS[way]}", account=account.name)
    except InboxstatsError as problem:
        yield failed("secret", problem, account=account.name)
    channel = _channel(account)
    yield channel
    if source is None or channel.state == "failed":
        reason = "without a secret" if source is None else "without a channel"
        for name in ("login", "mailboxes"):
            yield Check(name, "left out", reason, account=account.name)
        return
    try:
        yield from _logged_in(account, source, keep)
    finally:
        source.close()


def _channel(account: Account) -> Check:
    server = account.server
    try:
        version = ImapSource(server, "").reach()
    except InboxstatsError as problem:
        return failed("tls", problem, account=account.name)
    if version is None:
        return Check("tls", "ok", f"{server}: none, as security says", account=account.name)
    how = "the pinned certificate" if server.fingerprint else "a valid certificate"
    return Check("tls", "ok", f"{server}: {version}, {how}", account=account.name)


def _logged_in(account: Account, source: ImapSource, keep: Callable[[list[Sized]], None]) -> Iterator[Check]:
    try:
        source.connect()
    except InboxstatsError as problem:
        yield failed("login", problem, account=account.name)
        yield Check("mailboxes", "left out", "without a login", account=account.name)
        return
    yield Check("login", "ok", f"as {account.server.user}", account=account.name)
    try:
        chosen(source.mailboxes(), account.mailboxes)
        sized = survey(source, account.mailboxes)
    except InboxstatsError as problem:
        yield failed("mailboxes", problem, account=account.name)
        return
    keep(sized)
    wanted = sum(each.is_wanted for each in sized)
    extent = total(sized)
    size = "" if extent.size is None else f", {'about ' * extent.is_estimate}{extent.size / 1e6:,.1f} MB"
    messages = extent.messages or 0
    says = (
        f"{wanted} of {len(sized)} {'is' if wanted == 1 else 'are'} fetched: "
        f"{messages:,} {'message' if messages == 1 else 'messages'}{size}"
    )
    yield Check("mailboxes", "ok", says, account=account.name)
