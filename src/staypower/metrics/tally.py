"""Rows ranked by score and counted from the top: what every ranking metric is made of.

Accounts with the same score stand together: a tally has one entry per distinct score, so nothing computed from it can depend
on the order of rows. Sorting is done once; counting again under other weights (a bootstrap replicate) is cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.metrics.validation import checked, checked_weight

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Ranking", "Tally"]


@dataclass(frozen=True, eq=False)
class Tally:
    """Churned and stayed accounts counted from the highest score down.

    Parameters
    ----------
    positives : array of float64, shape (k + 1,)
        Churned rows at or above each threshold; begins with 0 and ends with all of them.
    negatives : array of float64, shape (k + 1,)
        Stayed rows at or above each threshold.
    thresholds : array of float64, shape (k + 1,)
        `inf` (nobody), then the k distinct scores, descending.

    Examples
    --------
    >>> tally = Ranking([0, 1, 1, 0], [0.1, 0.5, 0.9, 0.5]).tally()
    >>> tally.positives.tolist(), tally.negatives.tolist()
    ([0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0])
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]
    thresholds: NDArray[np.float64]

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
        """Whether nobody churned or nobody stayed: AUROC and average precision do not exist."""
        return not (self.positives[-1] and self.negatives[-1])

    def auroc(self) -> float:
        """Return the probability that a churned row outranks a stayed one, ties counted half; NaN for one class."""
        if self.one_class:
            return float("nan")
        below = self.negatives[-1] - (self.negatives[1:] + self.negatives[:-1]) / 2
        return float((np.diff(self.positives) * below).sum() / (self.positives[-1] * self.negatives[-1]))

    def average_precision(self) -> float:
        """Return the precision averaged over the recall gained at each distinct score; NaN when nobody churned."""
        if not self.positives[-1]:
            return float("nan")
        reached = self.reached[1:]
        precision = np.divide(self.positives[1:], reached, out=np.zeros_like(reached), where=reached > 0)
        return float((np.diff(self.positives) * precision).sum() / self.positives[-1])

    def hits(self, count: float) -> float:
        """Return how many churned rows the `count` highest scores hold; a tie at the boundary is shared evenly."""
        return float(np.interp(count, self.reached, self.positives))

    def gain(self, fraction: float) -> float:
        """Return the share of all churned rows within the highest `fraction`; NaN when nobody churned."""
        return self.hits(fraction * self.total) / float(self.positives[-1]) if self.positives[-1] else float("nan")

    def lift(self, fraction: float) -> float:
        """Return the churn rate within the highest `fraction` over the base rate; NaN when nobody churned."""
        return self.gain(fraction) / fraction


class Ranking:
    """Rows sorted by score once, to be counted under any weights.

    Sums are plain sums rather than matrix products, here and above: a threaded product spins idle cores for vectors this short.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
        Higher means more likely to churn.

    Attributes
    ----------
    order : array of int, shape (n,)
        Row numbers from the highest score down.
    thresholds : array of float64, shape (k + 1,)
        `inf`, then the distinct scores, descending.

    Examples
    --------
    >>> ranking = Ranking([0, 1], [0.2, 0.8])
    >>> ranking.tally([3, 1]).base_rate
    0.25
    """

    def __init__(self, y_true: ArrayLike, y_score: ArrayLike) -> None:
        churned, scores = checked(y_true, y_score)
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self._last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        self.thresholds = np.append(np.inf, ranked[self._last])
        self._churned = churned[self.order].astype(np.float64)

    def tally(self, sample_weight: ArrayLike | None = None) -> Tally:
        """Count from the top.

        Parameters
        ----------
        sample_weight : array-like of float, shape (n,), optional
            How often each row counts, at least 0; by default once.

        Returns
        -------
        Tally
        """
        weight = checked_weight(sample_weight, len(self.order))[self.order]
        churned = weight * self._churned
        # Two sums instead of one and a subtraction: fractional weights then leave no dust below zero.
        return Tally(self.accumulate(churned), self.accumulate(weight - churned), self.thresholds)

    def accumulate(self, ranked_amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum amounts, given from the highest score down (`order`), up to each threshold; the first sum is 0."""
        return np.append(0.0, np.cumsum(ranked_amounts)[self._last])
