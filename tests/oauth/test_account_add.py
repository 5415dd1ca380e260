"""`account add` for an account that logs in by OAuth: every answer is an option, too."""

import tomllib
from typing import Any

import pytest
from command import Done, Inboxstats
from servers.signin import SignIn

from .conftest import Ann

CLIENT_ID = "11111111-2222-3333-4444-555555555555"


def where(ann: Ann) -> list[str]:
    return [ann.login.user, "--name", "work", "--host", ann.login.host, "--port", str(ann.login.port),
            "--security", "none"]  # fmt: skip


def registration(signin: SignIn) -> list[str]:
    return ["--client-id", CLIENT_ID, "--sign-in", "microsoft", "--tenant", "example.org",
            "--authority", signin.authority]  # fmt: skip


def written(ann: Ann) -> dict[str, Any]:
    account: dict[str, Any] = tomllib.loads((ann.folder / "config.toml").read_text())["accounts"]["work"]
    return account


@pytest.fixture
def new(ann: Ann) -> Ann:
    (ann.folder / "config.toml").write_text(f"archive = '{ann.folder / 'archive'}'\n")
    return ann


def test_all_of_a_registration_is_an_option_and_the_sign_in_follows(new: Ann, signin: SignIn) -> None:
    done = new("account", "add", *where(new), *registration(signin))
    assert (done.code, done.out.splitlines()[-1].split(". ")[-1]) == (0, "Next: inboxstats account login work"), done
    assert written(new) == {
        "host": "127.0.0.1", "port": new.login.port, "user": new.login.user, "security": "none", "auth": "oauth",
        "client_id": CLIENT_ID, "sign_in": "microsoft", "tenant": "example.org", "authority": signin.authority,
    }  # fmt: skip
    signed_in = new("account", "login", "work")
    assert signed_in.code == 0, signed_in
    assert signed_in.out.splitlines()[1].split() == ["INBOX", "3", "0.0"]
    assert new("fetch").code == 0
    assert new.stored() == 3


def test_at_a_terminal_the_sign_in_follows_at_once_and_shows_the_mailboxes(new: Ann, signin: SignIn) -> None:
    command = ["account", "add", *where(new), "--auth", "oauth", "--authority", signin.authority]
    answers = [
        ("Whose sign-in does 127.0.0.1 take, google or microsoft: ", "microsoft"),
        ("Client id (docs/oauth.md says how to come to one): ", CLIENT_ID),
    ]
    config = ["--config", str(new.folder / "config.toml")]
    done, unasked = new.inboxstats.at_terminal(*command, *config, answers=answers, **new.environment)
    assert (done.code, unasked) == (0, []), done
    assert "and enter the code ABCD-EFGH" in done.err
    assert [line.split()[:2] for line in done.out.splitlines()[1:3]] == [["mailbox", "messages"], ["INBOX", "3"]]
    assert done.out.endswith("work: signed in, the login at 127.0.0.1 works, and the keyring has the token.\n")
    assert written(new)["client_id"] == CLIENT_ID
    assert new("fetch").code == 0


def test_a_command_that_prints_tokens_is_tried_at_once(new: Ann, signin: SignIn) -> None:
    path = new.folder / "token"
    path.write_text("an old one")
    add = ["account", "add", *where(new), "--auth", "oauth", "--password-command", f"cat {path}"]
    refused = new(*add)
    assert refused.code == 4
    assert "password_command must print an access token that is still good." in refused.err
    assert "accounts" not in (new.folder / "config.toml").read_text()
    path.write_text(signin.granted(new.login.user)["access_token"])
    done = new(*add)
    assert done.code == 0, done
    assert "To fetch: 3 messages (0.0 MB) in 1 mailbox." in done.out
    assert done.out.endswith("Next: inboxstats fetch work\n")
    assert written(new)["password_command"] == ["cat", str(path)]
    assert new("fetch").code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--auth", "password", "--tenant", "example.org"], "--tenant is OAuth's, and --auth password wants none."),
        (["--client-id", "x", "--sign-in", "microsoft", "--tenant", "a/b"], "--tenant: 'a/b' is no tenant; write "),
        (["--client-id", "x", "--authority", "http://x"], "--authority: 'http://x' is no sign-in service; write one"),
        (["--client-id", "x"], "Nobody is at a terminal to be asked. Say it by --sign-in, or by --password-command."),
        (["--sign-in", "google"], "Say it by --client-id, see docs/oauth.md."),
        (["--sign-in", "yahoo"], "'yahoo' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    inboxstats: Inboxstats, options: list[str], sentence: str
) -> None:
    done: Done = inboxstats("account", "add", "me@x.org", "--host", "localhost", "--no-login", *options)
    assert (done.code, done.out) == (2, "")
    assert sentence in " ".join(done.err.replace("│", " ").split()), done.err
    assert not (inboxstats.home / ".config").exists()
