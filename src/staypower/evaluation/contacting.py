"""Whom to contact given the costs: the threshold, how many accounts that is, and the profit on the tested rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.evaluation.resampling import Estimate, estimate, row_weights
from staypower.metrics.profit import Profit, campaign_earnings
from staypower.metrics.risk import profit_threshold
from staypower.results.numbers import count, money, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.evaluation.rows import EvaluationRows
    from staypower.evaluation.settings import CostSettings

__all__ = ["ContactPlan", "contact_plans"]

_TOP = "highest point of the profit curve"
_PAYS = "expected gain above 0 at the average value"
_OWN = "expected gain above 0 at the value of each account"


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


def _rules(rows: EvaluationRows, costs: CostSettings) -> Iterator[tuple[str, float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the rules that need no outcome: expected gain of contacting each row, and what it earned."""
    if rows.model not in rows.probability or costs.incentive is None or costs.contact is None:
        return
    risk, churned = rows.scores[rows.model], rows.churned.astype(np.float64)
    money = {"incentive_cost": costs.incentive, "contact_cost": costs.contact, "acceptance": costs.acceptance}
    if costs.clv is not None:
        values = np.full(len(rows), costs.clv)
        pays = profit_threshold(clv=costs.clv, **money)
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
