"""Held-out rows: later cutoffs that calibrate, and folds of accounts for cross-fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from staypower.cutoffs import DAY, text_of
from staypower.models.margin import LinearMargin
from staypower.models.side_by_side import side_by_side
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, Grown, portable_text

__all__ = [
    "CrossFit",
    "TemporalPartition",
    "Watched",
    "cross_fit",
    "deal_folds",
    "grow_folds",
    "joined",
    "latest_cutoffs",
    "partition_by_time",
]

Positions = NDArray[np.int64]

_CLASS_TREES = 100
_CLASS_CALIBRATION = 200
_ONE_IN = 6
# a loss that is lowest in the last twentieth of the trees allowed would have gone on falling
_LAST_STRETCH = 0.95


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
    calibration = latest_cutoffs(cutoffs, calibration_cutoffs)
    first = int(cutoffs[calibration].min())
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


def latest_cutoffs(cutoffs: Positions, count: int | None = None) -> NDArray[np.bool_]:
    """Say which rows stand at the latest cutoffs: so many of them, or one in six.

    >>> latest_cutoffs(np.array([10, 20, 30, 30])).tolist()
    [False, False, True, True]
    """
    known = np.unique(cutoffs)
    keep = count if count is not None else max(1, round(len(known) / _ONE_IN))
    return cutoffs >= int(known[max(0, len(known) - keep)])


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
    folds: NDArray[np.int64]  # shape (n,): the fold of each training row; the same for all rows of an account
    raw: Floats  # shape (n,): raw score of each training row by the trees that have not seen its account
    loss: float = float("nan")  # that lowest mean log loss
    at_the_limit: bool = False  # whether it still fell with the last tree that was allowed

    def sealed(self) -> tuple[tuple[str, LinearMargin | None], ...]:
        """Return the text of the trees of each fold, and the margin that they start from."""
        return tuple((portable_text(grown.booster, trees=self.trees), grown.margin) for grown in self.grown)


def cross_fit(rows: TrainingRows, grower: Grower, dealt: Positions) -> CrossFit:
    """Grow trees without each fold's accounts and find the number that serves held-out accounts best."""
    return joined(rows, grower, dealt, grow_folds(rows, grower, dealt, range(int(dealt.max()) + 1)))


Watched = tuple[Grown, Floats]  # the trees of a fold, and its held-out log loss after each tree


def grow_folds(rows: TrainingRows, grower: Grower, dealt: Positions, folds: Sequence[int]) -> list[Watched]:
    """Grow trees without the accounts of each of some folds, nor accounts like theirs in other folds, watched on that fold."""
    alike = rows.alike

    def grow(fold: int) -> Watched:
        held = dealt == fold
        return grower.grow_watched(rows.take(~np.isin(alike, alike[held])), rows.take(held))

    return side_by_side([partial(grow, fold) for fold in folds], threads=grower.threads)


def joined(rows: TrainingRows, grower: Grower, dealt: Positions, watched: Sequence[Watched]) -> CrossFit:
    """Find the number of trees that serves all folds best, and the scores of each fold with so many."""
    shortest = min(len(losses) for _, losses in watched)
    weights = [rows.take(dealt == fold).total_weight for fold in range(len(watched))]
    # The mean of the folds' curves is steadier than the mean of their lowest points. Every curve runs on past its lowest
    # point, so the common stretch holds the lowest point of the mean.
    curve = np.average([losses[:shortest] for _, losses in watched], axis=0, weights=weights)
    trees = int(np.argmin(curve)) + 1
    raw = np.empty(len(rows))

    def score(fold: int, grown: Grown) -> None:
        held = dealt == fold
        raw[held] = grown.raw(rows.features[held], trees=trees, threads=grower.threads)

    side_by_side([partial(score, *numbered) for numbered in enumerate(grown for grown, _ in watched)], threads=grower.threads)
    limit = shortest == grower.max_trees and trees > _LAST_STRETCH * shortest
    return CrossFit(tuple(grown for grown, _ in watched), trees, dealt, raw, float(curve[trees - 1]), limit)
