"""How well scores rank: nothing here changes when scores are transformed monotonically or rows are shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staypower.errors import UsageError
from staypower.metrics.tally import Ranking

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["auroc", "average_precision", "gain_at", "lift_at", "precision_at", "recall_at"]


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
