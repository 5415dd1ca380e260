"""Where an address's mail is: what options say, what the address tells, or what a person confirms."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from inboxstats.cli.accounts import refuse_no_host
from inboxstats.cli.asking import ask, confirm, is_anybody_there
from inboxstats.cli.output import complain
from inboxstats.errors import InboxstatsError, NetworkError, TLSError, UsageError

if TYPE_CHECKING:  # what looks at a server is imported when there is something to look at
    from inboxstats.discovery import Candidate
    from inboxstats.providers import Provider


@dataclass(frozen=True, slots=True)
class Given:
    """What the options say of the server."""

    host: str | None
    port: int | None
    security: Literal["tls", "starttls", "none"] | None
    fingerprint: str | None
    dns: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A server that was found."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    how: str
    provider: "Provider"
    fingerprint: str | None = None


def checked_address(text: str) -> str:
    local, at, domain = text.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        ascii_domain = ""
    if not (local and at and ascii_domain and text.isprintable()) or " " in text.strip():
        raise UsageError(f"{text!r} is no mail address. Write one like you@example.org.")
    return text.strip()


def placed(address: str, given: Given, *, silent: bool, no_login: bool) -> Place:
    """The server: that of the options, else the one that is found. Raises UsageError, NetworkError, TLSError."""
    from inboxstats.config import DEFAULT_PORTS
    from inboxstats.providers import provider_of

    if given.host is not None:
        if not given.host or not given.host.isprintable():
            raise UsageError("--host is empty, or has characters that cannot be typed. Give the IMAP server's name.")
        security = given.security or "tls"
        port = given.port or DEFAULT_PORTS[security]
        place = Place(given.host, port, security, "option", provider_of(given.host, port), given.fingerprint)
        return place if no_login else _reached(place)
    if given.port is not None or given.security is not None:
        raise UsageError("--port and --security go with --host. Give it, or leave the server to the address.")
    found = list(_found(address, given.dns))
    guessed = [each for each in found if each.how == "name"]
    if guessed:
        try:
            return _first_that_answers(address, [_place(each, given) for each in guessed], silent=silent)
        except NetworkError as problem:
            if not is_anybody_there():
                raise
            complain(str(problem))
        return placed(address, _asked(address, given), silent=silent, no_login=no_login)
    for candidate in found:
        _confirm(address, candidate)
        if no_login:
            return _place(candidate, given)
        try:
            return _reached(_place(candidate, given))
        except NetworkError as problem:  # then the domain's next one (RFC 2782)
            if candidate is found[-1]:
                raise
            complain(str(problem))
    raise AssertionError("unreachable: there is always a candidate, and the last one returns or raises")


def _asked(address: str, given: Given) -> Given:
    """The server that a person names; a provider's help pages have it. Raises UsageError."""
    answer = ask(f"IMAP server of {address.rpartition('@')[2]}, as its help pages name it", option="--host")
    host, _, port = answer.rpartition(":")
    has_port = host and port.isdecimal() and 0 < int(port) < 65_536
    if has_port:
        return replace(given, host=host, port=int(port))
    refuse_no_host(answer)
    return replace(given, host=answer)


def _confirm(address: str, candidate: "Candidate") -> None:
    """Have a person confirm a server that only the DNS vouches for. Raises UsageError."""
    if not candidate.is_foreign:
        return
    where = f"{address.rpartition('@')[2]} says that its mail is at {candidate.host}"
    if not is_anybody_there():
        raise UsageError(f"{where}, which is another domain. If that is right, say --host {candidate.host}.")
    if not confirm(f"{where}, which is another domain. Is that right?", option="--host"):
        raise UsageError("Then give the server: --host.")


def _place(candidate: "Candidate", given: Given) -> Place:
    return Place(
        candidate.host, candidate.port, candidate.security, candidate.how, candidate.provider, given.fingerprint
    )


def _found(address: str, dns: str | None) -> Iterator["Candidate"]:
    from inboxstats.discovery import candidates, resolver

    return candidates(address.rpartition("@")[2].encode("idna").decode(), resolver(dns))


def _first_that_answers(address: str, places: list[Place], *, silent: bool) -> Place:
    """The likeliest of the places where a server with a valid certificate answers; all are tried at once."""
    from concurrent.futures import ThreadPoolExecutor

    if not silent:
        complain(f"Looking for a server at {', '.join(dict.fromkeys(place.host for place in places))} …")

    def answers(place: Place) -> InboxstatsError | None:
        try:
            _reach(place)
        except InboxstatsError as problem:
            return problem
        return None

    with ThreadPoolExecutor(len(places)) as pool:
        problems = list(pool.map(answers, places))
    for place, problem in zip(places, problems, strict=True):
        if problem is None:
            return place
    for place, problem in zip(places, problems, strict=True):
        if isinstance(problem, TLSError) and problem.fingerprint:  # somebody is there, with another certificate
            return _reached(place)
    domain = address.rpartition("@")[2]
    raise NetworkError(
        f"No IMAP server is found for {domain}. Check the address and the network, or name its server: --host."
    )


def _reached(place: Place) -> Place:
    """The place, where a channel can be had; with its certificate pinned, where a person says so.

    Raises NetworkError, TLSError.
    """
    try:
        _reach(place)
    except TLSError as problem:
        from inboxstats.sources.imap.channel import spelled

        if problem.fingerprint is None or place.fingerprint is not None or not is_anybody_there():
            raise
        complain(
            f"Nobody vouches for the certificate of {place.host}. A bridge on this machine or a server of your own may "
            f"have made it itself; compare its SHA-256 with what that shows:\n{spelled(problem.fingerprint)}"
        )
        if not confirm(
            "Is it the same, and is this certificate to be trusted from now on?", option="--tls-fingerprint"
        ):
            raise
        return replace(place, fingerprint=problem.fingerprint)
    return place


def _reach(place: Place) -> None:
    from inboxstats.sources.imap import ImapSource, Server

    ImapSource(Server(place.host, place.port, "", place.security, place.fingerprint), "").reach()


def explain(place: Place) -> None:
    """What the provider wants, on stderr."""
    from inboxstats.providers import OTHER

    provider = place.provider
    whose = "" if provider is OTHER else f" of {provider.name}"
    complain(f"The server{whose} is {place.host}:{place.port} ({place.security}).")
    for number, step in enumerate(provider.steps, start=1):
        complain(f"  {number}. {step}")
    if provider.wants == "oauth":
        complain(provider.advice)
