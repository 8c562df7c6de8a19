"""Run declarations over tables: one row for every account and cutoff asked for, one column a feature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, entry
from staypower.engines import map_buckets
from staypower.features import kernel
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Feature
from staypower.features.rows import SCALE, Rows, StreamRows
from staypower.features.streams import make_stream, source_of
from staypower.tables import Table, Tables, TableSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FeatureMatrix", "build_matrix"]

_WANTED = "(wanted)"
_NO_VALUES = np.zeros(0)


@dataclass(frozen=True)
class FeatureMatrix:
    """Features of accounts at cutoffs.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_features)
        Doubles, missing as NaN; categories as codes.
    accounts : array of str, shape (n,)
    cutoffs : array of int64, shape (n,)
        Instants. Rows are sorted by account and cutoff.
    categories : tuple of str
        The columns that are codes.
    """

    features: pd.DataFrame
    accounts: NDArray[np.object_]
    cutoffs: NDArray[np.int64]
    categories: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.accounts)

    def frame(self) -> pd.DataFrame:
        """Return one frame with `account_id` and `cutoff` (UTC) before the features."""
        keys = pd.DataFrame({"account_id": self.accounts, "cutoff": pd.to_datetime(self.cutoffs, unit="us", utc=True)})
        return pd.concat([keys, self.features], axis=1)


def build_matrix(
    tables: Tables,
    catalogue: Catalogue,
    *,
    accounts: Sequence[str],
    cutoffs: NDArray[np.int64],
    rows: NDArray[np.bool_] | None = None,
    buckets: int | None = None,
    threads: int = 2,
) -> FeatureMatrix:
    """Build the features of accounts at cutoffs, each from what was known strictly before its cutoff.

    Parameters
    ----------
    tables : Tables
    catalogue : Catalogue
        What to build, with the definitions that were learnt.
    accounts : sequence of str, shape (n_accounts,)
    cutoffs : array of int64, shape (n_cutoffs,)
        Instants, sorted, without repeats.
    rows : array of bool, shape (n_accounts, n_cutoffs), optional
        Which pairs are wanted; all by default.
    buckets, threads : int
        How the work is cut; no value of theirs changes the result.

    Returns
    -------
    FeatureMatrix
    """
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    wanted = np.ones((len(accounts), len(cutoffs)), dtype=bool) if rows is None else rows
    which_account, which_cutoff = np.nonzero(wanted)
    asked = pa.table(
        {
            "account_id": pa.array(accounts, pa.string()).take(pa.array(which_account)),
            "cutoff": pa.array(cutoffs[which_cutoff], pa.int64()),
        }
    )
    needed = _needed(tables, catalogue)
    together = replace(needed, tables={**needed.tables, _WANTED: Table(TableSchema(_WANTED, (), ()), asked)})
    built = map_buckets(together, lambda bucket: _build_bucket(bucket, catalogue, cutoffs), buckets=buckets, threads=threads)
    values = {name: built.column(name).to_numpy() for name in catalogue.names}
    return FeatureMatrix(
        features=pd.DataFrame(values, columns=list(catalogue.names), dtype=np.float64),
        accounts=np.asarray(built.column("account_id").to_pylist(), dtype=object),
        cutoffs=np.asarray(built.column("cutoff").to_numpy(), dtype=np.int64),
        categories=catalogue.categories,
    )


def _needed(tables: Tables, catalogue: Catalogue) -> Tables:
    """Leave out the tables that no definition reads, keeping those that a stream may look into."""
    read = {source_of(definition.table) for definition in catalogue.everything} | {"accounts"}
    read |= {"tickets"} if "surveys" in read else set()
    return replace(tables, tables={name: table for name, table in tables.items() if name in read})


def _build_bucket(tables: Tables, catalogue: Catalogue, cutoffs: NDArray[np.int64]) -> pa.Table:
    asked = tables[_WANTED].data
    accounts = pa.array(sorted(set(asked.column("account_id").to_pylist())), pa.string())
    position = pc.index_in(asked.column("account_id").combine_chunks(), value_set=accounts).to_numpy()
    pick = position, np.searchsorted(cutoffs, asked.column("cutoff").to_numpy())
    plain = [definition for definition in catalogue.everything if isinstance(definition, Feature)]
    found: dict[str, NDArray[np.float64]] = {}
    for stream in dict.fromkeys(definition.table for definition in plain):
        rows = StreamRows(make_stream(stream, tables, catalogue.settings), accounts, cutoffs)
        for feature in plain:
            if feature.table == stream:
                found[feature.name] = _compute(feature, rows, catalogue.codes)[pick]
    for definition in catalogue.everything:
        if isinstance(definition, Combination):
            found[definition.name] = _combine(definition, found)
    return _with(asked, found, catalogue.names)


def _with(asked: pa.Table, found: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> pa.Table:
    columns = {"account_id": asked.column("account_id"), "cutoff": asked.column("cutoff")}
    return pa.table({**columns, **{name: pa.array(found[name], pa.float64()) for name in names}})


def _compute(feature: Feature, stream: StreamRows, codes: Mapping[str, Mapping[str, int]]) -> NDArray[np.float64]:
    rows = stream.rows_for(feature)
    leave = rows.leave(stream.cutoffs, feature.window, feature.offset)
    if feature.how.kernel == "additive":
        return _additive(feature, stream, rows, leave)
    if feature.how.kernel == "distinct":
        return _distinct(feature, stream, rows, leave)
    value = _values(feature, stream, rows, codes)
    if feature.aggregation in ("spread", "trend"):
        rows, leave, value = _settle_ties(rows, leave, value)
    operation = kernel.OPERATIONS[feature.aggregation]
    arrays = rows.start, rows.at, rows.place, rows.enter, leave, value, stream.cutoffs - feature.offset * DAY
    return np.asarray(kernel.ordered(operation, *arrays, feature.empty, feature.window or 0))


def _additive(feature: Feature, stream: StreamRows, rows: Rows, leave: NDArray[np.int32]) -> NDArray[np.float64]:
    sizes = stream.n_accounts, len(stream.cutoffs)
    if feature.aggregation == "count":
        ones = np.ones(len(rows.at), dtype=np.int64)
        return np.asarray(kernel.additive(rows.account, rows.enter, leave, ones, *sizes), dtype=np.float64)
    assert feature.column is not None
    amounts, there = stream.whole_amounts(feature.column)
    total = kernel.additive(rows.account, rows.enter, leave, amounts[rows.index], *sizes) / SCALE
    if feature.aggregation == "sum":
        return np.asarray(total)
    count = kernel.additive(rows.account, rows.enter, leave, there[rows.index].astype(np.int64), *sizes)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(sizes, math.nan), where=count > 0)
    return mean


def _distinct(feature: Feature, stream: StreamRows, rows: Rows, leave: NDArray[np.int32]) -> NDArray[np.float64]:
    if feature.aggregation == "active_days":
        code, n_codes = stream.days(rows.at)
    else:
        assert feature.column is not None
        codes, texts = stream.codes(feature.column)
        code, n_codes = codes[rows.index], max(len(texts), 1)
    run = kernel.distinct if rows.in_order else kernel.distinct_by_pass
    return np.asarray(run(rows.start, code, rows.enter, leave, n_codes, len(stream.cutoffs)), dtype=np.float64)


def _values(feature: Feature, stream: StreamRows, rows: Rows, codes: Mapping[str, Mapping[str, int]]) -> NDArray[np.float64]:
    if feature.column is None:
        return _NO_VALUES
    if feature.aggregation == "unanswered_in_a_row":
        return entry(stream.instants(feature.column)[rows.index], stream.cutoffs).astype(np.float64)
    if feature.how.needs_column == "time":
        instants = stream.instants(feature.column)[rows.index]
        return np.where(instants > -(2**62), instants / DAY, math.nan)
    if feature.how.needs_column == "code":
        numbers, texts = stream.codes(feature.column)
        learnt = codes.get(feature.name, {})
        # a text that training did not see falls under `other`, code 0
        known = np.array([float(learnt.get(text, 0)) for text in texts] + [math.nan])
        coded: NDArray[np.float64] = known[numbers[rows.index]]
        return coded
    return stream.numbers(feature.column)[rows.index]


def _settle_ties(
    rows: Rows, leave: NDArray[np.int32], value: NDArray[np.float64]
) -> tuple[Rows, NDArray[np.int32], NDArray[np.float64]]:
    """Sort rows of one instant by value, so that sums of floats do not depend on the order of the input."""
    order = np.lexsort((value, rows.at, rows.account))
    moved = replace(rows, index=rows.index[order], at=rows.at.take(order), place=rows.place[order], enter=rows.enter[order])
    return moved, leave[order], value[order]


def _combine(definition: Combination, found: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    first, second = (found[name] for name in definition.inputs)
    missing = np.isnan(first) | np.isnan(second)
    if definition.how == "ratio":
        made = np.divide(first, second, out=np.full(len(first), math.nan), where=~missing & (second != 0))
    elif definition.how == "change":
        total = first + second
        made = np.divide(first - second, total, out=np.zeros(len(first)), where=~missing & (total != 0))
    elif definition.how == "difference":
        made = first - second
    elif definition.how == "both_fall":
        made = np.maximum(np.minimum(-first, -second), 0.0)
    else:
        made = (first < second).astype(np.float64)
    return np.where(missing, math.nan, made)
