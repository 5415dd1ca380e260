"""tools/keywords.py: the steps are the parser's, and each takes away its own."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

MAIL = b"""\
From: Ann Baker <ann@example.com>
Subject: Re: [cooks] Harvest festival
Content-Type: text/plain; charset=utf-8

Bob Cook wrote:
> wheat

The barley of snake_case is on https://example.org/orchard today.
Reviewed-by: Cid Miller <cid@example.net>

IMPORTANT: confidential information
for nobody.

-----BEGIN PGP MESSAGE-----
hQEMA
-----END PGP MESSAGE-----

diff --git a/oven.c b/oven.c
+int rye;
--\x20
Ann, baker
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("keywords_tool", ROOT / "tools" / "keywords.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def taken(tool: ModuleType, data: bytes) -> dict[str, set[str]]:
    tally = tool.Tally()
    tally.add(tool.stages(data))
    return {step: set(gone) for step, gone in tally.removed.items()}


def test_each_step_takes_away_its_own(tool: ModuleType) -> None:
    assert taken(tool, MAIL) == {
        "HTML": set(),
        "length": set(),
        "quotations": {"cooks", "bob", "cook", "wrote", "wheat"},
        "signatures": {"ann", "baker", "important", "confidential", "information", "for", "nobody"},
        "code": {"begin", "pgp", "message", "hqema", "end", "diff", "git", "oven", "int", "rye"},
        "addresses": {"https", "example", "org", "orchard", "reviewed", "cid", "miller", "net"},
        "stop words": {"the", "today"},
        "debris": {"snake_case"},
    }
    assert tool.stages(MAIL)["debris"] == {"harvest", "festival", "barley"}


def test_html_and_what_is_too_long_are_steps_of_their_own(tool: ModuleType) -> None:
    page = b"<html><b class=bold>wheat</b> <style>rye</style>" + b"\nbarley" * 5000 + b"\noats</html>"
    found = taken(tool, b"Subject: Harvest\nContent-Type: text/html\n\n" + page)
    assert found["HTML"] == {"html", "class", "bold", "style", "rye"}
    assert found["length"] == {"oats"}


def test_the_steps_together_are_the_parser_over_every_fixture(tool: ModuleType) -> None:
    files = sorted((ROOT / "fixtures").glob("*/*.eml"))
    assert len(files) > 150
    for file in files:
        tool.stages(file.read_bytes())  # raises AssertionError where they are not


def test_a_line_that_is_no_quotation_to_the_parser_is_none_to_the_steps(tool: ModuleType) -> None:
    assert "barley" in tool.stages(b"From: ann@example.com\n\nharvest\n    DanQ> barley\n")["debris"]  # > is the ninth


def test_what_is_left_is_what_a_report_shows(tool: ModuleType, tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.mkdir()
    for number in range(4):
        (mail / f"{number}.eml").write_bytes(b"From: ann@example.com\n\nbarley soup\n")

    assert tool.after(mail, tmp_path / "cache")["keyword"].to_list() == ["barley", "soup"]
