"""The server of an address: by the provider, by SRV and MX records of a real DNS server, and by guessing."""

import socket
from contextlib import suppress

import pytest
from servers.dns import Records, dns_server

from inboxstats import discovery
from inboxstats.discovery import Candidate, candidates, resolver
from inboxstats.errors import UsageError


def found(domain: str, records: Records) -> list[Candidate]:
    with dns_server(records) as (address, _):
        return list(candidates(domain, resolver(address)))


def places(domain: str, records: Records) -> list[tuple[str, int, str, str]]:
    return [(each.host, each.port, each.security, each.how) for each in found(domain, records)]


@pytest.mark.parametrize(
    ("domain", "provider", "place", "wants"),
    [
        ("gmail.com", "Gmail", ("imap.gmail.com", 993, "tls"), "app password"),
        ("Hotmail.com", "Outlook.com", ("outlook.office365.com", 993, "tls"), "oauth"),
        ("yahoo.co.uk", "Yahoo", ("imap.mail.yahoo.com", 993, "tls"), "app password"),
        ("aol.com", "AOL", ("imap.aol.com", 993, "tls"), "app password"),
        ("me.com", "iCloud", ("imap.mail.me.com", 993, "tls"), "app password"),
        ("fastmail.com", "Fastmail", ("imap.fastmail.com", 993, "tls"), "app password"),
        ("proton.me", "Proton Bridge", ("127.0.0.1", 1143, "starttls"), "bridge password"),
        ("gmx.de", "GMX", ("imap.gmx.net", 993, "tls"), "password"),
        ("gmx.com", "GMX", ("imap.gmx.com", 993, "tls"), "password"),
        ("zohomail.eu", "Zoho", ("imap.zoho.eu", 993, "tls"), "password"),
        ("mailbox.org", "mailbox.org", ("imap.mailbox.org", 993, "tls"), "password"),
    ],
)
def test_a_providers_own_addresses_are_known_without_asking_the_dns(
    domain: str, provider: str, place: tuple[str, int, str], wants: str
) -> None:
    with dns_server({}) as (address, asked):
        (only,) = candidates(domain, resolver(address))
    assert ((only.host, only.port, only.security), only.how) == (place, "address")
    assert (only.provider.name, only.provider.wants, only.is_foreign) == (provider, wants, False)
    assert asked == []


@pytest.mark.parametrize(
    ("exchangers", "provider", "host"),
    [
        (["10 alt1.aspmx.l.google.com.", "1 ASPMX.L.Google.com."], "Google Workspace", "imap.gmail.com"),
        (["1 smtp.google.com."], "Google Workspace", "imap.gmail.com"),
        (["0 example-org.mail.protection.outlook.com."], "Microsoft 365", "outlook.office365.com"),
        (["0 example-org.r-v1.mx.microsoft."], "Microsoft 365", "outlook.office365.com"),
        (["0 mx01.mail.icloud.com."], "iCloud", "imap.mail.me.com"),
        (["10 in1-smtp.messagingengine.com."], "Fastmail", "imap.fastmail.com"),
        (["10 mail.protonmail.ch."], "Proton Bridge", "127.0.0.1"),
        (["10 mx.zoho.eu."], "Zoho", "imappro.zoho.eu"),
        (["10 mxext1.mailbox.org."], "mailbox.org", "imap.mailbox.org"),
        (["20 spam-filter.example.net.", "30 mx.zoho.com."], "Zoho", "imappro.zoho.com"),
    ],
)
def test_a_domain_whose_mail_a_provider_has_is_known_by_its_mx_records(
    exchangers: list[str], provider: str, host: str
) -> None:
    (only,) = found("example.org", {("example.org", "MX"): exchangers})
    assert (only.provider.name, only.host, only.how, only.is_foreign) == (provider, host, "MX", False)


def test_srv_records_are_taken_by_priority_and_weight_and_tls_before_starttls() -> None:
    records = {
        ("_imaps._tcp.example.org", "SRV"): [
            "10 5 993 late.example.org.",
            "0 1 9993 small.example.org.",
            "0 9 993 Big.Example.org.",
        ],
        ("_imap._tcp.example.org", "SRV"): ["0 1 143 plain.example.org."],
        ("example.org", "MX"): ["1 aspmx.l.google.com."],
    }
    assert places("example.org", records) == [
        ("big.example.org", 993, "tls", "SRV"),
        ("small.example.org", 9993, "tls", "SRV"),
        ("late.example.org", 993, "tls", "SRV"),
        ("plain.example.org", 143, "starttls", "SRV"),
    ]


def test_a_service_that_is_decidedly_not_offered_is_passed_over() -> None:
    records = {
        ("_imaps._tcp.example.org", "SRV"): ["0 0 0 ."],
        ("_imap._tcp.example.org", "SRV"): ["0 1 143 mail.example.org."],
    }
    assert places("example.org", records) == [("mail.example.org", 143, "starttls", "SRV")]


@pytest.mark.parametrize(
    ("target", "provider", "is_foreign"),
    [
        ("imap.example.org.", "another provider", False),
        ("example.org.", "another provider", False),
        ("imap.fastmail.com.", "Fastmail", False),
        ("imap.hoster.example.net.", "another provider", True),
        ("imap.example.org.evil.example.", "another provider", True),
        ("notexample.org.", "another provider", True),
    ],
)
def test_a_server_in_another_domain_is_to_be_confirmed_unless_a_known_provider_has_it(
    target: str, provider: str, is_foreign: bool
) -> None:
    (only,) = found("Example.org", {("_imaps._tcp.example.org", "SRV"): [f"0 1 993 {target}"]})
    assert (only.provider.name, only.is_foreign) == (provider, is_foreign)


GUESSES = [
    ("imap.example.org", 993, "tls", "name"),
    ("mail.example.org", 993, "tls", "name"),
    ("imap.example.org", 143, "starttls", "name"),
    ("mail.example.org", 143, "starttls", "name"),
]


@pytest.mark.parametrize(
    "records", [{}, {("example.org", "MX"): ["10 mx.example.org."]}, {("example.org", "MX"): ["0 ."]}]
)
def test_without_records_common_names_are_guessed(records: Records) -> None:
    assert places("example.org", records) == GUESSES


def test_a_dns_that_does_not_answer_is_waited_for_a_few_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "SECONDS", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        found = list(candidates("example.org", resolver(f"127.0.0.1:{mute.getsockname()[1]}")))
        mute.setblocking(False)
        asked = set()
        with suppress(BlockingIOError):
            while True:
                asked.add(mute.recv(512)[12:].partition(b"\0")[0])
    assert asked == {b"\x06_imaps\x04_tcp\x07example\x03org"}, "RFC 1035, section 4.1.2: it is asked no more"
    assert [(each.host, each.port, each.security, each.how) for each in found] == GUESSES


@pytest.mark.parametrize("domain", ["a..b", "x" * 70 + ".org"])
def test_a_name_that_is_none_finds_nothing_in_the_dns(domain: str) -> None:
    assert {how for _, _, _, how in places(domain, {})} == {"name"}


def test_a_resolver_is_an_address() -> None:
    assert (resolver("192.0.2.53").nameservers, resolver("192.0.2.53").port) == (["192.0.2.53"], 53)
    assert (resolver("2001:db8::53").nameservers, resolver("192.0.2.53:5353").port) == (["2001:db8::53"], 5353)
    for wrong in ("dns.example.org", "192.0.2.53:x", ""):
        with pytest.raises(UsageError, match="is no address"):
            resolver(wrong)
