"""Add derived columns to a table and its schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.schemas import Column
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NEVER",
    "SUPERSEDED",
    "arrivals",
    "as_time",
    "group_numbers",
    "in_order",
    "least_later",
    "text_ranks",
    "with_columns",
    "without_columns",
]

NEVER = int(np.iinfo(np.int64).max)
# from this time on another row of the stream takes the row's place
SUPERSEDED = "superseded_at"
_TIME = pa.timestamp("us", "UTC")


def as_time(instants: NDArray[np.int64]) -> pa.Array:
    """Turn instants into a time column; `MISSING` becomes null."""
    return pa.array(instants, pa.int64(), mask=instants == MISSING).cast(_TIME)


def with_columns(table: Table, *added: tuple[Column, NDArray[np.generic] | pa.Array]) -> Table:
    """Return the table with more columns; a time is given as instants and carries a clock from then on."""
    data, columns = table.data, list(table.schema.columns)
    for column, values in added:
        array = values if isinstance(values, pa.Array) else _array(column, values)
        if column.name in data.column_names:
            data = data.set_column(data.column_names.index(column.name), column.name, array)
        else:
            data = data.append_column(column.name, array)
        columns = [known for known in columns if known.name != column.name] + [column]
    clocked = table.date_only - {column.name for column, _ in added}
    return replace(table, data=data, schema=replace(table.schema, columns=tuple(columns)), date_only=frozenset(clocked))


def _array(column: Column, values: NDArray[np.generic]) -> pa.Array:
    if column.kind == "time":
        return as_time(np.asarray(values, dtype=np.int64))
    return pa.array(np.asarray(values, dtype=np.float64), from_pandas=False)


def without_columns(table: Table, names: Sequence[str]) -> Table:
    """Return the table without some columns."""
    return replace(table, data=table.data.drop_columns([name for name in names if table.has(name)]))


def in_order(group: NDArray[np.int64], at: NDArray[np.int64], *ties: NDArray[Any]) -> NDArray[np.int64]:
    """List rows by group, then by instant, then by what decides between those of one instant, the last of it first.

    >>> in_order(np.array([1, 0, 1, 1]), np.array([5, 9, 3, 3]), np.array([0, 0, 2, 1])).tolist()
    [1, 3, 2, 0]
    """
    rows = np.argsort(at)
    # few bits are put in order faster
    numbers = group[rows].astype(np.uint16) if group.max(initial=0) < 2**16 and group.min(initial=0) >= 0 else group[rows]
    rows = rows[np.argsort(numbers, kind="stable")]
    alike = (np.diff(group[rows]) == 0) & (np.diff(at[rows]) == 0)
    return np.lexsort((*ties, at, group)) if alike.any() else rows


def group_numbers(*keys: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give rows of equal keys the same number, blanks being equal to each other.

    >>> group_numbers(pa.chunked_array([["a", "b", "a"]])).tolist()
    [0, 1, 0]
    """
    found = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        plain = key.combine_chunks()
        encoded = plain if pa.types.is_dictionary(plain.type) else plain.dictionary_encode()
        indices = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        found = found * (len(encoded.dictionary) + 1) + indices + 1
        found = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return found


def text_ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give texts numbers by the alphabet, so that no tie depends on the order of the rows; blanks get -1.

    >>> text_ranks(pa.chunked_array([["b", None, "a", "b"]])).tolist()
    [1, -1, 0, 1]
    """
    plain = column.combine_chunks()
    encoded = plain if pa.types.is_dictionary(plain.type) else plain.dictionary_encode()
    rank = np.empty(len(encoded.dictionary) + 1, dtype=np.int64)
    rank[np.asarray(pc.sort_indices(encoded.dictionary), dtype=np.int64)] = np.arange(len(encoded.dictionary))
    rank[-1] = -1
    return rank[np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)]


def arrivals(table: Table, instants: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the instants from which rows are known: not before `known_at`; `MISSING` where they never are."""
    if not table.has("known_at"):
        return instants
    known = table.instants("known_at")
    return np.where((instants == MISSING) | (known == MISSING), MISSING, np.maximum(instants, known))


def least_later(values: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the smallest value among the later rows of the same group, `NEVER` where there is none.

    >>> least_later(np.array([1, 5, 3, 2]), np.array([0, 0, 0, 1])).tolist()[:2]
    [3, 3]
    """
    if not len(values):
        return values
    least = pd.Series(values[::-1]).groupby(group[::-1]).cummin().to_numpy()[::-1]
    return np.where(np.append(group[1:] == group[:-1], False), np.append(least[1:], NEVER), NEVER)
