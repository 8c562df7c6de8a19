"""What one fold predicted: its own test cutoff by every scorer, later ones by its model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from staypower.dataset import CutoffPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FoldPredictions"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldPredictions:
    """Predictions of a model that learnt from what was known at its test cutoff.

    The first `fresh` rows are those of the fold's own test cutoff; arrays of length m hold those alone.

    Parameters
    ----------
    plan : CutoffPlan
        Its first test cutoff is the fold's own.
    learnt_rows, learnt_accounts : int
        What the model was learnt from.
    train_base_rate : float
        Share that churned there.
    how : str
        What stopped and calibrated the trees, in words.
    accounts, cutoffs, churned : array, shape (n,)
        Rows of the own test cutoff first, then of all later ones.
    probability : array of float, shape (n,)
        The model's.
    fresh : int
        m, rows of the own test cutoff.
    scores : mapping of str to array of float, shape (m,)
        Baselines.
    probabilities : frozenset of str, default empty
        Which of the baselines are probabilities.
    known : array of bool, shape (m,)
        Whether the model has learnt from the row's account.
    halves : tuple of array of float, shape (m,), or None
        Probability by a model on the row's half of the accounts, and by one on the other half.
    segments : mapping of str to array of str or None, shape (m,)
    tenure_days, values : array of float, shape (m,), or None
    remarks : tuple of str
    """

    plan: CutoffPlan
    learnt_rows: int
    learnt_accounts: int
    train_base_rate: float
    how: str
    accounts: NDArray[np.object_]
    cutoffs: NDArray[np.int64]
    churned: NDArray[np.int8]
    probability: NDArray[np.float64]
    fresh: int
    scores: Mapping[str, NDArray[np.float64]]
    known: NDArray[np.bool_]
    probabilities: frozenset[str] = frozenset()
    halves: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    segments: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    tenure_days: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def cutoff(self) -> int:
        """The fold's own test cutoff."""
        return int(self.plan.test[0])
