"""Questions at a terminal whose answer is no text."""

import pytest

from inboxstats.cli import asking
from inboxstats.errors import CredentialsError, UsageError


def not_utf_8(*_: object, **__: object) -> str:
    return b"p\xe4ss".decode()


def test_an_answer_that_is_not_utf_8_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "is_anybody_there", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", not_utf_8, raising=False)
    with pytest.raises(UsageError, match="The answer is not UTF-8"):
        asking.ask("Mail address", option="giving the address")


def test_a_typed_password_that_is_not_utf_8_is_a_sentence_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "is_anybody_there", lambda: True)
    monkeypatch.setattr("getpass.getpass", not_utf_8)
    ask_secret = asking.secret_asker()
    assert ask_secret is not None
    with pytest.raises(CredentialsError, match="The password is not UTF-8") as caught:
        ask_secret("Password: ")
    assert caught.value.__cause__ is None
