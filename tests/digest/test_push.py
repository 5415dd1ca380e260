"""The push by apprise, to a service on loopback: counts leave the machine, and nothing else."""

import json
import sys
from pathlib import Path

import pytest
from servers.webhook import Webhook

from inboxstats.digest import Findings, push
from inboxstats.digest.wording import headline
from inboxstats.errors import CredentialsError, NetworkError, UsageError

# apprise tries a module that Python is about to drop, and does without it where it is gone.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def no_proxy_and_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in (push.ENVIRONMENT, "INBOXSTATS_PASSWORD", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_counts_are_pushed_and_no_word_from_mail(full: Findings, service: Webhook) -> None:
    push.push(headline(full), (f"json://user:secret@127.0.0.1:{service.server_port}/",))
    (body,) = service.bodies
    told = json.loads(body)
    assert (told["title"], told["message"]) == ("inboxstats", headline(full))
    for word in (b"Ann", b"bob", b"example", b"lunch", b"harvest", b"Paypal"):
        assert word not in body


def test_a_service_that_refuses_is_trouble_without_its_secrets(
    service: Webhook, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = 403
    with pytest.raises(NetworkError) as caught:
        push.push("1 new message", (f"json://user:canary-7f3a@127.0.0.1:{service.server_port}/",))
    said = str(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert "canary" not in said
    assert "user" not in said


def test_an_address_that_is_none_is_refused_by_its_number() -> None:
    with pytest.raises(UsageError, match="number 2, is none that apprise knows") as caught:
        push.push("1 new message", ("json://127.0.0.1:1/", "canary-7f3a"))
    assert "canary" not in str(caught.value)


def test_addresses_come_from_a_command_systemd_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    assert push.addresses(("echo", "json://a json://b"), warnings.append) == ("json://a", "json://b")
    with pytest.raises(CredentialsError, match="notify_command, `keyring set inboxstats digest@notify`"):
        push.addresses((), warnings.append)
    with pytest.raises(CredentialsError, match="/no/such/program"):
        push.addresses(("/no/such/program",), warnings.append)
    assert warnings == []
    monkeypatch.setenv(push.ENVIRONMENT, "json://c")
    assert push.addresses((), warnings.append) == ("json://c",)
    assert len(warnings) == 1
    (tmp_path / "notify").write_text("json://d\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert push.addresses((), warnings.append) == ("json://d",)


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError, match=r"pip install 'inboxstats\[notify\]'"):
        push.push("1 new message", ("json://127.0.0.1:1/",))
