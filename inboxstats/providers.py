"""What is known of mail providers: connections that they bear, bytes they give a day, the password that they want.

A row a provider. Their limits are theirs to change: a server that refuses or throttles is obeyed all the same, see
`pace`. Checked in November 2026.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, known by the ends of its hosts' names.

    hosts       -- a host itself, or the domain that it is in
    port        -- where only this port of the host is the provider's; ``None`` is any
    connections -- how many at once to begin with
    daily_bytes -- bodies to take on one day (UTC), below the provider's own limit; ``None`` is any amount
    advice      -- on the password, for a user whose login is refused
    """

    name: str
    hosts: tuple[str, ...] = ()
    port: int | None = None
    connections: int = 8
    daily_bytes: int | None = None
    advice: str = "Gmail, Yahoo and iCloud want an app password."


OTHER = Provider("another provider")

PROVIDERS = (
    Provider(
        "Gmail",
        ("gmail.com", "googlemail.com"),
        connections=4,  # of 15
        # 2,500 MB a day by IMAP, and whoever takes more is locked out for up to 24 hours.
        daily_bytes=2_000_000_000,
        advice="Gmail wants an app password: https://myaccount.google.com/apppasswords (with 2-Step Verification on).",
    ),
    Provider(
        "Microsoft",
        ("outlook.com", "office365.com", "office365.us", "hotmail.com"),
        connections=2,  # of about 20, and throttled soon
        advice="Microsoft 365 and Outlook.com take no password by IMAP any more, only OAuth.",
    ),
    Provider(
        "Yahoo",
        ("yahoo.com", "aol.com"),
        connections=2,  # of 5 to 10
        advice="Yahoo and AOL want an app password, made under Account security.",
    ),
    Provider(
        "iCloud",
        ("mail.me.com", "icloud.com"),
        connections=2,  # of about 5
        advice="iCloud wants an app-specific password: https://account.apple.com.",
    ),
    Provider(
        "Fastmail",
        ("fastmail.com",),
        connections=4,
        advice="Fastmail wants an app password, made under Settings, Privacy & Security.",
    ),
    Provider(
        "Proton Bridge",
        ("localhost", "127.0.0.1", "::1"),
        port=1143,
        connections=2,
        advice="Proton Bridge shows a password of its own for each account, which is not that of Proton.",
    ),
)


def provider_of(host: str, port: int) -> Provider:
    """Whose server it is; `OTHER` where that is unknown."""
    name = host.lower().rstrip(".")
    for provider in PROVIDERS:
        is_theirs = any(name == known or name.endswith(f".{known}") for known in provider.hosts)
        if is_theirs and provider.port in (None, port):
            return provider
    return OTHER
