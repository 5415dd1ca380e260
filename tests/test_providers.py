"""Providers are known by their hosts."""

import pytest

from inboxstats.providers import OTHER, PROVIDERS, provider_of


@pytest.mark.parametrize(
    ("host", "port", "name", "connections"),
    [
        ("imap.gmail.com", 993, "Gmail", 4),
        ("IMAP.GoogleMail.com.", 993, "Gmail", 4),
        ("outlook.office365.com", 993, "Microsoft", 2),
        ("imap-mail.outlook.com", 993, "Microsoft", 2),
        ("imap.mail.yahoo.com", 993, "Yahoo", 2),
        ("imap.aol.com", 993, "Yahoo", 2),
        ("imap.mail.me.com", 993, "iCloud", 2),
        ("imap.fastmail.com", 993, "Fastmail", 4),
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


def test_gmail_alone_has_a_daily_budget_below_its_2500_megabytes() -> None:
    assert {each.name: each.daily_bytes for each in PROVIDERS if each.daily_bytes} == {"Gmail": 2_000_000_000}
