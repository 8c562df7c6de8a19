"""Whether the trees start from a linear margin: chosen by accounts and cutoffs that were held out, never taken for granted.

A margin earns its place where values lie beyond what training saw, and folds of accounts at the same cutoffs do not show that.
So both ways learn from the earlier half of the cutoffs and are compared at the latest quarter, on accounts that they did not
see: outcomes that overlap in time then give nothing away. Where there is one cutoff, folds of accounts are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from staypower.models.evidence import clear_gain, row_losses
from staypower.models.margin import choose_strength
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, Grown

__all__ = ["MarginChoice", "choose_margin"]

Floats = NDArray[np.float64]

_LATEST = 4  # one cutoff in so many is held out
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
    strength, (early, late, where) = choose_strength(rows, grower.categorical), _in_time(rows)
    alone = _held_out(rows, grower, dealt, early, late)
    known = ~np.isnan(alone)
    if min(int((rows.labels[known] == label).sum()) for label in (0, 1)) == 0:
        return MarginChoice(None)
    both = _held_out(rows, replace(grower, margin=strength), dealt, early, late)
    compared = rows.take(known)
    losses = [row_losses(raw[known], compared.labels, compared.weights) for raw in (both, alone)]
    if not clear_gain(losses[0], losses[1], compared.accounts):
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
    early = rows.cutoffs <= cutoffs[len(cutoffs) // 2 - 1]
    late = rows.cutoffs >= cutoffs[-max(1, len(cutoffs) // _LATEST)]
    return early, late, "later cutoffs and accounts held out"


def _held_out(
    rows: TrainingRows, grower: Grower, dealt: NDArray[np.int64], early: NDArray[np.bool_], late: NDArray[np.bool_]
) -> Floats:
    """Return raw scores by trees that saw neither the account nor the cutoff, at the best common number of trees."""
    raw = np.full(len(rows), np.nan)
    watched: list[tuple[NDArray[np.bool_], Grown, Floats]] = []
    for fold in np.unique(dealt):
        learned, held = rows.take(early & (dealt != fold)), late & (dealt == fold)
        if len(np.unique(learned.labels)) == 2 and held.any():
            watched.append((held, *grower.grow_watched(learned, rows.take(held))))
    if not watched:
        return raw
    shortest = min(len(losses) for _, _, losses in watched)
    weights = [rows.take(held).total_weight for held, _, _ in watched]
    curve = np.average([losses[:shortest] for _, _, losses in watched], axis=0, weights=weights)
    for held, grown, _ in watched:
        raw[held] = grown.raw(rows.features[held], trees=int(np.argmin(curve)) + 1, threads=grower.threads)
    return raw
