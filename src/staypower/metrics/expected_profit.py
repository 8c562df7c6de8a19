"""What a campaign earns when nobody knows how many would-be churners accept: the expected maximum profit (EMPC)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from staypower.metrics.profit import Profit, check_costs
from staypower.metrics.tally import Ranking, Tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["expected_maximum_profit", "expected_maximum_profit_of"]


def expected_maximum_profit(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    clv: float = 200.0,
    incentive_cost: float = 10.0,
    contact_cost: float = 1.0,
    alpha: float = 6.0,
    beta: float = 14.0,
) -> Profit:
    """Measure the expected maximum profit for churn (EMPC): acceptance is uncertain, the depth of contact adapts to it.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    clv : float, default 200
        One average value of an account that is kept, above `incentive_cost`.
    incentive_cost : float, default 10
        At least 0.
    contact_cost : float, default 1
        At least 0.
    alpha, beta : float, default 6 and 14
        Shape of the acceptance rate's beta distribution, above 0; its mean is ``alpha / (alpha + beta)``.

    Returns
    -------
    Profit
        The expected profit per account and the expected fraction; the threshold is the score at that fraction's depth.

    Raises
    ------
    UsageError
        When labels, scores or costs cannot be used.

    Notes
    -----
    ``integral of max over depth of profit(depth; gamma) h(gamma) d gamma`` with gamma ~ Beta(alpha, beta). The best
    depth for any gamma is a vertex of the ROC curve's convex hull, so the integral is an exact sum of incomplete beta functions
    over the hull's segments (Verbraken, Verbeke and Baesens 2013, IEEE TKDE 25(5)).

    Examples
    --------
    >>> best = expected_maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9])
    >>> round(best.profit, 9), round(best.fraction, 9)
    (23.875593418, 0.874370076)
    """
    tally = Ranking(y_true, y_score).tally()
    return expected_maximum_profit_of(
        tally, clv=clv, incentive_cost=incentive_cost, contact_cost=contact_cost, alpha=alpha, beta=beta
    )


def expected_maximum_profit_of(
    tally: Tally, *, clv: float, incentive_cost: float, contact_cost: float, alpha: float, beta: float
) -> Profit:
    """Measure the EMPC of a ranking that is counted already; see `expected_maximum_profit`."""
    check_costs(clv, incentive_cost, contact_cost, alpha=alpha, beta=beta)
    hull = _hull(tally)
    churned, stayed = tally.positives[hull] / tally.total, tally.negatives[hull] / tally.total
    gained, spent = np.diff(churned), np.diff(stayed)
    # Between two vertices more contacts pay once gamma exceeds this; a segment without churners never pays.
    odds = np.divide(spent, gained, out=np.full(len(gained), np.inf), where=gained > 0)
    pays = (
        ((incentive_cost + contact_cost) * odds + contact_cost) / (clv - incentive_cost)
        if incentive_cost + contact_cost
        else 0 * gained
    )
    edges = np.concatenate(([0.0], np.minimum(pays, 1.0), [1.0]))
    mass = np.diff(betainc(alpha, beta, edges))
    mean = alpha / (alpha + beta) * np.diff(betainc(alpha + 1, beta, edges))
    cost = contact_cost * churned + (incentive_cost + contact_cost) * stayed
    profit = float(np.sum((clv - incentive_cost) * churned * mean - cost * mass))
    fraction = float(np.sum((churned + stayed) * mass))
    at = int(np.searchsorted(tally.reached / tally.total, fraction - 1e-12))
    return Profit(profit, fraction, float(tally.thresholds[at]))


def _hull(tally: Tally) -> NDArray[np.intp]:
    """Return the positions of the ROC convex hull's vertices, from nobody to everybody.

    The hull's slopes are the decreasing regression of the outcome on rank, so pooling adjacent violators finds it in one pass.
    """
    gained = np.diff(tally.positives)
    reached = np.diff(tally.reached)
    filled = np.flatnonzero(reached > 0)
    rates = isotonic_regression(gained[filled] / reached[filled], weights=reached[filled], increasing=False)
    ends = np.asarray(rates.blocks, dtype=np.intp)[1:] - 1
    return np.append(0, filled[ends] + 1)
