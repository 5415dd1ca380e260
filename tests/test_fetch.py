"""A run for one account against a server that misbehaves as told. What real servers do: tests/cli and tests/sources."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from scripted import ScriptedServer, bye, drop, reply, untagged
from scripted_mailbox import ANY_DAY, Box, Stored, box, numbers
from scripted_session import Fault, Session

from inboxstats.archive import Archive, Owner
from inboxstats.choosing import chosen
from inboxstats.errors import CredentialsError, NetworkError, TLSError, UsageError
from inboxstats.fetch import Fetched, fetch
from inboxstats.mail import Mailbox
from inboxstats.sources.imap import ImapSource, Server

READ_ONLY = re.compile(
    r"(CAPABILITY|ID|LOGIN|LIST|STATUS|ENABLE|EXAMINE|UID SEARCH|UID FETCH|NOOP|UNSELECT|LOGOUT)(?![A-Z])",
    re.IGNORECASE,
)
MESSAGES = [f"Subject: {number}\r\n\r\n{'x' * 2000}\r\n".encode() for number in range(1, 121)]


class Silent:
    """Watches nothing."""

    def listing(self, mailbox: str) -> None: ...
    def begin(self, messages: int, size: int) -> None: ...
    def stored(self, messages: int, size: int) -> None: ...
    def headers(self, messages: int, seconds: float | None) -> None: ...
    def header_stored(self) -> None: ...
    def headers_done(self) -> None: ...


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A far server, which all threads are needed for, though it answers at once."""
    monkeypatch.setattr("inboxstats.download.pool.NEAR_SECONDS", 0)


@pytest.fixture
def inbox() -> Box:
    return box(*MESSAGES)


@pytest.fixture
def server(inbox: Box) -> Iterator[ScriptedServer]:
    with ScriptedServer({"INBOX": inbox, "Other": box(MESSAGES[0])}) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", fsync=False)


def run(
    server: ScriptedServer,
    archive: Archive,
    *,
    threads: int = 3,
    mailboxes: tuple[str, ...] = ("INBOX",),
    since: date | None = None,
    dry_run: bool = False,
) -> Fetched:
    address = Server("127.0.0.1", server.port, "user", "none")
    owner = Owner("127.0.0.1", "user")
    return fetch(
        archive,
        "me",
        owner,
        ImapSource(address, "secret"),
        mailboxes=mailboxes,
        threads=threads,
        watcher=Silent(),
        since=since,
        dry_run=dry_run,
        wait=lambda _: None,
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_a_daily_budget_ends_the_run_before_it_is_exceeded_and_the_next_day_completes(
    server: ScriptedServer, archive: Archive, threads: int
) -> None:
    def limited() -> Fetched:
        source = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
        owner = Owner("127.0.0.1", "user")
        return fetch(
            archive, "me", owner, source, mailboxes=("INBOX",), threads=threads, watcher=Silent(), daily_bytes=limit
        )

    total = sum(map(len, MESSAGES))
    limit = total * 2 // 3
    first = limited()
    assert (first.exit_code, first.failed) == (5, ())
    assert "MB a day might lock you out" in str(first.error)
    assert limit // 3 < first.bytes <= limit
    assert (first.stored, first.left) == (len(stored(archive)), 120 - first.stored)
    server.log.clear()
    again = limited()
    assert (again.exit_code, again.stored + first.stored <= 120, again.bytes + first.bytes <= limit) == (5, True, True)
    (archive.path / "me" / ".budget.json").write_text('{"day": "2000-01-01", "bytes": 1000000}')
    assert limited().exit_code == 0
    assert stored(archive) == whole()


def stored(archive: Archive, mailbox: str = "INBOX") -> dict[int, bytes]:
    found = archive.mailbox("me", Mailbox(mailbox)).locations()
    return {int(key.partition("-")[2]): location.read() for key, location in found.items()}


def whole(*left_out: int) -> dict[int, bytes]:
    return {uid: data for uid, data in enumerate(MESSAGES, start=1) if uid not in left_out}


def body_fetches(server: ScriptedServer) -> list[str]:
    return [line for line in server.log if "BODY" in line]


def test_all_is_fetched_with_commands_that_change_nothing(server: ScriptedServer, archive: Archive) -> None:
    done = run(server, archive)
    assert (done.listed, done.missing, done.stored, done.exit_code) == (120, 120, 120, 0)
    assert stored(archive) == whole()
    assert [line for line in server.log if not READ_ONLY.match(line)] == []
    assert all("BODY.PEEK[]" in line for line in body_fetches(server))


def test_a_second_run_fetches_no_body(server: ScriptedServer, archive: Archive) -> None:
    run(server, archive)
    server.log.clear()
    done = run(server, archive)
    assert (done.listed, done.missing, done.stored, done.exit_code) == (120, 0, 0, 0)
    assert body_fetches(server) == []


def test_a_hole_in_the_archive_is_filled(server: ScriptedServer, archive: Archive) -> None:
    run(server, archive)
    next(archive.path.rglob("57.eml")).unlink()
    assert run(server, archive).stored == 1
    assert stored(archive) == whole()


def test_new_flags_are_noted_without_fetching_a_body(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    run(server, archive)
    inbox.messages[3] = Stored(MESSAGES[2], flags=r"\Flagged Junk")
    server.log.clear()
    run(server, archive)
    listed = archive.mailbox("me", Mailbox("INBOX")).listed()
    assert next(info.flags for key, info in listed.items() if key.endswith("-3")) == {"\\Flagged", "Junk"}
    assert body_fetches(server) == []


@pytest.mark.parametrize("fault", ["missing", "nil", "absent"])
def test_a_body_that_is_left_out_is_listed_and_tried_again(
    server: ScriptedServer, archive: Archive, fault: str
) -> None:
    server.script.bodies[57] = fault  # type: ignore[assignment]
    done = run(server, archive)
    assert (done.stored, done.gone, done.exit_code) == (119, 0, 3)
    assert [(each.mailbox, each.key, each.reason) for each in done.failed] == [
        ("INBOX", "1-57", "the server answered without its text")
    ]
    server.script.bodies.clear()
    assert run(server, archive).exit_code == 0
    assert stored(archive) == whole()


def test_a_message_that_is_refused_does_not_cost_the_others(server: ScriptedServer, archive: Archive) -> None:
    server.script.bodies[57] = "refused"
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (119, 3)
    assert [each.key for each in done.failed] == ["1-57"]
    assert stored(archive) == whole(57)


def test_a_message_expunged_meanwhile_counts_as_gone(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    def expunge_first(session: Session, tag: str, line: str) -> None:
        if "BODY" in line:
            inbox.messages.pop(57, None)
        session.answer(tag, line)

    server.on("UID FETCH", expunge_first)
    done = run(server, archive, threads=1)
    assert (done.stored, done.gone, done.failed, done.exit_code) == (119, 1, (), 0)


def test_what_a_dead_run_left_in_a_mailbox_that_is_gone_is_swept(server: ScriptedServer, archive: Archive) -> None:
    run(server, archive)
    (message,) = archive.path.rglob("57.eml")
    left = message.with_name(".121.eml.part")
    left.write_bytes(b"Subject: hal")
    server.script.mailboxes[b"Work"] = server.script.mailboxes.pop(b"INBOX")
    assert run(server, archive, mailboxes=("*",), dry_run=True).exit_code == 0
    assert left.exists()
    assert run(server, archive, mailboxes=("*",)).exit_code == 0
    assert not left.exists()
    assert stored(archive) == stored(archive, "Work") == whole()


@pytest.mark.parametrize("after", [0, 1, 5_000, 30_001])
def test_a_connection_that_drops_is_made_again(server: ScriptedServer, archive: Archive, after: int) -> None:
    server.on("UID FETCH", drop(after=after), nth=3)
    done = run(server, archive)
    assert (done.stored, done.failed, done.exit_code) == (120, (), 0)
    assert stored(archive) == whole()


@pytest.mark.parametrize("after", [300_000, 1_000_000, 2_000_100])
def test_a_connection_that_drops_within_a_large_message_leaves_nothing_of_it(
    server: ScriptedServer, inbox: Box, archive: Archive, after: int
) -> None:
    inbox.messages[57] = Stored(MESSAGES[56] + b"y" * 2_000_000)
    for nth in range(2, 30):
        server.on("UID FETCH 57", drop(after=after), nth=nth - 1)
    done = run(server, archive, threads=1)
    assert (done.stored, [each.key for each in done.failed], done.exit_code) == (119, ["1-57"], 3)
    assert "dropped the connection" in done.failed[0].reason
    assert stored(archive) == whole(57)
    assert not list(archive.path.rglob("*.part"))
    server.script.rules.clear()
    assert run(server, archive).exit_code == 0
    assert stored(archive) == whole() | {57: inbox.messages[57].data}


def test_a_message_that_claims_four_gigabytes_is_refused_and_named(server: ScriptedServer, archive: Archive) -> None:
    def boast(session: Session, tag: str, line: str) -> None:
        if "BODY" in line and 57 in numbers(line.split()[2], most=120):
            session.send("* 57 FETCH (UID 57 BODY[] {4294967296}")
        session.answer(tag, line)

    server.on("UID FETCH", boast)
    done = run(server, archive)
    assert (done.stored, [each.key for each in done.failed], done.exit_code) == (119, ["1-57"], 3)
    assert "a message of 4,294,967,296 bytes" in done.failed[0].reason
    assert stored(archive) == whole(57)


def test_a_server_that_says_bye_is_called_again(server: ScriptedServer, archive: Archive) -> None:
    server.on("UID FETCH", bye("shutting down"), nth=3)
    assert run(server, archive).exit_code == 0
    assert stored(archive) == whole()


def test_a_server_that_takes_few_connections_is_served_with_few(server: ScriptedServer, archive: Archive) -> None:
    server.script.most = 2
    done = run(server, archive, threads=6)
    assert (done.stored, done.exit_code) == (120, 0)


def test_a_server_that_sends_little_a_connection_is_drained_in_smaller_chunks(
    server: ScriptedServer, archive: Archive
) -> None:
    run(server, archive, mailboxes=("Other",))  # what a connection needs before it fetches is below the cap
    server.script.bytes_each = 60_000
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (120, 0)
    assert stored(archive) == whole()


def test_data_that_nobody_asked_for_is_ignored(server: ScriptedServer, archive: Archive) -> None:
    noise = (b"* 121 EXISTS", b"* 7 FETCH (FLAGS (\\Seen))", b"* OK [ALERT] maintenance at noon", b"* 2 RECENT")
    server.on("UID FETCH", untagged(*noise))
    assert run(server, archive).exit_code == 0
    assert stored(archive) == whole()


def test_flags_that_cannot_be_parsed_cost_the_flags_alone(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    inbox.messages[3] = Stored(MESSAGES[2], flags='"unbalanced')
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (120, 0)


@pytest.mark.parametrize("uid_validity", [None, 0, 4294967296])
def test_a_strange_uidvalidity_is_lived_with(
    server: ScriptedServer, inbox: Box, archive: Archive, uid_validity: int | None
) -> None:
    inbox.uid_validity = uid_validity
    assert run(server, archive).stored == 120
    assert run(server, archive).stored == 0


def test_a_renumbered_mailbox_is_fetched_again_beside_the_old_one(
    server: ScriptedServer, inbox: Box, archive: Archive
) -> None:
    run(server, archive)
    inbox.uid_validity = 2
    assert run(server, archive).stored == 120
    assert len(archive.mailbox("me", Mailbox("INBOX")).stored()) == 240


def test_a_mailbox_that_cannot_be_opened_does_not_cost_the_others(server: ScriptedServer, archive: Archive) -> None:
    server.on("EXAMINE", reply("NO [NONEXISTENT] it was just deleted"), nth=1)
    done = run(server, archive, threads=1, mailboxes=("*",))  # the first EXAMINE is the listing's
    assert [mailbox for mailbox, _ in done.troubles] == ["INBOX"]
    assert (done.stored, done.exit_code) == (1, 3)


def test_a_mailbox_that_is_listed_twice_is_fetched_once(server: ScriptedServer, archive: Archive) -> None:
    server.on("LIST", untagged(b'* LIST () "/" INBOX', b'* LIST (\\NonExistent) "/" Other'))
    done = run(server, archive, mailboxes=("*",))
    assert (done.mailboxes, done.stored) == (("INBOX", "Other"), 121)


def test_a_mailbox_that_is_deleted_meanwhile_is_given_up_at_once(server: ScriptedServer, archive: Archive) -> None:
    for nth in range(2, 50):
        server.on("EXAMINE", reply("NO [NONEXISTENT] it was just deleted."), nth=nth)
    server.on("UID FETCH", drop(), nth=2)
    done = run(server, archive, threads=1)
    assert done.troubles == (
        ("INBOX", "'INBOX' cannot be opened: select failed: [NONEXISTENT] it was just deleted. "
         "120 of its messages are not fetched."),
    )  # fmt: skip
    assert (done.stored, done.failed, done.exit_code) == (0, (), 3)
    assert sum(line.startswith("LOGIN") for line in server.log) <= 3


def test_messages_that_are_all_refused_cost_no_login_each(server: ScriptedServer, archive: Archive) -> None:
    server.script.bodies.update(dict.fromkeys(range(1, 121), "refused"))
    done = run(server, archive)
    assert (len(done.failed), done.exit_code) == (120, 3)
    assert sum(line.startswith("LOGIN") for line in server.log) <= 3


def test_a_listing_that_is_cut_off_is_asked_for_again(server: ScriptedServer, archive: Archive) -> None:
    server.on("UID FETCH", drop(), nth=1)
    server.on("UID FETCH", drop(after=50), nth=2)
    assert run(server, archive).exit_code == 0
    assert stored(archive) == whole()


def test_a_listing_that_never_comes_does_not_cost_what_was_listed_before(
    server: ScriptedServer, archive: Archive
) -> None:
    listings: list[str] = []

    def lists_once(session: Session, tag: str, line: str) -> None:
        listings.extend([line] if "FLAGS" in line else [])
        (drop() if "FLAGS" in line and len(listings) > 1 else Session.answer)(session, tag, line)

    server.on("UID FETCH", lists_once)
    done = run(server, archive, mailboxes=("*",))
    assert isinstance(done.error, NetworkError)
    assert (done.stored, done.exit_code) == (120, 5)


@pytest.mark.parametrize("names", [(b"A&-B", b"A&B"), (b"Entw&APw-rfe", "Entwürfe".encode()), (b"&2AA-", b"&2AE-")])
def test_two_names_that_decode_alike_are_two_mailboxes(archive: Archive, names: tuple[bytes, bytes]) -> None:
    with ScriptedServer({names[1]: box(MESSAGES[1]), names[0]: box(MESSAGES[0])}) as server:
        found = ImapSource(Server("127.0.0.1", server.port, "user", "none"), "secret")
        mailboxes = found.mailboxes()
        found.close()
        assert len({mailbox.name for mailbox in mailboxes}) == 2
        assert all(mailbox.name.encode() for mailbox in mailboxes)
        done = run(server, archive, mailboxes=("*",))
    assert len(done.mailboxes) == 2
    if all(name.isascii() for name in names):
        assert (done.stored, done.exit_code) == (2, 0)
        contents = {path.read_bytes() for path in archive.path.rglob("*.eml")}
        assert contents == {MESSAGES[0], MESSAGES[1]}
    else:  # imaplib sends ASCII alone: the other one is fetched, and this one named
        assert (done.stored, len(done.troubles), done.exit_code) == (1, 1, 3)


@pytest.mark.parametrize("year", [1601, 9999])
def test_an_internal_date_that_cannot_be_is_unknown(
    server: ScriptedServer, inbox: Box, archive: Archive, year: int
) -> None:
    inbox.messages[3] = Stored(MESSAGES[2], internal_date=ANY_DAY.replace(year=year))
    for _ in range(2):
        assert run(server, archive).exit_code == 0
    listed = archive.mailbox("me", Mailbox("INBOX")).listed()
    assert [key for key, info in listed.items() if info.internal_date is None] == ["1-3"]


def test_a_mailbox_that_cannot_be_selected_is_passed_over(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    inbox.attributes = r"\Noselect"
    assert run(server, archive, mailboxes=("*",)).mailboxes == ("Other",)


def test_only_a_wrong_password_is_called_one(server: ScriptedServer, archive: Archive) -> None:
    server.on("LOGIN", reply("NO [UNAVAILABLE] the user database is down"), nth=1)
    server.on("LOGIN", reply("NO too many connections"), nth=2)
    server.on("LOGIN", reply("NO [AUTHENTICATIONFAILED] no"), nth=3)
    for kind in (NetworkError, NetworkError, CredentialsError):
        with pytest.raises(kind):
            run(server, archive)
    assert archive.owners == {}


def test_a_preauthenticated_greeting_gets_no_starttls_and_no_password() -> None:
    with ScriptedServer({"INBOX": box()}) as server:
        server.script.greeting = b"* PREAUTH welcome"  # what an attacker may send to keep the channel in the clear
        address = Server("127.0.0.1", server.port, "user", "starttls")
        with pytest.raises(TLSError, match="PREAUTH"):
            ImapSource(address, "secret").connect()
        assert "LOGIN" not in "".join(server.log)


def test_a_mailbox_that_is_suddenly_empty_changes_nothing(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    run(server, archive)
    inbox.messages.clear()
    done = run(server, archive)
    assert (done.emptied, done.exit_code) == ((("INBOX", 120),), 3)
    assert len(archive.mailbox("me", Mailbox("INBOX")).listed()) == 120


def test_a_message_that_left_the_server_stays_in_the_archive(
    server: ScriptedServer, inbox: Box, archive: Archive
) -> None:
    run(server, archive)
    del inbox.messages[5]
    done = run(server, archive)
    assert (done.listed, done.exit_code) == (119, 0)
    assert stored(archive) == whole()
    table = archive.mailbox("me", Mailbox("INBOX")).listing_table()
    assert table is not None
    assert [row["uid"] for row in table.to_pylist() if row["gone"]] == [5]
    assert {row["internal_date"] for row in table.to_pylist()} == {ANY_DAY}


BOXES = [Mailbox(name, "/") for name in ("inbox", "[Gmail]/All Mail", "[Gmail]/Spam", "Lists", "Lists/python", "ab")]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["INBOX"], ["inbox"]),
        (["Inbox", "ab"], ["inbox", "ab"]),
        (["*"], [box.name for box in BOXES]),
        (["[Gmail]/*"], ["[Gmail]/All Mail", "[Gmail]/Spam"]),
        (["[Gmail]/All Mail"], ["[Gmail]/All Mail"]),
        (["Lists*"], ["Lists", "Lists/python"]),
        (["a?"], ["ab"]),
    ],
)
def test_mailboxes_are_chosen_by_name_or_glob(patterns: list[str], names: list[str]) -> None:
    assert [box.name for box in chosen(BOXES, patterns)] == names


def test_a_pattern_that_matches_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no mailbox 'List'\. There are: 'Lists'"):
        chosen(BOXES, ["INBOX", "List"])
    with pytest.raises(UsageError, match="It has none at all"):
        chosen([], ["INBOX"])


# --- what a run without news costs, and UIDs that are used again ---

CONDSTORE = ("CONDSTORE", "ENABLE", "QRESYNC", "ESEARCH")


def after_login(server: ScriptedServer) -> list[str]:
    return [line for line in server.log if not re.match("CAPABILITY|LOGIN|ID|LOGOUT", line)]


def files(archive: Archive) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in archive.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("modseq", "more"), [(1, ["EXAMINE", "UID"]), (1000, [])])
def test_a_run_without_news_costs_few_round_trips_and_writes_nothing(
    server: ScriptedServer, archive: Archive, inbox: Box, modseq: int, more: list[str]
) -> None:
    server.script.extensions = CONDSTORE
    inbox.modseq = modseq  # one that is low may be that of a mailbox made anew
    run(server, archive)
    before = files(archive)
    server.log.clear()
    done = run(server, archive)
    assert (done.listed, done.missing, done.exit_code) == (120, 0, 0)
    assert [line.split()[0] for line in after_login(server) if line[:6] != "ENABLE"] == ["STATUS", "LIST", *more]
    assert files(archive) == before


def test_fifty_mailboxes_without_news_cost_two_round_trips(archive: Archive) -> None:
    boxes = {f"Box {number}": box(*MESSAGES[:3]) for number in range(50)}
    for each in boxes.values():
        each.modseq = 1000
    with ScriptedServer(boxes) as server:
        server.script.extensions = (*CONDSTORE, "LIST-EXTENDED", "LIST-STATUS")
        assert run(server, archive, mailboxes=("*",)).stored == 150
        server.log.clear()
        assert run(server, archive, mailboxes=("*",)).listed == 150
        assert [line.split()[0] for line in after_login(server)] == ["LIST", "LIST"]


@pytest.mark.parametrize("name", ["57.eml", "listing.parquet", "manifest.jsonl"])
def test_a_file_that_was_removed_by_hand_comes_back_though_the_mailbox_has_not_changed(
    server: ScriptedServer, archive: Archive, name: str
) -> None:
    server.script.extensions = CONDSTORE
    run(server, archive)
    [path] = archive.path.rglob(name)
    content = path.read_bytes()
    path.unlink()
    done = run(server, archive)
    assert (done.listed, done.stored, done.exit_code) == (120, int(name == "57.eml"), 0)
    assert len(path.read_bytes()) == len(content)
    assert stored(archive) == whole()


def test_a_damaged_listing_is_made_again_though_the_mailbox_has_not_changed(
    server: ScriptedServer, archive: Archive
) -> None:
    server.script.extensions = CONDSTORE
    run(server, archive)
    [path] = archive.path.rglob("listing.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert run(server, archive).exit_code == 0
    assert path.read_bytes() == content


def test_what_since_left_out_is_fetched_by_a_run_without_it(
    server: ScriptedServer, inbox: Box, archive: Archive
) -> None:
    server.script.extensions = CONDSTORE
    for uid in range(1, 21):
        inbox.messages[uid] = Stored(MESSAGES[uid - 1], internal_date=ANY_DAY - timedelta(days=9))
    assert run(server, archive, since=ANY_DAY.date()).stored == 100
    assert run(server, archive, since=ANY_DAY.date()).stored == 0
    assert run(server, archive).stored == 20
    assert stored(archive) == whole()


def test_a_message_that_failed_is_tried_again_though_the_mailbox_has_not_changed(
    server: ScriptedServer, archive: Archive
) -> None:
    server.script.extensions = CONDSTORE
    server.script.bodies[57] = "nil"
    assert run(server, archive).exit_code == 3
    assert run(server, archive).exit_code == 3
    server.script.bodies.clear()
    assert run(server, archive).stored == 1
    assert stored(archive) == whole()


def test_what_is_absent_is_asked_for_alone(server: ScriptedServer, archive: Archive) -> None:
    server.script.bodies[57] = "missing"
    run(server, archive)
    assert [line for line in server.log if "SEARCH" in line] == ["UID SEARCH UID 57"]


def letters(kind: str, count: int = 30) -> list[bytes]:
    lines = "Message-ID: <{0}{1}@example.org>\r\nSubject: {0}\r\n\r\n{2}\r\n"
    return [lines.format(kind, number, "x" * number).encode() for number in range(count)]


@pytest.mark.parametrize("extensions", [(), CONDSTORE])
@pytest.mark.parametrize("count", [10, 30, 40])
def test_uids_that_are_used_again_cost_neither_the_old_mail_nor_the_new(
    tmp_path: Path, extensions: tuple[str, ...], count: int
) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    old, new = letters("old"), letters("new!", count)
    inbox = box(*old)
    with ScriptedServer({"INBOX": inbox}) as server:
        server.script.extensions = extensions
        assert run(server, archive).stored == 30
        inbox.messages = box(*new).messages
        inbox.next_uid = 1
        done = run(server, archive)
        assert (done.stored, done.exit_code) == (count, 3)
        assert "uses UIDs again for other messages" in done.troubles[0][1]
        assert sorted(path.read_bytes() for path in archive.path.rglob("*.eml")) == sorted(old + new)
        server.log.clear()
        done = run(server, archive)
        assert (done.listed, done.stored, done.exit_code) == (count, 0, 0)
        inbox.messages[count + 1] = Stored(b"Message-ID: <x@y>\r\n\r\n")
        done = run(server, archive)
        assert (done.listed, done.stored, done.exit_code) == (count + 1, 1, 0)
        assert not any("HEADER" in line for line in server.log)
    table = archive.mailbox("me", Mailbox("INBOX")).listing_table()
    assert table is not None
    gone = [row["gone"] for row in table.to_pylist()]
    assert (gone.count(True), gone.count(False)) == (30, count + 1)


def test_uids_used_again_are_noticed_though_all_the_numbers_are_as_before(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    for messages, code in ((letters("old"), 0), (letters("new!"), 3)):
        with ScriptedServer({"INBOX": box(*messages)}) as server:
            server.script.extensions = CONDSTORE
            assert run(server, archive).exit_code == code
    assert len(list(archive.path.rglob("*.eml"))) == 60


def refusing(pattern: str, text: str) -> Fault:
    """This answer to commands of that pattern, and the right one to all others."""

    def fault(session: Session, tag: str, line: str) -> None:
        if re.match(pattern, line):
            session.send(f"{tag} {text}")
        else:
            session.answer(tag, line)

    return fault


@pytest.mark.parametrize("extensions", [(), CONDSTORE])
@pytest.mark.parametrize("answer", ["NO not now", "OK that is all"])
def test_where_the_server_does_not_tell_whether_uids_are_used_again_the_next_run_asks_once_more(
    tmp_path: Path, extensions: tuple[str, ...], answer: str
) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    inbox = box(*letters("old"))
    with ScriptedServer({"INBOX": inbox}) as server:
        server.script.extensions = extensions
        run(server, archive)
        inbox.messages = box(*letters("new!")).messages
        server.on("UID FETCH", refusing(r"UID FETCH .*HEADER", answer))
        for _ in range(2):
            done = run(server, archive)
            assert (done.stored, done.exit_code) == (0, 3)
            assert "does not tell whether they are others" in done.troubles[0][1]
        server.script.rules.clear()
        assert run(server, archive).stored == 30
        assert run(server, archive).exit_code == 0
    assert sorted(path.read_bytes() for path in archive.path.rglob("*.eml")) == sorted(letters("old") + letters("new!"))


def test_one_message_that_the_server_cannot_read_hides_no_uids_that_are_used_again(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    inbox = box(*letters("old"))
    with ScriptedServer({"INBOX": inbox}) as server:
        run(server, archive)
        inbox.messages = box(*letters("new!")).messages
        server.on("UID FETCH", refusing(r"UID FETCH 1\b.*HEADER", "NO [SERVERBUG] it is damaged"))
        done = run(server, archive)
    assert (done.stored, done.exit_code) == (30, 3)
    assert "(19 of 19 compared)" in done.troubles[0][1]


def test_a_dry_run_tells_of_uids_used_again_and_writes_nothing(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", fsync=False)
    inbox = box(*letters("old"))
    with ScriptedServer({"INBOX": inbox}) as server:
        run(server, archive)
        before = files(archive)
        inbox.messages = box(*letters("new!")).messages
        done = run(server, archive, dry_run=True)
    assert (done.missing, done.exit_code) == (30, 3)
    assert files(archive) == before
    assert {path.name for path in archive.path.rglob("*") if path.is_dir() and path.name.isdecimal()} == {"1", "000000"}


def test_sizes_that_a_server_counts_anew_are_no_other_messages(
    server: ScriptedServer, inbox: Box, archive: Archive
) -> None:
    run(server, archive)
    for uid, message in inbox.messages.items():
        inbox.messages[uid] = Stored(message.data, size=len(message.data) + 7)
    done = run(server, archive)
    assert (done.stored, done.exit_code) == (0, 0)
    assert any("HEADER.FIELDS (MESSAGE-ID)" in line for line in server.log)


def test_a_mailbox_without_uidvalidity_is_warned_of(server: ScriptedServer, inbox: Box, archive: Archive) -> None:
    server.script.extensions = CONDSTORE
    for uid_validity in (None, 0, 4294967296):
        inbox.uid_validity = uid_validity
        done = run(server, archive)
        assert [(name, reason[:40]) for name, reason in done.warnings] == [
            ("INBOX", "the server gives it no usable UIDVALIDIT")
        ]
        assert done.exit_code == 0
    assert stored(archive) == whole()
