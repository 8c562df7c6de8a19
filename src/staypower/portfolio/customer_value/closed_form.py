"""Lifetime value in closed form, and what it may be combined with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CONVENTION", "lifetime_value", "to_period_probability", "value_at_risk"]

CONVENTION = "m(1+d)/(1+d-r) per month, first payment counted now"


def lifetime_value(margin: ArrayLike, *, retention: ArrayLike, discount: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return the expected value of a customer who pays now and, as long as it stays, every month.

    The sum over months t = 0, 1, 2, ... of m r^t / (1 + d)^t: the first payment is counted now and in full. Conventions that
    count the first payment a month from now, m r / (1 + d - r), are lower by exactly m. Gupta and Lehmann 2003, "Customers as
    assets", Journal of Interactive Marketing 17(1), give both forms for a constant margin and retention.

    >>> float(lifetime_value(100.0, retention=0.9, discount=0.01))
    918.18...
    >>> float(lifetime_value(100.0, retention=0.5))
    200.0
    """
    money, stays, rate = (np.asarray(given, dtype=np.float64) for given in (margin, retention, discount))
    problems = []
    if not (np.isnan(stays) | ((stays >= 0) & (stays <= 1))).all():
        problems.append(
            Problem("a retention that is not a share", _worst(stays), "give the probability of staying, from 0 to 1")
        )
    if not (np.isnan(rate) | ((rate >= 0) & np.isfinite(rate))).all():
        problems.append(Problem("a discount rate below 0", _worst(rate), "give the rate of one month, such as 0.01"))
    if problems:
        raise UsageError(problems)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(money * (1 + rate) / (1 + rate - stays), dtype=np.float64)


def to_period_probability(probability: ArrayLike, *, horizon_days: float, period_days: float) -> NDArray[np.float64]:
    """Convert the probability of leaving within a horizon to the same risk over another length of time.

    Assumes that the hazard is constant over the horizon; it is the only assumption that a single probability allows.

    >>> float(to_period_probability(0.271, horizon_days=90, period_days=30))
    0.1...
    >>> float(to_period_probability(0.1, horizon_days=30, period_days=90))
    0.27...
    """
    chance = np.asarray(probability, dtype=np.float64)
    problems = [
        Problem(f"{name} is no length of time", str(days), "give days above 0")
        for name, days in (("horizon_days", horizon_days), ("period_days", period_days))
        if not (np.isfinite(days) and days > 0)
    ]
    if not (np.isnan(chance) | ((chance >= 0) & (chance <= 1))).all():
        problems.append(Problem("not a probability", _worst(chance), "give numbers from 0 to 1"))
    if problems:
        raise UsageError(problems)
    with np.errstate(divide="ignore"):
        # log1p and expm1 keep the digits of small probabilities
        return np.asarray(-np.expm1(np.log1p(-chance) * (period_days / horizon_days)), dtype=np.float64)


def value_at_risk(churn_probability: ArrayLike, value_if_stays: ArrayLike) -> NDArray[np.float64]:
    """Return the value that is expected to be lost.

    >>> value_at_risk([0.25, 0.5], 1000.0).tolist()
    [250.0, 500.0]
    """
    chance = np.asarray(churn_probability, dtype=np.float64)
    if not (np.isnan(chance) | ((chance >= 0) & (chance <= 1))).all():
        raise UsageError.of("not a probability", _worst(chance), "give numbers from 0 to 1")
    return np.asarray(chance * np.asarray(value_if_stays, dtype=np.float64), dtype=np.float64)


def _worst(values: NDArray[np.float64]) -> str:
    """Name the value farthest from one half."""
    flat = np.atleast_1d(values).ravel()
    distance = np.where(np.isnan(flat), -1.0, np.abs(flat - 0.5))
    return f"{flat[int(distance.argmax())]:g}"
