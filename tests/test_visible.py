import json
import unicodedata

import pytest

from inboxstats.visible import spelled_out, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ä 日本 שלום 🎉", "plain ä 日本 שלום 🎉"),
        ("two\r\n\tlines", "two lines"),
        ("\x1b]52;c;aGk=\x07", "\ufffd]52;c;aGk=\ufffd"),  # OSC 52 writes the clipboard
        ("\x9b31m", "\ufffd31m"),  # CSI in one byte
        ("\u202egnp.exe\u202c", "\ufffdgnp.exe\ufffd"),
        ("nul\x00del\x7f", "nul\ufffddel\ufffd"),
        ("not XML \ufffe\ud800", "not XML \ufffd\ufffd"),
    ],
)
def test_what_commands_is_replaced(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_no_control_character_is_left_of_all_that_there_are() -> None:
    every = "".join(map(chr, range(0x110000)))
    # U+2028 and U+2029 end lines; categories by the Unicode Character Database.
    left = {unicodedata.category(character) for character in visible(every)}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}


def test_json_spelled_out_has_the_same_value_and_no_command() -> None:
    value = ["\x7f\x9b\u202e", "ä\n日本"]
    text = spelled_out(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert visible(text.replace("\n", "")) == text.replace("\n", "")
    assert "日本" in text
