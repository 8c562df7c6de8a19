"""How well scores rank: nothing here changes when scores are transformed monotonically or rows are shuffled.

Rows are ranked by score and counted from the top. Rows with the same score are counted together: a tally has one entry per
distinct score, so nothing computed from it depends on the order of rows. Sorting is done once; counting again under other
weights (a bootstrap replicate) is cheap. The inputs of all metrics are checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Ranking",
    "Tally",
    "auroc",
    "average_precision",
    "checked",
    "checked_probabilities",
    "checked_weight",
    "gain_at",
    "lift_at",
    "precision_at",
    "recall_at",
]


def checked(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and scores as arrays, or refuse them with every problem at once; a score may be infinite, not missing.

    >>> checked([0, 1], [0.2, 0.8])[0].tolist()
    [False, True]
    """
    labels, scores = np.asarray(y_true, dtype=np.float64), np.asarray(y_score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise UsageError.of(
            "labels and scores differ in shape", f"{labels.shape} and {scores.shape}", "give one of each per row"
        )
    problems: list[Problem] = []
    if not len(labels):
        problems.append(Problem("no rows", "0", "give at least one row"))
    odd = (labels != 0) & (labels != 1)
    if odd.any():
        problems.append(
            Problem("label is neither 0 nor 1", f"{labels[odd][0]:g} in {odd.sum()} rows", "give 1 for churned, 0 for stayed")
        )
    missing = np.isnan(scores)
    if missing.any():
        problems.append(Problem("score is missing", f"{missing.sum()} rows", "leave those rows out or give them a score"))
    if problems:
        raise UsageError(problems)
    return labels == 1, scores


def checked_probabilities(y_true: ArrayLike, y_probability: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and probabilities as arrays, or refuse them.

    >>> checked_probabilities([0, 1], [0.2, 0.8])[1].tolist()
    [0.2, 0.8]
    """
    churned, probability = checked(y_true, y_probability)
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        raise UsageError.of(
            "not a probability", f"{probability[outside][0]:g}", "give values from 0 to 1, or use a ranking metric"
        )
    return churned, probability


def checked_weight(sample_weight: ArrayLike | None, rows: int) -> NDArray[np.float64]:
    """Return row weights as an array, or refuse them; ones where none are given.

    >>> checked_weight(None, 2).tolist()
    [1.0, 1.0]
    """
    if sample_weight is None:
        return np.ones(rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (rows,) or not (weight >= 0).all() or not np.isfinite(weight).all() or not weight.any():
        raise UsageError.of("unusable weights", f"shape {weight.shape}", f"give {rows} finite weights of at least 0, not all 0")
    return weight


@dataclass(frozen=True, eq=False)
class Tally:
    """Churned and stayed rows counted from the highest score down.

    >>> tally = Ranking([0, 1, 1, 0], [0.1, 0.5, 0.9, 0.5]).tally()
    >>> tally.positives.tolist(), tally.negatives.tolist()
    ([0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0])
    """

    positives: NDArray[np.float64]  # shape (k + 1,): churned rows at or above each threshold, from 0 to all of them
    negatives: NDArray[np.float64]  # shape (k + 1,): rows that stayed at or above each threshold
    thresholds: NDArray[np.float64]  # shape (k + 1,): `inf` (no row), then the k distinct scores, descending

    @property
    def reached(self) -> NDArray[np.float64]:
        """Rows at or above each threshold."""
        return self.positives + self.negatives

    @property
    def total(self) -> float:
        """All rows (their weight)."""
        return float(self.positives[-1] + self.negatives[-1])

    @property
    def base_rate(self) -> float:
        """Share of churned rows."""
        return float(self.positives[-1]) / self.total

    @property
    def one_class(self) -> bool:
        """Whether all rows churned or all stayed: AUROC is undefined."""
        return not (self.positives[-1] and self.negatives[-1])

    def auroc(self) -> float:
        """Return the probability that a churned row outranks one that stayed, ties counted half; NaN for one class."""
        if self.one_class:
            return float("nan")
        below = self.negatives[-1] - (self.negatives[1:] + self.negatives[:-1]) / 2
        return float((np.diff(self.positives) * below).sum() / (self.positives[-1] * self.negatives[-1]))

    def average_precision(self) -> float:
        """Return the precision averaged over the recall gained at each distinct score; NaN when no row churned."""
        if not self.positives[-1]:
            return float("nan")
        reached = self.reached[1:]
        precision = np.divide(self.positives[1:], reached, out=np.zeros_like(reached), where=reached > 0)
        return float((np.diff(self.positives) * precision).sum() / self.positives[-1])

    def hits(self, count: float) -> float:
        """Return how many churned rows the `count` highest scores hold; a tie at the boundary is shared evenly."""
        return float(np.interp(count, self.reached, self.positives))

    def gain(self, fraction: float) -> float:
        """Return the share of all churned rows within the highest `fraction`; NaN when no row churned."""
        return self.hits(fraction * self.total) / float(self.positives[-1]) if self.positives[-1] else float("nan")

    def lift(self, fraction: float) -> float:
        """Return the churn rate within the highest `fraction` over the base rate; NaN when no row churned."""
        return self.gain(fraction) / fraction


class Ranking:
    """Rows sorted by score once, to be counted under any weights.

    Sums are plain sums rather than matrix products: a threaded product spins idle cores for vectors this short.

    >>> ranking = Ranking([0, 1], [0.2, 0.8])
    >>> ranking.tally([3, 1]).base_rate
    0.25
    """

    def __init__(self, y_true: ArrayLike, y_score: ArrayLike) -> None:
        churned, scores = checked(y_true, y_score)
        self.order = np.argsort(-scores, kind="stable")  # row numbers from the highest score down
        ranked = scores[self.order]
        self._last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        self.thresholds = np.append(np.inf, ranked[self._last])
        self._churned = churned[self.order].astype(np.float64)

    def tally(self, sample_weight: ArrayLike | None = None) -> Tally:
        """Count from the top, each row as often as its weight says; by default once."""
        weight = checked_weight(sample_weight, len(self.order))[self.order]
        churned = weight * self._churned
        # two sums instead of one and a subtraction: fractional weights then leave no rounding below zero
        return Tally(self.accumulate(churned), self.accumulate(weight - churned), self.thresholds)

    def accumulate(self, ranked_amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum amounts, given from the highest score down (`order`), up to each threshold; the first sum is 0."""
        return np.append(0.0, np.cumsum(ranked_amounts)[self._last])


def auroc(y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure the area under the ROC curve: how often a churned row outranks one that stayed.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned.
    y_score : array-like of float, shape (n,)
        Higher means more likely to churn; only the order counts.
    sample_weight : array-like of float, shape (n,), optional
        How often each row counts, at least 0; by default once.

    Returns
    -------
    float
        From 0 to 1, 0.5 without signal; NaN when only one class is present.

    Raises
    ------
    UsageError
        When labels, scores or weights cannot be used.

    Notes
    -----
    ``P(score of a churned > score of a stayed) + P(equal) / 2``: the Mann-Whitney statistic (Hanley and McNeil 1982).

    Examples
    --------
    >>> auroc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return Ranking(y_true, y_score).tally(sample_weight).auroc()


def average_precision(y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure the area under the precision-recall curve as average precision.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1; about the base rate without signal; NaN when no row churned.

    Notes
    -----
    ``sum over distinct scores of (recall_k - recall_{k-1}) precision_k``, without interpolation, as scikit-learn does.

    Examples
    --------
    >>> average_precision([0, 1, 0, 1], [0.1, 0.4, 0.3, 0.8])
    1.0
    """
    return Ranking(y_true, y_score).tally(sample_weight).average_precision()


def lift_at(y_true: ArrayLike, y_score: ArrayLike, fraction: float, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure how many times the base rate the highest-scored fraction churns.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    fraction : float
        Share of rows taken from the top, above 0 and at most 1.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1 / fraction, 1 without signal; NaN when no row churned.

    Notes
    -----
    The top is `fraction x n` rows, not rounded. When rows tie at its boundary each counts with the same share, which is the
    expected value over every way of breaking the tie.

    Examples
    --------
    >>> lift_at([0, 1, 0, 1], [0.1, 0.3, 0.3, 0.8], 0.5)
    1.5
    """
    _check_fraction(fraction)
    return Ranking(y_true, y_score).tally(sample_weight).lift(fraction)


def gain_at(y_true: ArrayLike, y_score: ArrayLike, fraction: float, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure which share of all churned rows the highest-scored fraction holds.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    fraction : float
        Share of rows taken from the top, above 0 and at most 1.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1, `fraction` without signal; NaN when no row churned. Ties are shared as in `lift_at`.

    Examples
    --------
    >>> gain_at([0, 1, 0, 1], [0.1, 0.3, 0.3, 0.8], 0.5)
    0.75
    """
    _check_fraction(fraction)
    return Ranking(y_true, y_score).tally(sample_weight).gain(fraction)


def precision_at(y_true: ArrayLike, y_score: ArrayLike, count: int) -> float:
    """Measure which share of the `count` highest-scored rows churned.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    count : int
        How many the team can contact, at least 1; when it exceeds the rows, all of them.

    Returns
    -------
    float
        From 0 to 1. Ties at the boundary are shared as in `lift_at`.

    Examples
    --------
    >>> precision_at([0, 1, 0, 1], [0.1, 0.3, 0.3, 0.8], 2)
    0.75
    """
    _check_count(count)
    tally = Ranking(y_true, y_score).tally()
    return tally.hits(count) / min(count, tally.total)


def recall_at(y_true: ArrayLike, y_score: ArrayLike, count: int) -> float:
    """Measure which share of all churned rows is among the `count` highest scores.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    count : int
        How many the team can contact, at least 1.

    Returns
    -------
    float
        From 0 to 1; NaN when no row churned. Ties at the boundary are shared as in `lift_at`.

    Examples
    --------
    >>> recall_at([0, 1, 0, 1], [0.1, 0.3, 0.3, 0.8], 1)
    0.5
    """
    _check_count(count)
    tally = Ranking(y_true, y_score).tally()
    return tally.hits(count) / float(tally.positives[-1]) if tally.positives[-1] else float("nan")


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise UsageError.of("fraction is out of bounds", fraction, "give a share above 0 and at most 1")


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError.of("capacity is too small", count, "give at least 1 account")
