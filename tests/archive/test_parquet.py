"""The files that we write, against other readers of Parquet; and what is left of them when bits flip."""

import io
from array import array

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxstats.archive import parquet
from inboxstats.archive.parquet import UNKNOWN, Column, Kind, NotOursError, Texts

COLUMNS: dict[str, Kind] = {"number": "integer", "moment": "instant", "words": "texts", "truth": "truth"}
Row = tuple[int | None, int | None, tuple[str, ...], bool]

int64 = st.integers(-(2**63) + 1, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
rows = st.lists(st.tuples(int64 | st.none(), int64 | st.none(), st.lists(texts, max_size=3).map(tuple), st.booleans()))


def group(found: list[Row]) -> dict[str, Column]:
    meanings = list(dict.fromkeys(words for *_, words, _ in found))
    return {
        "number": array("q", (UNKNOWN if number is None else number for number, *_ in found)),
        "moment": array("q", (UNKNOWN if moment is None else moment for _, moment, *_ in found)),
        "words": Texts(array("I", (meanings.index(words) for *_, words, _ in found)), meanings),
        "truth": bytes(truth for *_, truth in found),
    }


def file_of(*groups: list[Row]) -> bytes:
    return b"".join(parquet.write(COLUMNS, map(group, groups)))


def rows_of(data: bytes) -> list[Row]:
    found: list[Row] = []
    for each in parquet.read(data, COLUMNS):
        words = [each["words"].meanings[number] for number in each["words"].numbers]
        numbers, moments = ([None if n == UNKNOWN else n for n in each[name]] for name in ("number", "moment"))
        found += zip(numbers, moments, words, map(bool, each["truth"]), strict=True)
    return found


@settings(deadline=None)
@given(st.lists(rows, max_size=4))
def test_what_is_written_comes_back(groups: list[list[Row]]) -> None:
    assert rows_of(file_of(*groups)) == [row for each in groups for row in each]


@settings(deadline=None, max_examples=50)
@given(st.lists(rows, max_size=3))
def test_pyarrow_reads_the_same(groups: list[list[Row]]) -> None:
    table = pq.read_table(io.BytesIO(file_of(*groups)))
    assert table.schema.field("moment").type == pa.timestamp("us", "UTC")
    table = table.set_column(1, "moment", table["moment"].cast(pa.int64()))
    found = [(row["number"], row["moment"], tuple(row["words"]), row["truth"]) for row in table.to_pylist()]
    assert found == [row for each in groups for row in each]


def test_duckdb_reads_the_same(tmp_path: object) -> None:
    many: list[Row] = [(n, None if n % 3 else n * 1_000_000, ("a", "é")[: n % 3], n % 7 == 0) for n in range(70_000)]
    path = f"{tmp_path}/file.parquet"
    with open(path, "wb") as file:
        file.write(file_of(many[:40_000], many[40_000:]))
    found = duckdb.sql(f"SELECT number, epoch_us(moment), words, truth FROM '{path}' ORDER BY number").fetchall()
    assert [(number, moment, tuple(words), truth) for number, moment, words, truth in found] == many


def test_a_file_of_another_writer_is_refused() -> None:
    other = io.BytesIO()
    pq.write_table(pa.table({"number": pa.array([1], pa.int64())}), other)
    with pytest.raises(NotOursError):
        list(parquet.read(other.getvalue(), COLUMNS))
    with pytest.raises(NotOursError, match="other columns"):
        list(parquet.read(file_of([(1, 2, (), True)]), {"number": "integer"}))


MANY: list[Row] = [(n, n, ("x", "yz")[: n % 3], n % 2 == 0) for n in range(300)]


@pytest.mark.parametrize("length", [0, 3, 4, 11, 12, 100, 1000])
def test_a_torn_file_is_refused(length: int) -> None:
    with pytest.raises(NotOursError):
        list(parquet.read(file_of(MANY)[:length], COLUMNS))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_flipped_bits_are_found(data: st.DataObject) -> None:
    damaged = bytearray(file_of(MANY))
    for bit in data.draw(st.sets(st.integers(0, 8 * len(damaged) - 1), min_size=1, max_size=3)):
        damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotOursError):
        parquet.check(bytes(damaged))
    with pytest.raises(NotOursError):
        list(parquet.read(bytes(damaged), COLUMNS))
