"""What is measured about one score, under any weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.metrics.expected_profit import expected_maximum_profit_of
from staypower.metrics.probability import equal_mass_bins, log_losses
from staypower.metrics.profit import campaign_earnings, instance_dependent_maximum_profit_of, maximum_profit_of
from staypower.metrics.tally import Ranking, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.evaluation.settings import CostSettings

__all__ = ["BINS", "DEPTHS", "METRICS", "Campaign", "Metric", "Scorer", "position"]

BINS = 10
DEPTHS = (5, 10, 20)


@dataclass(frozen=True)
class Metric:
    """A column of an evaluation.

    >>> METRICS[0].name
    'auroc'
    """

    name: str  # key in frames and JSON
    label: str  # heading in text
    digits: int  # decimals shown
    better: Literal["higher", "lower", ""]  # which direction is better; empty where neither is


METRICS = (
    Metric("auroc", "AUROC", 3, "higher"),
    Metric("average_precision", "average precision", 3, "higher"),
    Metric("log_loss", "log loss", 3, "lower"),
    Metric("brier", "Brier", 3, "lower"),
    Metric("brier_skill", "Brier skill", 3, "higher"),
    Metric("calibration_error", "calibration error", 3, "lower"),
    Metric("mean_score", "mean predicted", 3, ""),
    *(Metric(f"lift_{depth}", f"lift at {depth} %", 2, "higher") for depth in DEPTHS),
    *(Metric(f"gain_{depth}", f"gain at {depth} %", 3, "higher") for depth in DEPTHS),
    Metric("precision_at_capacity", "precision", 3, "higher"),
    Metric("recall_at_capacity", "recall", 3, "higher"),
    Metric("empc", "EMPC", 2, "higher"),
    Metric("empc_fraction", "EMPC fraction", 3, ""),
    Metric("maximum_profit", "maximum profit", 2, "higher"),
    Metric("instance_dependent_maximum_profit", "by account value", 2, "higher"),
)
_POSITION = {metric.name: at for at, metric in enumerate(METRICS)}


def position(name: str) -> int:
    """Return the place of a metric in `METRICS`.

    >>> position("auroc")
    0
    """
    return _POSITION[name]


@dataclass(frozen=True, eq=False)
class Campaign:
    """What every score is judged by beside its rank: the reference, the team and the money."""

    reference: float  # base rate that Brier skill compares with
    capacity: int | None  # accounts the team can contact at each cutoff
    cutoff_number: NDArray[np.intp]  # shape (n,): Cutoff of each row
    costs: CostSettings  # the money; published amounts where incomplete
    account_values: NDArray[np.float64] | None  # shape (n,): Value of each row's account


def _mean(weight: NDArray[np.float64], amounts: NDArray[np.float64]) -> float:
    return float((weight * amounts).sum() / weight.sum())


class Scorer:
    """One score on the rows of an evaluation, sorted once and measured under many weights."""

    def __init__(
        self, churned: NDArray[np.bool_], score: NDArray[np.float64], *, is_probability: bool, campaign: Campaign
    ) -> None:
        self._churned, self._score, self._campaign = churned.astype(np.float64), score, campaign
        self.ranking = Ranking(churned, score)
        self.is_probability = is_probability
        self._lists = self._contact_lists() if campaign.capacity else []
        self._earnings = self._earned()
        if is_probability:
            self._losses, self._bins = log_losses(churned, score), equal_mass_bins(score, BINS)

    def measure(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every metric under these row weights, in the order of `METRICS`, NaN where one does not apply."""
        tally = self.ranking.tally(weight)
        found = {"auroc": tally.auroc(), "average_precision": tally.average_precision()}
        for depth in DEPTHS:
            found[f"gain_{depth}"] = tally.gain(depth / 100)
            found[f"lift_{depth}"] = tally.lift(depth / 100)
        found |= self._money(tally, weight) | self._at_capacity(weight)
        if self.is_probability:
            found |= self._probability(weight)
        return np.array([found.get(metric.name, np.nan) for metric in METRICS])

    def reliability(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows, mean probability and churned share of each bin, shape (3, BINS); NaN in an empty bin.

        The bins are those of the unweighted rows.
        """
        sums = np.stack(
            [
                np.bincount(self._bins, weights=amounts, minlength=BINS)
                for amounts in (weight, weight * self._score, weight * self._churned)
            ]
        )
        mass = np.where(sums[0] > 0, sums[0], np.nan)
        return np.stack([sums[0], sums[1] / mass, sums[2] / mass])

    def _probability(self, weight: NDArray[np.float64]) -> dict[str, float]:
        brier = _mean(weight, (self._score - self._churned) ** 2)
        constant = _mean(weight, (self._campaign.reference - self._churned) ** 2)
        mass, predicted, observed = self.reliability(weight)
        return {
            "log_loss": _mean(weight, self._losses),
            "brier": brier,
            "brier_skill": 1 - brier / constant if constant else float("nan"),
            "calibration_error": float(np.nansum(mass * np.abs(predicted - observed)) / mass.sum()),
            "mean_score": _mean(weight, self._score),
        }

    def _money(self, tally: Tally, weight: NDArray[np.float64]) -> dict[str, float]:
        costs = self._campaign.costs
        clv, incentive, contact = costs.amounts
        expected = expected_maximum_profit_of(
            tally, clv=clv, incentive_cost=incentive, contact_cost=contact, alpha=costs.alpha, beta=costs.beta
        )
        found = {"empc": expected.profit, "empc_fraction": expected.fraction}
        if costs.complete:
            found["maximum_profit"] = maximum_profit_of(
                tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance
            ).profit
        if self._earnings is not None:
            best = instance_dependent_maximum_profit_of(self.ranking, self._earnings, weight)
            found["instance_dependent_maximum_profit"] = best.profit
        return found

    def _earned(self) -> NDArray[np.float64] | None:
        if self._campaign.account_values is None or self._campaign.costs.acting is None:
            return None
        incentive, contact = self._campaign.costs.acting
        return campaign_earnings(
            self._churned,
            self._campaign.account_values,
            incentive_cost=incentive,
            contact_cost=contact,
            acceptance=self._campaign.costs.acceptance,
        )

    def _contact_lists(self) -> list[tuple[NDArray[np.intp], Ranking]]:
        """Rank each cutoff by itself: the team works through one list per cutoff, not through one over all of time."""
        number = self._campaign.cutoff_number
        parts = [np.flatnonzero(number == at) for at in range(int(number.max()) + 1)]
        return [(rows, Ranking(self._churned[rows], self._score[rows])) for rows in parts]

    def _at_capacity(self, weight: NDArray[np.float64]) -> dict[str, float]:
        if not self._lists:
            return {}
        hits = contacted = positives = 0.0
        for rows, ranking in self._lists:
            if not weight[rows].any():
                continue
            tally = ranking.tally(weight[rows])
            count = min(float(self._campaign.capacity or 0), tally.total)
            hits, contacted, positives = hits + tally.hits(count), contacted + count, positives + float(tally.positives[-1])
        recall = hits / positives if positives else float("nan")
        return {"precision_at_capacity": hits / contacted, "recall_at_capacity": recall}
