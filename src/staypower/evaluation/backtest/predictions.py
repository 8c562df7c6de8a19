"""What one fold predicted: its own test cutoff by every scorer, later ones by its model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from staypower.dataset.cutoff_plan import CutoffPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FoldPredictions"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldPredictions:
    """Predictions of a model that learned from what was known at its test cutoff.

    The first `fresh` rows are those of the fold's own test cutoff; arrays of length m hold those alone.
    """

    plan: CutoffPlan  # its first test cutoff is the fold's own
    learned_rows: int  # what the model was learned from
    learned_accounts: int  # what the model was learned from
    train_base_rate: float  # share that churned there
    how: str  # what stopped and calibrated the trees, in words
    accounts: NDArray[np.object_]  # shape (n,): Rows of the own test cutoff first, then of all later ones
    cutoffs: NDArray[np.int64]  # shape (n,): Rows of the own test cutoff first, then of all later ones
    churned: NDArray[np.int8]  # shape (n,): Rows of the own test cutoff first, then of all later ones
    probability: NDArray[np.float64]  # shape (n,): The model's
    fresh: int  # m, rows of the own test cutoff
    scores: Mapping[str, NDArray[np.float64]]  # shape (m,): Baselines
    known: NDArray[np.bool_]  # shape (m,): Whether the model has learned from the row's account
    probabilities: frozenset[str] = frozenset()  # which of the baselines are probabilities
    # shape (m,): Probability by a model on the row's half of the accounts, and by one on the other half
    halves: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    segments: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)  # shape (m,)
    tenure_days: NDArray[np.float64] | None = None  # shape (m,)
    values: NDArray[np.float64] | None = None  # shape (m,)
    remarks: tuple[str, ...] = ()

    @property
    def cutoff(self) -> int:
        """The fold's own test cutoff."""
        return int(self.plan.test[0])
