"""Features of a few accounts at once, from streams that were made and numbered by account once, for all of them.

What `build_matrix` does anew for every call is done when the streams are kept: making them, numbering accounts and texts,
planning. What is left is to take an account's rows from where they lie and to compute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import MISSING
from staypower.features.builder import AlikeCombinations, places_of
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Feature
from staypower.features.parts import SequencePart
from staypower.features.row_lists import count_rows_of, place_by_account
from staypower.features.rows import ReadColumn, SequencePlanner, StreamRows, sequence_planners
from staypower.features.sequences import AskedPairs, SequenceColumns
from staypower.features.streams.making import make_stream
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.features.sequences import Read

__all__ = ["AccountRows", "KeptFeatures"]

_CUTOFFS = 8


class AccountRows:
    """Where the rows of each account lie among those of all.

    >>> AccountRows(np.array([1, 0, -1, 1], dtype=np.int32), 2).of(1).tolist()
    [0, 3]
    """

    def __init__(self, account: NDArray[np.int32], n_accounts: int) -> None:
        count = np.zeros(n_accounts, dtype=np.int64)
        count_rows_of(account, count)
        self._start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(count)])
        counted = np.flatnonzero(account >= 0) if len(account) and account.min() < 0 else None
        index = np.empty(int(self._start[-1]), dtype=np.int64)
        place_by_account(account if counted is None else account[counted], self._start[:-1].copy(), index)
        rows = index if counted is None else counted[index]
        self._rows = rows.astype(np.int32) if len(account) < 2**31 else rows

    def of(self, account: int) -> NDArray[Any]:
        """Return the rows of one account, in the order given."""
        return self._rows[self._start[account] : self._start[account + 1]]


class _OneAccount:
    """One account's rows of a sequence, as `SequencePart` reads those of many."""

    parts = ((0, 1),)
    asked = AskedPairs(np.array([0, 1]), np.zeros(1, dtype=np.int32))

    def __init__(self, columns: SequenceColumns, rows: NDArray[Any]) -> None:
        timeless = columns.every("instants", columns.plan.time or "")[rows] == MISSING
        self._rows = rows[~timeless] if timeless.any() else rows
        self._columns, self.plan, self.cutoffs = columns, columns.plan, columns.cutoffs
        self.start = np.array([0, len(self._rows)])

    def read(self, number: int, what: str, name: str) -> NDArray[Any]:
        """Return the rows of a column."""
        return np.zeros(len(self._rows), dtype=np.int32) if what == "account" else self._columns.every(what, name)[self._rows]

    def values(self, column: ReadColumn, read: Read) -> NDArray[Any]:
        """Return a column as the kernel takes it."""
        return self._columns.values(column, read)

    def bits(self, n: int, read: Read) -> NDArray[np.int64]:
        """Say which filters the rows pass."""
        return self._columns.bits(n, read)


@dataclass(frozen=True)
class _KeptStream:
    """A stream of all accounts, and what is computed from it."""

    rows: StreamRows
    of_accounts: AccountRows
    planners: tuple[SequencePlanner, ...]


class KeptFeatures:
    """The streams of all accounts, from which the features of a few are built at any cutoff, with the bits of `build_matrix`.

    It may be read from several threads at once.
    """

    def __init__(self, tables: Tables, catalogue: Catalogue, accounts: Sequence[str]) -> None:
        self.catalogue, self._accounts = catalogue, accounts
        self._place, self._names = places_of(catalogue), pd.Index(np.asarray(catalogue.names, dtype=object), dtype=object)
        everything = catalogue.everything
        plain = [definition for definition in everything if isinstance(definition, Feature)]
        combined = [definition for definition in everything if isinstance(definition, Combination)]
        self._combined = AlikeCombinations.of(combined, self._place)
        wanted = pa.array(accounts, pa.string())
        self._streams = []
        for stream in dict.fromkeys(feature.table for feature in plain):
            rows = StreamRows(make_stream(stream, tables, catalogue.settings), wanted)
            features = [(self._place[feature.name], feature) for feature in plain if feature.table == stream]
            planners = tuple(sequence_planners(features, rows))
            self._streams.append(_KeptStream(rows, AccountRows(rows.account, len(accounts)), planners))
        self._columns_at = lru_cache(maxsize=_CUTOFFS)(self._columns)

    def build(self, accounts: Sequence[str], cutoff: int) -> pd.DataFrame:
        """Build the features of some accounts, which must be known, at a cutoff: one row each."""
        values = np.empty((len(self._place), len(accounts)))
        columns = self._columns_at(cutoff)
        for at, account in enumerate(accounts):
            number = bisect_left(self._accounts, account)
            for stream, sequences in zip(self._streams, columns, strict=True):
                rows = stream.of_accounts.of(number)
                for sequence in sequences:
                    SequencePart(_OneAccount(sequence, rows), 0).compute(values[:, at : at + 1])
        for alike in self._combined:
            alike.compute(values)
        index = pd.Index(np.asarray(accounts, dtype=object))
        return pd.DataFrame(values[: len(self._names)].T, columns=self._names, index=index, copy=False)

    def _columns(self, cutoff: int) -> list[list[SequenceColumns]]:
        """Plan every sequence for a cutoff, and make the columns that it reads."""
        cutoffs, found = np.array([cutoff], dtype=np.int64), []
        for stream in self._streams:
            plans = [planner.plan(cutoffs) for planner in stream.planners]
            found.append([SequenceColumns(stream.rows, plan, cutoffs, self.catalogue.codes) for plan in plans])
            for sequence in found[-1]:
                for key in sequence.wanted():
                    sequence.every(*key)
        return found
