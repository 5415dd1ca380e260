"""Who wrote for the first time?

An address is new where it has a new message and no earlier one in the whole archive. My own addresses are none.
"""

from dataclasses import dataclass

from inboxstats.dataset import Dataset
from inboxstats.digest.period import Period, is_mine, written


@dataclass(frozen=True, slots=True)
class NewSender:
    """An address that had not written before. `name` is that of its latest message."""

    address: str
    name: str | None
    messages: int


def new_senders(data: Dataset, period: Period, mine: frozenset[str]) -> tuple[NewSender, ...]:
    """The busiest first, then by address."""
    messages = data.messages
    is_new = period.covers(messages)
    others = ~is_mine(messages, mine)
    known = set(messages["sender"][~is_new].dropna())
    fresh = messages[is_new & others & messages["sender"].notna().to_numpy()]
    fresh = fresh[~fresh["sender"].isin(known).to_numpy(bool)]
    found = [
        NewSender(str(address), written(rows["sender_name"].iloc[-1]), len(rows))
        for address, rows in fresh.groupby("sender", sort=True)
    ]
    return tuple(sorted(found, key=lambda sender: (-sender.messages, sender.address)))
