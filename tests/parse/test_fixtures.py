"""Mail that we wrote: fixtures/KIND/NAME.eml beside NAME.json, which holds what a reader must see of it.

A key is a field of `Message`, `sender` being the address alone; what a file does not name is not its business.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from inboxstats.mail import Message
from inboxstats.parse import parse

FOLDER = Path(__file__).parents[2] / "fixtures"
NAMES = [str(path.relative_to(FOLDER).with_suffix("")) for path in sorted(FOLDER.glob("*/*.eml"))]
MBOX_LINE = b"From ann@example.com Mon Mar  2 09:15:00 2026\n"


def seen(message: Message) -> dict[str, Any]:
    """A message in the terms of the JSON files."""
    return asdict(message) | {
        "sender": message.sender and message.sender.addr_spec,
        "display_name": message.sender and message.sender.display_name,
        "date": message.date and message.date.isoformat(),
        "received": message.received and message.received.isoformat(),
        "attachments": [asdict(attachment) for attachment in message.attachments],
        "words": list(message.words),
        "phrases": list(message.phrases),
        "defects": list(message.defects),
    }


def test_there_is_a_fixture_for_each_known_trap() -> None:
    assert len(NAMES) >= 150
    assert not [name for name in NAMES if not (FOLDER / f"{name}.json").exists()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("before", [b"", MBOX_LINE], ids=["bare", "mbox"])
def test_a_reader_sees_what_the_fixture_says(name: str, before: bytes, line_end: bytes) -> None:
    data = before + (FOLDER / f"{name}.eml").read_bytes()
    wanted = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))

    found = seen(parse(data.replace(b"\n", line_end)))

    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_line_ends_and_an_mbox_line_change_the_size_alone(name: str) -> None:
    data = (FOLDER / f"{name}.eml").read_bytes()
    plain = seen(parse(data)) | {"size": None}

    half = data[: len(data) // 2].replace(b"\n", b"\r\n") + data[len(data) // 2 :]
    for other in (data.replace(b"\n", b"\r\n"), half, MBOX_LINE + data):
        assert seen(parse(other)) | {"size": None} == plain
