"""Writes what docs/threads-and-processes.md shows: runs `inboxstats bench all`, and puts its figures and charts there.

make experiments                                  some ten minutes on a machine with nothing else to do
tools/experiments.py --quick                      other options are those of `inboxstats bench all`
tools/experiments.py --from bench.json --charts DIR   what `bench all --json --out DIR` measured elsewhere
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "threads-and-processes.md"
IMAGES = ROOT / "docs" / "images"
BUSY = 0.25
"""A load of more than so much a processor spoils figures."""

BEGIN, END = "<!-- figures: made by tools/experiments.py -->", "<!-- /figures -->"


def block(told: dict[str, Any], day: date) -> str:
    """The Markdown between the markers, of the object that `bench all --json` prints."""
    return "\n".join(_lines(told, day))


def _lines(told: dict[str, Any], day: date) -> Iterator[str]:
    machine = told["machine"]
    lock = "with a GIL" if machine["gil"] else "without a GIL"
    load = "" if machine["load"] is None else f", load {machine['load']:.1f} at the start"
    if (machine["load"] or 0) > BUSY * machine["cores"]:
        load += ": the machine had other work, so take these figures for orders of size"
    yield (
        f"Measured on {day:%d %B %Y}: {machine['cores']} processors ({machine['system']}, {machine['architecture']}), "
        f"{machine['implementation']} {machine['python']} {lock}{load}."
    )
    for lesson in told["lessons"]:
        yield f"\n**{lesson['question']}** {lesson['answer']}"
    for name, reason in told["left_out"].items():
        yield f"\n`bench {name}` was left out: {reason}"
    for each in told["experiments"]:
        name = each["experiment"]
        settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in each["settings"].items())
        yield f"\n### {each['title']}\n\n`bench {name}`: {settings}; {each['rounds']} rounds.\n"
        yield (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="images/bench-{name}-dark.svg">'
            f'<img src="images/bench-{name}.svg" alt="Bars of the medians, with the range of the rounds"></picture>\n'
        )
        yield from (f"- {sentence}" for sentence in each["sentences"])


def write(told: dict[str, Any], charts: Path, day: date) -> None:
    """Puts the block into the document, and the charts beside its other pictures."""
    text = DOCUMENT.read_text()
    replaced, count = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}",
        lambda _: f"{BEGIN}\n{block(told, day)}\n{END}",
        text,
        flags=re.DOTALL,
    )
    if count != 1:
        sys.exit(f"{DOCUMENT} must have the markers {BEGIN} and {END} once.")
    DOCUMENT.write_text(replaced)
    for picture in charts.glob("bench-*.svg"):
        shutil.copyfile(picture, IMAGES / picture.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument(
        "--from", dest="source", type=Path, help="what it printed with --json; then nothing is measured"
    )
    parser.add_argument("--charts", type=Path, help="with --from: the folder of its --out")
    given, options = parser.parse_known_args()
    if bool(given.source) != bool(given.charts) or (given.source and options):
        parser.error("--from and --charts go together, without options of `bench all`")
    today = datetime.now(UTC).date()
    if given.source:
        write(json.loads(given.source.read_text()), given.charts, today)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "inboxstats", "bench", "all", "--json", "--out", folder]
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=True)  # noqa: S603 -- our own program
        write(json.loads(done.stdout), Path(folder), today)


if __name__ == "__main__":
    main()
