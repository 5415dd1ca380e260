from datetime import timedelta

import numpy as np
from factories import dataset, row

from inboxstats.digest import Period

from .conftest import NIGHT, UNTIL


def test_new_is_what_came_after_the_last_digest_and_by_this_one() -> None:
    # The night is from 2:00 to 2:00 UTC.
    data = dataset(
        row(1, when="2026-11-27T02:00:00+00:00"),
        row(2, when="2026-11-27T02:00:01+00:00"),
        row(3, when="2026-11-28T02:00:00+00:00"),
        row(4, when="2026-11-28T02:00:01+00:00"),
        row(5, when=None),
    )
    keys = data.messages["key"][NIGHT.covers(data.messages)].tolist()
    assert keys == ["1-2", "1-3"]


def test_mail_of_an_account_that_was_down_is_new_when_it_comes() -> None:
    period = Period(NIGHT.since, UNTIL, {"late": UNTIL - timedelta(days=3)})
    early = "2026-11-25T12:00:00+00:00"
    data = dataset(
        row(1, when=early, account="late"), row(2, when=early, account="work"), row(3, when=early, account=None)
    )
    assert period.covers(data.messages).tolist() == [True, False, False]
    assert period.earliest == UNTIL - timedelta(days=3)


def test_nothing_is_new_in_no_mail() -> None:
    assert NIGHT.covers(dataset().messages).tolist() == []
    assert isinstance(NIGHT.covers(dataset().messages), np.ndarray)
