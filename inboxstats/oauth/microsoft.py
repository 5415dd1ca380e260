"""Outlook.com and Microsoft 365: the device code flow (RFC 8628), for which a browser on any machine will do."""

from collections.abc import Callable
from typing import Any

import msal
import requests

from inboxstats.errors import CredentialsError, NetworkError, UsageError
from inboxstats.oauth import Client, Granted, Kept, Show

SCOPES = ["https://outlook.office.com/IMAP.AccessAsUser.All"]
"""msal asks for offline_access, the refresh token, by itself."""

TIMEOUT = 30.0
"""Seconds for each answer of the sign-in service."""

# RFC 6749, section 5.2, RFC 8628, section 3.5, and Microsoft's own: the person, or the registration, must change.
_FINAL = {
    *("invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "invalid_request", "access_denied"),
    *("authorization_declined", "expired_token", "bad_verification_code", "interaction_required", "consent_required"),
    *("login_required", "unsupported_grant_type", "invalid_resource"),
}


def login(
    client: Client,
    client_secret: str,  # noqa: ARG001 -- every `Service` takes these
    *,
    show: Show,
    port: int,  # noqa: ARG001 -- likewise
    open_browser: bool,  # noqa: ARG001 -- likewise
) -> Granted:
    """See `Service`. No browser is opened, and nothing listens on this machine."""
    application = _application(client)
    flow = _answer(lambda: application.initiate_device_flow(SCOPES))
    if "user_code" not in flow:
        raise _problem(flow)
    show(f"Open {flow['verification_uri']} in a browser, on any machine, and enter the code {flow['user_code']}")
    return _granted(_answer(lambda: application.acquire_token_by_device_flow(flow)))


def refresh(client: Client, kept: Kept) -> Granted:
    """See `Service`."""
    application = _application(client)
    return _granted(_answer(lambda: application.acquire_token_by_refresh_token(kept.refresh_token, SCOPES)))


def _application(client: Client) -> Any:
    # instance_discovery: a sign-in service of another cloud is not known to the public one, and need not be.
    return _answer(
        lambda: msal.PublicClientApplication(
            client.client_id, authority=client.authority, instance_discovery=False, timeout=TIMEOUT
        )
    )


def _answer(ask: Callable[[], Any]) -> Any:
    """What msal says. Raises NetworkError, UsageError."""
    try:
        return ask()
    except requests.RequestException as problem:
        raise NetworkError(f"Microsoft's sign-in cannot be reached ({type(problem).__name__}). Run again.") from None
    except ValueError as problem:  # an authority or a client id that cannot be
        said = str(problem).strip().splitlines() or [""]
        raise UsageError(f"Microsoft's sign-in: {said[0]} Check client_id, tenant and authority.") from None


def _granted(answer: dict[str, Any]) -> Granted:
    if "access_token" not in answer:
        raise _problem(answer)
    return Granted(str(answer["access_token"]), float(answer.get("expires_in", 3600)), answer.get("refresh_token"))


def _problem(answer: dict[str, Any]) -> CredentialsError | NetworkError:
    error = str(answer.get("error", "no token"))
    said = (str(answer.get("error_description", "")).strip().splitlines() or [""])[0]
    sentence = f"Microsoft's sign-in says {error}{f' ({said})' if said else ''}."
    return CredentialsError(sentence) if error in _FINAL else NetworkError(f"{sentence} Run again later.")
