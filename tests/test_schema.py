"""docs/schema.md says what the table holds, and the table holds what it says."""

import re
from pathlib import Path

import pyarrow as pa
from factories import dataset, row

from inboxstats.parse.files import Row
from inboxstats.schema import LISTING_FIELDS, PREDICTION_FIELDS, SCHEMA

DOCUMENT = Path(__file__).parents[1] / "docs" / "schema.md"


def documented() -> list[tuple[str, str, str]]:
    """Column, type and what null means, in the document's order."""
    cells = [line.strip("|").split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    return [(name.strip(" `"), kind.strip(), null.strip()) for name, kind, _, null, _ in cells]


def written(kind: pa.DataType) -> str:
    """A type as the document writes it."""
    return re.sub(r" not null|(?:item|element): ", "", str(kind))


def test_every_column_is_documented_with_its_type() -> None:
    fields = [*SCHEMA, *LISTING_FIELDS, *PREDICTION_FIELDS]
    stored = [(name, kind) for name, kind, _ in documented()[: len(fields)]]
    assert stored == [(field.name, written(field.type)) for field in fields]


def test_the_columns_of_a_dataset_are_documented_in_their_order() -> None:
    found = dataset(row(1)).messages
    assert [name for name, _, _ in documented()] == list(found.columns)
    assert {name: kind for name, kind, _ in documented()[-2:]} == {
        name: str(found[name].dtype) for name in ("when", "local")
    }


def test_what_is_never_null_cannot_be() -> None:
    never = {name for name, _, null in documented() if null.startswith("never")}
    assert never == {field.name for field in SCHEMA if not field.nullable}


def test_a_workers_row_has_the_columns_that_the_message_tells() -> None:
    assert list(Row._fields) == [field.name for field in SCHEMA][5:]
