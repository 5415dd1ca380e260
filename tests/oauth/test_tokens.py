"""Access tokens: when there is a new one, for how many connections, and what comes of a refusal."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import ScriptedServer, drop
from scripted_mailbox import box
from scripted_session import Session

from inboxstats.archive import Archive, Owner
from inboxstats.errors import CredentialsError, ExitCode, NetworkError
from inboxstats.fetch import Fetched, fetch
from inboxstats.oauth import MARGIN, Granted, Tokens
from inboxstats.sources.imap import ImapSource, Server

MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 2000}\r\n".encode() for number in range(1, 121)]
MEND = "Run `inboxstats account login work`."


class Service:
    """Gives tokens t1, t2, …; `lasts` that many, then says no."""

    def __init__(self, lasts: int = 100, seconds: float = 3600.0) -> None:
        self.given = 0
        self.lasts = lasts
        self.seconds = seconds

    def __call__(self) -> Granted:
        if self.given == self.lasts:
            raise CredentialsError(f"invalid_grant. {MEND}")
        self.given += 1
        return Granted(f"t{self.given}", self.seconds)


def test_a_token_is_used_until_shortly_before_its_end() -> None:
    now = [1000.0]
    service = Service()
    tokens = Tokens(service, mend=MEND, clock=lambda: now[0])
    assert [tokens.current(), tokens.current()] == ["t1", "t1"]
    now[0] += 3600 - MARGIN - 1
    assert tokens.current() == "t1"
    now[0] += 1
    assert tokens.current() == "t2"


def test_many_connections_that_are_refused_at_once_renew_it_once() -> None:
    service = Service()
    tokens = Tokens(service, mend=MEND)
    old = tokens.current()
    together = threading.Barrier(8, timeout=60)
    found: list[str] = []

    def refused() -> None:
        together.wait()
        found.append(tokens.renewed(old))

    threads = [threading.Thread(target=refused) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, service.given) == (["t2"] * 8, 2)


def test_a_sign_in_that_is_over_is_asked_once_and_a_network_that_is_down_again() -> None:
    asked = []

    def ask() -> Granted:
        asked.append(1)
        if len(asked) == 1:
            raise NetworkError("down")
        raise CredentialsError("over")

    tokens = Tokens(ask, mend=MEND)
    with pytest.raises(NetworkError):
        tokens.current()
    for _ in range(3):
        with pytest.raises(CredentialsError, match="over"):
            tokens.current()
    assert len(asked) == 2


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": box(*MESSAGES)}) as running:
        running.script.extensions = ("AUTH=XOAUTH2",)
        running.script.tokens = {"t1"}
        yield running


class Silent:
    """Watches nothing."""

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...


def run(server: ScriptedServer, tmp_path: Path, tokens: Tokens) -> Fetched:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    source = ImapSource(Server("127.0.0.1", server.port, "ann", "none"), tokens)
    return fetch(
        archive, "work", Owner("127.0.0.1", "ann"), source,
        mailboxes=("INBOX",), threads=3, watcher=Silent(), wait=lambda _: None,
    )  # fmt: skip


def ends(server: ScriptedServer, then: set[str]) -> None:
    """The token ends in mid-run, at the third FETCH: from then on these alone are taken, and whoever came with another
    one is cut off. Else a connection that is there already might bring the rest."""
    fetches = itertools.count(1)

    def fault(session: Session, tag: str, line: str) -> None:
        if next(fetches) == 3:
            server.script.tokens = then
        if session.token in server.script.tokens:
            session.answer(tag, line)
        else:
            drop(after=10_000)(session, tag, line)

    server.on("UID FETCH", fault)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_11_a_token_that_ends_in_mid_run_is_refreshed_once_and_all_arrives(
    server: ScriptedServer, tmp_path: Path, mechanism: str
) -> None:
    server.script.extensions = (f"AUTH={mechanism}",)
    ends(server, {"t2"})
    service = Service()
    done = run(server, tmp_path, Tokens(service, mend=MEND))
    assert (done.exit_code, done.stored, service.given) == (ExitCode.DONE, 120, 2)
    first = {"XOAUTH2": "(XOAUTH2 user=ann)", "OAUTHBEARER": "(OAUTHBEARER n,a=ann,)"}[mechanism]
    assert first in server.log


@pytest.mark.parametrize(
    ("lasts", "sentence"),
    [(1, "invalid_grant"), (100, "refuses the OAuth token of ann: [AUTHENTICATIONFAILED]")],
)
def test_11_a_token_that_cannot_be_refreshed_ends_the_run_with_4_and_the_command_to_run(
    server: ScriptedServer, tmp_path: Path, lasts: int, sentence: str
) -> None:
    ends(server, set())
    done = run(server, tmp_path, Tokens(Service(lasts), mend=MEND))
    assert done.exit_code == ExitCode.CREDENTIALS
    assert sentence in str(done.error)
    assert str(done.error).endswith(MEND)
    assert "t1" not in str(done.error)
    assert done.stored < 120
    assert done.left == 120 - done.stored
    server.script.rules.clear()
    server.script.tokens = {"t1"}
    assert run(server, tmp_path, Tokens(Service(), mend=MEND)).stored == 120 - done.stored


def test_a_server_that_takes_no_token_gets_none(server: ScriptedServer, tmp_path: Path) -> None:
    server.script.extensions = ()
    with pytest.raises(CredentialsError, match="takes no OAuth token"):
        run(server, tmp_path, Tokens(Service(), mend=MEND))
    assert not [line for line in server.log if line.startswith("AUTHENTICATE")]
