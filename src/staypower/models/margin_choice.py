"""Whether the trees start from a linear margin: chosen by accounts and cutoffs that were held out, never taken for granted.

A margin earns its place where values lie beyond what training saw, and folds of accounts at the same cutoffs do not show that.
So both ways learn from the earliest third of the cutoffs and are compared at the latest third, on accounts that they did not
see: outcomes that overlap in time then give nothing away. Where there is one cutoff, folds of accounts are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from staypower.models.evidence import clear_gain, row_losses
from staypower.models.margin import choose_strength
from staypower.models.side_by_side import side_by_side
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, Grown

__all__ = ["MarginChoice", "choose_margin"]

Floats = NDArray[np.float64]

_FOLDS, _PLENTY = 3, 5_000
# with fewer accounts of the rarer label a comparison says nothing
_LEAST = 50


@dataclass(frozen=True)
class MarginChoice:
    """What the comparison of trees with and without a margin found."""

    strength: float | None  # penalty of the margin; None: trees alone
    words: str = ""  # the two losses, where a margin was taken


def choose_margin(rows: TrainingRows, grower: Grower, dealt: NDArray[np.int64]) -> MarginChoice:
    """Return the penalty of a margin where it lowers the held-out log loss by more than one standard error over accounts."""
    if rows.rarer_accounts < _LEAST:
        return MarginChoice(None)
    early, late, where = _in_time(rows)
    strength = choose_strength(rows, grower.categorical)
    alone = _HeldOut(replace(grower.hastened(), max_trees=grower.max_trees))
    both = _HeldOut(replace(alone.grower, margin=strength))
    # with many rows to learn from three folds tell as much as five
    dealt = dealt % _FOLDS if early.sum() >= _PLENTY else dealt
    jobs = []
    for fold in np.unique(dealt):
        held = late & (dealt == fold)
        learned = rows.take(early & ~np.isin(rows.alike, rows.alike[dealt == fold]))
        if len(np.unique(learned.labels)) < 2 or not held.any():
            continue
        jobs += [partial(each.watch, learned, rows, held) for each in (alone, both)]
    for each, watched in zip(cycle((alone, both)), side_by_side(jobs, threads=grower.threads), strict=False):
        each.folds.append(watched)
    if not both.folds:
        return MarginChoice(None)
    losses, compared = (both.losses(rows), alone.losses(rows)), rows.take(both.held)
    if not clear_gain(*losses, compared.accounts):
        return MarginChoice(None)
    with_margin, without = (float(each.sum()) / compared.total_weight for each in losses)
    words = f"trees start from a linear margin: log loss {with_margin:.4f} against {without:.4f} without, on {where}"
    return MarginChoice(strength, words)


def _in_time(rows: TrainingRows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    """Return the rows to learn from and those to compare on, before accounts are held out."""
    everything = np.ones(len(rows), dtype=np.bool_)
    cutoffs = np.unique(rows.cutoffs) if rows.cutoffs is not None else np.zeros(1)
    if rows.cutoffs is None or len(cutoffs) < 2:
        return everything, everything, "accounts held out"
    first, last = max(1, len(cutoffs) // 3), -(-len(cutoffs) // 3)
    early, late = rows.cutoffs <= cutoffs[first - 1], rows.cutoffs >= cutoffs[-last]
    return early, late, "later cutoffs and accounts held out"


@dataclass(frozen=True, eq=False)
class _Fold:
    held: NDArray[np.bool_]  # shape (n,): rows whose account and cutoff the trees did not see
    grown: Grown
    losses: Floats  # held-out log loss after each tree


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """One way to grow trees, fold after fold."""

    grower: Grower
    folds: list[_Fold] = field(default_factory=list)

    def watch(self, learned: TrainingRows, rows: TrainingRows, held: NDArray[np.bool_]) -> _Fold:
        return _Fold(held, *self.grower.grow_watched(learned, rows.take(held)))

    @property
    def held(self) -> NDArray[np.bool_]:
        """The rows that were held out so far."""
        return np.asarray(np.any([fold.held for fold in self.folds], axis=0))

    def losses(self, rows: TrainingRows) -> Floats:
        """Return the losses of the rows held out, in their order, at the number of trees that serves all folds best."""
        shortest = min(len(fold.losses) for fold in self.folds)
        weights = [rows.take(fold.held).total_weight for fold in self.folds]
        curve = np.average([fold.losses[:shortest] for fold in self.folds], axis=0, weights=weights)
        raw = np.empty(len(rows))
        for fold in self.folds:
            trees = int(np.argmin(curve)) + 1
            raw[fold.held] = fold.grown.raw(rows.features[fold.held], trees=trees, threads=self.grower.threads)
        held = self.held
        return row_losses(raw[held], rows.labels[held], None if rows.weights is None else rows.weights[held])
