"""Account-grouped cross-fitting: how many trees, and scores of rows by trees that have not seen their account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from staypower.models.partition import deal_folds
from staypower.models.rows import Rows
from staypower.models.trees import Grower

if TYPE_CHECKING:
    import lightgbm

__all__ = ["CrossFit", "cross_fit", "raw_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The boosters of the folds, each without the accounts of its fold.

    >>> CrossFit((), 5, np.array([0, 1])).trees
    5
    """

    boosters: tuple[lightgbm.Booster, ...]
    trees: int  # how many trees of each count: where the mean of their held-out losses is lowest
    fold_of_account: NDArray[np.int64]  # the fold of each account number of the training rows
    loss: float = float("nan")  # that lowest mean log loss

    def raw(self, features: Floats, accounts: NDArray[np.int64], *, threads: int) -> Floats:
        """Return the raw score of rows by the booster that has not seen their account."""
        known = accounts < len(self.fold_of_account)
        fold = np.where(known, self.fold_of_account[np.where(known, accounts, 0)], accounts % len(self.boosters))
        raw = np.empty(len(features))
        for number, booster in enumerate(self.boosters):
            here = fold == number
            if here.any():
                raw[here] = raw_of(booster, features[here], trees=self.trees, threads=threads)
        return raw


def cross_fit(rows: Rows, grower: Grower, *, folds: int, seed: int) -> CrossFit:
    """Grow trees without each fold's accounts and find the number that serves held-out accounts best."""
    dealt = deal_folds(rows.accounts, rows.labels, folds=folds, seed=seed)
    watched = [grower.grow_watched(rows.take(dealt != fold), rows.take(dealt == fold)) for fold in range(folds)]
    shortest = min(len(losses) for _, losses in watched)
    weights = [rows.take(dealt == fold).total_weight for fold in range(folds)]
    # The mean of the folds' curves is steadier than the mean of their lowest points. Every curve runs on past its lowest
    # point, so the common stretch holds the lowest point of the mean.
    curve = np.average([losses[:shortest] for _, losses in watched], axis=0, weights=weights)
    best = int(np.argmin(curve))
    by_account = np.zeros(int(rows.accounts.max()) + 1, dtype=np.int64)
    by_account[rows.accounts] = dealt
    return CrossFit(tuple(booster for booster, _ in watched), best + 1, by_account, float(curve[best]))


def raw_of(booster: lightgbm.Booster, features: Floats, *, trees: int, threads: int) -> Floats:
    """Return the raw score of rows by the first trees of a booster."""
    found = booster.predict(features, raw_score=True, num_iteration=trees, num_threads=threads)
    return np.asarray(found, dtype=np.float64)
