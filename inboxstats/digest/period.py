"""Which mail is new since the last digest, and whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from inboxstats.dataset import Dataset

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Period:
    """What is new: mail that arrived after `since` and not after `until` (both aware).

    accounts -- where an account's mail was last brought at another time than `since`: mail of an account whose server
                could not be reached last night is new today
    """

    since: datetime
    until: datetime
    accounts: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def earliest(self) -> datetime:
        """The first moment that is new for any account."""
        return min([self.since, *self.accounts.values()])

    def covers(self, messages: pd.DataFrame) -> Mask:
        """Which of a dataset's messages are new; one without a time is not."""
        when = _instants(messages)
        since = np.full(len(messages), _instant(self.since))
        account = messages["account"]
        for name, moment in self.accounts.items():
            since[(account == name).fillna(False).to_numpy(bool)] = _instant(moment)
        mask: Mask = (when > since) & (when <= _instant(self.until))
        return mask


def until(data: Dataset, moment: datetime) -> Mask:
    """Which messages arrived by a moment; those without a time did not."""
    mask: Mask = _instants(data.messages) <= _instant(moment)
    return mask


def is_mine(messages: pd.DataFrame, mine: frozenset[str]) -> Mask:
    """Which messages one of my addresses (lower case) sent."""
    mask: Mask = messages["sender"].isin(mine).fillna(False).to_numpy(bool)
    return mask


def _instants(messages: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    instants: npt.NDArray[np.datetime64] = messages["when"].dt.tz_localize(None).to_numpy("datetime64[us]")
    return instants


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def written(value: object) -> str | None:
    """What stands in a cell; ``None`` where nothing does."""
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]  # pandas-stubs lack object
