"""OAuth from end to end: our command, a sign-in service on loopback, and a Dovecot that asks it whose a token is."""

import re

import pytest
from command import Done
from servers.process import free_ports
from servers.signin import SignIn

from inboxstats.oauth import Granted, Tokens
from inboxstats.sources.imap import ImapSource, Server

from .conftest import Ann


def no_canary(ann: Ann, signin: SignIn, *done: Done) -> None:
    """No token that was ever given is in an output or in a file, but for the keyring."""
    files = [path for path in ann.folder.rglob("*") if path.is_file() and path.name != "keyring.json"]
    for secret in signin.secrets:
        assert not any(secret in each.out + each.err for each in done)
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_a_sign_in_by_device_code_is_kept_in_the_keyring_and_fetches(ann: Ann, signin: SignIn) -> None:
    signed_in = ann("account", "login", "work")
    assert (signed_in.code, signed_in.out.splitlines()[-1]) == (
        0,
        "work: signed in, the login at 127.0.0.1 works, and the keyring has the token.",
    )
    assert signed_in.err == (
        "inboxstats: Open https://microsoft.com/devicelogin in a browser, on any machine, "
        "and enter the code ABCD-EFGH\n"
    )
    asked = next(each for each in signin.asked if "scope" in each and "grant_type" not in each)
    assert set(asked["scope"].split()) >= {"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"}
    fetched = ann("fetch", "-vv")
    assert (fetched.code, ann.stored()) == (0, 3)
    again = ann("fetch", "--json")
    assert again.code == 0
    no_canary(ann, signin, signed_in, fetched, again)
    assert list(ann.keyring()) == [f"inboxstats: oauth {ann.login.user}@127.0.0.1"]


def test_a_token_of_another_audience_ends_with_4_and_the_command_to_run(ann: Ann, signin: SignIn) -> None:
    assert ann("account", "login", "work").code == 0
    signin.audience = "graph"
    done = ann("fetch")
    assert done.code == 4
    assert re.search(
        r"refuses the OAuth token of \S+: \[AUTHENTICATIONFAILED\].* \(invalid_token\)\. "
        r"Run `inboxstats account login work`\.",
        done.err,
    )
    no_canary(ann, signin, done)


def test_a_sign_in_as_somebody_else_is_not_kept(ann: Ann, signin: SignIn) -> None:
    signin.approve("eve@example.org")
    done = ann("account", "login", "work")
    assert done.code == 4
    assert f"Did you sign in as {ann.login.user}, and is IMAP switched on? Nothing is kept." in done.err
    assert ann.keyring() == {}
    assert ann("fetch").code == 4
    no_canary(ann, signin, done)


@pytest.mark.parametrize(
    ("says", "status", "code", "sentence"),
    [
        (("invalid_grant", "AADSTS700082: expired\r\nTrace"), 400, 4,
         "Microsoft's sign-in says invalid_grant (AADSTS700082: expired). Run `inboxstats account login work`."),
        (("interaction_required", ""), 400, 4,
         "Microsoft's sign-in says interaction_required. Run `inboxstats account login work`."),
        (("temporarily_unavailable", "busy"), 400, 5,
         "Microsoft's sign-in says temporarily_unavailable (busy). Run again later."),
    ],
)  # fmt: skip
def test_a_refresh_that_fails_says_whether_to_sign_in_or_to_wait(
    ann: Ann, signin: SignIn, says: tuple[str, str], status: int, code: int, sentence: str
) -> None:
    assert ann("account", "login", "work").code == 0
    before = ann.keyring()
    signin.says, signin.status = says, status
    done = ann("fetch")
    assert (done.code, done.err) == (code, f"inboxstats: work: {sentence}\n")
    assert ann.keyring() == before
    signin.says = None
    assert ann("fetch").code == 0


def test_who_has_not_signed_in_is_told_how(ann: Ann, signin: SignIn) -> None:
    done = ann("fetch")
    assert (done.code, done.err) == (
        4, "inboxstats: work: work has not signed in yet. Run `inboxstats account login work`.\n",
    )  # fmt: skip
    ann.configure(client_id="", authority=signin.authority)
    done = ann("fetch")
    assert done.code == 2
    assert "has no client_id" in done.err
    ann.configure(sign_in="", authority=signin.authority)
    assert ann("fetch").code == 2
    ann.configure(auth="password", authority=signin.authority)
    assert ann("account", "login", "work").code == 2


def test_a_sign_in_service_that_cannot_be_reached_or_that_nobody_vouches_for_is_5(ann: Ann, signin: SignIn) -> None:
    assert ann("account", "login", "work").code == 0
    (port,) = free_ports(1)
    ann.configure(authority=f"https://localhost:{port}")
    done = ann("fetch")
    assert (done.code, done.err) == (
        5, "inboxstats: work: Microsoft's sign-in cannot be reached (ConnectionError). Run again.\n",
    )  # fmt: skip
    ann.configure(authority=signin.authority)
    ann.environment.pop("REQUESTS_CA_BUNDLE")
    done = ann("fetch")
    assert (done.code, done.err) == (
        5, "inboxstats: work: Microsoft's sign-in cannot be reached (SSLError). Run again.\n",
    )  # fmt: skip


def test_a_program_of_the_users_may_give_the_tokens(ann: Ann, signin: SignIn) -> None:
    token = signin.granted(ann.login.user)["access_token"]
    path = ann.folder / "token"
    path.write_text(token)
    ann.configure(sign_in="", client_id="", password_command=f'["cat", "{path}"]')
    done = ann("fetch")
    assert (done.code, ann.stored()) == (0, 3)
    path.write_text("an old one")
    done = ann("fetch")
    assert done.code == 4
    assert "password_command must print an access token that is still good." in done.err
    assert "an old one" not in done.err


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_token_that_is_at_its_end_is_renewed_once_for_all_connections(
    ann: Ann, signin: SignIn, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    monkeypatch.setattr("inboxstats.sources.imap.login.MECHANISMS", (mechanism,))
    granted: list[str] = []

    def ask() -> Granted:
        answer = signin.granted(ann.login.user)
        granted.append(answer["access_token"])
        return Granted(answer["access_token"], 3600.0)

    first = ImapSource(Server(ann.login.host, ann.login.port, ann.login.user, "none"), Tokens(ask, mend="Mend."))
    others = [first.sibling() for _ in range(3)]
    first.connect()
    signin.expire_all()
    for source in others:
        source.connect()
        assert [mailbox.name for mailbox in source.mailboxes()] == ["INBOX"]
    assert len(granted) == 2
    for source in (first, *others):
        source.close()
