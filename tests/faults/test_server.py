"""What servers do and say: rows 23 to 38 of the fault matrix."""

import imaplib
import json
import random
import re
import time
from collections.abc import Iterator

import pytest
from proxy import Flip, Proxy
from scripted import ScriptedServer, reply, untagged
from scripted_mailbox import Box, Stored, box
from scripted_session import Fault, Session
from servers import raw
from servers.dovecot import Dovecot
from servers.raw import Login

from .rig import SECRET, Rig, changing, said, stored, unfetched

MESSAGES = [
    f"From: a@example.org\r\nMessage-ID: <{number}@example.org>\r\nSubject: {number}\r\n\r\n{'x' * 4_000}\r\n".encode()
    for number in range(1, 81)
]
ALL = set(range(1, 81))

SEED = random.randrange(1_000_000)


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box) -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": inbox, "Work": box(*MESSAGES[:3])}, password=SECRET) as running:
        yield running


@pytest.fixture
def user(dovecot: Dovecot) -> Login:
    """A user of Dovecot's with mail in INBOX and in Work, whose password must not be seen."""
    user = dovecot.add_user(password=SECRET)
    dovecot.fill(user, "INBOX", MESSAGES)
    dovecot.fill(user, "Work", [message * 20 for message in MESSAGES])
    return user


FILLED = {"INBOX": MESSAGES, "Work": [message * 20 for message in MESSAGES]}


def as_another_client(user: Login) -> imaplib.IMAP4:
    client = imaplib.IMAP4(user.host, user.port, timeout=10)
    client.login(user.user, user.password)
    return client


def totals(rig: Rig) -> dict[str, int]:
    done = rig.start_program("report", str(rig.archive), "--format", "json", "--engine", "serial").wait()
    assert done.code == 0, done
    return json.loads(done.out)["totals"]


def test_23_a_renumbered_mailbox_is_fetched_again_and_nothing_is_counted_twice(
    rig: Rig, server: ScriptedServer, inbox: Box
) -> None:
    rig.completes(server)
    inbox.uid_validity = 2
    inbox.messages = dict(zip(range(11, 91), inbox.messages.values(), strict=True))
    assert rig.fetch(server).code == 0
    assert {key.uidvalidity for key in rig.witness.look()} == {1, 2}
    found = totals(rig)
    assert (found["messages"], found["duplicates"], found["files"]) == (80, 80, 160)
    rig.completes(server)


def test_23_a_mailbox_that_greenmail_made_anew_is_fetched_beside_the_old_one(rig: Rig, greenmail_user: Login) -> None:
    client = as_another_client(greenmail_user)

    def fill(messages: list[bytes]) -> None:
        client.create("Work")
        for message in messages:
            client.append("Work", None, None, message)  # type: ignore[arg-type]
        there = dict(raw.messages(greenmail_user, "Work"))
        boxes = {"Work": Box({uid: Stored(data) for uid, data in there.items()})}
        boxes["Work"].uid_validity = raw.uid_validity(greenmail_user, "Work")
        rig.witness.knows(boxes)

    rig.user = greenmail_user.user
    rig.password(greenmail_user.password)
    fill(MESSAGES[:5])
    assert rig.start(greenmail_user.port, "-m", "Work").wait().code == 0
    client.delete("Work")
    time.sleep(1.1)  # GreenMail's UIDVALIDITY is the second of creation
    fill(MESSAGES[5:9])
    client.logout()
    done = rig.start(greenmail_user.port, "-m", "Work").wait()
    assert (done.code, len(rig.witness.look())) == (0, 9)
    assert len({key.uidvalidity for key in rig.witness.look()}) == 2


def test_26_messages_that_another_client_expunges_meanwhile_count_as_gone(rig: Rig, user: Login) -> None:
    def expunge() -> None:
        client = as_another_client(user)
        client.select("INBOX")
        client.uid("STORE", "20:22,60", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()

    before = raw.flags(user)
    with Proxy(user.port) as proxy:
        proxy.before(b"BODY.PEEK[]", expunge)
        done = rig.fetch_as(user, FILLED, "--threads", "2", port=proxy.port)
    assert done.code == 0, done
    left = ALL - {20, 21, 22, 60}
    assert left <= stored(rig)
    gone = len(ALL - stored(rig))  # Dovecot may still give what it has open
    assert f"{gone} expunged meanwhile" in done.out if gone else "expunged" not in done.out
    assert raw.flags(user) == {uid: flags for uid, flags in before.items() if uid in left}
    again = rig.fetch_as(user, {})
    assert (again.code, " 0 new messages" in again.out) == (0, True)


def test_26_messages_expunged_before_they_are_asked_for_are_no_failures(
    rig: Rig, server: ScriptedServer, inbox: Box
) -> None:
    def expunge_first(session: Session, tag: str, line: str) -> None:
        if "BODY" in line:
            for uid in (20, 21, 22, 60):
                inbox.messages.pop(uid, None)
        session.answer(tag, line)

    server.on("UID FETCH", expunge_first)
    done = rig.fetch(server)
    assert (done.code, done.err) == (0, "")
    assert "4 expunged meanwhile" in done.out
    rig.completes(server)


@pytest.mark.parametrize("fault", ["missing", "absent"])
def test_27_a_body_that_is_left_out_although_the_message_is_there_is_named(
    rig: Rig, server: ScriptedServer, fault: str
) -> None:
    server.script.bodies[57] = fault  # type: ignore[assignment]
    done = rig.fetch(server)
    said(done, 3, "INBOX, 1-57: not fetched", "the server answered without its text")
    assert (stored(rig), unfetched(done)) == (ALL - {57}, {57})
    rig.completes(server)


def test_28_a_nil_body_is_tried_again_and_an_empty_one_is_kept(rig: Rig, server: ScriptedServer, inbox: Box) -> None:
    server.script.bodies[57] = "nil"
    inbox.messages[30] = Stored(b"")
    done = rig.fetch(server)
    said(done, 3, "INBOX, 1-57: not fetched")
    assert (stored(rig), unfetched(done)) == (ALL - {57}, {57})
    rig.completes(server)


def test_29_one_message_that_is_refused_costs_itself_alone(rig: Rig, server: ScriptedServer) -> None:
    server.script.bodies[57] = "refused"
    done = rig.fetch(server)
    said(done, 3, "INBOX, 1-57: not fetched", "Cannot read this message")
    assert (stored(rig), unfetched(done)) == (ALL - {57}, {57})
    rig.completes(server)


@pytest.mark.parametrize("command", ["UID FETCH", "UID SEARCH", "EXAMINE", "STATUS", "LIST", "LOGIN"])
def test_30_what_nobody_asked_for_is_ignored(rig: Rig, server: ScriptedServer, command: str) -> None:
    noise = (
        b"* 99 EXISTS", b"* 3 RECENT", b"* 7 FETCH (FLAGS (\\Seen))", b"* 8 FETCH (UID 7 FLAGS (\\Seen))",
        b"* OK [ALERT] maintenance at noon", b"* OK still here", b"* FLAGS (\\Seen $Strange)",
    )  # fmt: skip
    server.on(command, untagged(*noise))
    done = rig.fetch(server)
    assert (done.code, done.err) == (0, "")
    assert stored(rig) == ALL
    rig.completes(server)


MALFORMED = {
    "a list without its end": b"* 57 FETCH (UID 57 BODY[] {5}\r\nhello",
    "a word for a UID": b"* 57 FETCH (UID fifty-seven BODY[] {5}\r\nhello)",
    "no size of a literal": b"* 57 FETCH (UID 57 BODY[] {}\r\nhello)",
    "a negative size": b"* 57 FETCH (UID 57 BODY[] {-5}\r\nhello)",
    "no quote at the end": b'* 57 FETCH (UID 57 BODY[] "hello)',
    "no IMAP at all": b"HTTP/1.1 400 Bad Request",
    "nulls": b"\0" * 100,
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_31_an_answer_that_is_no_imap_costs_that_message_alone(rig: Rig, server: ScriptedServer, line: bytes) -> None:
    def spoil(session: Session, tag: str, command: str) -> None:
        uids = re.match(r"UID FETCH (\S+) .*BODY", command)
        if uids is None or not includes(uids[1], 57):
            session.answer(tag, command)
        else:
            session.send_bytes(line + b"\r\n")
            session.send(f"{tag} OK done")

    server.on("UID FETCH", spoil)
    done = rig.fetch(server, settings={"READ_TIMEOUT": 2.0})
    assert (done.code, unfetched(done)) == (3, {57}), done
    assert stored(rig) == ALL - {57}
    rig.completes(server)


def includes(sequence_set: str, uid: int) -> bool:
    bounds = [part.partition(":") for part in sequence_set.split(",")]
    return any(int(first) <= uid <= int(last or first) for first, _, last in bounds)


@pytest.mark.parametrize("at", [b"UID 57 BODY[]", b"* 57 FET", b"57 FETCH (UID", b"BODY[] {"])
def test_31_a_bit_that_flips_outside_of_bodies_costs_another_try(rig: Rig, server: ScriptedServer, at: bytes) -> None:
    with Proxy(server.port) as proxy:
        proxy.faults |= {1: Flip(at=at, bit=1), 2: Flip(at=at, bit=1)}
        done = rig.fetch(server, "--threads", "2", port=proxy.port)
    assert done.code in (0, 3), done
    assert stored(rig) | unfetched(done) == ALL
    rig.completes(server)


def test_31_answers_cut_short_anywhere_spoil_nothing(rig: Rig, server: ScriptedServer) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    quick = {"READ_TIMEOUT": 0.3, "CONNECT_TIMEOUT": 0.3}
    gives_up_soon = {"RECONNECTS": 1, "HOPELESS": 3}
    for _ in range(8):
        server.script.rules.clear()
        for nth in range(1, 60):
            if chance.random() < 0.3:
                server.on("", shortened(chance.random()), nth=len(server.log) + nth)
        done = rig.fetch(server, "--all", "--threads", "3", settings=quick | gives_up_soon)
        assert done.code in (0, 3, 5), done
    rig.completes(server, "--all")


def shortened(share: float) -> Fault:
    """The right answer without its end, and then the next one as if nothing had been."""

    def fault(session: Session, tag: str, line: str) -> None:
        said: list[bytes] = []
        send, session.send_bytes = session.send_bytes, said.append  # type: ignore[method-assign]
        session.answer(tag, line)
        session.send_bytes = send  # type: ignore[method-assign]
        whole = b"".join(said)
        session.send_bytes(whole[: int(len(whole) * share)])

    return fault


def test_32_a_literal_that_claims_4_gb_is_refused_and_takes_no_memory(rig: Rig, server: ScriptedServer) -> None:
    def claim(session: Session, tag: str, command: str) -> None:
        uids = re.match(r"UID FETCH (\S+) .*BODY", command)
        if uids is None or not includes(uids[1], 57):
            session.answer(tag, command)
            return
        session.send_bytes(b"* 57 FETCH (UID 57 BODY[] {4294967296}\r\n" + b"x" * 100_000)
        session.drop()

    server.on("UID FETCH", claim)
    done = rig.fetch(server)
    assert (done.code, unfetched(done)) == (3, {57}), done
    assert stored(rig) == ALL - {57}
    assert done.grown_bytes < 60_000_000
    rig.completes(server)


@pytest.mark.parametrize("change", ["delete", "rename"])
def test_33_a_mailbox_that_another_client_takes_away_meanwhile_does_not_cost_the_others(
    rig: Rig, user: Login, change: str
) -> None:
    def take_away() -> None:
        client = as_another_client(user)
        client.delete("Work") if change == "delete" else client.rename("Work", "Elsewhere")
        client.logout()

    with Proxy(user.port) as proxy:
        proxy.before(b"BODY.PEEK[]", take_away)
        done = rig.fetch_as(user, FILLED, "--all", "--threads", "1", port=proxy.port)
    said(done, 3, "Work: ", "cannot be opened")
    assert stored(rig) == ALL
    again = rig.fetch_as(user, FILLED | {"Elsewhere": FILLED["Work"]}, "--all")
    assert again.code == 0, again
    assert stored(rig, "Elsewhere") == (ALL if change == "rename" else set())


@pytest.mark.parametrize("attributes", [r"\Noselect \HasChildren", r"\NonExistent", r"\NOSELECT"])
def test_34_what_cannot_be_selected_is_passed_over_in_silence(
    rig: Rig, server: ScriptedServer, attributes: str
) -> None:
    server.script.mailboxes[b"Work"].attributes = attributes
    server.on("EXAMINE Work", reply("NO it is none"))
    done = rig.fetch(server, "--all")
    assert (done.code, done.err) == (0, "")
    assert stored(rig) == ALL
    assert not any("Work" in line for line in server.log)


NAMES = [
    b"Entw&APw-rfe", "Entwürfe 2".encode(), b"&broken", b"&2AA-", b"two\r\nlines", b'x"\r\nt1 DELETE "INBOX', b"nul\0l",
    b"../x", b"../../../../tmp/x", b"/etc/passwd", b"n" * 300, b"CON", b"con.txt", b"lpt1", b"twin", b"TWIN", b".",
    b"..", b"", b" ", b"a%2Fb", b'quote"d\\', b"\xff\xfe", b"*", b"\x1b[31mred", b"-rf", b"~root",
]  # fmt: skip


def test_35_mailboxes_of_any_name_are_archived_or_reported_one_by_one(rig: Rig) -> None:
    boxes = {name: box(b"Subject: %d\r\n\r\n" % number) for number, name in enumerate(NAMES)}
    with ScriptedServer({b"INBOX": box(*MESSAGES)} | boxes, password=SECRET) as server:
        # The witness knows ASCII names alone; here it is the content that counts.
        done = rig.start(server.port, "--all").wait()
        assert not changing(server.log)
    assert done.code == 3, done
    assert "Traceback" not in done.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.err + done.out)
    found = {path.read_bytes() for path in rig.archive.rglob("*.eml")}
    assert set(MESSAGES) <= found
    lost = [name for number, name in enumerate(NAMES) if b"Subject: %d\r\n\r\n" % number not in found]
    complaints = done.err.splitlines()
    assert len(complaints) == len(lost), (lost, complaints)
    # imaplib sends ASCII alone.
    assert all(not name.isascii() or set(name) & set(b"\r\n\0") for name in lost), lost
    inside = {path for path in rig.root.rglob("*") if path.is_file() and path.is_relative_to(rig.archive)}
    outside = {path for path in rig.root.rglob("*.*") if path.is_file()} - inside
    assert {path.parent.parent for path in outside} <= {rig.root / "runs", rig.root}, outside


def test_36_mailboxes_that_are_all_suddenly_empty_change_nothing(rig: Rig, server: ScriptedServer) -> None:
    rig.completes(server, "--all")
    boxes = list(server.script.mailboxes.values())
    before = [dict(each.messages) for each in boxes]
    for each in boxes:
        each.messages.clear()
    done = rig.fetch(server, "--all")
    said(done, 3, "INBOX: the server says empty; kept 80 messages")
    said(done, 3, "Work: the server says empty; kept 3 messages")
    for each, messages in zip(boxes, before, strict=True):
        each.messages |= messages
    rig.completes(server, "--all")


def test_38_a_message_of_100_mb_is_stored_within_bounds_of_memory_or_left_out_by_a_stated_limit(
    rig: Rig, server: ScriptedServer, inbox: Box
) -> None:
    inbox.messages[57] = Stored(b"Subject: large\r\n\r\n" + b"x" * 100_000_000)
    done = rig.fetch(server)
    assert done.code == 0 or unfetched(done) == {57}, done
    assert ALL - {57} <= stored(rig)
    assert done.grown_bytes < 150_000_000  # the message once, and what any run takes
    assert rig.fetch(server).code == done.code
