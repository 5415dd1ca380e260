import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError
from scripted import ScriptedServer, bye, drop, reply, stall, untagged
from scripted_mailbox import Box, Stored, box

ONE, TWO, THREE = (b"Subject: %d\r\n\r\nbody %d\r\n" % (n, n) for n in (1, 2, 3))


@contextmanager
def client(server: ScriptedServer, password: str = "secret") -> Iterator[IMAPClient]:
    connection = IMAPClient("127.0.0.1", server.port, ssl=False, timeout=5)
    try:
        connection.login("me", password)
        yield connection
    finally:
        with suppress(OSError):  # logged out
            connection.shutdown()


def bodies(connection: IMAPClient, *uids: int) -> dict[int, bytes | None]:
    return {uid: facts.get(b"BODY[]") for uid, facts in connection.fetch(list(uids), ["BODY.PEEK[]"]).items()}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": box(ONE, TWO, THREE, first_uid=5)}) as server:
        yield server


def test_a_mailbox_is_listed_searched_and_fetched_as_the_rfc_says() -> None:
    when = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
    mailboxes = {
        "INBOX": Box({3: Stored(ONE, r"\Seen \Flagged", when), 9: Stored(TWO)}, uid_validity=77),
        "Entw&APw-rfe": box(),
    }
    with ScriptedServer(mailboxes) as server, client(server) as connection:
        connection.normalise_times = False
        assert [name for _, _, name in connection.list_folders()] == ["INBOX", "Entwürfe"]
        assert connection.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]) == {
            b"MESSAGES": 2,
            b"UIDNEXT": 10,
            b"UIDVALIDITY": 77,
        }
        chosen = connection.select_folder("INBOX", readonly=True)
        assert (chosen[b"EXISTS"], chosen[b"UIDVALIDITY"]) == (2, 77)
        assert connection.search("ALL") == [3, 9]
        assert connection.search("2:2") == [9]
        assert connection.search(["UID", "1:8"]) == [3]
        assert connection.search(["UID", "10:*"]) == [9]  # * is the last message, even below the range's start
        [facts] = connection.fetch([3], ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]"]).values()
        assert facts[b"FLAGS"] == (b"\\Seen", b"\\Flagged")
        assert facts[b"INTERNALDATE"] == when
        assert facts[b"RFC822.SIZE"] == len(ONE)
        assert facts[b"BODY[]"] == ONE
        connection.unselect_folder()
        connection.logout()
    assert server.log[0] == "CAPABILITY"
    assert "UID FETCH 3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])" in server.log
    assert server.log[-1] == "LOGOUT"


def test_a_wrong_password_is_refused(server: ScriptedServer) -> None:
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"), client(server, "guess"):
        pass


def test_a_reply_can_be_scripted_for_one_login(server: ScriptedServer) -> None:
    server.on("LOGIN", reply("NO [UNAVAILABLE] try later"), nth=1)
    with pytest.raises(LoginError, match="UNAVAILABLE"), client(server):
        pass
    with client(server) as connection:
        connection.select_folder("INBOX", readonly=True)


def test_the_second_fetch_breaks_off_after_so_many_bytes(server: ScriptedServer) -> None:
    server.on("UID FETCH", drop(after=20), nth=2)
    with client(server) as connection:
        connection.select_folder("INBOX", readonly=True)
        assert bodies(connection, 5) == {5: ONE}
        with pytest.raises(IMAPClientAbortError):
            bodies(connection, 6)


def test_each_connection_may_send_so_many_bytes_and_no_more(server: ScriptedServer) -> None:
    server.script.bytes_each = 8
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw, raw.makefile("rb") as received:
        assert received.read() == b"* OK rea"


def test_bodies_are_missing_nil_absent_or_refused(server: ScriptedServer) -> None:
    server.script.bodies |= {5: "missing", 6: "nil"}
    with client(server) as connection:
        connection.select_folder("INBOX", readonly=True)
        found = connection.fetch([5, 6, 7], ["BODY.PEEK[]"])
        assert b"BODY[]" not in found[5]
        assert found[6][b"BODY[]"] is None
        assert found[7][b"BODY[]"] == THREE
        server.script.bodies |= {5: "absent", 6: "refused"}
        assert bodies(connection, 5, 7) == {7: THREE}
        with pytest.raises(IMAPClientError, match="SERVERBUG"):
            bodies(connection, 6, 7)


def test_a_message_vanishes_in_mid_run(server: ScriptedServer) -> None:
    with client(server) as connection:
        connection.select_folder("INBOX", readonly=True)
        del server.script.mailboxes[b"INBOX"].messages[6]
        assert bodies(connection, 5, 6) == {5: ONE}


def test_bye_in_mid_run_ends_the_connection(server: ScriptedServer) -> None:
    server.on("UID FETCH", bye("going down"))
    with client(server) as connection:
        connection.select_folder("INBOX", readonly=True)
        with pytest.raises(IMAPClientAbortError):
            bodies(connection, 5)


def test_a_connection_too_many_is_refused_until_another_ends(server: ScriptedServer) -> None:
    server.script.most = 1
    with client(server) as first:
        with pytest.raises(IMAPClientError), client(server):
            pass
        first.logout()
    with client(server):
        pass


def test_a_mute_server_says_nothing_at_all(server: ScriptedServer) -> None:
    server.script.greeting = None
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.1) as raw, pytest.raises(TimeoutError):
        raw.recv(1)


def test_a_stalled_answer_is_late_and_does_not_keep_the_server_from_ending() -> None:
    began = time.monotonic()
    with ScriptedServer({"INBOX": box()}) as server:
        server.on("NOOP", stall(seconds=30))
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.1) as raw:
            assert raw.recv(100) == b"* OK ready\r\n"
            raw.sendall(b"a NOOP\r\n")
            with pytest.raises(TimeoutError):
                raw.recv(1)
    assert time.monotonic() - began < 10


def test_names_and_extra_lines_go_out_as_the_bytes_that_they_are() -> None:
    with ScriptedServer({b"\xff&broken": box(), b"a\r\nb": box()}) as server:
        server.on("LIST", untagged(b"* OK [ALERT] disk \xe9"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw, raw.makefile("rb") as received:
            raw.sendall(b'1 LOGIN me "secret"\r\n2 LIST "" "*"\r\n3 EXAMINE {4}\r\na\r\nb\r\n4 LOGOUT\r\n')
            lines = received.read()
    assert b"\r\n* OK [ALERT] disk \xe9\r\n" in lines
    assert b'* LIST (\\HasNoChildren) "/" {8}\r\n\xff&broken\r\n' in lines
    assert b'* LIST (\\HasNoChildren) "/" {4}\r\na\r\nb\r\n' in lines
    assert b"\r\n3 OK [READ-ONLY] done\r\n" in lines


def test_a_listing_lies_as_it_is_told() -> None:
    lying = Box({1: Stored(ONE, size=2**32)}, uid_validity=None, attributes=r"\Noselect")
    with ScriptedServer({"INBOX": lying}) as server, client(server) as connection:
        [(attributes, _, _)] = connection.list_folders()
        assert attributes == (b"\\Noselect",)
        assert b"UIDVALIDITY" not in connection.select_folder("INBOX", readonly=True)
        assert connection.fetch([1], ["RFC822.SIZE"])[1][b"RFC822.SIZE"] == 2**32
