"""The soak of `make soak`, in small."""

import random
from pathlib import Path

from servers.dovecot import Dovecot
from soak import soak


def test_25_kills_at_random_moments_leave_nothing_partial_and_lose_nothing(dovecot: Dovecot, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    done = soak(dovecot, tmp_path, kills=25, messages=250, seed=seed)
    assert (done.kills, done.messages) == (25, 250)
