"""One score on the rows of an evaluation, sorted once and measured under any weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.evaluation.settings import CostSettings
from staypower.metrics.probability import equal_mass_bins, log_losses
from staypower.metrics.profit import (
    Profit,
    campaign_earnings,
    expected_maximum_profit_of,
    instance_dependent_maximum_profit_of,
    maximum_profit_of,
)
from staypower.metrics.ranking import Ranking, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BINS", "Campaign", "Needs", "ScoreMeter", "WeightedScore"]

BINS = 10

Needs = Literal["", "probability", "capacity", "costs", "account values"]


@dataclass(frozen=True, eq=False)
class Campaign:
    """What a score is measured against besides the outcome: the base rate, the team's capacity and the money."""

    reference: float = float("nan")  # base rate that Brier skill compares with
    capacity: int | None = None  # accounts the team can contact at each cutoff
    cutoff_number: NDArray[np.intp] | None = None  # shape (n,): cutoff of each row, numbered from 0
    costs: CostSettings = field(default_factory=CostSettings)  # published amounts where incomplete
    account_values: NDArray[np.float64] | None = None  # shape (n,): value of each row's account


class ScoreMeter:
    """One score on the rows of an evaluation, sorted once and measured under many weights."""

    def __init__(
        self,
        churned: NDArray[np.bool_],
        score: NDArray[np.float64],
        *,
        is_probability: bool,
        campaign: Campaign | None = None,
    ) -> None:
        self.churned, self.score, self.campaign = churned.astype(np.float64), score, campaign or Campaign()
        self.ranking = Ranking(churned, score)
        self.is_probability = is_probability
        self.contact_lists = self._contact_lists() if self.campaign.capacity else []
        self.earnings = self._earned()
        if is_probability:
            self.losses, self.bins = log_losses(churned, score), equal_mass_bins(score, BINS)
        given: dict[Needs, bool] = {
            "": True,
            "probability": is_probability,
            "capacity": bool(self.contact_lists),
            "costs": self.campaign.costs.complete,
            "account values": self.earnings is not None,
        }
        self.given = frozenset(name for name, there in given.items() if there)

    def _earned(self) -> NDArray[np.float64] | None:
        values, costs = self.campaign.account_values, self.campaign.costs
        if values is None or costs.acting is None:
            return None
        incentive, contact = costs.acting
        return campaign_earnings(
            self.churned, values, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance
        )

    def _contact_lists(self) -> list[tuple[NDArray[np.intp], Ranking]]:
        """Rank each cutoff by itself: the team works through one list per cutoff, not through one over all of time."""
        number = self.campaign.cutoff_number
        assert number is not None
        parts = [np.flatnonzero(number == at) for at in range(int(number.max()) + 1)]
        return [(rows, Ranking(self.churned[rows], self.score[rows])) for rows in parts]


class WeightedScore:
    """A score under one set of row weights: what metrics are computed from."""

    def __init__(self, meter: ScoreMeter, weight: NDArray[np.float64]) -> None:
        self.meter, self.weight = meter, weight

    def mean(self, amounts: NDArray[np.float64]) -> float:
        """Return the weighted mean of an amount per row."""
        return float((self.weight * amounts).sum() / self.weight.sum())

    @cached_property
    def tally(self) -> Tally:
        """Churned and stayed rows counted from the highest score down."""
        return self.meter.ranking.tally(self.weight)

    @cached_property
    def reliability(self) -> NDArray[np.float64]:
        """Rows, mean probability and churned share of each bin, shape (3, BINS); NaN in an empty bin.

        The bins are those of the unweighted rows.
        """
        bins, score, churned = self.meter.bins, self.meter.score, self.meter.churned
        amounts = (self.weight, self.weight * score, self.weight * churned)
        sums = np.stack([np.bincount(bins, weights=each, minlength=BINS) for each in amounts])
        mass = np.where(sums[0] > 0, sums[0], np.nan)
        return np.stack([sums[0], sums[1] / mass, sums[2] / mass])

    @property
    def calibration_error(self) -> float:
        """The mean distance of predicted and observed churn over the bins."""
        mass, predicted, observed = self.reliability
        return float(np.nansum(mass * np.abs(predicted - observed)) / mass.sum())

    @property
    def brier(self) -> float:
        """The Brier score."""
        return self.mean((self.meter.score - self.meter.churned) ** 2)

    @property
    def brier_skill(self) -> float:
        """The share of the base rate's Brier score that is saved."""
        brier, constant = self.brier, self.mean((self.meter.campaign.reference - self.meter.churned) ** 2)
        return 1 - brier / constant if constant else float("nan")

    @cached_property
    def expected_profit(self) -> Profit:
        """The expected maximum profit."""
        costs = self.meter.campaign.costs
        clv, incentive, contact = costs.amounts
        return expected_maximum_profit_of(
            self.tally, clv=clv, incentive_cost=incentive, contact_cost=contact, alpha=costs.alpha, beta=costs.beta
        )

    @property
    def maximum_profit(self) -> float:
        """The maximum profit at the costs given."""
        costs = self.meter.campaign.costs
        clv, incentive, contact = costs.amounts
        return maximum_profit_of(
            self.tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance
        ).profit

    @property
    def profit_by_account_value(self) -> float:
        """The maximum profit with the value of each account."""
        earnings = self.meter.earnings
        assert earnings is not None
        return instance_dependent_maximum_profit_of(self.meter.ranking, earnings, self.weight).profit

    @cached_property
    def contacts(self) -> tuple[float, float, float]:
        """Churned rows among those contacted, rows contacted, and all churned rows, summed over cutoffs."""
        capacity = float(self.meter.campaign.capacity or 0)
        hits = contacted = positives = 0.0
        for rows, ranking in self.meter.contact_lists:
            if not self.weight[rows].any():
                continue
            tally = ranking.tally(self.weight[rows])
            count = min(capacity, tally.total)
            hits, contacted, positives = hits + tally.hits(count), contacted + count, positives + float(tally.positives[-1])
        return hits, contacted, positives
