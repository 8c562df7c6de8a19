"""What is audited: the tables, the settings and the data set; and its features and statuses built again at some cutoffs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.dataset.building import Dataset
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Built", "Case", "Rebuilt", "rebuild"]

Differences = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that the checks look at.

    >>> sorted(Case.__dataclass_fields__)[:3]
    ['dataset', 'every_cutoff', 'features']
    """

    name: str  # what the report calls it
    tables: Tables  # whole, as exported
    dataset: Dataset  # built from them
    label: LabelSettings
    features: FeatureSettings
    every_cutoff: bool = False  # audit every cutoff of the plan instead of the first, the middle and the last
    seed: int = 0  # seeds every random choice of the audit
    threads: int = 2  # threads that build features; no number depends on it

    @property
    def hidden(self) -> tuple[str, ...]:
        """The attribute or table that holds the outcome."""
        return self.label.hidden

    @property
    def audited_cutoffs(self) -> NDArray[np.int64]:
        """The cutoffs to audit: the first, the middle and the last, or every one."""
        every = self.dataset.plan.all
        if self.every_cutoff:
            return every
        return np.unique(every[[0, len(every) // 2, len(every) - 1]])


@dataclass(frozen=True)
class Built:
    """What is known of every account at one cutoff."""

    accounts: NDArray[np.str_]  # shape (n,): Sorted
    names: tuple[str, ...]  # the features
    values: NDArray[np.float64]  # shape (n, len(names)
    status: NDArray[np.int8]  # shape (n,)

    def differences(self, again: Built) -> tuple[Differences, int]:
        """Compare with a building from fewer rows, of perhaps fewer accounts and features."""
        place = np.searchsorted(self.accounts, again.accounts)
        columns = np.array([self.names.index(name) for name in again.names], dtype=np.int64)
        before, after = self.values[np.ix_(place, columns)], again.values
        same = (before.view(np.int64) == after.view(np.int64)) | (np.isnan(before) & np.isnan(after))
        counts = (~same).sum(axis=0)
        order = np.argsort(-counts, kind="stable")
        features = tuple((again.names[position], int(counts[position])) for position in order if counts[position])
        gone = np.ones(len(self.accounts), dtype=bool)
        gone[place] = False
        statuses = (self.status[place] != again.status).sum() + (self.status[gone] == Status.SCORED).sum()
        return features, int(statuses)


@dataclass(frozen=True)
class Rebuilt:
    """What is known of every account at several cutoffs."""

    cutoffs: NDArray[np.int64]  # shape (k,)
    built: tuple[Built, ...]  # one a cutoff

    @property
    def accounts(self) -> NDArray[np.str_]:
        """The accounts, sorted."""
        return self.built[0].accounts

    def at(self, cutoff: int) -> Built:
        """Return what is known at one of the cutoffs."""
        return self.built[int(np.searchsorted(self.cutoffs, cutoff))]


def rebuild(
    case: Case, tables: Tables, catalogue: Catalogue, *, every: NDArray[np.int64], wanted: NDArray[np.int64]
) -> Rebuilt:
    """Build features and statuses for all of some cutoffs at once, and keep those of a few."""
    accounts = tables.account_ids
    keep = np.isin(every, wanted)
    rows = np.broadcast_to(keep, (len(accounts), len(every)))
    matrix = build_matrix(tables, catalogue, accounts=accounts, cutoffs=every, rows=rows, threads=case.threads)
    status = find_population(tables, case.label, every).status
    ids = np.asarray(accounts, dtype=str)
    names = tuple(matrix.features.columns)
    # a frame without columns has no rows either
    values = np.ascontiguousarray(matrix.features.to_numpy(dtype=np.float64).reshape(len(matrix), len(names)))
    built = []
    for cutoff in wanted:
        there = values[matrix.cutoffs == cutoff]
        built.append(Built(ids, names, there, status[:, int(np.searchsorted(every, cutoff))]))
    return Rebuilt(wanted, tuple(built))
