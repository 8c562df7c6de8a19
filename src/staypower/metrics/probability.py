"""How well probabilities agree with outcomes: only for scores that are probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.metrics.ranking import checked_probabilities, checked_weight

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ReliabilityCurve",
    "brier",
    "brier_skill",
    "calibration_error",
    "equal_mass_bins",
    "log_loss",
    "log_losses",
    "reliability_curve",
]


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Predicted and observed churn, bin by bin.

    Parameters
    ----------
    predicted : array of float64, shape (b,)
        Mean probability in each bin, ascending.
    observed : array of float64, shape (b,)
        Share that churned in each bin.
    weight : array of float64, shape (b,)
        Rows in each bin (their weight).

    Examples
    --------
    >>> reliability_curve([0, 1], [0.2, 0.8], bins=2).observed.tolist()
    [0.0, 1.0]
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    weight: NDArray[np.float64]


def log_losses(y_true: ArrayLike, y_probability: ArrayLike) -> NDArray[np.float64]:
    """Return the log loss of each row, in nats.

    >>> log_losses([1], [0.5]).round(4).tolist()
    [0.6931]
    """
    churned, probability = checked_probabilities(y_true, y_probability)
    margin = float(np.finfo(np.float64).eps)
    clipped = np.clip(probability, margin, 1 - margin)
    return -np.log(np.where(churned, clipped, 1 - clipped))


def log_loss(y_true: ArrayLike, y_probability: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure the mean negative log likelihood, in nats.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned.
    y_probability : array-like of float, shape (n,)
        Probability of churn, 0 to 1.
    sample_weight : array-like of float, shape (n,), optional
        How often each row counts, at least 0; by default once.

    Returns
    -------
    float
        At least 0; lower is better.

    Raises
    ------
    UsageError
        When labels, probabilities or weights cannot be used.

    Notes
    -----
    ``-mean(y log p + (1 - y) log(1 - p))``. Probabilities are held 2.2e-16 away from 0 and 1, as scikit-learn does, so a
    wrong certainty costs 36 nats instead of infinity.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]), 4)
    0.6931
    """
    losses = log_losses(y_true, y_probability)
    return float(np.average(losses, weights=checked_weight(sample_weight, len(losses))))


def brier(y_true: ArrayLike, y_probability: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure the mean squared distance between probability and outcome (Brier 1950, the one-class form).

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_probability : array-like of float, shape (n,)
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1; lower is better; `r (1 - r)` for a constant that equals the base rate r.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5])
    0.25
    """
    churned, probability = checked_probabilities(y_true, y_probability)
    return float(np.average((probability - churned) ** 2, weights=checked_weight(sample_weight, len(churned))))


def brier_skill(
    y_true: ArrayLike,
    y_probability: ArrayLike,
    *,
    base_rate: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Measure by what share the probabilities lower the Brier score of the base rate.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_probability : array-like of float, shape (n,)
    base_rate : float, optional
        The constant to compare with, 0 to 1; by default the share that churned among these rows.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        At most 1; 0 means no better than the constant, below 0 worse; NaN when the constant makes no error.

    Notes
    -----
    ``1 - brier(y, p) / brier(y, base_rate)``.

    Examples
    --------
    >>> round(brier_skill([0, 1], [0.1, 0.9]), 2)
    0.96
    """
    churned, _ = checked_probabilities(y_true, y_probability)
    weight = checked_weight(sample_weight, len(churned))
    rate = float(np.average(churned, weights=weight)) if base_rate is None else base_rate
    reference = brier(y_true, np.full(len(churned), rate), sample_weight=weight)
    return 1 - brier(y_true, y_probability, sample_weight=weight) / reference if reference else float("nan")


def equal_mass_bins(
    probability: NDArray[np.float64], bins: int, sample_weight: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Return the bin of each row, from 0 (lowest); bins hold about the same mass, and ties can leave some empty.

    A distinct probability is put as a whole into the bin that holds the middle of its mass: the order of rows does not matter.

    >>> equal_mass_bins(np.array([0.9, 0.1, 0.1, 0.5]), 2).tolist()
    [1, 0, 0, 1]
    """
    if bins < 1:
        raise UsageError.of("too few bins", bins, "give at least 1")
    _, group = np.unique(probability, return_inverse=True)
    mass = np.bincount(group, weights=sample_weight).astype(np.float64)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    numbered: NDArray[np.intp] = np.minimum(middle * bins, bins - 1).astype(np.intp)[group]
    return numbered


def reliability_curve(
    y_true: ArrayLike, y_probability: ArrayLike, *, bins: int = 10, sample_weight: ArrayLike | None = None
) -> ReliabilityCurve:
    """Compare predicted and observed churn in bins of equal mass.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_probability : array-like of float, shape (n,)
    bins : int, default 10
        How many at most, at least 1; empty bins are left out.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    ReliabilityCurve

    Examples
    --------
    >>> reliability_curve([0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25]).predicted.tolist()
    [0.25]
    """
    churned, probability = checked_probabilities(y_true, y_probability)
    weight = checked_weight(sample_weight, len(churned))
    number = equal_mass_bins(probability, bins, weight)
    amounts = np.column_stack([weight, weight * probability, weight * churned])
    sums = np.zeros((bins, 3))
    np.add.at(sums, number, amounts)
    mass, predicted, observed = sums.T
    used = mass > 0
    return ReliabilityCurve(predicted[used] / mass[used], observed[used] / mass[used], mass[used])


def calibration_error(
    y_true: ArrayLike, y_probability: ArrayLike, *, bins: int = 10, sample_weight: ArrayLike | None = None
) -> float:
    """Measure how far predicted and observed churn lie apart on average, over bins of equal mass.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_probability : array-like of float, shape (n,)
    bins : int, default 10
        How many at most, at least 1.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1; lower is better. Chance alone keeps it above 0 in small samples.

    Notes
    -----
    ``sum over bins of (mass_b / mass) |predicted_b - observed_b|``: the expected calibration error (Naeini et al. 2015) with
    equal-mass bins (Nguyen and O'Connor 2015).

    Examples
    --------
    >>> round(calibration_error([0, 1], [0.1, 0.9], bins=2), 3)
    0.1
    """
    curve = reliability_curve(y_true, y_probability, bins=bins, sample_weight=sample_weight)
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.weight))
