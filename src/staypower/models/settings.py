"""What can be set about the churn model, and the shape its trees take when nothing is set."""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FEW", "LEAST_ACCOUNTS", "MANY", "SOME", "Calibration", "ModelSettings", "Split", "TreeShape"]

Split = Literal["auto", "temporal", "grouped"]
Calibration = Literal["auto", "sigmoid", "beta", "temperature"]

FEW = 100
SOME = 5_000
MANY = 50_000
# fewer accounts of the rarer label teach too little for a model to score by itself
LEAST_ACCOUNTS = 20


class _Restraint(TypedDict):
    num_leaves: int
    max_depth: int
    learning_rate: float
    l2: float
    feature_fraction: float
    bagging_fraction: float


class TreeShape(BaseModel):
    """The size and restraint of the trees, by the amount of evidence.

    Parameters
    ----------
    num_leaves : int
        Most leaves of a tree.
    max_depth : int
        Most splits from root to leaf. It bounds what an explanation costs.
    learning_rate : float
        How much of each tree is kept.
    min_child_samples : int
        Fewest rows in a leaf.
    l2 : float
        Shrinks the values of leaves with little evidence.
    feature_fraction : float
        Share of the features each tree may use.
    bagging_fraction : float
        Share of the rows each tree sees.

    >>> TreeShape.by_evidence(churners=40, accounts=500, rows=500).num_leaves
    4
    >>> TreeShape.by_evidence(churners=1_000, accounts=3_000, rows=9_000).max_depth
    4
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_leaves: int = Field(ge=2, le=255)
    max_depth: int = Field(ge=1, le=16)
    learning_rate: float = Field(gt=0.0, le=1.0)
    min_child_samples: int = Field(ge=1)
    l2: float = Field(ge=0.0)
    feature_fraction: float = Field(gt=0.0, le=1.0)
    bagging_fraction: float = Field(gt=0.0, le=1.0)

    @classmethod
    def by_evidence(cls, *, churners: int, accounts: int, rows: int) -> TreeShape:
        """Choose a shape from the number of accounts in the rarer class.

        Measured on held-out accounts. Customers of a telephone company, drawn in samples of 100 to 5,500: 4 leaves are best
        up to 250 customers (66 churners), 8 leaves from 700 to 5,500 (1,460 churners; 15 leaves 0.2 to 1 % worse in log
        loss). A simulated company of 2,000 accounts (650 churners): 8 leaves beat 4 and 16; leaves of 8 accounts beat leaves
        of 20; half the learning rate and twice the trees do what averaging four seeds does. One of 20,000 accounts (6,600
        churners): 15 leaves beat 8 by a little. The largest shape follows the same line but was not measured. See
        docs/model.md.
        """

        # Rows of one account at several cutoffs are near copies: what counts in a leaf is accounts.
        def fewest(in_leaf: int) -> int:
            return max(1, min(round(in_leaf * rows / accounts), rows // 20))

        if churners < FEW:
            return cls(**_SMALL, min_child_samples=fewest(20))
        if churners < SOME:
            return cls(**_MIDDLE, min_child_samples=fewest(8))
        if churners < MANY:
            return cls(**_LARGE, min_child_samples=fewest(8))
        return cls(**_HUGE, min_child_samples=max(50, fewest(8)))


_SMALL: _Restraint = {
    "num_leaves": 4,
    "max_depth": 2,
    "learning_rate": 0.03,
    "l2": 5.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
}
_MIDDLE: _Restraint = {
    "num_leaves": 8,
    "max_depth": 4,
    "learning_rate": 0.02,
    "l2": 1.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.6,
}
_LARGE: _Restraint = {**_MIDDLE, "num_leaves": 15, "max_depth": 5, "learning_rate": 0.04}
_HUGE: _Restraint = {**_LARGE, "num_leaves": 31, "max_depth": 6, "l2": 5.0}


class ModelSettings(BaseModel):
    """Settings of the churn model; what is left out follows from the data.

    Parameters
    ----------
    split : {"auto", "temporal", "grouped"}, default "auto"
        Where the number of trees and the calibration map come from: later cutoffs, or account-grouped cross-fitting.
    calibration : {"auto", "sigmoid", "beta", "temperature"}, default "auto"
        The calibration map; "auto" takes the one with the lowest held-out log loss.
    calibration_cutoffs : int or None, default None
        How many of the latest training cutoffs the temporal split keeps for stopping and calibration; None: one in six.
    refit : bool, default True
        Grow the final trees of the temporal split anew on the rows of all training cutoffs, as many as before, under the
        calibration map found on later cutoffs. False keeps the trees of the earlier cutoffs.
    folds : int, default 5
        Folds of the cross-fitting.
    max_trees : int, default 1000
        Most trees.
    patience : int, default 50
        Stop when the held-out log loss has not fallen for this many trees.
    num_leaves, max_depth, learning_rate, min_child_samples, l2, feature_fraction, bagging_fraction : optional
        Override the shape that follows from the number of churners, see `TreeShape.by_evidence`.
    min_churners : int, default 20
        Fewer churners than this in training are refused by the pipelines.
    seed : int, default 0
        Seeds every random choice.
    threads : int or None, default None
        Threads of LightGBM; None: all cores for large data, one for small. It changes no number.

    >>> ModelSettings(calibration="sigmoid").folds
    5
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split = "auto"
    calibration: Calibration = "auto"
    calibration_cutoffs: int | None = Field(default=None, ge=1)
    refit: bool = True
    folds: int = Field(default=5, ge=2, le=20)
    max_trees: int = Field(default=1_000, ge=1, le=10_000)
    patience: int = Field(default=50, ge=1)
    num_leaves: int | None = Field(default=None, ge=2, le=255)
    max_depth: int | None = Field(default=None, ge=1, le=16)
    learning_rate: float | None = Field(default=None, gt=0.0, le=1.0)
    min_child_samples: int | None = Field(default=None, ge=1)
    l2: float | None = Field(default=None, ge=0.0)
    feature_fraction: float | None = Field(default=None, gt=0.0, le=1.0)
    bagging_fraction: float | None = Field(default=None, gt=0.0, le=1.0)
    min_churners: int = Field(default=20, ge=2)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    threads: int | None = Field(default=None, ge=1)
