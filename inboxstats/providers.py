"""What is known of mail providers: their servers, the password that they want, connections and bytes that they bear.

A row a provider. Their limits are theirs to change: a server that refuses or throttles is obeyed all the same, see
`pace`. Checked in November 2026.
"""

from dataclasses import dataclass
from typing import Literal

Wants = Literal["password", "app password", "bridge password", "oauth"]
SignIn = Literal["google", "microsoft"]


@dataclass(frozen=True, slots=True)
class Service:
    """An IMAP server of a provider.

    domains    -- of the addresses whose mail it has
    exchangers -- ends of the names in the MX records of other domains whose mail it has
    """

    host: str
    port: int = 993
    security: Literal["tls", "starttls"] = "tls"
    domains: tuple[str, ...] = ()
    exchangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, known by the ends of its hosts' names, or by the domain of an address.

    hosts       -- a host itself, or the domain that it is in
    port        -- where only this port of the host is the provider's; ``None`` is any
    connections -- how many at once to begin with
    daily_bytes -- bodies to take on one day (UTC), below the provider's own limit; ``None`` is any amount
    advice      -- on the password, for a user whose login is refused
    wants       -- what it takes in the place of a password
    sign_in     -- whose OAuth gives a token for it; ``None`` where we know of none
    steps       -- what a user does first, in order, a sentence each
    """

    name: str
    hosts: tuple[str, ...] = ()
    port: int | None = None
    connections: int = 8
    daily_bytes: int | None = None
    advice: str = "Gmail, Yahoo and iCloud want an app password."
    wants: Wants = "password"
    sign_in: SignIn | None = None
    steps: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()


OTHER = Provider("another provider")

_GOOGLE_DAILY_BYTES = 2_000_000_000
"""2,500 MB a day by IMAP, and whoever takes more is locked out for up to 24 hours."""

_BRIDGE_HOSTS = ("localhost", "127.0.0.1", "::1")

PROVIDERS = (
    Provider(
        "Gmail",
        ("gmail.com", "googlemail.com"),
        sign_in="google",
        connections=4,  # of 15
        daily_bytes=_GOOGLE_DAILY_BYTES,
        advice="Gmail wants an app password: https://myaccount.google.com/apppasswords (with 2-Step Verification on).",
        wants="app password",
        steps=(
            "Switch on 2-Step Verification: https://myaccount.google.com/signinoptions/twosv",
            "Make an app password: https://myaccount.google.com/apppasswords",
        ),
        services=(Service("imap.gmail.com", domains=("gmail.com", "googlemail.com")),),
    ),
    Provider(
        "Google Workspace",
        ("imap.gmail.com",),
        sign_in="google",
        connections=4,
        daily_bytes=_GOOGLE_DAILY_BYTES,
        wants="app password",
        steps=(
            "Switch on 2-Step Verification: https://myaccount.google.com/signinoptions/twosv",
            "Make an app password: https://myaccount.google.com/apppasswords",
            "Where that page does not exist, the administrator of your domain allows OAuth only.",
        ),
        services=(Service("imap.gmail.com", exchangers=("google.com", "googlemail.com")),),
    ),
    Provider(
        "Outlook.com",
        ("outlook.com", "hotmail.com"),
        sign_in="microsoft",
        connections=2,  # of about 20, and throttled soon
        advice="Outlook.com takes no password by IMAP any more, only OAuth.",
        wants="oauth",
        services=(
            Service(
                "outlook.office365.com",
                domains=("outlook.com", "hotmail.com", "live.com", "msn.com", "outlook.de", "outlook.fr", "hotmail.de",
                         "hotmail.fr", "hotmail.co.uk", "live.de", "live.fr", "live.co.uk"),
                exchangers=("olc.protection.outlook.com",),
            ),
        ),
    ),
    Provider(
        "Microsoft 365",
        ("office365.com", "office365.us"),
        sign_in="microsoft",
        connections=2,
        advice="Microsoft 365 and Outlook.com take no password by IMAP any more, only OAuth.",
        wants="oauth",
        services=(
            Service("outlook.office365.com", exchangers=("mail.protection.outlook.com", "mx.microsoft")),
            Service("outlook.office365.us", exchangers=("mail.protection.office365.us",)),
        ),
    ),
    Provider(
        "AOL",
        ("aol.com",),
        connections=2,
        advice="AOL wants an app password, made under Account security.",
        wants="app password",
        steps=("Make an app password: https://login.aol.com/account/security, Generate app password",),
        services=(
            Service("imap.aol.com", domains=("aol.com", "aim.com"), exchangers=("mx-aol.mail.gm0.yahoodns.net",)),
        ),
    ),
    Provider(
        "Yahoo",
        ("yahoo.com",),
        connections=2,  # of 5 to 10
        advice="Yahoo wants an app password, made under Account security.",
        wants="app password",
        steps=("Make an app password: https://login.yahoo.com/account/security, Generate app password",),
        services=(
            Service(
                "imap.mail.yahoo.com",
                # Not yahoo.co.jp, which is another company's.
                domains=("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es",
                         "yahoo.ca", "yahoo.in", "yahoo.co.uk", "yahoo.co.in", "yahoo.com.br", "yahoo.com.au"),
                exchangers=("yahoodns.net",),
            ),
        ),
    ),
    Provider(
        "iCloud",
        ("mail.me.com", "icloud.com"),
        connections=2,  # of about 5
        advice="iCloud wants an app-specific password: https://account.apple.com.",
        wants="app password",
        steps=("Make an app-specific password: https://account.apple.com, Sign-In and Security",),
        services=(
            Service("imap.mail.me.com", domains=("icloud.com", "me.com", "mac.com"), exchangers=("mail.icloud.com",)),
        ),
    ),
    Provider(
        "Fastmail",
        ("fastmail.com",),
        connections=4,
        advice="Fastmail wants an app password, made under Settings, Privacy & Security.",
        wants="app password",
        steps=(
            "Make an app password for Mail (IMAP): Settings, Privacy & Security, Manage app passwords, at "
            "https://app.fastmail.com/settings/security",
        ),
        services=(
            Service(
                "imap.fastmail.com", domains=("fastmail.com", "fastmail.fm"), exchangers=("messagingengine.com",)
            ),
        ),
    ),
    Provider(
        "Proton Bridge",
        _BRIDGE_HOSTS,
        port=1143,
        connections=2,
        advice="Proton Bridge shows a password of its own for each account, which is not that of Proton.",
        wants="bridge password",
        steps=(
            "Proton encrypts your mail, and its own program decrypts it on this machine: install and start Proton Mail "
            "Bridge (of a paid plan), https://proton.me/mail/bridge",
            "Sign in there, and wait until it has synchronised: before that its mailboxes are empty.",
            "Take the password from Bridge's mailbox details. It is not that of your Proton account.",
        ),
        services=(
            Service(
                "127.0.0.1", 1143, "starttls",
                domains=("proton.me", "protonmail.com", "pm.me", "protonmail.ch"), exchangers=("protonmail.ch",),
            ),
        ),
    ),
    Provider(
        "GMX",
        ("gmx.net", "gmx.com"),
        connections=4,
        advice="GMX lets programs in once POP3 & IMAP is switched on in its settings; with two-factor authentication "
        "it wants an app password.",
        steps=(
            "Let programs in: on GMX's page, E-Mail, Settings, POP3 & IMAP",
            "With two-factor authentication, make an app password under My Account, Security.",
        ),
        services=(
            Service("imap.gmx.net", domains=("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), exchangers=("gmx.net",)),
            Service("imap.gmx.com", domains=("gmx.com", "gmx.us", "gmx.co.uk", "gmx.fr", "gmx.es", "gmx.it")),
        ),
    ),
    Provider(
        "Zoho",
        ("zoho.com", "zoho.eu", "zoho.in"),
        connections=2,
        advice="Zoho lets programs in once IMAP access is switched on under Settings, Mail Accounts; with two-factor "
        "authentication it wants an app-specific password.",
        steps=(
            "Switch on IMAP access: on Zoho Mail's page, Settings, Mail Accounts, IMAP",
            "With two-factor authentication, make an app-specific password: https://accounts.zoho.com, Security",
        ),
        services=(
            Service("imap.zoho.com", domains=("zoho.com", "zohomail.com")),
            Service("imap.zoho.eu", domains=("zoho.eu", "zohomail.eu")),
            Service("imap.zoho.in", domains=("zoho.in", "zohomail.in")),
            Service("imappro.zoho.com", exchangers=("zoho.com",)),
            Service("imappro.zoho.eu", exchangers=("zoho.eu",)),
            Service("imappro.zoho.in", exchangers=("zoho.in",)),
        ),
    ),
    Provider(
        "mailbox.org",
        ("mailbox.org",),
        connections=4,
        advice="With two-factor authentication, mailbox.org wants an app password.",
        steps=("With two-factor authentication, make an app password: Settings, Security, Application passwords.",),
        services=(Service("imap.mailbox.org", domains=("mailbox.org",), exchangers=("mailbox.org",)),),
    ),
)  # fmt: skip


def provider_of(host: str, port: int) -> Provider:
    """Whose server it is; `OTHER` where that is unknown."""
    for provider in PROVIDERS:
        if _ends_in(host, provider.hosts) and provider.port in (None, port):
            return provider
    return OTHER


def of_domain(domain: str) -> tuple[Provider, Service] | None:
    """Who has the mail of the addresses of a domain, where the domain is a provider's own."""
    return next((found for found in _services() if domain.lower() in found[1].domains), None)


def of_exchanger(name: str) -> tuple[Provider, Service] | None:
    """Who has the mail of a domain whose MX record has this name."""
    return next((found for found in _services() if _ends_in(name, found[1].exchangers)), None)


def _services() -> list[tuple[Provider, Service]]:
    return [(provider, service) for provider in PROVIDERS for service in provider.services]


def _ends_in(host: str, ends: tuple[str, ...]) -> bool:
    name = host.lower().rstrip(".")
    return any(name == end or name.endswith(f".{end}") for end in ends)
