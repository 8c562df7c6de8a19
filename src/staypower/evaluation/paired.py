"""Two scores on the same rows: how much better is the one, and is that more than chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.measures import METRICS
from staypower.evaluation.resampling import Estimate, estimate, row_weights
from staypower.evaluation.score_meter import Campaign, ScoreMeter, WeightedScore

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["measure_of_weights", "paired_difference", "paired_metrics"]


def paired_metrics() -> list[str]:
    """Return the metrics that need nothing but labels and scores.

    >>> "lift_10" in paired_metrics(), "precision_at_capacity" in paired_metrics()
    (True, False)
    """
    return [name for name, metric in METRICS.items() if metric.needs in ("", "probability")]


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
    scores = [np.asarray(score, dtype=np.float64) for score in (score_a, score_b)]
    measures = [measure_of_weights(metric, np.asarray(y_true), score) for score in scores]
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]

    def difference(weight: NDArray[np.float64]) -> float:
        return measures[0](weight) - measures[1](weight)

    drawn = np.array([difference(weight) for weight in row_weights(number, replicates, seed)])
    return estimate(difference(np.ones(len(number))), drawn)


def _check(y_true: ArrayLike, accounts: ArrayLike, metric: str, replicates: int) -> None:
    problems = []
    if metric not in paired_metrics():
        problems.append(Problem("unknown metric", metric, nearest(metric, paired_metrics())))
    if np.shape(accounts) != np.shape(y_true):
        value = f"accounts: {np.size(accounts)} for {np.size(y_true)} rows"
        problems.append(Problem("not one value per row", value, "give one value per row"))
    if replicates < 0:
        problems.append(Problem("replicates is too small", str(replicates), "give at least 0"))
    if problems:
        raise UsageError(problems)


def measure_of_weights(name: str, churned: NDArray[Any], score: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return a metric of a score as a function of row weights, everything sorted and checked beforehand."""
    metric = METRICS[name]
    campaign = Campaign(reference=float(churned.mean()))
    meter = ScoreMeter(churned, score, is_probability=metric.needs == "probability", campaign=campaign)
    return lambda weight: metric.of(WeightedScore(meter, weight))
