"""Features and statuses at some cutoffs, and how two buildings of them differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.auditing.case import Case
from staypower.features import Catalogue, build_matrix
from staypower.labels import Status, find_population
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Built", "Rebuilt", "rebuild"]

Differences = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Built:
    """What is known of every account at one cutoff.

    Parameters
    ----------
    accounts : array of str, shape (n,)
        Sorted.
    names : tuple of str
        The features.
    values : array of float, shape (n, len(names))
    status : array of int8, shape (n,)
    """

    accounts: NDArray[np.str_]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    status: NDArray[np.int8]

    def differences(self, again: Built) -> tuple[Differences, int]:
        """Compare with a building from fewer rows, of perhaps fewer accounts and features.

        Returns
        -------
        tuple of (str, int)
            Features that differ in any bit, and for how many accounts, most first.
        int
            Accounts whose status differs; one that is gone must not have been in the population.
        """
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
    """What is known of every account at several cutoffs.

    Parameters
    ----------
    cutoffs : array of int64, shape (k,)
    built : tuple of Built
        One a cutoff.
    """

    cutoffs: NDArray[np.int64]
    built: tuple[Built, ...]

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
    """Build features and statuses for all of some cutoffs at once, and keep those of a few.

    Parameters
    ----------
    case : Case
    tables : Tables
        Whole, or without their future.
    catalogue : Catalogue
    every : array of int64
        The cutoffs that are built together.
    wanted : array of int64
        Those that are kept, sorted.

    Returns
    -------
    Rebuilt
    """
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
