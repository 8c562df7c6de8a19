"""Train on fewer rows: some of the accounts, and some of the rows of stayers, with the odds corrected for it.

Which accounts and rows are drawn follows from a hash of the id (and the cutoff) alone: the same ones for any order of rows, any
number of buckets and threads, and any engine. A smaller share is a subset of a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa

from staypower.dataset.settings import SamplingSettings
from staypower.hashing import mix_in, numbers_of_texts
from staypower.results.numbers import percent
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAYERS_PER_CHURNER = 1
"""When shares follow from `rows`: how many rows of stayers are kept per churned row before accounts are left out.

Measured in benchmarks/sampling.py: one row of a stayer per churned row trains about as good a model as half of the accounts
with all their rows, which are more than twice as many.
"""

# two independent draws, and a last round of mixing that hides what was mixed in before
_OF_ACCOUNTS, _OF_ROWS, _LAST = 0x5851F42D4C957F2D, 0x14057B7EF767814F, 0x2545F4914F6CDD1D
_ALL = 2**63


@dataclass(frozen=True)
class Sampling:
    """What share of the accounts, and of the rows of stayers, a data set holds.

    >>> Sampling(accounts=0.5).holds(pa.chunked_array([["a", "b", "c", "d"]])).tolist()
    [True, True, True, False]
    >>> print(Sampling(0.2, 0.25))
    20.0% of the accounts; 25.0% of the rows of stayers, with the odds corrected
    """

    accounts: float = 1.0  # share of the accounts, in (0, 1]; of the test too
    negatives: float = 1.0  # share of the stayers' rows in training and calibration, in (0, 1]; the test keeps all
    seed: int = 0

    @classmethod
    def of(cls, settings: SamplingSettings) -> Sampling:
        """Read the shares from the settings; for `rows` see `within`."""
        return cls(settings.accounts, settings.negatives, settings.seed)

    @classmethod
    def within(cls, rows: int, *, churned: int, stayed: int, tested: int, seed: int = 0) -> Sampling:
        """Find the shares that keep about this many rows.

        >>> Sampling.within(5_000, churned=500, stayed=9_000, tested=1_000).negatives
        0.388
        >>> Sampling.within(1_000, churned=500, stayed=9_000, tested=1_000)
        Sampling(accounts=0.5, negatives=0.0555, seed=0)
        """
        if churned + stayed + tested <= rows:
            return cls(seed=seed)
        least = min(1.0, STAYERS_PER_CHURNER * churned / max(stayed, 1))
        negatives = _down(min(1.0, max((rows - churned - tested) / max(stayed, 1), least)))
        accounts = _down(min(1.0, rows / (churned + negatives * stayed + tested)))
        return cls(accounts, negatives, seed)

    @property
    def is_on(self) -> bool:
        """Whether anything is left out."""
        return self.accounts < 1.0 or self.negatives < 1.0

    def holds(self, ids: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Say which accounts are in the sample."""
        return _share_of(self._numbers(ids, _OF_ACCOUNTS), self.accounts)

    @overload
    def of_tables(self, tables: Tables) -> Tables: ...

    @overload
    def of_tables(self, tables: BucketedTables) -> BucketedTables: ...

    def of_tables(self, tables: BucketedTables) -> BucketedTables:
        """Keep the rows of the accounts in the sample; sampling twice changes nothing. Buckets are drawn from when opened."""
        if self.accounts == 1.0 or not isinstance(tables, Tables):
            return tables
        kept = {}
        for name, table in tables.items():
            mask = pa.array(self.holds(table.data.column("account_id").cast(pa.string())))
            kept[name] = replace(table, data=table.data.filter(mask))
        return replace(tables, tables=kept)

    def draws(self, accounts: NDArray[np.object_], cutoffs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Draw a simple random sample of rows with the share `negatives`, whatever their label."""
        if self.negatives == 1.0:
            return np.ones(len(cutoffs), dtype=np.bool_)
        named = pa.array(np.asarray(accounts, dtype=object), pa.string()).dictionary_encode()
        numbers = self._numbers(pa.chunked_array([named.dictionary]), _OF_ROWS)[np.asarray(named.indices)]
        return self._drawn(numbers, np.asarray(cutoffs, dtype=np.int64))

    def keeps(
        self, churned: NDArray[np.int8], training: NDArray[np.bool_], accounts: tuple[str, ...], cutoffs: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say which labelled pairs of account and cutoff become rows."""
        kept: NDArray[np.bool_] = churned >= 0
        if self.negatives == 1.0:
            return kept
        numbers = self._numbers(pa.chunked_array([pa.array(accounts, pa.string())]), _OF_ROWS)
        # cutoff by cutoff: there may be more pairs than memory holds
        for place, cutoff in enumerate(cutoffs.tolist()):
            stayed = np.flatnonzero((churned[:, place] == 0) & training[:, place])
            kept[stayed, place] = self._drawn(numbers[stayed], np.full(len(stayed), cutoff, dtype=np.int64))
        return kept

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Sampling:
        """Read it back; everything for a model without a sample.

        >>> Sampling.from_dict(Sampling(0.5).to_dict()) == Sampling(0.5), Sampling.from_dict(None).is_on
        (True, False)
        """
        return cls() if values is None else cls(float(values["accounts"]), float(values["negatives"]), int(values["seed"]))

    def __str__(self) -> str:
        parts = []
        if self.accounts < 1.0:
            parts.append(f"{percent(self.accounts)} of the accounts")
        if self.negatives < 1.0:
            parts.append(f"{percent(self.negatives)} of the rows of stayers, with the odds corrected")
        return "; ".join(parts) or "everything"

    def _drawn(self, numbers: NDArray[np.int64], cutoffs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Draw among rows; the numbers of their accounts are changed on the way."""
        mix_in(numbers, cutoffs)
        return _share_of(numbers, self.negatives)

    def _numbers(self, ids: pa.ChunkedArray, draw: int) -> NDArray[np.int64]:
        numbers = numbers_of_texts(ids)
        for value in (self.seed, draw):
            mix_in(numbers, np.full(len(numbers), value, dtype=np.int64))
        return numbers


def _share_of(numbers: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Say which numbers lie in a share of all 63-bit numbers, after one more round of mixing."""
    mix_in(numbers, np.full(len(numbers), _LAST, dtype=np.int64))
    return np.asarray(numbers < int(share * _ALL)) if share < 1.0 else np.ones(len(numbers), dtype=np.bool_)


def _down(share: float) -> float:
    """Cut a share to three digits, so that it can be read and written."""
    if share >= 1.0:
        return 1.0
    unit = 10.0 ** (2 - math.floor(math.log10(share)))
    return math.floor(share * unit) / unit
