"""Mutated messages: five thousand here, a hundred thousand with `make fuzz`; and what the fuzzer would notice."""

import time
from pathlib import Path
from typing import Any

import fuzz
import pytest
from corpora import Corpora, corpora_folder

from inboxstats.parse import Read, read_all


def test_nothing_is_wrong_with_five_thousand_mutated_messages(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    corpora: Corpora | None = request.getfixturevalue("corpora") if corpora_folder() else None
    assert fuzz.fuzz(1, 5_000, corpora and corpora.unpacked, tmp_path) == []


def test_a_message_can_be_made_again_by_seed_and_number() -> None:
    made = [fuzz.mutated(7, number) for number in range(200)]
    assert made == [fuzz.mutated(7, number) for number in range(200)]
    assert len(set(made)) > 190
    assert len(set(made) & set(fuzz.originals(None))) < 20


def raising(_data: bytes) -> Read:
    raise RecursionError("too deep")


def slow(data: bytes) -> Read:
    end = time.process_time() + 0.6
    while time.process_time() < end:
        pass
    return read_all([data])[0]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (raising, "RecursionError: too deep"),
        (lambda _: Read(1, "f", defects=("Date cannot be read: IndexError",)), "an exception inside: ['Date"),
        (lambda _: Read(1, "f", subject="\ud800"), "surrogates not allowed"),
        (lambda _: Read(1, "f", date="today"), "Traceback"),
        (slow, "1 bytes took 0.6 s"),
    ],
)
def test_what_is_wrong_is_told(fault: Any, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "read", fault)
    found = fuzz.problem(b"x")
    assert found is not None
    assert told in found


def test_a_finding_is_written_into_a_file_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz.workers, "run", lambda *_, **__: [(3, None), (4, "it is odd")])
    path = tmp_path / "found" / "7-4.eml"
    assert fuzz.fuzz(7, 5, None, tmp_path / "found") == [f"seed 7, message 4 ({path}): it is odd"]
    assert path.read_bytes() == fuzz.mutated(7, 4)
