"""What a retention campaign earns: profit per account when the highest scores are contacted.

A contacted account that would have churned accepts the incentive with probability gamma and then brings `clv - incentive_cost`;
every contact costs `contact_cost`; an account that would have stayed takes the incentive and brings nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError
from staypower.metrics.ranking import Ranking, Tally, checked, checked_weight

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Profit",
    "ProfitCurve",
    "campaign_earnings",
    "expected_maximum_profit",
    "expected_maximum_profit_of",
    "instance_dependent_maximum_profit",
    "instance_dependent_maximum_profit_of",
    "maximum_profit",
    "maximum_profit_of",
    "profit_curve",
    "profit_curve_of",
]


@dataclass(frozen=True)
class Profit:
    """The best a campaign can earn with a ranking.

    Parameters
    ----------
    profit : float
        Per account of the whole population, contacted or not, at least 0, in the currency of the costs.
    fraction : float
        Share of accounts to contact for it, 0 to 1.
    threshold : float
        Lowest score that is contacted at that fraction; infinite when no account is.

    Examples
    --------
    >>> Profit(0.0, 0.0, float("inf")).fraction
    0.0
    """

    profit: float
    fraction: float
    threshold: float


@dataclass(frozen=True, eq=False)
class ProfitCurve:
    """Profit per account for each depth of contact.

    Parameters
    ----------
    fraction : array of float64, shape (k + 1,)
        Share of accounts contacted, from 0 to 1, one entry per distinct score.
    profit : array of float64, shape (k + 1,)
        Profit per account of the whole population; 0 at fraction 0.
    threshold : array of float64, shape (k + 1,)
        Lowest score contacted, descending from infinity.

    Examples
    --------
    >>> profit_curve([0, 1], [0.2, 0.8]).profit.tolist()
    [0.0, 28.0, 22.5]
    """

    fraction: NDArray[np.float64]
    profit: NDArray[np.float64]
    threshold: NDArray[np.float64]

    def best(self) -> Profit:
        """Return the highest point, with the fewest contacts among equals."""
        at = int(np.argmax(self.profit))
        return Profit(float(self.profit[at]), float(self.fraction[at]), float(self.threshold[at]))


def profit_curve(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    clv: float = 200.0,
    incentive_cost: float = 10.0,
    contact_cost: float = 1.0,
    acceptance: float = 0.3,
) -> ProfitCurve:
    """Draw profit per account against the share of accounts contacted.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned.
    y_score : array-like of float, shape (n,)
        Higher means more likely to churn; only the order counts.
    clv : float, default 200
        Value of an account that is kept, above `incentive_cost`.
    incentive_cost : float, default 10
        What the incentive costs when taken, at least 0.
    contact_cost : float, default 1
        What a contact costs, at least 0.
    acceptance : float, default 0.3
        Share of would-be churners that the incentive keeps, 0 to 1.

    Returns
    -------
    ProfitCurve

    Raises
    ------
    UsageError
        When labels, scores or costs cannot be used.

    Notes
    -----
    ``(acceptance (clv - incentive_cost) - contact_cost) churned_k / n - (incentive_cost + contact_cost) stayed_k / n`` over the
    k distinct scores (Verbraken, Verbeke and Baesens 2013). Defaults are those published there.

    Examples
    --------
    >>> profit_curve([0, 1], [0.2, 0.8]).fraction.tolist()
    [0.0, 0.5, 1.0]
    """
    tally = Ranking(y_true, y_score).tally()
    return profit_curve_of(tally, clv=clv, incentive_cost=incentive_cost, contact_cost=contact_cost, acceptance=acceptance)


def profit_curve_of(tally: Tally, *, clv: float, incentive_cost: float, contact_cost: float, acceptance: float) -> ProfitCurve:
    """Draw the profit curve of a ranking that is counted already; see `profit_curve`."""
    _check_costs(clv, incentive_cost, contact_cost, acceptance=acceptance)
    kept, lost = acceptance * (clv - incentive_cost) - contact_cost, incentive_cost + contact_cost
    profit = (kept * tally.positives - lost * tally.negatives) / tally.total
    return ProfitCurve(tally.reached / tally.total, profit, tally.thresholds)


def maximum_profit(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    clv: float = 200.0,
    incentive_cost: float = 10.0,
    contact_cost: float = 1.0,
    acceptance: float = 0.3,
) -> Profit:
    """Find the highest point of the profit curve (MPC).

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
    clv : float, default 200
        Value of an account that is kept, above `incentive_cost`.
    incentive_cost : float, default 10
        What the incentive costs when taken, at least 0.
    contact_cost : float, default 1
        What a contact costs, at least 0.
    acceptance : float, default 0.3
        Share of would-be churners that the incentive keeps, 0 to 1.

    Returns
    -------
    Profit
        Profit 0 at fraction 0 when contacting anyone loses money.

    Raises
    ------
    UsageError
        When labels, scores or costs cannot be used.

    Examples
    --------
    >>> maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9])
    Profit(profit=23.875, fraction=0.875, threshold=0.2)
    """
    curve = profit_curve(
        y_true, y_score, clv=clv, incentive_cost=incentive_cost, contact_cost=contact_cost, acceptance=acceptance
    )
    return curve.best()


def maximum_profit_of(tally: Tally, *, clv: float, incentive_cost: float, contact_cost: float, acceptance: float) -> Profit:
    """Find the maximum profit of a ranking that is counted already; see `maximum_profit`."""
    return profit_curve_of(
        tally, clv=clv, incentive_cost=incentive_cost, contact_cost=contact_cost, acceptance=acceptance
    ).best()


def campaign_earnings(
    y_true: ArrayLike,
    values: ArrayLike,
    *,
    incentive_cost: ArrayLike = 10.0,
    contact_cost: ArrayLike = 1.0,
    acceptance: float = 0.3,
) -> NDArray[np.float64]:
    """Return what contacting each account earns: ``acceptance (value - incentive) - contact`` if it churned.

    On an account that stayed it costs the incentive and the contact.

    >>> campaign_earnings([1, 0], [200, 200]).tolist()
    [56.0, -11.0]
    """
    given = {"values": values, "incentive_cost": incentive_cost, "contact_cost": contact_cost}
    churned, value = checked(y_true, np.nan_to_num(np.asarray(values, dtype=np.float64)))
    incentive, contact = (
        np.broadcast_to(np.asarray(each, dtype=np.float64), value.shape) for each in (incentive_cost, contact_cost)
    )
    problems = [
        Problem("amount is negative or missing", name, "give at least 0 for every account")
        for name, amounts in given.items()
        if not (np.asarray(amounts, dtype=np.float64) >= 0).all()
    ]
    if not 0 <= acceptance <= 1:
        problems.append(Problem("acceptance is out of bounds", f"{acceptance:g}", "give a share from 0 to 1"))
    if problems:
        raise UsageError(problems)
    return np.where(churned, acceptance * (value - incentive) - contact, -(incentive + contact))


def instance_dependent_maximum_profit(
    y_true: ArrayLike,
    y_score: ArrayLike,
    values: ArrayLike,
    *,
    incentive_cost: ArrayLike = 10.0,
    contact_cost: ArrayLike = 1.0,
    acceptance: float = 0.3,
) -> Profit:
    """Find the highest profit when each account has its own value (and, if given, its own costs).

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
    y_score : array-like of float, shape (n,)
        The order of contact: rank by expected value saved rather than by risk alone.
    values : array-like of float, shape (n,)
        Value of each account if it is kept, at least 0.
    incentive_cost, contact_cost : float or array-like of shape (n,), default 10 and 1
        At least 0.
    acceptance : float, default 0.3
        Share of would-be churners that the incentive keeps, 0 to 1.

    Returns
    -------
    Profit
        Per account; ties are contacted together or not at all.

    Raises
    ------
    UsageError
        When an amount is negative or missing, or acceptance is not a share.

    Notes
    -----
    ``max over k of (1 / n) sum of the earnings of the k highest scores``, k at the boundaries of distinct scores.

    Examples
    --------
    >>> instance_dependent_maximum_profit([1, 1], [0.9, 0.2], [200, 0])
    Profit(profit=28.0, fraction=0.5, threshold=0.9)
    """
    earnings = campaign_earnings(
        y_true, values, incentive_cost=incentive_cost, contact_cost=contact_cost, acceptance=acceptance
    )
    return instance_dependent_maximum_profit_of(Ranking(y_true, y_score), earnings)


def instance_dependent_maximum_profit_of(
    ranking: Ranking, earnings: NDArray[np.float64], sample_weight: ArrayLike | None = None
) -> Profit:
    """Find the highest profit of rows that are ranked already; see `instance_dependent_maximum_profit`."""
    weight = checked_weight(sample_weight, len(earnings))[ranking.order]
    total = float(weight.sum())
    profit = ranking.accumulate(weight * earnings[ranking.order]) / total
    return ProfitCurve(ranking.accumulate(weight) / total, profit, ranking.thresholds).best()


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
    _check_costs(clv, incentive_cost, contact_cost, alpha=alpha, beta=beta)
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
    from scipy.special import betainc  # takes long to load, and scoring does without it

    edges = np.concatenate(([0.0], np.minimum(pays, 1.0), [1.0]))
    mass = np.diff(betainc(alpha, beta, edges))
    mean = alpha / (alpha + beta) * np.diff(betainc(alpha + 1, beta, edges))
    cost = contact_cost * churned + (incentive_cost + contact_cost) * stayed
    profit = float(np.sum((clv - incentive_cost) * churned * mean - cost * mass))
    fraction = float(np.sum((churned + stayed) * mass))
    at = int(np.searchsorted(tally.reached / tally.total, fraction - 1e-12))
    return Profit(profit, fraction, float(tally.thresholds[at]))


def _hull(tally: Tally) -> NDArray[np.intp]:
    """Return the positions of the ROC convex hull's vertices, from no row to all rows.

    The hull's slopes are the decreasing regression of the outcome on rank, so pooling adjacent violators finds it in one pass.
    """
    gained = np.diff(tally.positives)
    reached = np.diff(tally.reached)
    filled = np.flatnonzero(reached > 0)
    from scipy.optimize import isotonic_regression  # takes long to load, and scoring does without it

    rates = isotonic_regression(gained[filled] / reached[filled], weights=reached[filled], increasing=False)
    ends = np.asarray(rates.blocks, dtype=np.intp)[1:] - 1
    return np.append(0, filled[ends] + 1)


def _check_costs(
    clv: float, incentive_cost: float, contact_cost: float, *, acceptance: float = 0.0, alpha: float = 1.0, beta: float = 1.0
) -> None:
    """Refuse costs that no campaign can have; every problem at once."""
    problems = []
    if not clv > incentive_cost:
        problems.append(
            Problem("the value of an account does not exceed its incentive", f"clv {clv:g}", "give a clv above incentive_cost")
        )
    for name, amount in (("incentive_cost", incentive_cost), ("contact_cost", contact_cost)):
        if not amount >= 0:
            problems.append(Problem("cost is negative or missing", f"{name} {amount:g}", "give at least 0"))
    for name, amount in (("alpha", alpha), ("beta", beta)):
        if not amount > 0:
            problems.append(Problem("shape is not positive", f"{name} {amount:g}", "give a number above 0"))
    if not 0 <= acceptance <= 1:
        problems.append(Problem("acceptance is out of bounds", f"{acceptance:g}", "give a share from 0 to 1"))
    if problems:
        raise UsageError(problems)
