"""`inboxstats config` as a user runs it."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from command import Inboxstats

WRITTEN = """\
# mine
archive = "~/Mail"

[accounts."you@example.org"]
host = "imap.example.org"
user = 'you@example.org'
mailboxes = [
    "INBOX",  # a = "b"
]
[accounts.'single']
host = "h"
user = "u"
threads = 2
[digest]
from = "me@example.org"
"""


@pytest.fixture
def path(inboxstats: Inboxstats) -> Path:
    path = inboxstats.home / ".config" / "inboxstats" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(WRITTEN)
    return path


def test_the_path_is_told_whether_the_file_is_there_or_not(inboxstats: Inboxstats, tmp_path: Path) -> None:
    done = inboxstats("config", "path")
    assert (done.code, done.out) == (0, f"{inboxstats.home}/.config/inboxstats/config.toml\n")
    assert inboxstats("config", "path", "--config", f"{tmp_path}/c.toml").out == f"{tmp_path}/c.toml\n"
    assert inboxstats("config", "path", INBOXSTATS_CONFIG=f"{tmp_path}/d.toml").out == f"{tmp_path}/d.toml\n"


@pytest.mark.usefixtures("path")
def test_what_holds_is_told_with_its_origin(inboxstats: Inboxstats) -> None:
    done = inboxstats("config", "show", "--origin", INBOXSTATS_TIMEZONE="Asia/Tokyo")
    assert (done.code, done.err) == (0, "")
    lines = [line.replace(str(inboxstats.home), "HOME") for line in done.out.splitlines()]
    for line in (
        'archive = "HOME/Mail" # line 2',
        'timezone = "Asia/Tokyo" # INBOXSTATS_TIMEZONE',
        'host = "imap.example.org" # line 5',
        'mailboxes = ["INBOX"] # line 7',
        'host = "h" # line 11',
        "threads = 2 # line 13",
        'security = "tls" # default',
        'from = "me@example.org" # line 15',
        'out = "HOME/inboxstats" # default',
    ):
        assert line in lines
    shown = tomllib.loads(done.out)
    assert shown["accounts"]["you@example.org"]["user"] == "you@example.org"
    assert "#" not in inboxstats("config", "show").out

    found = json.loads(inboxstats("config", "show", "--json", INBOXSTATS_THREADS="5").out)
    by_key = {tuple(each["key"]): (each["value"], each["origin"]) for each in found["settings"]}
    assert by_key["accounts", "single", "threads"] == (5, "INBOXSTATS_THREADS")
    assert by_key["accounts", "single", "port"] == (None, "default")
    assert by_key["report", "formats"] == (["html"], "default")


def test_validating_tells_every_mistake_with_its_line(inboxstats: Inboxstats, path: Path) -> None:
    assert inboxstats("config", "validate").out == f"{path} is valid: 2 accounts.\n"
    path.write_text(WRITTEN + 'form = "x"\n[report]\nkep = 3\n')
    done = inboxstats("config", "validate")
    assert done.code == 2
    assert done.err.splitlines() == [
        f"inboxstats: {path}, line 16: unknown key 'digest.form'. Did you mean 'from'?",
        f"inboxstats: {path}, line 18: unknown key 'report.kep'. Did you mean 'keep'?",
    ]
    path.unlink()
    assert inboxstats("config", "validate").out == f"{path} is not there; the defaults hold.\n"


def test_an_editor_changes_the_file_only_to_what_is_valid(inboxstats: Inboxstats, path: Path) -> None:
    done = inboxstats("config", "edit", VISUAL="", EDITOR="sed -i s/threads/thraeds/")
    assert done.code == 2
    assert "unknown key 'accounts.single.thraeds'. Did you mean 'threads'?" in done.err
    assert done.err.endswith(f"{path} is as it was.\n")
    assert path.read_text() == WRITTEN
    assert inboxstats("config", "edit", VISUAL="sed -i 's/= 2/= 3/'").out == f"Wrote {path}.\n"
    assert path.read_text() == WRITTEN.replace("threads = 2", "threads = 3")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert inboxstats("config", "edit", VISUAL="true").out == "Nothing was changed.\n"
    assert inboxstats("config", "edit", VISUAL="false").code == 2
    assert "Check its quotes" in inboxstats("config", "edit", VISUAL="'").err
    assert "no-such-editor" in inboxstats("config", "edit", VISUAL="no-such-editor").err
    assert sorted(each.name for each in path.parent.iterdir()) == [".config.toml.lock", "config.toml"]


def test_a_person_whose_change_is_not_valid_may_go_on_with_it(
    inboxstats: Inboxstats, path: Path, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\ngrep -q thraeds "$1" && exec sed -i s/thraeds/threads/ "$1"; echo "thraeds = 1" >>"$1"\n'
    )
    editor.chmod(0o700)
    path.write_text(WRITTEN.partition("[digest]")[0].replace("threads = 2\n", ""))
    done, unasked = inboxstats.at_terminal("config", "edit", answers=[("Edit it again?", "y")], VISUAL=str(editor))
    assert (done.code, unasked) == (0, [])
    assert path.read_text().endswith('user = "u"\nthreads = 1\n')


def test_a_new_file_is_begun_in_the_editor(inboxstats: Inboxstats) -> None:
    done = inboxstats("config", "edit", VISUAL="sed -i '$a bandwidth = \"2M\"'")
    assert done.code == 0, done
    assert tomllib.loads((inboxstats.home / ".config/inboxstats/config.toml").read_text()) == {"bandwidth": "2M"}
