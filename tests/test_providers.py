"""Providers are known by their hosts."""

import pytest

from inboxstats.providers import OTHER, PROVIDERS, provider_of


@pytest.mark.parametrize(
    ("host", "port", "name", "connections"),
    [
        ("imap.gmail.com", 993, "Gmail", 4),
        ("IMAP.GoogleMail.com.", 993, "Gmail", 4),
        ("outlook.office365.com", 993, "Microsoft 365", 2),
        ("imap-mail.outlook.com", 993, "Outlook.com", 2),
        ("imap.mail.yahoo.com", 993, "Yahoo", 2),
        ("imap.aol.com", 993, "AOL", 2),
        ("imap.mail.me.com", 993, "iCloud", 2),
        ("imap.fastmail.com", 993, "Fastmail", 4),
        ("imap.gmx.net", 993, "GMX", 4),
        ("imappro.zoho.eu", 993, "Zoho", 2),
        ("imap.mailbox.org", 993, "mailbox.org", 4),
        ("127.0.0.1", 1143, "Proton Bridge", 2),
        ("localhost", 1143, "Proton Bridge", 2),
    ],
)
def test_a_provider_is_known_by_its_host(host: str, port: int, name: str, connections: int) -> None:
    found = provider_of(host, port)
    assert (found.name, found.connections) == (name, connections)


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", 143), ("imap.example.org", 1143), ("notgmail.com", 993), ("gmail.com.example.org", 993), ("", 993)],
)
def test_another_host_is_nobodys(host: str, port: int) -> None:
    assert provider_of(host, port) is OTHER
    assert (OTHER.connections, OTHER.daily_bytes) == (8, None)


def test_google_alone_has_a_daily_budget_below_its_2500_megabytes() -> None:
    budgets = {each.name: each.daily_bytes for each in PROVIDERS if each.daily_bytes}
    assert budgets == {"Gmail": 2_000_000_000, "Google Workspace": 2_000_000_000}


def test_the_server_of_each_provider_is_known_as_its_own() -> None:
    services = [(provider, service) for provider in PROVIDERS for service in provider.services]
    assert len(services) == 19
    for provider, service in services:
        same = provider_of(service.host, service.port)
        assert (same.connections, same.daily_bytes, same.wants) == (
            provider.connections,
            provider.daily_bytes,
            provider.wants,
        )


def test_no_domain_has_two_providers() -> None:
    domains = [domain for provider in PROVIDERS for service in provider.services for domain in service.domains]
    assert len(domains) == len(set(domains)) > 40
