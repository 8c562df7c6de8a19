"""What is searched: the size and restraint of the trees, within the shapes that stay cheap to explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

__all__ = ["TUNED", "Range", "propose"]


@dataclass(frozen=True)
class Range:
    """Between which values a setting is searched."""

    low: float
    high: float
    whole: bool = False  # whether only whole numbers are tried
    log: bool = False  # whether the same factor counts as the same step


TUNED: dict[str, Range] = {
    "num_leaves": Range(3, 31, whole=True, log=True),
    "max_depth": Range(2, 6, whole=True),
    "learning_rate": Range(0.01, 0.15, log=True),
    "min_child_samples": Range(5, 500, whole=True, log=True),
    "l2": Range(0.01, 100.0, log=True),
    "feature_fraction": Range(0.15, 1.0),
    "bagging_fraction": Range(0.3, 1.0),
}
"""Fields of `ModelSettings`. Deeper or larger trees are left out: they cost more to explain and were never better."""


def propose(trial: optuna.trial.Trial) -> dict[str, Any]:
    """Take a value of every setting from a trial.

    >>> from optuna.trial import FixedTrial
    >>> tried = {"num_leaves": 8, "max_depth": 4, "learning_rate": 0.0412345, "min_child_samples": 60, "l2": 1.0,
    ...          "feature_fraction": 0.4, "bagging_fraction": 0.6}
    >>> propose(FixedTrial(tried))["learning_rate"]
    0.0412
    """
    return {name: _ask(trial, name, within) for name, within in TUNED.items()}


def _ask(trial: optuna.trial.Trial, name: str, within: Range) -> int | float:
    if within.whole:
        return int(trial.suggest_int(name, int(within.low), int(within.high), log=within.log))
    ask: Callable[..., float] = trial.suggest_float
    return float(f"{ask(name, within.low, within.high, log=within.log):.3g}")
