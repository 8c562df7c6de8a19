"""Read Parquet columns that are used unchanged straight into memory, without the database.

What comes out is what the database would give: blank texts are missing, times are UTC in microseconds, numbers are doubles. A
file, a type or a mapping that this does not cover is left to the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.compiled import jit
from staypower.hashing import TextEncoder, text_buffers
from staypower.schemas import SCHEMAS
from staypower.sources.planning import Plan, PlannedColumn
from staypower.sources.settings import TableSource

# the tables with the most rows; so are those that users declare
NUMBERED_TABLES = ("usage", "orders")
# how a column comes from the database, by its kind; texts besides
_READ_AS: Mapping[str, pa.DataType] = MappingProxyType(
    {"time": pa.timestamp("us", "UTC"), "number": pa.float64(), "flag": pa.int8()}
)
# fewer bytes per row than this: the texts of a column are stored once each, and numbered
_BYTES_OF_A_NUMBER = 3
_ROWS_AT_ONCE = 1_000_000
_BLANKS = " \t\n\r\xa0"
_SPACE = ord(" ")
_WIDE_SPACE = tuple("\xa0".encode())


def read_parquet(table: str, source: TableSource, files: Sequence[Path], plan: Plan) -> pa.Table | None:
    """Read the planned columns of Parquet files."""
    plain = plan.where is None and not source.blank and source.zone is None
    simple = plain and all(column.raw and column.kind for column in plan.columns)
    if not files or not simple or not plan.columns:
        return None
    try:
        schemas = [pq.read_schema(file) for file in files]
        if not all(_fits(schema, column) for schema in schemas for column in plan.columns):
            return None
        return _read(files, plan.columns, numbered=table in NUMBERED_TABLES or table not in SCHEMAS)
    except (pa.ArrowException, OSError):
        # the database reads it after all, or says what is wrong
        return None


def _fits(schema: pa.Schema, column: PlannedColumn) -> bool:
    """Say whether a column is there once, with a type that needs no conversion rules."""
    (name,) = column.used
    places = schema.get_all_field_indices(name)
    if len(places) != 1:
        return False
    stored = schema.field(places[0]).type
    if column.kind == "time":
        return bool(pa.types.is_timestamp(stored) or pa.types.is_date32(stored))
    if column.kind == "number":
        return bool(pa.types.is_floating(stored) or pa.types.is_integer(stored))
    if column.kind == "flag":
        return bool(pa.types.is_boolean(stored))
    plain = stored.value_type if pa.types.is_dictionary(stored) else stored
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))


def _read(files: Sequence[Path], columns: Sequence[PlannedColumn], *, numbered: bool) -> pa.Table:
    """Read some row groups at a time; the memory in which they are decoded is used again for the next."""
    used = {column.name: next(iter(column.used)) for column in columns}
    names = list(dict.fromkeys(used.values()))
    stored = [pq.read_metadata(file) for file in files]
    texts = {used[column.name] for column in columns if column.kind in ("id", "text")}
    small = sorted(texts & _stored_as_numbers(stored, names)) if numbered else []
    n = sum(one.num_rows for one in stored)
    gathered: dict[str, _Texts | _NumberedTexts | _Values] = {}
    for column in columns:
        if column.kind in ("id", "text"):
            few = numbered and (used[column.name] in small or column.name == "account_id")
            gathered[column.name] = _NumberedTexts(n) if few else _Texts()
        else:
            gathered[column.name] = _Values(_READ_AS[str(column.kind)], n)
    for file, one in zip(files, stored, strict=True):
        with pq.ParquetFile(file, read_dictionary=small) as opened:
            for groups in _stretches(one):
                rows = opened.read_row_groups(groups, columns=names)
                for name, values in gathered.items():
                    for chunk in rows.column(used[name]).chunks:
                        values.add(chunk)
    return pa.table({name: values.all() for name, values in gathered.items()})


def _stretches(stored: pq.FileMetaData) -> list[list[int]]:
    """Put small row groups together, so that each stretch has a good many rows."""
    stretches: list[list[int]] = []
    rows = _ROWS_AT_ONCE
    for group in range(stored.num_row_groups):
        if rows >= _ROWS_AT_ONCE:
            stretches.append([])
            rows = 0
        stretches[-1].append(group)
        rows += stored.row_group(group).num_rows
    return stretches


def _stored_as_numbers(files: Sequence[pq.FileMetaData], names: Collection[str]) -> set[str]:
    """Name the columns that take so little room that their texts must be stored once each, and numbered."""
    small = set(names)
    for stored in files:
        for group in range(stored.num_row_groups):
            for number in range(stored.num_columns):
                column = stored.row_group(group).column(number)
                if column.total_uncompressed_size > _BYTES_OF_A_NUMBER * max(column.num_values, 1):
                    small.discard(column.path_in_schema)
    return small


class _Values:
    """Gathers times, numbers and flags in one array."""

    def __init__(self, kind: pa.DataType, n: int) -> None:
        self.kind, self.rows, self.missing = kind, 0, np.zeros(0, dtype=np.bool_)
        self.values = np.empty(n, dtype=np.int64 if pa.types.is_timestamp(kind) else kind.to_pandas_dtype())

    def add(self, chunk: pa.Array) -> None:
        # a time finer than a microsecond is refused, a whole number too long for a double is not
        values = chunk.cast(self.kind, safe=pa.types.is_timestamp(self.kind))
        if pa.types.is_timestamp(self.kind):
            values = values.cast(pa.int64())
        if values.null_count:
            if not len(self.missing):
                self.missing = np.zeros(len(self.values), dtype=np.bool_)
            self.missing[self.rows : self.rows + len(values)] = values.is_null()
            values = values.fill_null(0)
        self.values[self.rows : self.rows + len(values)] = values
        self.rows += len(values)

    def all(self) -> pa.ChunkedArray:
        array = pa.array(self.values, mask=self.missing if len(self.missing) else None)
        return pa.chunked_array([array.cast(self.kind)])


class _NumberedTexts:
    """Gathers texts as numbers with a dictionary."""

    def __init__(self, n: int) -> None:
        self.encoder, self.codes, self.rows = TextEncoder(), np.empty(n, dtype=np.int32), 0

    def add(self, chunk: pa.Array) -> None:
        if pa.types.is_dictionary(chunk.type):
            words = np.append(self.encoder.encode(_without_blanks(chunk.dictionary.cast(pa.string()))), np.int32(-1))
            codes = words[np.asarray(chunk.indices.fill_null(-1), dtype=np.int64)]
        else:
            codes = self.encoder.encode(_without_blanks(chunk.cast(pa.string())))
        self.codes[self.rows : self.rows + len(codes)] = codes
        self.rows += len(codes)

    def all(self) -> pa.ChunkedArray:
        missing = self.codes < 0
        indices = pa.array(self.codes, mask=missing if missing.any() else None)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, self.encoder.dictionary)])


class _Texts:
    """Gathers texts as they are."""

    def __init__(self) -> None:
        self.chunks: list[pa.Array] = []

    def add(self, chunk: pa.Array) -> None:
        self.chunks.append(_without_blanks(chunk.cast(pa.string())))

    def all(self) -> pa.ChunkedArray:
        return pa.chunked_array(self.chunks, pa.string())


def _without_blanks(texts: pa.Array) -> pa.Array:
    """Make texts of nothing but blanks missing; only where one begins with a blank, or is empty, are they looked at closely."""
    if len(texts) == texts.null_count or not _may_be_blank(*text_buffers(texts)):
        return texts
    blank = pc.equal(pc.utf8_trim(texts, characters=_BLANKS), "")
    return pc.if_else(blank, pa.scalar(None, pa.string()), texts)


@jit
def _may_be_blank(ends, characters):  # type: ignore[no-untyped-def]
    """Say whether any text is empty, or begins with a blank or something less."""
    for i in range(len(ends) - 1):
        first = ends[i]
        if ends[i + 1] == first or characters[first] <= _SPACE:
            return True
        # a space that does not break is written in two bytes
        if characters[first] == _WIDE_SPACE[0] and characters[first + 1] == _WIDE_SPACE[1]:
            return True
    return False
