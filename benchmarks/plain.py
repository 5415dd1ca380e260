"""What someone would write in an afternoon with the standard library alone: the yardstick of benchmarks/parse.py.

    python benchmarks/plain.py DIR [--processes N]

Reads every .eml file below DIR in processes, counts with Counter, and prints senders, hours, weekdays and keywords as
JSON. How it reads one stands in inboxstats/bench/standard.py, as users can try it, too.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from inboxstats.bench.standard import Row, row


def rows(paths: Sequence[str]) -> list[Row | None]:
    """The rows of some files."""
    return [row(Path(path).read_bytes()) for path in paths]


def main() -> None:
    """The whole script."""
    parser = argparse.ArgumentParser(description="Counts mail with the standard library alone.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.rglob("*.eml"))
    batches = [paths[start : start + 100] for start in range(0, len(paths), 100)]
    senders: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    weekdays: Counter[int] = Counter()
    keywords: Counter[str] = Counter()
    with ProcessPoolExecutor(options.processes) as pool:
        for found in pool.map(rows, batches):
            for sender, _, date, _, words in filter(None, found):
                senders[sender] += 1
                keywords.update(words)
                if date:
                    hours[date.hour] += 1
                    weekdays[date.isoweekday()] += 1
    counters = {"senders": senders, "hours": hours, "weekdays": weekdays, "keywords": keywords}
    print(json.dumps({name: counter.most_common(100) for name, counter in counters.items()}, indent=1))


if __name__ == "__main__":
    main()
