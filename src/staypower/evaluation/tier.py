"""Evaluate predicted tiers against what needs no model: the last answer carried forward, and the class frequencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import Problem, UsageError
from staypower.evaluation.measures import Metric, estimates_of
from staypower.evaluation.resampling import LEVEL, Estimate, row_weights
from staypower.evaluation.result import flat
from staypower.evaluation.rows import describe_split
from staypower.metrics.ordinal import (
    accuracy_of,
    adjacent_accuracy_of,
    confusion,
    macro_f1_of,
    quadratic_weighted_kappa_of,
    ranked_probability_scores,
)
from staypower.models.fitting import TierTest
from staypower.models.tier_prediction import tell_tiers
from staypower.results.numbers import count, decimal, percent, plain, plural
from staypower.results.result import Block, Result, TableBlock

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from staypower.labels.tier_settings import Told

__all__ = [
    "FREQUENCIES",
    "LAST_ANSWER",
    "TIER_METRICS",
    "TierEvaluation",
    "evaluate_tier_test",
    "evaluate_tiers",
    "last_tier_baseline",
]

FREQUENCIES, LAST_ANSWER = "class frequencies", "last answer"
EVERYONE = "all"

# a certainty that is wrong costs 14 nats, not infinity: the last answer is predicted as certain
_SMALLEST = 1e-6


@dataclass(frozen=True, eq=False)
class WeightedTiers:
    """Predicted tiers under one set of row weights: what metrics are computed from."""

    table: NDArray[np.float64]  # shape (K, K): one row per true tier, one column per predicted tier
    ranked_probability_score: float
    log_loss: float


class _TierMeter:
    """Predicted tiers, to be measured under many weights."""

    def __init__(self, true: NDArray[np.int64], likely: NDArray[np.float64], told: NDArray[np.int64]) -> None:
        self._classes = likely.shape[1]
        self._cell = true * self._classes + told
        self._scores = ranked_probability_scores(true, likely)
        self._losses = -np.log(np.maximum(likely[np.arange(len(true)), true], _SMALLEST))

    def measure(self, weight: NDArray[np.float64]) -> list[float]:
        """Return the values of `TIER_METRICS`."""
        counts: NDArray[np.float64] = np.bincount(self._cell, weights=weight, minlength=self._classes**2).astype(np.float64)
        score, loss = (float(np.average(each, weights=weight)) for each in (self._scores, self._losses))
        weighted = WeightedTiers(counts.reshape(self._classes, self._classes), score, loss)
        return [metric.of(weighted) for metric in TIER_METRICS.values()]


TIER_METRICS: dict[str, Metric[WeightedTiers]] = {
    metric.name: metric
    for metric in (
        Metric[WeightedTiers]("accuracy", "accuracy", "higher", lambda tiers: accuracy_of(tiers.table)),
        Metric[WeightedTiers]("adjacent_accuracy", "at most 1 off", "higher", lambda tiers: adjacent_accuracy_of(tiers.table)),
        Metric[WeightedTiers]("ranked_probability_score", "RPS", "lower", lambda tiers: tiers.ranked_probability_score),
        Metric[WeightedTiers](
            "quadratic_weighted_kappa", "QWK", "higher", lambda tiers: quadratic_weighted_kappa_of(tiers.table)
        ),
        Metric[WeightedTiers]("macro_f1", "macro F1", "higher", lambda tiers: macro_f1_of(tiers.table)),
        Metric[WeightedTiers]("log_loss", "log loss", "lower", lambda tiers: tiers.log_loss),
    )
}
"""The metrics of the tier; a new one is one more entry."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TierEvaluation(Result):
    """Predicted tiers and their baselines on the same rows.

    Made by `evaluate_tiers`.

    Parameters
    ----------
    split : str
        How test rows were separated from training.
    model : str
    classes : tuple of str
        From worst to best.
    rows : mapping of str to int
        Rows of each group; `all` first.
    accounts : int
    cutoffs : tuple of int
        Instants, ascending.
    scorers : mapping of (str, str) to mapping of str to Estimate
        By group and score, metric by metric; the model first.
    confusion : mapping of str to array of float64, shape (K, K)
        Of the model, by group: one row per true tier, one column per predicted tier.
    known_last : float
        Share of the rows with a last answer; on the others that baseline predicts the class frequencies.
    replicates, seed : int
        Of the bootstrap.
    told : {"median", "most_probable"}
        Which tier of the model's probabilities is told. The class frequencies tell the commonest tier.
    """

    split: str
    model: str
    classes: tuple[str, ...]
    rows: Mapping[str, int]
    accounts: int
    cutoffs: tuple[int, ...]
    scorers: Mapping[tuple[str, str], Mapping[str, Estimate]]
    confusion: Mapping[str, NDArray[np.float64]]
    known_last: float
    replicates: int
    seed: int
    told: Told = "median"

    @property
    def told_in_words(self) -> str:
        """How often the tier that is told is right, beside the share of the commonest tier."""
        own, common = (self.scorers[EVERYONE, name]["accuracy"].value for name in (self.model, FREQUENCIES))
        rule = "the median of its probabilities" if self.told == "median" else "the most probable tier"
        against = "not more often" if own <= common else "more often"
        return (
            f"The model tells {rule}: right in {percent(own)} of the rows, {against} than always telling the commonest tier "
            f"({percent(common)})"
        )

    @property
    def headline(self) -> str:
        """The verdict in words."""
        own = self.scorers[EVERYONE, self.model]["ranked_probability_score"].value
        others = {
            name: found["ranked_probability_score"].value
            for (group, name), found in self.scorers.items()
            if group == EVERYONE and name != self.model
        }
        lost = [f"{name} ({decimal(value)})" for name, value in others.items() if value <= own]
        if lost:
            return f"The tier model (RPS {decimal(own)}) does not beat {', '.join(lost)}"
        beaten = ", ".join(f"{name} {decimal(value)}" for name, value in others.items())
        return f"The tier model beats every baseline in ranked probability score: {decimal(own)} ({beaten})"

    def metrics(self) -> Mapping[str, float]:
        """Return the model's metrics that exist, by name with the prefix `tier_`."""
        found = self.scorers[EVERYONE, self.model]
        return MappingProxyType({f"tier_{name}": each.value for name, each in found.items() if each.known})

    def frame(self) -> pd.DataFrame:
        """Return one row per group and scorer; a metric takes three columns: `accuracy`, `accuracy_low`, `accuracy_high`."""
        lines = [
            {"group": group, "scorer": name, "rows": self.rows[group], **flat(row)}
            for (group, name), row in self.scorers.items()
        ]
        return pd.DataFrame(lines).assign(split=self.split)

    def confusion_frame(self, group: str = EVERYONE) -> pd.DataFrame:
        """Return the model's confusion: rows the true tier, columns the predicted one."""
        index, columns = pd.Index(self.classes, name="true"), pd.Index(self.classes, name="predicted")
        return pd.DataFrame(self.confusion[group], index=index, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values; what is missing is None."""
        groups = {
            group: {
                "rows": count,
                "confusion": self.confusion[group].tolist(),
                "scorers": {
                    name: {metric: plain(asdict(each)) for metric, each in row.items()}
                    for (of, name), row in self.scorers.items()
                    if of == group
                },
            }
            for group, count in self.rows.items()
        }
        return {
            "headline": self.headline,
            "split": self.split,
            "model": self.model,
            "classes": list(self.classes),
            "accounts": self.accounts,
            "cutoffs": [text_of(cutoff) for cutoff in self.cutoffs],
            "known_last": self.known_last,
            "told": self.told,
            "groups": groups,
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over accounts",
                "replicates": self.replicates,
                "seed": self.seed,
            },
        }

    def blocks(self) -> Sequence[Block]:
        """Return the verdict, a table of the scores of each group, and the model's confusion."""
        found: list[Block] = [f"{self.headline}. {self.told_in_words}. Split: {self.split}."]
        for group, number in self.rows.items():
            title = plural(number, "row") if group == EVERYONE else f"{group}: {plural(number, 'row')}"
            rows = [
                [name, *(metric.write(row[metric.name].value) for metric in TIER_METRICS.values())]
                for (of, name), row in self.scorers.items()
                if of == group
            ]
            found.append(TableBlock([title, *(metric.label for metric in TIER_METRICS.values())], rows))
        table = self.confusion[EVERYONE]
        rows = [[name, *(count(each) for each in row)] for name, row in zip(self.classes, table.tolist(), strict=True)]
        found.append(TableBlock(["true", *self.classes], rows, "Confusion: true tier by predicted tier"))
        return found


def last_tier_baseline(last_tier: ArrayLike, frequencies: ArrayLike) -> NDArray[np.float64]:
    """Predict the last answer of each account, and the class frequencies where it never answered.

    >>> last_tier_baseline([2, -1], [0.25, 0.25, 0.5]).tolist()
    [[0.0, 0.0, 1.0], [0.25, 0.25, 0.5]]
    """
    last, shares = np.asarray(last_tier, dtype=np.int64), np.asarray(frequencies, dtype=np.float64)
    certain = np.eye(len(shares))[np.maximum(last, 0)]
    found: NDArray[np.float64] = np.where(last[:, None] >= 0, certain, shares)
    return found


def evaluate_tier_test(test: TierTest | None, *, split: str, seed: int) -> TierEvaluation | None:
    """Evaluate the tier model on the test rows that answered; None without any."""
    if test is None:
        return None
    return evaluate_tiers(
        test.tier,
        test.probabilities,
        accounts=test.accounts,
        cutoffs=test.cutoffs,
        split=split,
        classes=test.classes,
        last_tier=test.last_tier,
        train_frequencies=test.train_frequencies,
        seed=seed,
        told=test.told,
    )


def evaluate_tiers(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    *,
    accounts: ArrayLike,
    cutoffs: ArrayLike,
    split: str,
    classes: Sequence[str],
    last_tier: ArrayLike | None = None,
    train_frequencies: ArrayLike | None = None,
    others: Mapping[str, ArrayLike] | None = None,
    groups: Mapping[str, ArrayLike] | None = None,
    model: str = "tier model",
    bootstrap: int = 200,
    seed: int = 0,
    told: Told = "median",
) -> TierEvaluation:
    """Evaluate predicted tiers against the last answer carried forward and the class frequencies.

    >>> likely = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]] * 10
    >>> found = evaluate_tiers(
    ...     [0, 1, 2] * 10, likely, accounts=range(30), cutoffs=[0] * 30, split="temporal", classes=["low", "mid", "high"]
    ... )
    >>> found.headline
    'The tier model beats every baseline in ranked probability score: 0.020 (class frequencies 0.222)'
    """
    own, true = np.asarray(probabilities, dtype=np.float64), np.asarray(y_true)
    names = tuple(classes)
    who = np.unique(np.asarray(accounts), return_inverse=True)[1]
    when = np.asarray(cutoffs, dtype=np.int64)
    _check(true, own, who, when, names, bootstrap)
    shares = np.bincount(true.astype(np.int64), minlength=len(names)) / len(true)
    if train_frequencies is not None:
        shares = np.asarray(train_frequencies, dtype=np.float64)
    predictions = {model: own, FREQUENCIES: np.tile(shares, (len(true), 1))}
    if last_tier is not None:
        predictions[LAST_ANSWER] = last_tier_baseline(last_tier, shares)
    predictions |= {name: np.asarray(values, dtype=np.float64) for name, values in (others or {}).items()}
    masks = {EVERYONE: np.ones(len(true), dtype=bool)}
    masks |= {name: np.asarray(mask, dtype=bool) for name, mask in (groups or {}).items() if np.asarray(mask, dtype=bool).any()}
    scorers: dict[tuple[str, str], Mapping[str, Estimate]] = {}
    for group, mask in masks.items():
        renumbered = np.unique(who[mask], return_inverse=True)[1]
        for name, likely in predictions.items():
            # a baseline without a tier of its own tells the commonest one
            rule: Told = "most_probable" if name in (FREQUENCIES, LAST_ANSWER) else told
            meter = _TierMeter(true[mask].astype(np.int64), likely[mask], tell_tiers(likely[mask], rule))
            scorers[group, name] = _measured(meter, renumbered, bootstrap, seed)
    predicted = tell_tiers(own, told)
    return TierEvaluation(
        split=describe_split(split),
        model=model,
        classes=names,
        rows=MappingProxyType({group: int(mask.sum()) for group, mask in masks.items()}),
        accounts=int(who.max()) + 1,
        cutoffs=tuple(int(cutoff) for cutoff in np.unique(when)),
        scorers=MappingProxyType(scorers),
        confusion=MappingProxyType(
            {group: confusion(true[mask], predicted[mask], classes=len(names)) for group, mask in masks.items()}
        ),
        known_last=float("nan") if last_tier is None else float((np.asarray(last_tier) >= 0).mean()),
        replicates=bootstrap,
        seed=seed,
        told=told,
    )


def _measured(meter: _TierMeter, who: NDArray[np.intp], bootstrap: int, seed: int) -> Mapping[str, Estimate]:
    once = np.array(meter.measure(np.ones(len(who))))
    drawn = np.array([meter.measure(weight) for weight in row_weights(who, bootstrap, seed)]).reshape(bootstrap, len(once))
    return estimates_of(TIER_METRICS, once, drawn, differences=True)


def _check(
    true: NDArray[Any],
    own: NDArray[np.float64],
    who: NDArray[np.intp],
    when: NDArray[np.int64],
    names: tuple[str, ...],
    bootstrap: int,
) -> None:
    problems = []
    if own.ndim != 2 or own.shape[1] != len(names):
        problems.append(Problem("probabilities do not match the classes", f"{own.shape}", f"give {len(names)} columns"))
    if not len(true):
        problems.append(Problem("no rows to evaluate", "0", "choose a test cutoff followed by survey answers"))
    if not len(true) == len(own) == len(who) == len(when):
        value = f"{len(true)}, {len(own)}, {len(who)}, {len(when)}"
        problems.append(Problem("rows differ in number", value, "give one value for every row"))
    if bootstrap < 0:
        problems.append(Problem("bootstrap is too small", str(bootstrap), "give at least 0"))
    if problems:
        raise UsageError(problems)
    # raises every other problem of tiers and probabilities
    ranked_probability_scores(true, own)
