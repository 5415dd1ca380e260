"""The compact listing, against a plain dict of messages."""

import tracemalloc
from array import array
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats.archive import listing
from inboxstats.archive.layout import message_key
from inboxstats.archive.listing import Listing, absent, differing
from inboxstats.mail import MessageInfo, MessageKey

DAY = datetime(2026, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC)

words = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "Junk", "ä"]), max_size=3)
dates = st.none() | st.integers(0, 10**9).map(lambda minutes: DAY + timedelta(microseconds=minutes))
infos = st.builds(lambda *facts: facts, dates, words, st.none() | st.integers(0, 2**63 - 1), words)
mailboxes = st.dictionaries(st.integers(1, 2**32 - 1) | st.integers(1, 20), infos, max_size=30).map(
    lambda found: {(key := message_key(7, uid)): MessageInfo(key, *facts) for uid, facts in sorted(found.items())}
)
Messages = dict[MessageKey, MessageInfo]


@given(mailboxes)
def test_a_listing_is_a_mapping_like_any_other(messages: Messages) -> None:
    found = Listing.of(messages.values())
    assert (list(found), list(found.values()), list(found.items())) == (
        list(messages),
        list(messages.values()),
        list(messages.items()),
    )
    assert found == messages
    assert list(found.sized()) == [(key, info.size or 0) for key, info in messages.items()]
    assert all(key in found and found[key] == info for key, info in messages.items())
    for other in ("7-0", "8-1", "7-01", "7-", "x", "7-1-1", ""):
        assert other not in found


@given(mailboxes, mailboxes)
def test_changes_replace_what_has_the_same_uid(before: Messages, changes: Messages) -> None:
    found = Listing.of(before.values()).under(7).updated(Listing.of(changes.values()))
    assert found == before | changes
    assert list(found.uids) == sorted(found.uids)


@given(mailboxes, mailboxes)
def test_what_one_listing_has_and_another_has_not(one: Messages, other: Messages) -> None:
    listed, uids = Listing.of(one.values()), Listing.of(other.values()).uids
    assert listed.without(uids) == {key: info for key, info in one.items() if key not in other}
    assert listed.among(uids) == {key: info for key, info in one.items() if key in other}


@given(st.sets(st.integers(0, 5000)), st.sets(st.integers(0, 5000)), st.integers(0, 5000))
def test_what_is_absent_is_found_between_long_equal_stretches(these: set[int], others: set[int], same: int) -> None:
    left, right = ({*each, *range(6000, 6000 + same)} for each in (these, others))
    ascending = array("I", sorted(left))
    assert [ascending[place] for place in absent(ascending, array("I", sorted(right)))] == sorted(left - right)


@settings(deadline=None)
@given(st.lists(mailboxes, max_size=4))
def test_the_file_keeps_what_is_there_and_what_is_gone(history: list[Messages]) -> None:
    data, ever = b"", {}
    for messages in history:
        data = listing.to_bytes(listing.merge(listing.read(data) or (), Listing.of(messages.values()).under(7)))
        ever |= messages
        assert listing.present(listing.read(data) or ()) == messages
    generations = listing.read(data) or []
    assert {key: info for each in generations for key, info in each.listing.items()} == ever


def test_a_new_generation_stands_beside_the_old_one() -> None:
    old, new = (Listing.of([MessageInfo(message_key(number, 1), DAY)]) for number in (9, 8))
    found = listing.merge(listing.merge([], old), new)
    assert [(each.listing.uidvalidity, each.gone) for each in found] == [(8, b"\0"), (9, b"\1")]
    assert list(listing.present(found)) == ["8-1"]


def test_only_what_is_known_on_both_sides_differs() -> None:
    def mailbox(*sizes: int | None, dates: tuple[datetime | None, ...] = (DAY, DAY, DAY)) -> Listing:
        facts = zip(range(1, 4), dates, sizes, strict=True)
        return Listing.of(MessageInfo(message_key(7, uid), date, frozenset(), size) for uid, date, size in facts)

    before = mailbox(10, 20, None)
    assert list(differing(before, mailbox(10, 20, None))) == []
    assert list(differing(before, mailbox(10, 21, 30))) == [1]
    assert list(differing(before, mailbox(None, 20, 30, dates=(DAY + timedelta(1), None, DAY)))) == [0]
    assert list(differing(before, Listing(7))) == []


@given(st.lists(st.integers(1, 4000), max_size=5), st.lists(st.integers(1, 4000), max_size=5), st.integers(0, 3))
def test_what_differs_is_found_between_long_equal_stretches(gone: list[int], other: list[int], late: int) -> None:
    before, after = Listing(7), Listing(7)
    for uid in range(1, 4001):
        if uid % 50 != late:
            before.add(uid, uid, uid, frozenset())
        if uid not in gone:
            after.add(uid, uid, uid + (uid in other), frozenset())
    found = [after.uids[place] for place in differing(before, after)]
    assert found == sorted(uid for uid in {*other} - {*gone} if uid % 50 != late)


def test_a_message_takes_24_bytes() -> None:
    tracemalloc.start()
    found, seen = Listing(7), frozenset({"\\Seen"})
    for uid in range(1, 100_001):
        found.add(uid, uid, uid, seen)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 100_000
    assert size < 100_000 * 24 * 1.2
