"""Build features from tables: one row for every account and cutoff asked for, one column per feature."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.engines.local import map_buckets
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Feature
from staypower.features.kernel import COMBINED, combine_lines
from staypower.features.parts import SequencePart
from staypower.features.rows import StreamRows, plan_sequences
from staypower.features.sequences import AskedPairs, RowSequence
from staypower.features.streams.making import make_stream, tables_of
from staypower.schemas import TableSchema
from staypower.tables import BucketedTables, Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AlikeCombinations", "FeatureMatrix", "build_matrix", "combine", "combine_all", "places_of"]

_WANTED = "(wanted)"
# a few columns of so many rows fit in the processor's cache
_ROWS_AT_ONCE = 16_384


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
    tables: BucketedTables,
    catalogue: Catalogue,
    *,
    accounts: Sequence[str],
    cutoffs: NDArray[np.int64],
    rows: NDArray[np.bool_] | None = None,
    buckets: int | None = None,
    threads: int = 2,
) -> FeatureMatrix:
    """Build the features of accounts at cutoffs, each from what was known strictly before its cutoff.

    This is where matrices come from. Tables in buckets are not read here: each bucket builds its own rows, wherever it is.
    """
    cutoffs, whole = np.asarray(cutoffs, dtype=np.int64), tables.whole
    wanted = np.ones((len(accounts), len(cutoffs)), dtype=bool) if rows is None else rows
    account, cutoff = np.nonzero(wanted)
    if whole is None:
        values = _build_in_buckets(tables, catalogue, pa.array(accounts, pa.string()), cutoffs, wanted)
        names = np.asarray(accounts, dtype=object)[account]
        return FeatureMatrix(_as_frame(values, catalogue), names, cutoffs[cutoff], catalogue.categories)
    needed = _needed(whole, catalogue)
    if (buckets or 1) == 1 and _ascending(accounts):
        values = _build(needed, catalogue, pa.array(accounts, pa.string()), cutoffs, account, cutoff, threads)
        names = np.asarray(accounts, dtype=object)[account]
        return FeatureMatrix(_as_frame(values, catalogue), names, cutoffs[cutoff], catalogue.categories)
    asked = pa.table(
        {
            "account_id": pa.array(accounts, pa.string()).take(pa.array(account)),
            "cutoff": pa.array(cutoffs[cutoff], pa.int64()),
        }
    )
    together = replace(needed, tables={**needed.tables, _WANTED: Table(TableSchema(_WANTED, (), ()), asked)})
    built = map_buckets(together, lambda bucket: _build_bucket(bucket, catalogue, cutoffs), buckets=buckets, threads=threads)
    values = np.empty((len(catalogue.names), built.num_rows))
    for row, name in enumerate(catalogue.names):
        values[row] = built.column(name).to_numpy()
    return FeatureMatrix(
        _as_frame(values, catalogue),
        np.asarray(built.column("account_id").to_pylist(), dtype=object),
        np.asarray(built.column("cutoff").to_numpy(), dtype=np.int64),
        catalogue.categories,
    )


def _ascending(accounts: Sequence[str]) -> bool:
    return all(one < other for one, other in itertools.pairwise(accounts))


def _as_frame(values: NDArray[np.float64], catalogue: Catalogue) -> pd.DataFrame:
    return pd.DataFrame(values[: len(catalogue.names)].T, columns=list(catalogue.names), copy=False)


def _needed(tables: Tables, catalogue: Catalogue) -> Tables:
    """Leave out the tables that no definition reads, keeping those that a stream may look into."""
    read = tables_of(definition.table for definition in catalogue.everything) | {"accounts"}
    return replace(tables, tables={name: table for name, table in tables.items() if name in read})


@dataclass(frozen=True)
class _RowsOfBucket:
    """Builds those of the asked rows whose accounts are in a bucket; a plain value that may travel to a cluster."""

    catalogue: Catalogue
    accounts: pa.Array  # every account that is asked for
    cutoffs: NDArray[np.int64]
    wanted: NDArray[np.uint8]  # shape (n_accounts, ceil(k / 8)): at which cutoffs, packed into bits

    def __call__(self, tables: Tables) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the places of the bucket's accounts among all, ascending, and one line of values per feature."""
        there = pc.index_in(self.accounts, value_set=pc.unique(tables["accounts"].data.column("account_id").combine_chunks()))
        mine = np.flatnonzero(np.asarray(there.is_valid().to_numpy(zero_copy_only=False)))
        wanted = np.unpackbits(self.wanted[mine], axis=1, count=len(self.cutoffs)).astype(bool)
        mine, wanted = mine[wanted.any(axis=1)], wanted[wanted.any(axis=1)]
        accounts = self.accounts.take(pa.array(mine)).to_pylist()
        if not accounts:
            return mine, np.empty((len(self.catalogue.names), 0))
        matrix = build_matrix(tables, self.catalogue, accounts=accounts, cutoffs=self.cutoffs, rows=wanted, threads=1)
        return mine, matrix.features.to_numpy(dtype=np.float64).T


def _build_in_buckets(
    tables: BucketedTables, catalogue: Catalogue, accounts: pa.Array, cutoffs: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Let each bucket build its rows, and put them where they belong."""
    counts = wanted.sum(axis=1)
    first = np.cumsum(counts) - counts
    values = np.empty((len(catalogue.names), int(counts.sum())))
    build = _RowsOfBucket(catalogue, accounts, cutoffs, np.packbits(wanted, axis=1))
    read = tables_of(definition.table for definition in catalogue.everything)
    for mine, built in tables.each(build, only=read):
        length = counts[mine]
        within = np.arange(built.shape[1]) - np.repeat(np.cumsum(length) - length, length)
        values[:, np.repeat(first[mine], length) + within] = built
    return values


def _build_bucket(tables: Tables, catalogue: Catalogue, cutoffs: NDArray[np.int64]) -> pa.Table:
    """Build the pairs that one bucket asks for, sorted by account and cutoff."""
    asked = tables[_WANTED].data.sort_by([("account_id", "ascending"), ("cutoff", "ascending")])
    ids = asked.column("account_id").combine_chunks()
    accounts = pc.unique(ids)
    account = np.asarray(pc.index_in(ids, value_set=accounts).to_numpy(), dtype=np.int64)
    cutoff = np.searchsorted(cutoffs, asked.column("cutoff").to_numpy())
    values = _build(tables, catalogue, accounts, cutoffs, account, cutoff, threads=1)
    columns = {"account_id": ids, "cutoff": asked.column("cutoff")}
    return pa.table({**columns, **dict(zip(catalogue.names, map(pa.array, values), strict=False))})


def _build(
    tables: Tables,
    catalogue: Catalogue,
    accounts: pa.Array,
    cutoffs: NDArray[np.int64],
    account: NDArray[np.int64],
    cutoff: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float64]:
    """Build one line per feature, the catalogue's columns first, for pairs of account and cutoff numbers sorted by both."""
    everything, place = catalogue.everything, places_of(catalogue)
    values = np.empty((len(place), len(account)))
    asked = AskedPairs.of(account, cutoff, len(accounts))
    plain = [definition for definition in everything if isinstance(definition, Feature)]
    with _workers(threads) as pool:
        for stream in dict.fromkeys(feature.table for feature in plain):
            rows = StreamRows(make_stream(stream, tables, catalogue.settings), accounts)
            features = [(place[feature.name], feature) for feature in plain if feature.table == stream]
            for plan in plan_sequences(features, rows, cutoffs):
                sequence = RowSequence(rows, plan, cutoffs, catalogue.codes, asked, pool)
                for numbers in sequence.rounds():
                    list(pool.map(lambda number, one=sequence: SequencePart(one, number).compute(values), numbers))
        combined = [definition for definition in everything if isinstance(definition, Combination)]
        for _ in pool.map(lambda rows: combine_all(combined, values[:, rows], place), _stretches(len(account))):
            pass
    return values


def places_of(catalogue: Catalogue) -> dict[str, int]:
    """Give each feature its line: the catalogue's columns first, then what only others are made of."""
    names = dict.fromkeys((*catalogue.names, *(definition.name for definition in catalogue.everything)))
    return {name: number for number, name in enumerate(names)}


class _Alone(Executor):
    """Does the work itself, at once: for few rows, waiting for threads takes longer than the work."""

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        """Call the function when its result is taken."""
        return map(fn, *iterables)


def _workers(threads: int) -> Executor:
    return ThreadPoolExecutor(max_workers=threads) if threads > 1 else _Alone()


def _stretches(n: int) -> list[slice]:
    return [slice(first, first + _ROWS_AT_ONCE) for first in range(0, n, _ROWS_AT_ONCE)]


def combine_all(combinations: Sequence[Combination], values: NDArray[np.float64], place: Mapping[str, int]) -> None:
    """Fill in what is combined of lines that are computed."""
    for definition in combinations:
        first, second = (values[place[name]] for name in definition.inputs)
        combine_lines(COMBINED[definition.how], first, second, values[place[definition.name]])


@dataclass(frozen=True)
class AlikeCombinations:
    """Combinations of one kind that do not read each other, computed at once: for few rows a call costs more than its work."""

    example: Combination
    lines: NDArray[np.int64]  # shape (3, n): of the results, and of both inputs

    @classmethod
    def of(cls, combinations: Sequence[Combination], place: Mapping[str, int]) -> list[AlikeCombinations]:
        """Sort combinations into groups; inputs come before what is made of them."""
        level: dict[str, int] = {}
        groups: dict[tuple[int, str], list[Combination]] = {}
        for one in combinations:
            level[one.name] = 1 + max(level.get(name, 0) for name in one.inputs)
            groups.setdefault((level[one.name], one.how), []).append(one)
        return [
            cls(alike[0], np.array([[place[name] for name in (one.name, *one.inputs)] for one in alike]).T)
            for _, alike in sorted(groups.items(), key=lambda group: group[0])
        ]

    def compute(self, values: NDArray[np.float64]) -> None:
        """Fill in the results."""
        result, first, second = self.lines
        values[result] = combine(self.example, values[first], values[second])


def combine(definition: Combination, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Combine two columns; if either is missing, so is the result.

    >>> share = Combination(name="share", how="ratio", inputs=("a", "b"), unit="", description="a by b", lever=None)
    >>> combine(share, np.array([1.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    target = np.empty(first.shape)
    combine_lines(COMBINED[definition.how], first.ravel(), second.ravel(), target.ravel())
    return target
