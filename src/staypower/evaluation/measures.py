"""The metrics of a churn score, each declared once in `METRICS`, and one score measured under any weights of the rows.

A new metric is one more entry of `METRICS`: text, card, page, comparisons, tuning, tracking and docs derive from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args

import numpy as np

from staypower.evaluation.resampling import Estimate, estimate
from staypower.evaluation.settings import CostSettings
from staypower.metrics.expected_profit import expected_maximum_profit_of
from staypower.metrics.probability import equal_mass_bins, log_losses
from staypower.metrics.profit import Profit, campaign_earnings, instance_dependent_maximum_profit_of, maximum_profit_of
from staypower.metrics.tally import Ranking, Tally
from staypower.results.numbers import decimal, signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BINS",
    "DECISIVE",
    "METRICS",
    "Campaign",
    "Metric",
    "Place",
    "ScoreMeter",
    "WeightedScore",
    "estimates_of",
    "listed_in",
    "measure_of_weights",
]

BINS = 10
DECISIVE = "log_loss"
"""What decides between two models: it measures ranking and probabilities at once, at no single threshold."""

Input = TypeVar("Input")
Needs = Literal["", "probability", "capacity", "costs", "account values"]
Place = Literal[
    # the tables of an evaluation's text
    "ranking",
    "top of the list",
    "probabilities",
    "acting",
    "money",
    # model minus baseline, in text, card and tuning
    "differences",
    # the model card, the report page, and the list of versions
    "card",
    "page",
    "versions",
    # champion against challenger, and known against unseen accounts
    "compared",
    # the backtest's models by age
    "ages",
    # slice by slice
    "slices",
]
EVERYWHERE: frozenset[Place] = frozenset(get_args(Place))


@dataclass(frozen=True)
class Metric(Generic[Input]):
    """A figure of an evaluation: how it is computed, written and where it is shown.

    >>> METRICS["auroc"].label, METRICS["auroc"].write(0.74651), METRICS["auroc"].write_change(-0.01)
    ('AUROC', '0.747', '-0.010')
    """

    name: str  # key in frames, JSON and tracking
    label: str  # heading
    better: Literal["higher", "lower", ""]  # which direction is better; empty where neither is
    of: Callable[[Input], float]
    formula: str = ""  # for the docs
    source: str = ""  # convention and reference, for the docs
    needs: Needs = ""  # what must be given, or it is NaN
    shown: frozenset[Place] = EVERYWHERE
    digits: int = 3

    def write(self, value: float) -> str:
        """Write a value; large amounts without decimals."""
        return decimal(value, 0 if self.digits == 2 and abs(value) >= 1000 else self.digits)

    def write_change(self, value: float, *, more: int = 0) -> str:
        """Write a difference with its sign; `more` decimals where differences are small."""
        return signed(value, partial(decimal, digits=self.digits + more))

    def write_estimate(self, estimate: Estimate) -> str:
        """Write a value and its interval."""
        return estimate.written(self.write)

    def write_difference(self, estimate: Estimate, *, more: int = 0) -> str:
        """Write a difference and its interval; `more` decimals where differences are small."""
        return estimate.written(partial(self.write_change, more=more))


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

    def measure(self, weighted: WeightedScore) -> NDArray[np.float64]:
        """Return every metric under some row weights, in the order of `METRICS`; NaN where one does not apply."""
        return np.array([each.of(weighted) if each.needs in self.given else np.nan for each in METRICS.values()])

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


def _recall(score: WeightedScore) -> float:
    hits, _, positives = score.contacts
    return hits / positives if positives else float("nan")


def _depths(
    name: str, label: str, of: Callable[[Tally, float], float], formula: str, source: str, digits: int = 3
) -> list[Metric[WeightedScore]]:
    """Declare a metric of the highest-scored 5, 10 and 20%."""
    shown: dict[str, dict[int, frozenset[Place]]] = {
        "lift": {5: _in("top of the list"), 10: _in("top of the list", "card", "slices"), 20: _in("top of the list")}
    }
    return [
        Metric(
            f"{name}_{depth}",
            f"{label} at {depth}%",
            "higher",
            lambda score, share=depth / 100: of(score.tally, share),  # type: ignore[misc] # a default that binds
            formula,
            source,
            shown=shown.get(name, {}).get(depth, frozenset()),
            digits=digits,
        )
        for depth in (5, 10, 20)
    ]


def _in(*places: Place) -> frozenset[Place]:
    return frozenset(places)


METRICS: dict[str, Metric[WeightedScore]] = {
    metric.name: metric
    for metric in (
        Metric[WeightedScore](
            "auroc",
            "AUROC",
            "higher",
            lambda score: score.tally.auroc(),
            "P(score of a churned row > score of a stayed row) + P(equal) / 2",
            "Mann-Whitney statistic; Hanley and McNeil 1982. Undefined for one class: left blank, and a note says so",
            shown=_in("ranking", "differences", "card", "page", "versions", "compared", "ages", "slices"),
        ),
        Metric[WeightedScore](
            "average_precision",
            "average precision",
            "higher",
            lambda score: score.tally.average_precision(),
            "sum over distinct scores of (recall_k - recall_(k-1)) precision_k",
            "no interpolation, as in scikit-learn; without signal it equals the base rate",
            shown=_in("ranking", "differences", "card", "page", "versions", "compared", "slices"),
        ),
        Metric[WeightedScore](
            "log_loss",
            "log loss",
            "lower",
            lambda score: score.mean(score.meter.losses),
            "-mean(y ln p + (1 - y) ln(1 - p))",
            "nats; p is held 2.2e-16 away from 0 and 1, as in scikit-learn",
            "probability",
            _in("probabilities", "differences", "card", "page", "versions", "compared", "ages", "slices"),
        ),
        Metric[WeightedScore](
            "brier",
            "Brier score",
            "lower",
            lambda score: score.brier,
            "mean((p - y)^2)",
            "Brier 1950, the one-class form",
            "probability",
            _in("probabilities", "card", "page", "versions"),
        ),
        Metric[WeightedScore](
            "brier_skill",
            "Brier skill",
            "higher",
            lambda score: score.brier_skill,
            "1 - brier(p) / brier(r)",
            'r is the constant of the row "base rate": the training churn rate when given. Above 0 is better than the constant',
            "probability",
            _in("probabilities", "page"),
        ),
        Metric[WeightedScore](
            "calibration_error",
            "calibration error",
            "lower",
            lambda score: score.calibration_error,
            "sum over bins of (rows_b / n) abs(mean p_b - mean y_b)",
            "expected calibration error (Naeini et al. 2015) over ten bins of equal mass; equal probabilities share a bin. "
            "Chance alone keeps it above 0",
            "probability",
            _in("probabilities", "card", "page", "compared"),
        ),
        Metric[WeightedScore](
            "mean_score",
            "mean predicted",
            "",
            lambda score: score.mean(score.meter.score),
            "mean(p)",
            "to compare with the base rate",
            "probability",
            frozenset(),
        ),
        *_depths("lift", "lift", Tally.lift, "gain / q", "times the base rate; at most 1 / q", digits=2),
        *_depths(
            "gain",
            "gain",
            Tally.gain,
            "churned among the top q n rows / all churned",
            "q n is not rounded: the last row counts in part",
        ),
        Metric[WeightedScore](
            "precision_at_capacity",
            "precision",
            "higher",
            lambda score: score.contacts[0] / score.contacts[1],
            "churned among those contacted / contacted",
            "the team contacts its capacity **at each cutoff**, from that cutoff's own list; sums over cutoffs",
            "capacity",
            _in("acting"),
        ),
        Metric[WeightedScore](
            "recall_at_capacity",
            "recall",
            "higher",
            _recall,
            "churned among those contacted / all churned",
            "same",
            "capacity",
            _in("acting"),
        ),
        Metric[WeightedScore](
            "empc",
            "EMPC",
            "higher",
            lambda score: score.expected_profit.profit,
            "integral over gamma of max_k P_k(gamma) with gamma ~ Beta(alpha, beta)",
            "expected maximum profit; Verbraken, Verbeke and Baesens 2013, IEEE TKDE 25(5). Exact: the best k is always a "
            "vertex of the ROC curve's convex hull, so the integral is a sum of incomplete beta functions",
            shown=_in("money"),
            digits=2,
        ),
        Metric[WeightedScore](
            "empc_fraction",
            "EMPC fraction",
            "",
            lambda score: score.expected_profit.fraction,
            "the share contacted, averaged over gamma",
            "the depth that EMPC assumes",
            shown=frozenset(),
        ),
        Metric[WeightedScore](
            "maximum_profit",
            "maximum profit",
            "higher",
            lambda score: score.maximum_profit,
            "max_k P_k(alpha / (alpha + beta))",
            "only when clv, incentive and contact are all given",
            "costs",
            _in("money"),
            digits=2,
        ),
        Metric[WeightedScore](
            "instance_dependent_maximum_profit",
            "profit by account value",
            "higher",
            lambda score: score.profit_by_account_value,
            "the same with the value of each account in place of clv",
            "only when values, incentive and contact are given. EMPC takes one average clv",
            "account values",
            _in("money"),
            digits=2,
        ),
    )
}


def listed_in(place: Place) -> list[Metric[WeightedScore]]:
    """Return the metrics that are shown in a place.

    >>> [metric.name for metric in listed_in("ages")]
    ['auroc', 'log_loss']
    """
    return [metric for metric in METRICS.values() if place in metric.shown]


def estimates_of(
    names: Iterable[str], values: NDArray[np.float64], samples: NDArray[np.float64], *, differences: bool = False
) -> Mapping[str, Estimate]:
    """Put intervals around metrics, given their values, shape (m,), and those of the samples, shape (r, m)."""
    # the calibration error of a sample is larger than that of the rows, since drawing adds noise to every bin
    found = {
        name: estimate(float(values[at]), samples[:, at], recentre=not differences and name == "calibration_error")
        for at, name in enumerate(names)
    }
    return MappingProxyType(found)


def measure_of_weights(name: str, churned: NDArray[Any], score: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return a metric of a score as a function of row weights, everything sorted and checked beforehand."""
    metric = METRICS[name]
    campaign = Campaign(reference=float(churned.mean()))
    meter = ScoreMeter(churned, score, is_probability=metric.needs == "probability", campaign=campaign)
    return lambda weight: metric.of(WeightedScore(meter, weight))
