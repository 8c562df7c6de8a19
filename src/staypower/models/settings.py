"""What can be set about the churn model, and the shape its trees take when nothing is set."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "FEW",
    "LADDER",
    "LEAST_ACCOUNTS",
    "MANY",
    "Refit",
    "SOME",
    "Calibration",
    "FitSettings",
    "HorizonSettings",
    "ModelSettings",
    "Split",
    "TreeShape",
]

Split = Literal["auto", "temporal", "grouped"]
Calibration = Literal["auto", "sigmoid", "beta", "temperature"]
Refit = Literal["all", "training", "none"]

FEW = 100
SOME = 5_000
MANY = 50_000
# with fewer accounts of the rarer label no larger trees are tried than `TreeShape.by_evidence` gives
LADDER = 200
# with fewer accounts of the rarer label a model cannot be promoted automatically
LEAST_ACCOUNTS = 20
_LONGEST_HORIZON = 3650


class _Restraint(TypedDict):
    num_leaves: int
    max_depth: int
    learning_rate: float
    l2: float
    feature_fraction: float
    bagging_fraction: float


class TreeShape(BaseModel):
    """The size and restraint of the trees, by the amount of evidence.

    >>> TreeShape.by_evidence(churners=40, accounts=500, rows=500).num_leaves
    4
    >>> TreeShape.by_evidence(churners=1_000, accounts=3_000, rows=9_000).max_depth
    4
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_leaves: int = Field(ge=2, le=255, description="most leaves of a tree")
    max_depth: int = Field(ge=1, le=16, description="most splits from root to leaf; it bounds the cost of an explanation")
    learning_rate: float = Field(gt=0.0, le=1.0, description="how much of each tree is kept")
    min_child_samples: int = Field(ge=1, description="fewest rows in a leaf")
    l2: float = Field(ge=0.0, description="shrinks the values of leaves with little evidence")
    feature_fraction: float = Field(gt=0.0, le=1.0, description="share of the features that each tree may use")
    bagging_fraction: float = Field(gt=0.0, le=1.0, description="share of the rows that each tree sees")

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

    def larger(self) -> list[TreeShape]:
        """Return the larger shapes to be tried after this one."""
        found = [TreeShape(**each, min_child_samples=max(5, self.min_child_samples // 2)) for each in (_RICH, _RICHER)]
        return [each for each in found if each.num_leaves > self.num_leaves]


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
_RICH: _Restraint = {**_MIDDLE, "num_leaves": 31, "max_depth": 8, "learning_rate": 0.05}
_RICHER: _Restraint = {**_RICH, "num_leaves": 63, "max_depth": 10, "learning_rate": 0.1}


def _of_truth(given: object) -> object:
    """Read the switch that `model.refit` was before."""
    return {True: "training", False: "none"}[given] if isinstance(given, bool) else given


def _shape(name: str) -> str:
    return f"{TreeShape.model_fields[name].description}; default: by the number of churned accounts"


class ModelSettings(BaseModel):
    """Settings of the churn model; what is left out follows from the data.

    >>> ModelSettings(calibration="sigmoid").split
    'auto'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split = Field(
        default="auto",
        description="source of the number of trees and the calibration: later cutoffs (`temporal`), or cross-fitting over "
        "groups of accounts (`grouped`)",
    )
    calibration: Calibration = Field(
        default="auto",
        description="form of the calibration; `auto` takes the simplest unless another has a clearly lower held-out log loss",
    )
    refit: Annotated[Refit, BeforeValidator(_of_truth)] = Field(
        default="all",
        description="what the final trees are trained on, as many and of the same shape: `all` labelled cutoffs, the test's "
        "included, after the evaluation of a twin that is trained up to the embargo before the test; the `training` cutoffs, "
        "which makes the evaluated model the one that scores; `none` keeps the trees of the cutoffs before calibration",
    )
    max_trees: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="most trees; by default 1000, and 4000 where the held-out loss still falls there",
    )
    num_leaves: int | None = Field(default=None, ge=2, le=255, description=_shape("num_leaves"))
    max_depth: int | None = Field(default=None, ge=1, le=16, description=_shape("max_depth"))
    learning_rate: float | None = Field(default=None, gt=0.0, le=1.0, description=_shape("learning_rate"))
    min_child_samples: int | None = Field(default=None, ge=1, description=_shape("min_child_samples"))
    l2: float | None = Field(default=None, ge=0.0, description=_shape("l2"))
    feature_fraction: float | None = Field(default=None, gt=0.0, le=1.0, description=_shape("feature_fraction"))
    bagging_fraction: float | None = Field(default=None, gt=0.0, le=1.0, description=_shape("bagging_fraction"))
    min_churners: int = Field(default=20, ge=2, description="refuse to train with fewer churned accounts than this")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seeds every random choice")
    threads: int | None = Field(
        default=None,
        ge=1,
        description="threads of LightGBM; by default all cores for large data, one for small; no number depends on it",
    )


class FitSettings(ModelSettings):
    """What the estimators take besides the settings of a config."""

    calibration_cutoffs: int | None = Field(
        default=None, ge=1, description="how many of the latest cutoffs calibrate in the temporal split; None: one in six"
    )
    folds: int = Field(default=5, ge=2, le=20, description="folds of the cross-fitting")
    margin: bool = Field(default=False, description="let trees start from a linear margin where that is clearly better")
    patience: int = Field(default=50, ge=1, description="stop when the held-out log loss has not fallen for this many trees")


def _ascending(days: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(days)) != len(days):
        raise ValueError("a horizon is given twice Fix: name each once")
    return tuple(sorted(days))


class HorizonSettings(BaseModel):
    """Horizons to predict besides the label's own.

    >>> HorizonSettings(days=(180, 30)).days
    (30, 180)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=_LONGEST_HORIZON)], ...], Field(max_length=12), AfterValidator(_ascending)
    ] = Field(default=(30, 90, 180), description="days within which churn is predicted; `[]`: the label's horizon alone")
