"""Held-out rows: later cutoffs that calibrate, and folds of accounts for cross-fitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from staypower.cutoffs import DAY, text_of
from staypower.models.margin import LinearMargin
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, Grown, portable_text

__all__ = ["CrossFit", "TemporalPartition", "cross_fit", "deal_folds", "partition_by_time"]

Positions = NDArray[np.int64]

_CLASS_TREES = 100
_CLASS_CALIBRATION = 50
_ONE_IN = 6


@dataclass(frozen=True)
class TemporalPartition:
    """Rows by the time of their cutoff."""

    trees: NDArray[np.bool_]  # shape (n,): Rows that grow the trees: the earlier cutoffs
    # shape (n,): Rows that calibrate the trees, and stop them where they are many: the latest cutoffs
    calibration: NDArray[np.bool_]
    text: str  # what was done, in words

    def has_history(self, labels: NDArray[np.int8], cutoffs: Positions, accounts: Positions) -> bool:
        """Say whether history is long enough for separate calibration cutoffs."""
        kept, known = len(np.unique(cutoffs[self.trees])), len(np.unique(cutoffs))
        if kept < 3 or 2 * kept < known:
            return False
        growing, held = (_rarer(labels[side], accounts[side]) for side in (self.trees, self.calibration))
        return growing >= _CLASS_TREES and held >= _CLASS_CALIBRATION


def partition_by_time(cutoffs: Positions, *, embargo_days: float, calibration_cutoffs: int | None) -> TemporalPartition:
    """Keep the latest cutoffs for calibration, with an embargo before them."""
    known = np.unique(cutoffs)
    keep = calibration_cutoffs if calibration_cutoffs is not None else max(1, round(len(known) / _ONE_IN))
    first = int(known[max(0, len(known) - keep)])
    calibration = cutoffs >= first
    trees = ~calibration & (cutoffs <= first - round(embargo_days * DAY))
    grown = known[known <= first - round(embargo_days * DAY)]
    grown = grown[grown < first]
    unused = len(known) - len(grown) - int((known >= first).sum())
    span = f"{text_of(int(grown[0]))} to {text_of(int(grown[-1]))}" if len(grown) else "none"
    waste = f" in which {unused} cutoffs are not used" if unused else ""
    text = (
        f"temporal: trees from {len(grown)} cutoffs ({span}), calibrated on {int((known >= first).sum())} later "
        f"cutoffs from {text_of(first)}, after an embargo of {embargo_days:g} days{waste}"
    )
    return TemporalPartition(trees, calibration, text)


def deal_folds(accounts: Positions, labels: NDArray[np.int8], *, folds: int, seed: int) -> Positions:
    """Deal accounts into folds of like churn and like size; all rows of an account go to one fold.

    >>> deal_folds(np.array([0, 0, 1, 2]), np.array([1, 0, 0, 1], dtype=np.int8), folds=2, seed=0).tolist()
    [0, 0, 0, 1]
    """
    count = int(accounts.max()) + 1
    rows = np.bincount(accounts, minlength=count)
    churned = np.bincount(accounts, weights=labels > 0, minlength=count)
    shuffled = np.random.default_rng(seed).permutation(count)
    order = shuffled[np.lexsort((rows[shuffled], churned[shuffled]))]
    fold_of = np.empty(count, dtype=np.int64)
    fold_of[order] = np.arange(count) % folds
    return fold_of[accounts]


def _rarer(labels: NDArray[np.int8], accounts: Positions) -> int:
    """Count the accounts with the rarer label: rows of one account at several cutoffs are nearly the same evidence."""
    return min(len(np.unique(accounts[labels == label])) for label in (0, 1))


Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The trees of the folds, each grown without the accounts of its fold."""

    grown: tuple[Grown, ...]
    trees: int  # how many trees of each count: where the mean of their held-out losses is lowest
    fold_of_account: NDArray[np.int64]  # the fold of each account number of the training rows
    loss: float = float("nan")  # that lowest mean log loss

    def raw(self, features: Floats, accounts: NDArray[np.int64], *, threads: int) -> Floats:
        """Return the raw score of rows by the trees that have not seen their account."""
        known = accounts < len(self.fold_of_account)
        fold = np.where(known, self.fold_of_account[np.where(known, accounts, 0)], accounts % len(self.grown))
        raw = np.empty(len(features))
        for number, grown in enumerate(self.grown):
            here = fold == number
            if here.any():
                raw[here] = grown.raw(features[here], trees=self.trees, threads=threads)
        return raw

    def sealed(self) -> tuple[tuple[str, LinearMargin | None], ...]:
        """Return the text of the trees of each fold, and the margin that they start from."""
        return tuple((portable_text(grown.booster, trees=self.trees), grown.margin) for grown in self.grown)


def cross_fit(rows: TrainingRows, grower: Grower, *, folds: int, seed: int, dealt: Positions | None = None) -> CrossFit:
    """Grow trees without each fold's accounts and find the number that serves held-out accounts best."""
    dealt = deal_folds(rows.accounts, rows.labels, folds=folds, seed=seed) if dealt is None else dealt
    watched = [grower.grow_watched(rows.take(dealt != fold), rows.take(dealt == fold)) for fold in range(folds)]
    shortest = min(len(losses) for _, losses in watched)
    weights = [rows.take(dealt == fold).total_weight for fold in range(folds)]
    # The mean of the folds' curves is steadier than the mean of their lowest points. Every curve runs on past its lowest
    # point, so the common stretch holds the lowest point of the mean.
    curve = np.average([losses[:shortest] for _, losses in watched], axis=0, weights=weights)
    best = int(np.argmin(curve))
    by_account = np.zeros(int(rows.accounts.max()) + 1, dtype=np.int64)
    by_account[rows.accounts] = dealt
    return CrossFit(tuple(grown for grown, _ in watched), best + 1, by_account, float(curve[best]))
