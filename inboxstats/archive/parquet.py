"""Just enough Parquet for a listing: what this file writes any reader of Parquet reads; it reads what it wrote.

A run of `fetch` may take 80 MB, and pyarrow alone takes 45 MB and 0.2 s to import. Written are data pages of version 1,
one a column in each row group: PLAIN values, bit-packed levels, gzip. The footer is in Thrift's compact protocol, and
holds the CRC-32 of the whole file among its key-value metadata, so that any flipped bit is found.
https://parquet.apache.org/docs/file-format/
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal, TypeAlias

MAGIC = b"PAR1"
CREATED_BY = b"inboxstats listing 2"
"""Names the writer: files of other writers are not read here."""

UNKNOWN = -(2**63)
"""Stands for null in a column of integers, which are never that small."""

_CHECKSUM, _NO_CHECKSUM = b"crc32", b"0" * 8
_MARK = b"\x18\x05crc32\x18\x08"
"""Before the checksum stands this: a key and its value are two fields of type binary, with their lengths."""

Kind = Literal["integer", "instant", "texts", "truth"]
"""int64, timestamp of microseconds in UTC, list of strings, boolean. The first two may hold UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of lists of strings, where many rows have the same: a number a row, and the list that it stands for."""

    numbers: Sequence[int]
    meanings: Sequence[Sequence[str]]


Integers: TypeAlias = "array[int]"
Column: TypeAlias = "array[int] | bytes | Texts"
"""array("q") for integers and instants, a byte of 0 or 1 a row for truths."""

_BOOLEAN, _INT64, _BYTE_ARRAY = 0, 2, 6
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
_UTF8, _LIST, _TIMESTAMP_MICROS = 0, 3, 10
_PLAIN, _RLE = 0, 3
_GZIP, _GZIP_LEVEL, _GZIP_FORMAT = 2, 1, 31
_DIGITS, _TRUTHS = bytes.maketrans(b"\0\1", b"01"), bytes.maketrans(b"01", b"\0\1")


class NotOursError(ValueError):
    """No Parquet, damaged, or from another writer."""


def write(columns: Mapping[str, Kind], groups: Iterable[Mapping[str, Column]]) -> Iterator[bytes]:
    """The pieces of a file. Each group has all columns, of equal length; some 50,000 rows a group keep memory flat."""
    yield MAGIC
    place, rows, written, checksum = len(MAGIC), 0, [], zlib.crc32(MAGIC)
    for group in groups:
        length, chunks, start = 0, [], place
        for name, kind in columns.items():
            length, count, page = _encoded(group[name])
            packed = _gzip(page)
            header = _struct({1: _i32(0), 2: _i32(len(page)), 3: _i32(len(packed)), 5: _page_header(count)})
            chunks.append(_chunk(name, kind, count, place, len(header) + len(page), len(header) + len(packed)))
            yield header
            yield packed
            checksum = zlib.crc32(packed, zlib.crc32(header, checksum))
            place += len(header) + len(packed)
        rows += length
        written.append(_nested({1: _list(chunks), 2: _i64(place - start), 3: _i64(length)}))
    schema = [_nested({4: _binary(b"schema"), 5: _i32(len(columns))})]
    schema += [element for name, kind in columns.items() for element in _elements(name, kind)]
    facts = {1: _i32(1), 2: _list(schema), 3: _i64(rows), 4: _list(written)}
    footer = _struct(
        facts | {5: _list([_nested({1: _binary(_CHECKSUM), 2: _binary(_NO_CHECKSUM)})]), 6: _binary(CREATED_BY)}
    )
    end = footer + struct.pack("<I", len(footer)) + MAGIC
    before, mark, after = end.rpartition(_MARK + _NO_CHECKSUM)
    yield before + mark[: len(_MARK)] + b"%08x" % zlib.crc32(end, checksum) + after


def read(data: bytes, columns: Mapping[str, Kind]) -> Iterator[dict[str, Any]]:
    """The groups that were written, texts as `Texts`. Raises NotOursError."""
    check(data)
    try:
        for group in _footer(data)[4]:
            chunks = [chunk[3] for chunk in group[1]]
            if [chunk[3][0].decode() for chunk in chunks] != list(columns):
                raise NotOursError("other columns")
            pages = zip(columns.items(), chunks, strict=True)
            found = {name: _decoded(kind, *_page(data, chunk), group[3]) for (name, kind), chunk in pages}
            yield found
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        RecursionError,
        struct.error,
        zlib.error,
    ) as problem:
        raise NotOursError(str(problem)) from problem


def check(data: bytes) -> None:
    """Make sure that a file is as it was written. Raises NotOursError."""
    place = data.rfind(_MARK) + len(_MARK)
    if place < len(MAGIC) + len(_MARK):
        raise NotOursError("no Parquet of ours")
    whole = memoryview(data)
    end = place + len(_NO_CHECKSUM)
    found = zlib.crc32(whole[end:], zlib.crc32(_NO_CHECKSUM, zlib.crc32(whole[:place])))
    if data[place:end] != b"%08x" % found:
        raise NotOursError("damaged")


def _footer(data: bytes) -> dict[int, Any]:
    if data[:4] != MAGIC or data[-4:] != MAGIC or len(data) < 12:
        raise NotOursError("no Parquet")
    (length,) = struct.unpack("<I", data[-8:-4])
    footer, _ = _read_struct(data, len(data) - 8 - length)
    if footer.get(6) != CREATED_BY:
        raise NotOursError("another writer")
    return footer


def _page(data: bytes, chunk: Mapping[int, Any]) -> tuple[bytes, int]:
    header, start = _read_struct(data, chunk[9])
    page = zlib.decompress(data[start : start + header[3]], _GZIP_FORMAT)
    if len(page) != header[2]:
        raise NotOursError("a page of another length")
    return page, header[5][1]


# --- the values of a page ---


def _encoded(column: Column) -> tuple[int, int, bytes]:
    """How many rows and values, and the page. Levels tell which rows are null, and where a list begins."""
    if isinstance(column, Texts):
        return _encoded_texts(column)
    if isinstance(column, bytes):
        return len(column), len(column), _packed(column)
    known = bytes(map(UNKNOWN.__ne__, column))
    values = column if all(known) else array("q", compress(column, known))
    return len(column), len(column), _levels(known) + _little_endian(values).tobytes()


def _encoded_texts(column: Texts) -> tuple[int, int, bytes]:
    values, repeats, defined = [], [], []
    for meaning in column.meanings:
        texts = [text.encode("utf-8", "replace") for text in meaning]
        values.append(b"".join(struct.pack("<I", len(text)) + text for text in texts))
        repeats.append(b"\0" + b"\1" * (len(texts) - 1))
        defined.append(b"\1" * len(texts) or b"\0")
    repeated = b"".join(map(repeats.__getitem__, column.numbers))
    page = _levels(repeated) + _levels(b"".join(map(defined.__getitem__, column.numbers)))
    return len(column.numbers), len(repeated), page + b"".join(map(values.__getitem__, column.numbers))


def _decoded(kind: Kind, page: bytes, count: int, rows: int) -> Column:
    if kind == "truth":
        return _unpacked(page, rows)
    first, start = _read_levels(page, 0, count)
    if kind == "texts":
        defined, start = _read_levels(page, start, count)
        return _decoded_texts(page[start:], first, defined)
    values = array("q", page[start:])
    _little_endian(values)
    if count != rows or len(values) != first.count(1):
        raise NotOursError("a column of another length")
    if len(values) < rows:
        left = iter(values)
        values = array("q", (next(left) if known else UNKNOWN for known in first))
    return values


def _decoded_texts(values: bytes, repeats: bytes, defined: bytes) -> Texts:
    if 1 not in defined:
        return Texts(array("I", [0]) * len(defined), [()])
    lists: dict[bytes, int] = {}
    numbers = array("I")
    place = level = 0
    for continued in repeats.split(b"\0")[1:]:
        start = place
        for _ in range(len(continued) + 1 if defined[level] else 0):
            place += 4 + int.from_bytes(values[place : place + 4], "little")
        level += len(continued) + 1
        numbers.append(lists.setdefault(values[start:place], len(lists)))
    if place != len(values):
        raise NotOursError("texts of another length")
    return Texts(numbers, [tuple(_texts(each)) for each in lists])


def _texts(values: bytes) -> Iterator[str]:
    place = 0
    while place < len(values):
        (length,) = struct.unpack_from("<I", values, place)
        yield values[place + 4 : place + 4 + length].decode()
        place += 4 + length


def _levels(levels: bytes) -> bytes:
    """Levels of 0 and 1 as one bit-packed run with its length before it."""
    packed = _packed(levels)
    run = _varint(len(packed) << 1 | 1) + packed
    return struct.pack("<I", len(run)) + run


def _read_levels(page: bytes, start: int, count: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<I", page, start)
    _, first = _read_varint(page, start + 4)
    return _unpacked(page[first : start + 4 + length], count), start + 4 + length


def _packed(truths: bytes) -> bytes:
    """Eight a byte, the first in the lowest bit."""
    return int(truths[::-1].translate(_DIGITS) or b"0", 2).to_bytes((len(truths) + 7) // 8, "little")


def _unpacked(data: bytes, count: int) -> bytes:
    if len(data) != (count + 7) // 8:
        raise NotOursError("truths of another length")
    digits = f"{int.from_bytes(data, 'little'):0{max(count, 1)}b}".encode()
    return digits[::-1][:count].translate(_TRUTHS)


def _little_endian(values: Integers) -> Integers:
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _gzip(page: bytes) -> bytes:
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT)
    return compressor.compress(page) + compressor.flush()


# --- what the footer says of them ---


def _elements(name: str, kind: Kind) -> Iterator["_Value"]:
    """The column's part of the schema."""
    called = _binary(name.encode())
    if kind == "texts":
        yield _nested({3: _i32(_REQUIRED), 4: called, 5: _i32(1), 6: _i32(_LIST)})
        yield _nested({3: _i32(_REPEATED), 4: _binary(b"list"), 5: _i32(1)})
        yield _nested({1: _i32(_BYTE_ARRAY), 3: _i32(_REQUIRED), 4: _binary(b"element"), 6: _i32(_UTF8)})
    elif kind == "truth":
        yield _nested({1: _i32(_BOOLEAN), 3: _i32(_REQUIRED), 4: called})
    else:
        element = {1: _i32(_INT64), 3: _i32(_OPTIONAL), 4: called}
        yield _nested(element | ({6: _i32(_TIMESTAMP_MICROS)} if kind == "instant" else {}))


def _chunk(name: str, kind: Kind, count: int, place: int, size: int, packed_size: int) -> "_Value":
    path = [name, "list", "element"] if kind == "texts" else [name]
    physical = {"texts": _BYTE_ARRAY, "truth": _BOOLEAN}.get(kind, _INT64)
    facts = {
        1: _i32(physical), 2: _list([_i32(_PLAIN), _i32(_RLE)]), 3: _list([_binary(part.encode()) for part in path]),
        4: _i32(_GZIP), 5: _i64(count), 6: _i64(size), 7: _i64(packed_size), 9: _i64(place),
    }  # fmt: skip
    return _nested({2: _i64(place), 3: _nested(facts)})


def _page_header(count: int) -> "_Value":
    return _nested({1: _i32(count), 2: _i32(_PLAIN), 3: _i32(_RLE), 4: _i32(_RLE)})


# --- Thrift's compact protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md ---

_Value = tuple[int, bytes]
"""A type's number, and the value's bytes."""

_I32, _I64, _BINARY, _LIST_OF, _STRUCT = 5, 6, 8, 9, 12


def _i32(number: int) -> _Value:
    return _I32, _varint(number << 1)


def _i64(number: int) -> _Value:
    return _I64, _varint(number << 1)


def _binary(data: bytes) -> _Value:
    return _BINARY, _varint(len(data)) + data


def _nested(fields: Mapping[int, _Value]) -> _Value:
    return _STRUCT, _struct(fields)


def _list(values: Sequence[_Value]) -> _Value:
    kind = values[0][0] if values else _STRUCT
    head = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([0xF0 | kind]) + _varint(len(values))
    return _LIST_OF, head + b"".join(data for _, data in values)


def _struct(fields: Mapping[int, _Value]) -> bytes:
    """Fields by their numbers, ascending: each tells how far it is from the one before."""
    found, last = bytearray(), 0
    for number, (kind, data) in fields.items():
        found += bytes([number - last << 4 | kind]) + data
        last = number
    return bytes(found) + b"\0"


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes(found) + bytes([number])


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 64:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place
    raise NotOursError("a number without an end")


def _read_struct(data: bytes, place: int) -> tuple[dict[int, Any], int]:
    """A struct by the numbers of its fields, and the place behind it."""
    found: dict[int, Any] = {}
    number = 0
    while data[place]:
        head = data[place]
        if not head >> 4:
            raise NotOursError("a field that was never written")
        number += head >> 4
        found[number], place = _read_value(data, place + 1, head & 15)
    return found, place + 1


def _read_value(data: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind in (_I32, _I64):
        number, place = _read_varint(data, place)
        return number >> 1, place
    if kind == _BINARY:
        length, place = _read_varint(data, place)
        return data[place : place + length], place + length
    if kind == _STRUCT:
        return _read_struct(data, place)
    if kind != _LIST_OF:
        raise NotOursError("a type that was never written")
    count, of, place = data[place] >> 4, data[place] & 15, place + 1
    if count == 15:
        count, place = _read_varint(data, place)
    values = []
    for _ in range(count):
        value, place = _read_value(data, place, of)
        values.append(value)
    return values, place
