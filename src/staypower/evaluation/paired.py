"""Two scores on the same rows: how much better is the one, and is that more than chance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.measures import BINS, DEPTHS
from staypower.evaluation.resampling import Estimate, estimate, row_weights
from staypower.metrics.probability import equal_mass_bins, log_losses
from staypower.metrics.tally import Ranking, Tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PAIRED_METRICS", "metric_of_weights", "paired_difference"]

_Measure = Callable[["NDArray[np.float64]"], float]
_RANKING: dict[str, Callable[[Tally], float]] = {
    "auroc": Tally.auroc,
    "average_precision": Tally.average_precision,
    **{f"lift_{depth}": partial(Tally.lift, fraction=depth / 100) for depth in DEPTHS},
}
PAIRED_METRICS = (*_RANKING, "log_loss", "brier", "calibration_error")


def paired_difference(
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    accounts: ArrayLike,
    metric: str = "auroc",
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Measure a metric of one score minus that of another on the same rows, with an interval over accounts.

    >>> y = [0, 0, 0, 1] * 25
    >>> found = paired_difference(y, [0.1, 0.2, 0.3, 0.9] * 25, [0.4, 0.1, 0.3, 0.2] * 25, accounts=range(100))
    >>> round(found.value, 3), found.excludes(0.0)
    (0.667, True)
    """
    _check(y_true, accounts, metric, replicates)
    measures = [metric_of_weights(metric, y_true, score) for score in (score_a, score_b)]
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]

    def difference(weight: NDArray[np.float64]) -> float:
        return measures[0](weight) - measures[1](weight)

    drawn = np.array([difference(weight) for weight in row_weights(number, replicates, seed)])
    return estimate(difference(np.ones(len(number))), drawn)


def metric_of_weights(metric: str, y_true: ArrayLike, score: ArrayLike) -> _Measure:
    """Return the metric as a function of row weights, everything sorted and checked beforehand."""
    if metric in _RANKING:
        ranking, of = Ranking(y_true, score), _RANKING[metric]
        return lambda weight: of(ranking.tally(weight))
    losses = log_losses(y_true, score)
    churned, probability = np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if metric == "calibration_error":
        bins = equal_mass_bins(probability, BINS)
        gap = probability - churned
        return lambda weight: float(np.abs(np.bincount(bins, weights=weight * gap)).sum() / weight.sum())
    amounts = losses if metric == "log_loss" else (probability - churned) ** 2
    return lambda weight: float((weight * amounts).sum() / weight.sum())


def _check(y_true: ArrayLike, accounts: ArrayLike, metric: str, replicates: int) -> None:
    problems = []
    if metric not in PAIRED_METRICS:
        problems.append(Problem("unknown metric", metric, nearest(metric, PAIRED_METRICS)))
    if np.shape(accounts) != np.shape(y_true):
        value = f"accounts: {np.size(accounts)} for {np.size(y_true)} rows"
        problems.append(Problem("not one value per row", value, "give one value per row"))
    if replicates < 0:
        problems.append(Problem("replicates is too small", str(replicates), "give at least 0"))
    if problems:
        raise UsageError(problems)
