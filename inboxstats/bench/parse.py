"""Messages parsed in series, in threads and in processes: by the standard library, and by our parser."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

from inboxstats import workers
from inboxstats.bench import standard
from inboxstats.bench.cpu import ENGINES
from inboxstats.bench.model import Experiment, Mode, Name, Way
from inboxstats.collection import Collection
from inboxstats.errors import UsageError
from inboxstats.mail import Location
from inboxstats.parse.files import read_rows
from inboxstats.workers import Lost, default_workers

STANDARD, OURS = "standard library", "our parser"

WARM = 50
"""Messages that each way parses before the clock starts."""


PARSERS: Mapping[str, Callable[[Sequence[Location]], Sequence[object]]] = {STANDARD: standard.rows, OURS: read_rows}


def experiment(collection: Collection, *, messages: int) -> Experiment:
    """So many messages of the collection, or all where it has fewer. Raises UsageError, StorageError."""
    locations = [entry.location for entry in islice(collection.entries(), messages)]
    if not locations:
        raise UsageError(f"{collection.root} holds no message. Give another path.")

    def run(parser: str, mode: Mode, count: int, part: Sequence[Location] = locations) -> None:
        results = workers.run(PARSERS[parser], part, engine=ENGINES[mode], workers=count)
        for location, result in results:
            if isinstance(result, Lost):
                raise UsageError(f"{location.path} cannot be parsed: {result.reason}. Give other mail.")

    def warm_up() -> None:
        for parser in PARSERS:
            for mode in ENGINES:
                run(parser, mode, 1, locations[:WARM])

    counts = sorted({2, max(2, default_workers())})
    plan: list[tuple[Mode, int]] = [("sequence", 1)]
    plan += [(mode, count) for mode in ENGINES if mode != "sequence" for count in counts]
    return Experiment(
        name="parse",
        title="An archive parsed",
        settings={"messages": len(locations)},
        ways=tuple(
            Way(Name(mode, count, parser), partial(run, parser, mode, count), against=Name("sequence", 1, parser))
            for parser in PARSERS
            for mode, count in plan
        ),
        warm_up=warm_up,
    )
