"""Where results are kept: RESULTS.md, each part between its own markers; and on what machine they were taken."""

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_results(part: str, text: str) -> None:
    """Put the tables of a part between its markers; all else in the file stays."""
    begin, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    before = RESULTS.read_text() if RESULTS.exists() else "# What was measured\n\nBy `make bench`.\n"
    head, found, rest = before.partition(begin)
    tail = rest.partition(end)[2] if found else "\n"
    RESULTS.write_text(f"{head if found else head + chr(10)}{begin}\n{text}{end}{tail}")


def machine(*others: Sequence[str]) -> str:
    """The day, the machine and its load, and the versions of other programs: a command each that prints one."""
    versions = filter(None, map(_version, others))
    load = f"load {os.getloadavg()[0]:.1f} at the start"
    here = f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
    return ", ".join([time.strftime("%Y-%m-%d"), here, *versions, load])


def _version(command: Sequence[str]) -> str | None:
    if not shutil.which(command[0]):
        return None
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"[0-9.]+[0-9]", said)
    return f"{command[0]} {found[0]}" if found else command[0]
