"""The list that the team works through: whom to contact given the costs, and how groups are treated by it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.evaluation.resampling import Estimate, estimate, row_weights
from staypower.evaluation.slices import FEWEST_ACCOUNTS
from staypower.metrics.profit import Profit, campaign_earnings
from staypower.metrics.ranking import Ranking
from staypower.metrics.risk import profit_threshold
from staypower.results.numbers import count, money, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.evaluation.rows import EvaluationRows
    from staypower.evaluation.settings import CostSettings

__all__ = [
    "FAIRNESS_MEASURES",
    "ContactPlan",
    "FairnessGap",
    "contact_plans",
    "contacted_share",
    "fairness_gaps",
    "pays_above",
]

_TOP = "highest point of the profit curve"
_PAYS = "expected gain above 0 at the average value"
_OWN = "expected gain above 0 at the value of each account"

FAIRNESS_MEASURES: Mapping[str, str] = {
    "contacted": "share contacted",
    "recall": "recall (share of churned accounts contacted)",
    "false_positive_rate": "false positive rate (share of other accounts contacted)",
    "calibration_gap": "mean predicted minus observed churn",
}


@dataclass(frozen=True)
class ContactPlan:
    """Whom to contact by one rule, and what that earns.

    >>> ContactPlan("highest point of the profit curve", 0.2, 0.1, 30.0, Estimate(1.5), False).words
    'highest point of the profit curve: scores from 0.2, 10.0% of accounts, about 30 per cutoff; profit 1.50 per account'
    """

    rule: str  # how the contacted are chosen
    # lowest score that is contacted; NaN where each account has its own threshold, infinite where no account is contacted
    threshold: float
    fraction: float  # share of the tested rows that is contacted
    contacts_per_cutoff: float  # accounts contacted at one cutoff, on average
    profit: Estimate  # per account of the whole population
    hindsight: bool  # whether the threshold was chosen on the rows that it is measured on, so that the profit is optimistic

    @property
    def words(self) -> str:
        """The plan in words."""
        if not self.fraction:
            return f"{self.rule}: no account"
        who = "" if math.isnan(self.threshold) else f"scores from {self.threshold:.4g}, "
        number = f"about {count(self.contacts_per_cutoff)} per cutoff"
        profit = self.profit.written(partial(money, digits=2))
        late = "; optimistic, since the threshold was chosen on these rows" if self.hindsight else ""
        return f"{self.rule}: {who}{percent(self.fraction)} of accounts, {number}; profit {profit} per account{late}"


def contact_plans(
    rows: EvaluationRows, costs: CostSettings, top: Profit | None, top_profit: Estimate, *, replicates: int, seed: int
) -> tuple[ContactPlan, ...]:
    """Make the plans that costs and account values allow."""
    found = []
    if top is not None:
        found.append(_plan(rows, _TOP, top.threshold, top.fraction, top_profit, hindsight=True))
    for rule, threshold, gain, earned in _rules(rows, costs):
        contacted = gain > 0
        amounts = np.where(contacted, earned, 0.0)
        drawn = [float((w * amounts).sum() / w.sum()) for w in row_weights(rows.account_number, replicates, seed)]
        profit = estimate(float(amounts.mean()), np.array(drawn))
        found.append(_plan(rows, rule, threshold, float(contacted.mean()), profit, hindsight=False))
    return tuple(found)


def pays_above(costs: CostSettings) -> float | None:
    """Return the churn probability above which acting pays; None unless all three amounts are given."""
    if costs.clv is None or costs.incentive is None or costs.contact is None:
        return None
    money = {"incentive_cost": costs.incentive, "contact_cost": costs.contact}
    return profit_threshold(clv=costs.clv, **money, acceptance=costs.acceptance)


def _rules(rows: EvaluationRows, costs: CostSettings) -> Iterator[tuple[str, float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the rules that need no outcome: expected gain of contacting each row, and what it earned."""
    if rows.model not in rows.probability or costs.incentive is None or costs.contact is None:
        return
    risk, churned = rows.scores[rows.model], rows.churned.astype(np.float64)
    money = {"incentive_cost": costs.incentive, "contact_cost": costs.contact, "acceptance": costs.acceptance}
    pays = pays_above(costs)
    if pays is not None:
        values = np.full(len(rows), costs.clv)
        yield _PAYS, pays, _gain(risk, values, money), campaign_earnings(churned, values, **money)
    if rows.account_values is not None:
        earned = campaign_earnings(churned, rows.account_values, **money)
        yield _OWN, float("nan"), _gain(risk, rows.account_values, money), earned


def _gain(risk: NDArray[np.float64], values: NDArray[np.float64], money: dict[str, float]) -> NDArray[np.float64]:
    ones, zeros = np.ones(len(risk)), np.zeros(len(risk))
    gain: NDArray[np.float64] = risk * campaign_earnings(ones, values, **money) + (1 - risk) * campaign_earnings(
        zeros, values, **money
    )
    return gain


def _plan(
    rows: EvaluationRows, rule: str, threshold: float, fraction: float, profit: Estimate, *, hindsight: bool
) -> ContactPlan:
    cutoffs = len(np.unique(rows.cutoffs))
    lowest = threshold if fraction else float("inf")
    return ContactPlan(rule, lowest, fraction, fraction * len(rows) / cutoffs, profit, hindsight)


@dataclass(frozen=True)
class FairnessGap:
    """One measure in the two groups of a sensitive attribute that differ most.

    >>> FairnessGap("sex", "recall", "f", "m", 0.5, 0.3, Estimate(0.2, 0.1, 0.3)).words
    'sex: recall (share of churned accounts contacted) 50.0% in f, 30.0% in m; gap 20.0% (10.0% to 30.0%)'
    """

    column: str  # the attribute
    measure: str  # a key of `FAIRNESS_MEASURES`
    highest: str  # the group with the highest value, and with the lowest
    lowest: str
    high: float  # the measure in these groups
    low: float
    gap: Estimate  # their difference

    @property
    def words(self) -> str:
        """The gap in words."""
        pair = f"{percent(self.high)} in {self.highest}, {percent(self.low)} in {self.lowest}"
        return f"{self.column}: {FAIRNESS_MEASURES[self.measure]} {pair}; gap {self.gap.written(percent)}"


def contacted_share(
    score: NDArray[np.float64], cutoff_number: NDArray[np.intp], capacity: int | None, high_above: float
) -> NDArray[np.float64]:
    """Say how much of each row is contacted: 1, 0, or a share where equal scores divide what is left of the capacity.

    >>> contacted_share(np.array([0.9, 0.5, 0.5, 0.1]), np.zeros(4, dtype=int), 2, 0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    if capacity is None:
        return (score > high_above).astype(np.float64)
    found = np.zeros(len(score))
    for number in np.unique(cutoff_number):
        rows = np.flatnonzero(cutoff_number == number)
        ranking = Ranking(np.zeros(len(rows)), score[rows])
        tally = ranking.tally()
        # what of each block of equal scores lies within the capacity
        share = np.diff(np.minimum(tally.reached, capacity)) / np.diff(tally.reached)
        found[rows] = share[np.searchsorted(-tally.thresholds[1:], -score[rows])]
    return found


def fairness_gaps(
    churned: NDArray[np.bool_],
    probability: NDArray[np.float64] | None,
    contacted: NDArray[np.float64],
    groups: Mapping[str, NDArray[np.object_]],
    account_number: NDArray[np.intp],
    *,
    replicates: int,
    seed: int,
) -> tuple[FairnessGap, ...]:
    """Measure the gaps between the groups of each sensitive attribute.

    >>> churned = np.array([True, False] * 60)
    >>> who = np.array(["f"] * 60 + ["m"] * 60, dtype=object)
    >>> found = fairness_gaps(churned, None, (who == "f").astype(float), {"sex": who}, np.arange(120), replicates=0, seed=0)
    >>> [(gap.measure, gap.gap.value) for gap in found]
    [('contacted', 1.0), ('recall', 1.0), ('false_positive_rate', 1.0)]
    """
    found: list[FairnessGap] = []
    for column, values in groups.items():
        names, number = _large_groups(values, account_number)
        if len(names) > 1:
            found += _gaps(column, names, number, churned, probability, contacted, account_number, replicates, seed)
    return tuple(found)


def _large_groups(values: NDArray[np.object_], account_number: NDArray[np.intp]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the names of the groups with enough accounts, and each row's group (-1: none of them)."""
    names = sorted({str(value) for value in values if value is not None})
    kept = [name for name in names if len(np.unique(account_number[values == name])) >= FEWEST_ACCOUNTS]
    place = {name: at for at, name in enumerate(kept)}
    return kept, np.array([place.get(value, -1) for value in values], dtype=np.intp)


def _gaps(
    column: str,
    names: list[str],
    number: NDArray[np.intp],
    churned: NDArray[np.bool_],
    probability: NDArray[np.float64] | None,
    contacted: NDArray[np.float64],
    account_number: NDArray[np.intp],
    replicates: int,
    seed: int,
) -> Iterator[FairnessGap]:
    inside = number >= 0
    expected = np.full(len(churned), np.nan) if probability is None else probability
    amounts = np.stack([np.ones(len(churned)), churned, contacted, contacted * churned, expected])

    def measures(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = [np.bincount(number[inside], weights=(weight * row)[inside], minlength=len(names)) for row in amounts]
        rows, left, reached, hits, predicted = np.array(sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([reached / rows, hits / left, (reached - hits) / (rows - left), (predicted - left) / rows])

    once = measures(np.ones(len(churned)))
    drawn = np.array([measures(weight) for weight in row_weights(account_number, replicates, seed)])
    drawn = drawn.reshape(replicates, *once.shape)
    for at, measure in enumerate(FAIRNESS_MEASURES):
        if np.isfinite(once[at]).sum() < 2:
            continue
        top, bottom = int(np.nanargmax(once[at])), int(np.nanargmin(once[at]))
        gap = estimate(float(once[at, top] - once[at, bottom]), drawn[:, at, top] - drawn[:, at, bottom])
        yield FairnessGap(column, measure, names[top], names[bottom], float(once[at, top]), float(once[at, bottom]), gap)
