"""Judge predicted tiers beside what needs no model: the last answer carried forward and the class frequencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import Problem, UsageError
from staypower.evaluation.resampling import LEVEL, Estimate, estimate, row_weights
from staypower.evaluation.wording import split_in_words
from staypower.metrics.ordinal import (
    accuracy_of,
    confusion,
    macro_f1_of,
    quadratic_weighted_kappa_of,
    ranked_probability_scores,
)
from staypower.models.fitting import TierTest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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

#: Metric: label, and whether higher is better.
TIER_METRICS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "accuracy": ("accuracy", True),
        "ranked_probability_score": ("RPS", False),
        "quadratic_weighted_kappa": ("QWK", True),
        "macro_f1": ("macro F1", True),
        "log_loss": ("log loss", False),
    }
)
_SMALLEST = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class TierEvaluation:
    """Predicted tiers beside their baselines on the same rows.

    Made by `evaluate_tiers`.
    """

    split: str  # how test rows were kept apart from training, in words
    model: str
    classes: tuple[str, ...]  # from worst to best
    rows: Mapping[str, int]  # rows of each group; `all` first
    accounts: int
    cutoffs: tuple[int, ...]  # instants, ascending
    scorers: Mapping[tuple[str, str], Mapping[str, Estimate]]  # by group and scorer, metric by metric; the model first
    # shape (K, K): Of the model, by group: row the true tier, column the predicted one
    confusion: Mapping[str, NDArray[np.float64]]
    known_last: float  # share of the rows with a last answer; on the others that baseline tells the class frequencies
    replicates: int  # of the bootstrap
    seed: int  # of the bootstrap

    @property
    def headline(self) -> str:
        """The verdict in words."""
        own = self.scorers[EVERYONE, self.model]["ranked_probability_score"].value
        others = {
            name: found["ranked_probability_score"].value
            for (group, name), found in self.scorers.items()
            if group == EVERYONE and name != self.model
        }
        lost = [f"{name} ({value:.3f})" for name, value in others.items() if value <= own]
        if lost:
            return f"The tier model (RPS {own:.3f}) does not beat {', '.join(lost)}"
        beaten = ", ".join(f"{name} {value:.3f}" for name, value in others.items())
        return f"The tier model beats every baseline in ranked probability score: {own:.3f} ({beaten})"

    def metrics(self) -> Mapping[str, float]:
        """Return the model's metrics that exist, by name with `tier_` before it, for a tracker."""
        found = self.scorers[EVERYONE, self.model]
        return MappingProxyType({f"tier_{name}": each.value for name, each in found.items() if each.known})

    def frame(self) -> pd.DataFrame:
        """Return one row per group and scorer; a metric takes three columns: `accuracy`, `accuracy_low`, `accuracy_high`."""
        lines = []
        for (group, name), row in self.scorers.items():
            line: dict[str, Any] = {"group": group, "scorer": name, "rows": self.rows[group]}
            for metric, each in row.items():
                line |= {metric: each.value, f"{metric}_low": each.low, f"{metric}_high": each.high}
            lines.append(line)
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
                    name: {metric: _plain(each) for metric, each in row.items()}
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
            "groups": groups,
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over accounts",
                "replicates": self.replicates,
                "seed": self.seed,
            },
        }

    def text(self) -> str:
        """Return the evaluation as plain text of at most 100 columns."""
        lines = [self.headline, f"split: {self.split}"]
        for group, count in self.rows.items():
            head = f"{count:,} rows" if group == EVERYONE else f"{group}: {count:,} rows"
            lines += ["", f"{head:<24}" + "".join(f"{label:>10}" for label, _ in TIER_METRICS.values())]
            for (of, name), row in self.scorers.items():
                if of == group:
                    values = "".join(f"{row[metric].value:>10.3f}" for metric in TIER_METRICS)
                    lines.append(f"  {name:<22}{values}")
        lines += ["", "confusion (rows: true, columns: predicted)", self.confusion_frame().round(0).astype(int).to_string()]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        shown = self.frame()[["group", "scorer", "rows", *TIER_METRICS]].round(3)
        return f"<p><b>{self.headline}</b></p>{shown.to_html(index=False)}"


def last_tier_baseline(last_tier: ArrayLike, frequencies: ArrayLike) -> NDArray[np.float64]:
    """Predict each account's last answer again; the class frequencies where it never answered.

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
) -> TierEvaluation:
    """Judge predicted tiers beside the last answer carried forward and the class frequencies.

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
            scorers[group, name] = _measured(true[mask], likely[mask], renumbered, bootstrap, seed)
    told = own.argmax(axis=1)
    return TierEvaluation(
        split=split_in_words(split),
        model=model,
        classes=names,
        rows=MappingProxyType({group: int(mask.sum()) for group, mask in masks.items()}),
        accounts=int(who.max()) + 1,
        cutoffs=tuple(int(cutoff) for cutoff in np.unique(when)),
        scorers=MappingProxyType(scorers),
        confusion=MappingProxyType(
            {group: confusion(true[mask], told[mask], classes=len(names)) for group, mask in masks.items()}
        ),
        known_last=float("nan") if last_tier is None else float((np.asarray(last_tier) >= 0).mean()),
        replicates=bootstrap,
        seed=seed,
    )


def _measured(
    true: NDArray[Any], likely: NDArray[np.float64], who: NDArray[np.intp], bootstrap: int, seed: int
) -> Mapping[str, Estimate]:
    tiers, classes = true.astype(np.int64), likely.shape[1]
    cell = tiers * classes + likely.argmax(axis=1)
    scores = ranked_probability_scores(tiers, likely)
    # a certainty that is wrong costs 14 nats, not infinity: the last answer is told as certain
    losses = -np.log(np.maximum(likely[np.arange(len(tiers)), tiers], _SMALLEST))

    def values(weight: NDArray[np.float64]) -> list[float]:
        counts: NDArray[np.float64] = np.bincount(cell, weights=weight, minlength=classes**2).astype(np.float64)
        table = counts.reshape(classes, classes)
        rps, loss = (float(np.average(each, weights=weight)) for each in (scores, losses))
        return [accuracy_of(table), rps, quadratic_weighted_kappa_of(table), macro_f1_of(table), loss]

    once = values(np.ones(len(tiers)))
    drawn = np.array([values(weight) for weight in row_weights(who, bootstrap, seed)]).reshape(bootstrap, len(once))
    return MappingProxyType({name: estimate(once[at], drawn[:, at]) for at, name in enumerate(TIER_METRICS)})


def _plain(each: Estimate) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in asdict(each).items()}


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
        problems.append(Problem("no rows to evaluate", "0", "choose a test cutoff after which somebody answered"))
    if not len(true) == len(own) == len(who) == len(when):
        value = f"{len(true)}, {len(own)}, {len(who)}, {len(when)}"
        problems.append(Problem("rows differ in number", value, "give one value for every row"))
    if bootstrap < 0:
        problems.append(Problem("bootstrap is too small", str(bootstrap), "give at least 0"))
    if problems:
        raise UsageError(problems)
    # tells every other problem of tiers and probabilities
    ranked_probability_scores(true, own)
