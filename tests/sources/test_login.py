"""What a server says at the login is told without the secret, which it may repeat."""

from base64 import b64encode

import pytest
from scripted import ScriptedServer
from scripted_mailbox import box
from scripted_session import Session

from inboxstats.errors import CredentialsError
from inboxstats.sources.imap import ImapSource, Server
from inboxstats.visible import without_secret

SECRET = "canary-Zt9!"


def in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("before", ["", "\0", "\0me\0", "\0anna\0", "user=me\1auth=Bearer ", "n,a=me,\1host=h\1"])
@pytest.mark.parametrize("after", ["", "\1\1", "\1\1\1"])
def test_a_secret_in_base64_is_left_out(before: str, after: str) -> None:
    word = in_base64(f"{before}{SECRET}{after}")
    for repeated in (word, word.rstrip("=")):
        assert without_secret(f"bad login ({repeated}), try again", SECRET) == "bad login (…), try again"


def test_words_that_hold_no_secret_stay() -> None:
    said = f"[AUTHENTICATIONFAILED] Authentication failed for {in_base64('me@example.org')} (abcdefghijklmnopq==)"
    assert without_secret(said, SECRET) == said
    assert without_secret(f"no {SECRET} here", SECRET) == "no … here"
    assert without_secret(said, "") == said


@pytest.mark.parametrize("user", ["me", "mé"])  # LOGIN, and AUTHENTICATE PLAIN for what is not ASCII
def test_a_server_that_repeats_the_login_does_not_show_it(user: str) -> None:
    def repeats(session: Session, tag: str, line: str) -> None:
        if line.startswith("AUTHENTICATE"):
            session.send("+ ")
            session.wfile.flush()
            line = session.rfile.readline().decode().strip()
        session.send(f"{tag} NO what is {line}?")

    with ScriptedServer({"INBOX": box()}, password=SECRET) as server:
        server.on("LOGIN", repeats)
        server.on("AUTHENTICATE", repeats)
        with pytest.raises(CredentialsError, match="what is") as caught:
            ImapSource(Server("127.0.0.1", server.port, user, "none"), SECRET).connect()
    assert "…" in str(caught.value)
    for form in (SECRET, in_base64(f"\0{user}\0{SECRET}")):
        assert form not in str(caught.value)
