"""Candidates for the trees compete by the log loss of held-out accounts; the simplest stays unless another is clearly ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from staypower.models.evidence import clear_gain, row_losses
from staypower.models.partition import CrossFit, Watched, cross_fit, grow_folds, joined
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower

__all__ = ["Candidate", "challenge", "climb"]


@dataclass(frozen=True)
class Candidate:
    """A way to grow the trees."""

    words: str  # what it is, as in `trees of 31 leaves`
    grower: Grower
    trial: Grower  # what grows the trees of the folds


@dataclass(frozen=True, eq=False)
class Holder:
    """The candidate that is ahead, with its cross-fitting."""

    candidate: Candidate
    cross: CrossFit


def challenge(rows: TrainingRows, holder: Holder, candidate: Candidate, first: Watched) -> Holder | None:
    """Cross-fit a candidate over the same folds; return it where its loss is lower by more than one standard error.

    The error is that of the paired difference over accounts. A candidate that is behind after the `first` fold is given up.
    """
    dealt = holder.cross.folds
    held = rows.take(dealt == 0)
    to_beat = row_losses(holder.cross.raw[dealt == 0], held.labels, held.weights).sum() / held.total_weight
    if first[1].min() >= to_beat:
        return None
    others = grow_folds(rows, candidate.trial, dealt, range(1, len(holder.cross.grown)))
    cross = joined(rows, candidate.trial, dealt, [first, *others])
    new, old = (row_losses(each.raw, rows.labels, rows.weights) for each in (cross, holder.cross))
    return Holder(candidate, cross) if clear_gain(new, old, rows.accounts) else None


def climb(rows: TrainingRows, ladder: Sequence[Candidate], dealt: NDArray[np.int64]) -> Holder:
    """Go up a ladder of candidates, from the simplest, for as long as the next is clearly better."""
    lowest, *others = ladder
    holder = Holder(lowest, cross_fit(rows, lowest.trial, dealt))
    for candidate in others:
        better = challenge(rows, holder, candidate, *grow_folds(rows, candidate.trial, dealt, [0]))
        if better is None:
            break
        holder = better
    return holder
