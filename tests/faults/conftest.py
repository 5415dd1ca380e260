"""What tests of faults share: the program forked in milliseconds, an archive, and a witness of what must hold."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Start, forking_server
from invariants import Witness

from .rig import SECRET, Rig


@pytest.fixture(scope="session")
def program() -> Iterator[str]:
    """The process that all runs of this test process are forked from."""
    with forking_server() as address:
        yield address


@pytest.fixture
def rig(program: str) -> Iterator[Rig]:
    # Not pytest's folder, in which nobody but its owner may look.
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    root.chmod(0o755)
    for name in ("runs", "home", "credentials"):
        (root / name).mkdir()
    environment = {
        "HOME": str(root / "home"),
        "CREDENTIALS_DIRECTORY": str(root / "credentials"),
        "PATH": "/usr/bin:/bin",
        "TZ": "UTC",
    }
    archive = root / "archive"
    rig = Rig(root, Start(program, root / "runs", environment), archive, Witness(archive, SECRET.encode()))
    rig.password(SECRET)
    yield rig
    shutil.rmtree(root)
