"""Where a digest goes: one way's trouble does not stop the other."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from servers.webhook import Webhook

from inboxstats.archive import Owner
from inboxstats.cli.delivery import deliver, deliver_sentence, my_addresses
from inboxstats.config import Account, Config, DigestSettings
from inboxstats.digest import Findings, Period, nothing
from inboxstats.errors import CredentialsError, NetworkError, UsageError

# apprise tries a module that Python is about to drop, and does without it where it is gone.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def quiet() -> Findings:
    return nothing(Period(NOW - timedelta(days=1), NOW), "UTC", ())


def test_nobody_who_is_to_get_it_is_off(quiet: Findings) -> None:
    warnings: list[str] = []
    assert deliver(quiet, None, warn=warnings.append) == "off"
    assert deliver(quiet, DigestSettings(), warn=warnings.append) == "off"
    assert warnings == []


def test_the_push_goes_out_though_the_mail_fails_and_the_failure_is_told(quiet: Findings, service: Webhook) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    both = DigestSettings(
        to="me@example.org",
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        notify_command=("echo", f"json://127.0.0.1:{service.server_port}/"),
    )
    with pytest.raises(NetworkError, match=f"127.0.0.1:{port} cannot be reached"):
        deliver(quiet, both, warn=lambda _: None)
    assert [json.loads(body)["message"] for body in service.bodies] == ["no new messages"]


def test_of_two_ways_that_fail_both_are_told(service: Webhook) -> None:
    service.answer = 500
    warnings: list[str] = []
    both = DigestSettings(to="me@example.org", notify_command=("echo", f"json://127.0.0.1:{service.server_port}/"))
    with pytest.raises(UsageError, match="smtp_host is missing"):
        deliver_sentence("It was killed.", both, warn=warnings.append)
    (warning,) = warnings
    assert "could not be pushed" in warning


def test_a_missing_smtp_password_is_asked_for_where_it_is_looked_for(
    quiet: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("INBOXSTATS_PASSWORD", "an account's")
    mail = DigestSettings(to="me@example.org", smtp_host="smtp.example.org", smtp_user="me")
    with pytest.raises(CredentialsError) as caught:
        deliver(quiet, mail, warn=lambda _: None)
    assert str(caught.value) == (
        "No password for me at smtp.example.org: this machine has no keyring. Give one by [digest] "
        "smtp_password_command, or by `keyring set inboxstats me@smtp.example.org`."
    )


def test_my_addresses_are_those_that_i_name_log_in_with_and_send_from() -> None:
    config = Config(
        identity=("Me@Example.org",),
        accounts={
            "work": Account(host="h", user="work@example.com"),
            "home": Account(host="h", user="no-address"),
        },
        digest=DigestSettings(sender="night@example.net"),
    )
    owners = {"old": Owner("h", "Old@example.com")}
    assert my_addresses(config, owners) == {
        *("me@example.org", "work@example.com", "night@example.net", "old@example.com"),
    }
    assert my_addresses(Config(), {}) == frozenset()
