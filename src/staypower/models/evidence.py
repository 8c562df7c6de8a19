"""How much held-out rows tell, counted in accounts: rows of one account at several cutoffs are nearly the same evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from staypower.log_odds import expit

__all__ = ["clear_gain", "level_shift", "row_losses", "sum_by_account"]

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

_STEPS = 50
_CONVERGED = 1e-12


def sum_by_account(values: Floats, accounts: Positions) -> Floats:
    """Add up the values of each account that has a row.

    >>> sum_by_account(np.array([1.0, 2.0, 4.0]), np.array([5, 5, 7])).tolist()
    [3.0, 4.0]
    """
    _, place = np.unique(accounts, return_inverse=True)
    return np.bincount(place, weights=values).astype(np.float64)


def row_losses(log_odds: Floats, labels: NDArray[np.int8], weights: Floats | None = None) -> Floats:
    """Return what each row adds to the log loss, times its weight."""
    found: Floats = np.logaddexp(0.0, log_odds) - (labels > 0) * log_odds
    return found if weights is None else weights * found


def clear_gain(challenger: Floats, holder: Floats, accounts: Positions) -> bool:
    """Say whether losses of the same rows are lower by more than one standard error, paired over accounts.

    >>> clear_gain(np.array([0.1, 0.2, 0.1]), np.array([0.3, 0.3, 0.2]), np.arange(3))
    True
    >>> clear_gain(np.array([0.1, 0.1, 0.1]), np.array([0.3, 0.1, 0.1]), np.arange(3))
    False
    """
    gains = sum_by_account(holder - challenger, accounts)
    # an account that has no rows here is no evidence; the sum of the others varies as so many independent draws
    noise = float(np.sqrt(len(gains) / max(len(gains) - 1, 1) * np.square(gains - gains.mean()).sum()))
    return float(gains.sum()) > noise


def level_shift(log_odds: Floats, labels: NDArray[np.int8], weights: Floats | None, accounts: Positions) -> tuple[float, float]:
    """Return what must be added to all log-odds for them to add up to the churned rows, and its variance.

    The variance is that of sums over accounts, so an account at several cutoffs counts as one piece of evidence.

    >>> shift, variance = level_shift(np.zeros(4), np.array([1, 0, 0, 0], dtype=np.int8), None, np.arange(4))
    >>> round(shift, 4) == round(float(np.log(1 / 3)), 4), round(variance, 4)
    (True, 1.3333)
    """
    weight = np.ones(len(labels)) if weights is None else weights
    churned, shift = labels > 0, 0.0
    for _ in range(_STEPS):
        expected = expit(log_odds + shift)
        information = float((weight * expected * (1.0 - expected)).sum())
        step = float((weight * (churned - expected)).sum()) / max(information, 1e-12)
        shift += float(np.clip(step, -1.0, 1.0))
        if abs(step) < _CONVERGED:
            break
    surplus = sum_by_account(weight * (churned - expit(log_odds + shift)), accounts)
    return shift, float(np.square(surplus).sum()) / max(information, 1e-12) ** 2
