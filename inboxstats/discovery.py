"""Which IMAP server an address has: a known provider's, the one that its domain names in the DNS, or a common name.

Asks the DNS and opens no other connection. What the DNS says is unsigned: whoever forges it can send a user's password
to a server of their own, with a valid certificate. A server outside of the address's domain that is no known
provider's is therefore marked, and a person confirms it (RFC 6186, section 6).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from inboxstats.errors import UsageError
from inboxstats.providers import OTHER, Provider, Service, of_domain, of_exchanger, provider_of

if TYPE_CHECKING:  # dnspython takes 100 ms
    import dns.resolver

SECONDS = 5.0
"""For each question to the DNS, with all its tries."""

COMMON = ("imap", "mail")
"""Under which names a domain's server mostly stands."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that may have an address's mail.

    how        -- by what it was found
    is_foreign -- neither in the address's domain nor a known provider's: to be confirmed before a password is sent
    """

    host: str
    port: int
    security: Literal["tls", "starttls"]
    how: Literal["address", "SRV", "MX", "name"]
    provider: Provider = OTHER
    is_foreign: bool = False


def resolver(server: str | None = None) -> "dns.resolver.Resolver":
    """What asks the DNS: the machine's own servers, or the one at ``ADDRESS`` or ``ADDRESS:PORT``.

    Raises UsageError.
    """
    import dns.exception
    import dns.resolver

    try:
        found = dns.resolver.Resolver(configure=server is None)
    except dns.exception.DNSException:  # a machine without a DNS
        found = dns.resolver.Resolver(configure=False)
    found.lifetime = SECONDS
    if server is not None:
        address, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "53")
        try:
            found.nameservers = [str(ip_address(address))]
            found.port = int(port)
        except ValueError as problem:
            raise UsageError(
                f"--dns {server} is no address. Write one like 192.0.2.53, or 192.0.2.53:5353."
            ) from problem
    return found


class _SilentError(Exception):
    """The DNS does not answer."""


def candidates(domain: str, dns_resolver: "dns.resolver.Resolver") -> Iterator[Candidate]:
    """The servers to try for the addresses of a domain, the likeliest first.

    What a provider or the domain itself says ends the search; only then common names are guessed.
    """
    if known := of_domain(domain):
        yield _of_provider(*known, "address")
        return
    said: list[Candidate] = []
    with suppress(_SilentError):  # it is asked no more: each question would take as long
        said.extend(_by_srv(domain, dns_resolver))
        if not said:
            known_ones = filter(None, map(of_exchanger, _exchangers(domain, dns_resolver)))
            said.extend(_of_provider(*found, "MX") for found in islice(known_ones, 1))
    if said:
        yield from said
        return
    for port, security in ((993, "tls"), (143, "starttls")):
        for name in COMMON:
            yield Candidate(f"{name}.{domain}", port, "tls" if security == "tls" else "starttls", "name")


def _of_provider(provider: Provider, service: Service, how: Literal["address", "MX"]) -> Candidate:
    return Candidate(service.host, service.port, service.security, how, provider)


def _by_srv(domain: str, dns_resolver: "dns.resolver.Resolver") -> Iterator[Candidate]:
    """RFC 6186; RFC 8314, section 5.1, wants TLS from the first byte preferred to STARTTLS."""
    for service, security in (("_imaps", "tls"), ("_imap", "starttls")):
        records = _answers(f"{service}._tcp.{domain}", "SRV", dns_resolver)
        for record in sorted(records, key=lambda each: (each.priority, -each.weight)):
            host = record.target.to_text(omit_final_dot=True).lower()
            if host in ("", "."):  # the service is decidedly not offered (RFC 2782)
                continue
            provider = provider_of(host, record.port)
            is_own = host == domain.lower() or host.endswith(f".{domain.lower()}")
            yield Candidate(
                host,
                record.port,
                "tls" if security == "tls" else "starttls",
                "SRV",
                provider,
                is_foreign=provider is OTHER and not is_own,
            )


def _exchangers(domain: str, dns_resolver: "dns.resolver.Resolver") -> list[str]:
    """The names in the MX records, the preferred first."""
    records = sorted(_answers(domain, "MX", dns_resolver), key=lambda each: int(each.preference))
    return [record.exchange.to_text(omit_final_dot=True) for record in records]


def _answers(name: str, kind: str, dns_resolver: "dns.resolver.Resolver") -> list[Any]:
    """The records of a name; none where the DNS has none. Raises _SilentError."""
    import dns.exception

    try:
        return list(dns_resolver.resolve(name, kind, search=False))
    except dns.exception.Timeout as problem:
        raise _SilentError from problem
    except (dns.exception.DNSException, UnicodeError):
        return []
