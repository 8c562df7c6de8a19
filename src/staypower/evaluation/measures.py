"""The metrics of a churn score, each declared once in `METRICS`, and the difference of two scores on the same rows.

A new metric is one more entry of `METRICS`: text, card, page, comparisons, tuning, tracking and docs derive from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args

import numpy as np

from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.resampling import Estimate, estimate, row_weights
from staypower.evaluation.score_meter import Campaign, Needs, ScoreMeter, WeightedScore
from staypower.metrics.ranking import Tally
from staypower.results.numbers import decimal, signed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DECISIVE",
    "METRICS",
    "Metric",
    "Place",
    "ScoreMetric",
    "estimates_of",
    "listed_in",
    "measure",
    "measure_of_weights",
    "paired_difference",
    "paired_metrics",
]

DECISIVE = "log_loss"
"""What decides between two models: it measures ranking and probabilities at once, at no single threshold."""

Input = TypeVar("Input")
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


ScoreMetric = Metric[WeightedScore]


def _recall(score: WeightedScore) -> float:
    hits, _, positives = score.contacts
    return hits / positives if positives else float("nan")


def _depths(
    name: str, label: str, of: Callable[[Tally, float], float], formula: str, source: str, digits: int = 3
) -> list[ScoreMetric]:
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


METRICS: dict[str, ScoreMetric] = {
    metric.name: metric
    for metric in (
        ScoreMetric(
            "auroc",
            "AUROC",
            "higher",
            lambda score: score.tally.auroc(),
            "P(score of a churned row > score of a stayed row) + P(equal) / 2",
            "Mann-Whitney statistic; Hanley and McNeil 1982. Undefined for one class: left blank, and a note says so",
            shown=_in("ranking", "differences", "card", "page", "versions", "compared", "ages", "slices"),
        ),
        ScoreMetric(
            "average_precision",
            "average precision",
            "higher",
            lambda score: score.tally.average_precision(),
            "sum over distinct scores of (recall_k - recall_(k-1)) precision_k",
            "no interpolation, as in scikit-learn; without signal it equals the base rate",
            shown=_in("ranking", "differences", "card", "page", "versions", "compared", "slices"),
        ),
        ScoreMetric(
            "log_loss",
            "log loss",
            "lower",
            lambda score: score.mean(score.meter.losses),
            "-mean(y ln p + (1 - y) ln(1 - p))",
            "nats; p is held 2.2e-16 away from 0 and 1, as in scikit-learn",
            "probability",
            _in("probabilities", "differences", "card", "page", "versions", "compared", "ages", "slices"),
        ),
        ScoreMetric(
            "brier",
            "Brier score",
            "lower",
            lambda score: score.brier,
            "mean((p - y)^2)",
            "Brier 1950, the one-class form",
            "probability",
            _in("probabilities", "card", "page", "versions"),
        ),
        ScoreMetric(
            "brier_skill",
            "Brier skill",
            "higher",
            lambda score: score.brier_skill,
            "1 - brier(p) / brier(r)",
            'r is the constant of the row "base rate": the training churn rate when given. Above 0 is better than the constant',
            "probability",
            _in("probabilities", "page"),
        ),
        ScoreMetric(
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
        ScoreMetric(
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
        ScoreMetric(
            "precision_at_capacity",
            "precision",
            "higher",
            lambda score: score.contacts[0] / score.contacts[1],
            "churned among those contacted / contacted",
            "the team contacts its capacity **at each cutoff**, from that cutoff's own list; sums over cutoffs",
            "capacity",
            _in("acting"),
        ),
        ScoreMetric(
            "recall_at_capacity",
            "recall",
            "higher",
            _recall,
            "churned among those contacted / all churned",
            "same",
            "capacity",
            _in("acting"),
        ),
        ScoreMetric(
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
        ScoreMetric(
            "empc_fraction",
            "EMPC fraction",
            "",
            lambda score: score.expected_profit.fraction,
            "the share contacted, averaged over gamma",
            "the depth that EMPC assumes",
            shown=frozenset(),
        ),
        ScoreMetric(
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
        ScoreMetric(
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


def listed_in(place: Place) -> list[ScoreMetric]:
    """Return the metrics that are shown in a place.

    >>> [metric.name for metric in listed_in("ages")]
    ['auroc', 'log_loss']
    """
    return [metric for metric in METRICS.values() if place in metric.shown]


def measure(weighted: WeightedScore) -> NDArray[np.float64]:
    """Return every metric of a score, in the order of `METRICS`; NaN where one does not apply."""
    given = weighted.meter.given
    return np.array([metric.of(weighted) if metric.needs in given else np.nan for metric in METRICS.values()])


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


def paired_metrics() -> list[str]:
    """Return the metrics that need nothing but labels and scores.

    >>> "lift_10" in paired_metrics(), "precision_at_capacity" in paired_metrics()
    (True, False)
    """
    return [name for name, metric in METRICS.items() if metric.needs in ("", "probability")]


def paired_difference(
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    accounts: ArrayLike,
    metric: str = "auroc",
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Measure a metric of one score minus that of another on the same rows, with an interval over accounts.

    >>> y = [0, 0, 0, 1] * 25
    >>> found = paired_difference(y, [0.1, 0.2, 0.3, 0.9] * 25, [0.4, 0.1, 0.3, 0.2] * 25, accounts=range(100))
    >>> round(found.value, 3), found.excludes(0.0)
    (0.667, True)
    """
    _check(y_true, accounts, metric, replicates)
    scores = [np.asarray(score, dtype=np.float64) for score in (score_a, score_b)]
    measures = [measure_of_weights(metric, np.asarray(y_true), score) for score in scores]
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]

    def difference(weight: NDArray[np.float64]) -> float:
        return measures[0](weight) - measures[1](weight)

    drawn = np.array([difference(weight) for weight in row_weights(number, replicates, seed)])
    return estimate(difference(np.ones(len(number))), drawn)


def _check(y_true: ArrayLike, accounts: ArrayLike, metric: str, replicates: int) -> None:
    problems = []
    if metric not in paired_metrics():
        problems.append(Problem("unknown metric", metric, nearest(metric, paired_metrics())))
    if np.shape(accounts) != np.shape(y_true):
        value = f"accounts: {np.size(accounts)} for {np.size(y_true)} rows"
        problems.append(Problem("not one value per row", value, "give one value per row"))
    if replicates < 0:
        problems.append(Problem("replicates is too small", str(replicates), "give at least 0"))
    if problems:
        raise UsageError(problems)


def measure_of_weights(name: str, churned: NDArray[Any], score: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return a metric of a score as a function of row weights, everything sorted and checked beforehand."""
    metric = METRICS[name]
    campaign = Campaign(reference=float(churned.mean()))
    meter = ScoreMeter(churned, score, is_probability=metric.needs == "probability", campaign=campaign)
    return lambda weight: metric.of(WeightedScore(meter, weight))
