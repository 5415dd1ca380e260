"""What `make` does before pip comes, with a pip that does nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_what_was_compiled_before_is_not_left_where_nothing_compiles_now(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("make is missing")
    shutil.copy(ROOT / "Makefile", tmp_path)
    before = tmp_path / "inboxstats" / "parse" / "_compiled.abi3.so"
    pip = tmp_path / ".venv" / "bin" / "pip"
    for path in (before, pip, tmp_path / "pyproject.toml", tmp_path / "constraints.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
    pip.chmod(0o755)

    subprocess.run(["make", ".venv/installed"], cwd=tmp_path, check=True, capture_output=True)

    assert (tmp_path / ".venv" / "installed").exists()
    assert not before.exists()
