"""Listing a mailbox: by windows, or only what changed; the server can do much or little, or contradicts itself.

What Dovecot tells of changes is in test_imap_changes.py.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedServer, drop, reply, untagged
from scripted_mailbox import ANY_DAY, Box, Stored, box
from scripted_session import Fault, Session

from inboxstats.archive import Snapshot
from inboxstats.archive.listing import Listing
from inboxstats.errors import NetworkError, ServerRefusalError, ThrottledError
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Server, listing
from inboxstats.sources.imap import changes as changing

INBOX = Mailbox("INBOX")
MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * number}\r\n".encode() for number in range(1, 31)]
NOTHING: tuple[str, ...] = ()
CONDSTORE = ("CONDSTORE",)
ESEARCH = ("CONDSTORE", "ESEARCH")
QRESYNC = ("CONDSTORE", "ENABLE", "QRESYNC")


@contextmanager
def served(mailbox: Box, extensions: tuple[str, ...] = NOTHING) -> Iterator[tuple[ScriptedServer, ImapSource]]:
    with ScriptedServer({"INBOX": mailbox}) as server:
        server.script.extensions = extensions
        source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
        try:
            yield server, source
        finally:
            source.close()


def uids(snapshot: Snapshot) -> list[int]:
    return snapshot.listing.uids.tolist()


def commands(server: ScriptedServer) -> list[str]:
    return [line for line in server.log if re.match("(UID |)(FETCH|SEARCH)|EXAMINE", line)]


def whole_listings(server: ScriptedServer) -> list[str]:
    """The commands that ask for all messages of a window, or of the mailbox."""
    return [line for line in commands(server) if re.match(r"UID FETCH \d+:\d+ \([^()]*\)$", line)]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (listing, changing):
        monkeypatch.setattr(module, "AT_ONCE", 7)


def test_a_mailbox_is_listed_in_windows_of_uids() -> None:
    mailbox = box(*MESSAGES)
    for uid in (1, 2, 8, 9, 10):
        del mailbox.messages[uid]
    with served(mailbox) as (server, source):
        assert uids(source.snapshot(INBOX)) == sorted(mailbox.messages)
        assert commands(server)[1] == "UID SEARCH 7,14,21,*"
        fetched = [line.split()[2] for line in commands(server)[2:]]
        assert fetched == ["1:12", "13:19", "20:26", "27:30"]


def test_a_small_mailbox_is_listed_in_two_round_trips() -> None:
    with served(box(*MESSAGES[:7])) as (server, source):
        assert uids(source.snapshot(INBOX)) == list(range(1, 8))
        assert [line.split(" (")[0] for line in commands(server)] == ['EXAMINE "INBOX"', "UID FETCH 1:*"]


def test_messages_are_told_early_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SOME", 3)
    told: list[Listing] = []
    with served(box(*MESSAGES[:12])) as (_, source):
        found = source.snapshot(INBOX, early=told.append).listing
    assert [some.uids.tolist() for some in told] == [[1, 2, 3], [4, 5, 6], [8, 9, 10]]  # windows of 7
    assert all(some[key] == found[key] for some in told for key in some)


def test_a_strange_line_among_plain_ones_is_read_too() -> None:
    lines = [
        b'* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE "02-Mar-2026 09:00:00 +0000" RFC822.SIZE 5)',
        b"* OK still at it",
        b"* 2 FETCH (RFC822.SIZE 6 FLAGS ({1}\r\nx) UID 2)",
        b'* 3 FETCH (UID 3 FLAGS (\\Recent a) INTERNALDATE "31-Feb-2026 09:00:00 +0000" RFC822.SIZE 7)',
        b'* 3 FETCH (UID 4294967296 FLAGS () INTERNALDATE "02-Mar-2026 09:00:00 +0000" RFC822.SIZE 8)',
    ]

    def answered(session: Session, tag: str, _line: str) -> None:
        session.send_bytes(b"".join(line + b"\r\n" for line in lines))
        session.send(f"{tag} OK done")

    with served(box(*MESSAGES[:3])) as (server, source):
        server.on("UID FETCH", answered)
        found = source.snapshot(INBOX).listing
    assert [(info.key, info.size, info.internal_date) for info in found.values()] == [
        ("1-1", 5, ANY_DAY), ("1-2", 6, None), ("1-3", 7, None),
    ]  # fmt: skip
    assert found["1-1"].flags == {"\\Seen"}  # type: ignore[index]
    assert found["1-3"].flags == {"a"}  # type: ignore[index]


def test_messages_that_an_answer_leaves_out_are_listed_all_the_same() -> None:
    with served(box(*MESSAGES)) as (server, source):
        server.script.bodies[12] = "absent"
        found = source.snapshot(INBOX).listing
        assert found.uids.tolist() == list(range(1, 31))
        assert [info.size for info in found.values()][10:13] == [len(MESSAGES[10]), None, len(MESSAGES[12])]


@pytest.mark.parametrize("moment", [2, 3, 4, 5])
def test_an_expunge_in_mid_listing_leaves_no_gap(moment: int) -> None:
    mailbox = box(*MESSAGES)

    def expunge(session: Session, tag: str, line: str) -> None:
        for uid in (2, 3, 9):
            mailbox.messages.pop(uid, None)
        session.answer(tag, line)

    with served(mailbox) as (server, source):
        server.on("UID FETCH", expunge, nth=moment)
        assert set(uids(source.snapshot(INBOX))) >= set(mailbox.messages)


def test_a_mailbox_that_is_renumbered_all_the_time_is_said_to_be() -> None:
    mailbox = box(*MESSAGES)

    def renumber(session: Session, tag: str, line: str) -> None:
        mailbox.uid_validity = int(mailbox.uid_validity or 0) + 1
        session.send(f"{tag} NO not now") if "FLAGS" in line else session.answer(tag, line)

    with served(mailbox) as (server, source):
        server.on("UID FETCH", renumber)
        with pytest.raises(ServerRefusalError, match="renumbered again and again"):
            source.snapshot(INBOX)


@pytest.mark.parametrize("lie", [29, 31, 100])
def test_an_exists_that_lies_hides_no_message(lie: int) -> None:
    with served(box(*MESSAGES)) as (server, source):
        server.on("EXAMINE", untagged_instead(" EXISTS", f"* {lie} EXISTS"))
        found = source.snapshot(INBOX)
        assert uids(found) == list(range(1, 31))
        assert found.state.messages == 30


def untagged_instead(end: str, line: str) -> Fault:
    """The right answer, but this line stands in place of the one that ends so."""

    def fault(session: Session, tag: str, command: str) -> None:
        session.send = lambda text: type(session).send(session, line if text.endswith(end) else text)  # type: ignore[method-assign]
        session.answer(tag, command)
        del session.send

    return fault


@pytest.mark.parametrize("refused", ["FLAGS", "INTERNALDATE", "RFC822.SIZE"])
def test_a_server_that_fails_over_one_item_is_asked_for_less(refused: str) -> None:
    def refuse(session: Session, tag: str, line: str) -> None:
        session.send(f"{tag} NO [SERVERBUG] no") if refused in line else session.answer(tag, line)

    with served(box(*MESSAGES[:3])) as (server, source):
        server.on("UID FETCH", refuse)
        found = source.snapshot(INBOX).listing
    assert found.uids.tolist() == [1, 2, 3]
    assert (found["1-1"].size is None) == (refused == "RFC822.SIZE")  # type: ignore[index]


@pytest.mark.parametrize("answer", ["NO [INUSE] not now", "BAD not now"])
def test_a_server_that_fails_once_costs_no_flags(answer: str) -> None:
    with served(box(*MESSAGES)) as (server, source):
        whole = source.snapshot(INBOX)
        server.on("UID FETCH", reply(answer), nth=1)
        assert source.snapshot(INBOX) == whole


@pytest.mark.parametrize("told", ["1", "2:6"])
def test_messages_that_the_listing_leaves_out_are_asked_for_once_more(told: str) -> None:
    def leave_out(session: Session, tag: str, line: str) -> None:
        session.answer(tag, line.replace(" 1:7 ", f" {told} "))

    with served(box(*MESSAGES)) as (server, source):
        whole = source.snapshot(INBOX)
        server.on("UID FETCH", leave_out)
        assert source.snapshot(INBOX) == whole


@pytest.mark.parametrize(
    ("answer", "flags", "date", "size"),
    [
        (b"(UID 1 FLAGS (\\Seen NonJunk) INTERNALDATE \" 2-Mar-2026 09:00:00 +0000\" RFC822.SIZE 5)",
         {"\\Seen", "NonJunk"}, ANY_DAY, 5),
        (b"(RFC822.SIZE 5 internaldate \"02-Mar-2026 10:00:00 +0100\" FLAGS () UID 1 MODSEQ (77))", set(), ANY_DAY, 5),
        (b'(UID 1 FLAGS (a[b] \\* "x y") RFC822.SIZE 5)', {"a[b]", "\\*", '"x', 'y"'}, None, 5),
        (b'(FLAGS (UID RFC822.SIZE 7) UID 1)', {"UID", "RFC822.SIZE", "7"}, None, None),
        (b'(FLAGS (a(b) RFC822.SIZE 5 UID 1)', set(), None, None),
        (b'(INTERNALDATE NIL UID 1 RFC822.SIZE 99999999999999999999)', set(), None, None),
        (b'(INTERNALDATE "31-Feb-2026 09:00:00 +0000" UID 1 RFC822.SIZE 5)', set(), None, None),
        (b'(INTERNALDATE "02-Mar-1601 09:00:00 +0000" UID 1)', set(), None, None),
        (b'(INTERNALDATE "02-Mar-2026 29:00:00 +0000" UID 1)', set(), None, None),
        (b'(INTERNALDATE "02-Mar-2026 09:00:00 +9999" UID 1)', set(), None, None),
    ],
)  # fmt: skip
def test_what_cannot_be_read_costs_that_fact_alone(
    answer: bytes, flags: set[str], date: object, size: int | None
) -> None:
    def answered(session: Session, tag: str, _line: str) -> None:
        session.send_bytes(b"* 1 FETCH " + answer + b"\r\n")
        session.send(f"{tag} OK done")

    with served(box(MESSAGES[0])) as (server, source):
        server.on("UID FETCH", answered)
        [info] = source.snapshot(INBOX).listing.values()
    assert (info.key, info.flags, info.internal_date) == ("1-1", flags, date)
    assert info.size == (5 if b"31-Feb" in answer else size)


def test_more_messages_than_were_asked_for_are_not_collected() -> None:
    def too_many(session: Session, tag: str, _line: str) -> None:
        for uid in range(1, 1001):
            session.send(f"* 1 FETCH (UID {uid} FLAGS ())")
        session.send(f"{tag} OK done")

    with served(box(*MESSAGES)) as (server, source):
        server.on("UID FETCH", too_many)
        assert uids(source.snapshot(INBOX)) == list(range(1, 31))


def test_data_that_nobody_asked_for_changes_nothing() -> None:
    noise = [
        b"* 3 FETCH (FLAGS (\\Seen x))",
        b"* 99 FETCH (UID 99 FLAGS (x))",
        b"* 4 FETCH (UID 0 FLAGS (x))",
        b"* 4 FETCH (UID 99999999999 FLAGS (x))",
        b"* 4 FETCH nonsense",
        b"* 5 FETCH (UID 5 BODY[] {3}\r\nabc)",
        b"* 31 EXISTS",
        b"* VANISHED 9:11",
        b"* OK [ALERT] noon",
    ]
    with served(box(*MESSAGES)) as (server, source):
        whole = source.snapshot(INBOX)
        server.on("UID FETCH", untagged(*noise))
        assert source.snapshot(INBOX) == whole


# --- what changed ---


def change(mailbox: Box, *, deliver: int = 0, flag: tuple[int, ...] = (), expunge: tuple[int, ...] = ()) -> None:
    first = mailbox.uid_next
    for uid in range(first, first + deliver):
        mailbox.messages[uid] = Stored(MESSAGES[uid % 30])
    for uid in flag:
        mailbox.messages[uid] = Stored(mailbox.messages[uid].data, r"\Flagged")
    for uid in expunge:
        del mailbox.messages[uid]


@pytest.mark.parametrize("extensions", [CONDSTORE, ESEARCH, QRESYNC])
def test_only_what_changed_is_asked_for(extensions: tuple[str, ...]) -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, extensions) as (server, source):
        before = source.snapshot(INBOX)
        for changes, most in (
            ({"flag": (3, 9)}, 3),
            ({"deliver": 2}, 4),
            ({"expunge": (4, 30)}, 4 if extensions != CONDSTORE else 6),
            ({"deliver": 1, "flag": (1,), "expunge": (12, 13, 14)}, 5 if extensions != CONDSTORE else 7),
            ({"deliver": 1, "expunge": (15,)}, 5 if extensions != CONDSTORE else 6),
        ):
            change(mailbox, **changes)  # type: ignore[arg-type]
            server.log.clear()
            now = source.snapshot(INBOX, before)
            assert len(commands(server)) <= most, server.log
            assert whole_listings(server) == []
            assert (now.listing, now.state) == (source.snapshot(INBOX).listing, source.snapshot(INBOX).state)
            assert uids(now) == sorted(mailbox.messages)
            before = now


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([NOTHING, CONDSTORE, ESEARCH, QRESYNC]),
    st.lists(
        st.tuples(st.integers(0, 9), st.sets(st.integers(0, 40), max_size=6), st.sets(st.integers(0, 40), max_size=6)),
        max_size=5,
    ),
)
def test_whatever_happens_between_runs_what_changed_makes_the_whole(
    extensions: tuple[str, ...], history: list[tuple[int, set[int], set[int]]]
) -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, extensions) as (_, source):
        known = source.snapshot(INBOX)
        for deliver, flag, expunge in history:
            there = sorted(mailbox.messages)
            chosen = [tuple(there[place] for place in places if place < len(there)) for places in (flag, expunge)]
            change(mailbox, deliver=deliver, flag=chosen[0], expunge=chosen[1])
            known, whole = source.snapshot(INBOX, known), source.snapshot(INBOX)
            assert known == whole
            assert uids(known) == sorted(mailbox.messages)


@pytest.mark.parametrize("modseq", ["", "* OK [NOMODSEQ] none", "* OK [HIGHESTMODSEQ 0] none"])
def test_without_a_modseq_all_is_listed(modseq: str) -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox) as (server, source):
        server.on("EXAMINE", untagged(modseq.encode() or b"* OK no more"))
        before = source.snapshot(INBOX)
        assert before.state.highestmodseq is None
        change(mailbox, flag=(3,))
        assert source.snapshot(INBOX, before) == source.snapshot(INBOX)


@pytest.mark.parametrize("word", ["OK nothing has changed", "NO not now", "BAD what?"])
def test_a_server_that_contradicts_itself_is_listed_anew(word: str) -> None:
    def fault(session: Session, tag: str, line: str) -> None:
        session.send(f"{tag} {word}") if "CHANGEDSINCE" in line else session.answer(tag, line)

    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (server, source):
        before = source.snapshot(INBOX)
        change(mailbox, expunge=(5, 6), deliver=1, flag=(3,))
        whole = source.snapshot(INBOX)
        server.on("UID FETCH", fault)
        found = source.snapshot(INBOX, before)
        assert uids(found) == uids(whole)
        assert found == whole or word.startswith("OK")  # for flags there is its word alone


@pytest.mark.parametrize("extensions", [CONDSTORE, ESEARCH, QRESYNC])
@pytest.mark.parametrize("told", ["99", "31", "32"])
def test_new_messages_that_are_left_out_are_not_hidden_by_as_many_that_were_expunged(
    extensions: tuple[str, ...], told: str
) -> None:
    mailbox = box(*MESSAGES)

    def leave_out(session: Session, tag: str, line: str) -> None:
        session.answer(tag, line.replace(" 31:* ", f" {told} "))

    with served(mailbox, extensions) as (server, source):
        before = source.snapshot(INBOX)
        change(mailbox, deliver=2, expunge=(1, 2) if told == "99" else (1,))
        server.on("UID FETCH", leave_out)
        now = source.snapshot(INBOX, before)
        assert uids(now) == sorted(mailbox.messages)
        server.script.rules.clear()
        assert now.listing == source.snapshot(INBOX).listing


def test_a_connection_that_drops_while_changes_are_told_is_made_again() -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (server, source):
        before = source.snapshot(INBOX)
        change(mailbox, expunge=(5, 6), deliver=1, flag=(3,))
        server.on("UID FETCH", drop(after=50), nth=1)
        with pytest.raises(NetworkError):
            source.snapshot(INBOX, before)
        assert source.snapshot(INBOX, before) == source.snapshot(INBOX)


def test_a_changed_uidvalidity_or_a_lower_uidnext_or_modseq_is_listed_anew() -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (_, source):
        before = source.snapshot(INBOX)
        change(mailbox, flag=(3,))
        for field, value in (("uid_validity", 2), ("next_uid", 1), ("modseq", 0)):
            if field == "next_uid":
                mailbox.messages.pop(30)
            setattr(mailbox, field, value)
            assert source.snapshot(INBOX, before) == source.snapshot(INBOX)


@pytest.mark.parametrize("changes", [{"deliver": 4}, {"flag": (1, 2, 3, 4)}])
def test_where_much_has_changed_all_is_listed_by_windows(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int]
) -> None:
    monkeypatch.setattr(changing, "MOST_CHANGED", 3)
    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (server, source):
        before = source.snapshot(INBOX)
        change(mailbox, **changes)  # type: ignore[arg-type]
        server.log.clear()
        found = source.snapshot(INBOX, before)
        assert len(whole_listings(server)) == 5
        assert found == source.snapshot(INBOX)


@pytest.mark.parametrize("answer", ["NO not for you", "BAD what?", "OK but nothing is enabled"])
def test_a_server_that_refuses_what_it_offers_is_taken_without(answer: str) -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (server, source):
        server.on("ENABLE", reply(answer))
        before = source.snapshot(INBOX)
        change(mailbox, expunge=(5,), deliver=2)
        server.log.clear()
        found = source.snapshot(INBOX, before)
        assert not any("VANISHED" in line for line in server.log)
        assert found == source.snapshot(INBOX)


def test_a_vanished_set_that_names_billions_names_none_too_many() -> None:
    mailbox = box(*MESSAGES)
    with served(mailbox, QRESYNC) as (server, source):
        before = source.snapshot(INBOX)
        change(mailbox, expunge=(5,))
        server.on("UID FETCH", untagged(b"* VANISHED (EARLIER) 5,31:4294967295"))
        assert uids(source.snapshot(INBOX, before)) == sorted(mailbox.messages)


def test_many_statuses_take_one_round_trip() -> None:
    names = {"INBOX": box(*MESSAGES), "A&-B": box(MESSAGES[0]), "100": box(), 'quo"te': box(), "odd*": box()}
    with ScriptedServer(names) as server:
        server.script.extensions = ("LIST-EXTENDED", "LIST-STATUS", "CONDSTORE")
        source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
        mailboxes = source.mailboxes()
        server.log.clear()
        found = source.statuses(mailboxes)
        assert len([line for line in server.log if line != "CAPABILITY"]) == 1
        assert {name: state.messages for name, state in found.items()} == {"INBOX": 30, "A&B": 1, "100": 0, 'quo"te': 0}
        assert found["INBOX"] == source.status(INBOX)
        server.on("LIST", reply("NO later"))
        assert source.statuses(mailboxes) == {}
        source.close()


def test_the_status_of_the_mailbox_that_is_expected_comes_along_with_the_list() -> None:
    with served(box(*MESSAGES), CONDSTORE) as (server, source):
        assert [each.name for each in source.mailboxes(expected="INBOX")] == ["INBOX"]
        server.log.clear()
        ahead = source.status(INBOX)
        assert server.log == []
        assert source.status(INBOX) == ahead  # asked for anew
        assert [line.split()[0] for line in server.log] == ["STATUS"]
        assert (ahead.messages, ahead.uidnext) == (30, 31)


@pytest.mark.parametrize(
    "expected", ["Gone", "*", 'IN"BOX', "IN&BOX", "Entw\N{LATIN SMALL LETTER U WITH DIAERESIS}rfe"]
)
def test_a_mailbox_that_is_expected_but_not_there_changes_nothing(expected: str) -> None:
    with served(box(*MESSAGES)) as (server, source):
        assert [each.name for each in source.mailboxes(expected=expected)] == ["INBOX"]
        assert [line for line in server.log if line.startswith("STATUS")] == [
            'STATUS "Gone" (MESSAGES UIDNEXT UIDVALIDITY)'
        ] * (expected == "Gone")
        assert source.status(INBOX).messages == 30


@pytest.mark.parametrize("answer", ["NO not now", "BAD what?"])
def test_a_status_that_is_refused_ahead_is_asked_for_when_it_is_needed(answer: str) -> None:
    with served(box(*MESSAGES)) as (server, source):
        server.on("STATUS", reply(answer), nth=1)
        assert [each.name for each in source.mailboxes(expected="INBOX")] == ["INBOX"]
        assert source.status(INBOX).messages == 30


def test_a_server_that_wants_to_be_left_alone_is_heard_when_it_is_asked_ahead() -> None:
    with served(box(*MESSAGES)) as (server, source):
        server.on("STATUS", reply("NO [LIMIT] later"), nth=1)
        with pytest.raises(ThrottledError):
            source.mailboxes(expected="INBOX")
