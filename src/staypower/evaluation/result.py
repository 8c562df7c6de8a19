"""The result of an evaluation: every score on the same rows, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.evaluation.contacting import ContactPlan, FairnessGap
from staypower.evaluation.measures import METRICS, listed_in
from staypower.evaluation.resampling import LEVEL, Estimate
from staypower.evaluation.rows import BASE_RATE
from staypower.evaluation.settings import CostSettings
from staypower.evaluation.slices import Slice, WorstSlice
from staypower.metrics.profit import Profit, profit_curve_of
from staypower.metrics.ranking import Tally
from staypower.results.numbers import count, plain, plural
from staypower.results.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Evaluation", "ReliabilityBin", "flat", "nested", "quality_of"]

_POINTS = 101
TableName = Literal["scorers", "differences", "groups", "reliability", "fairness", "contact_plans"]


@dataclass(frozen=True)
class ReliabilityBin:
    """Predicted and observed churn in one bin of equal mass.

    >>> ReliabilityBin("model", 10, 0.2, Estimate(0.3)).observed.value
    0.3
    """

    scorer: str
    rows: int
    predicted: float  # mean probability
    observed: Estimate  # share that churned


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation(Result, shown_by="staypower.evaluation.wording", drawn_by="staypower.evaluation.drawing"):
    """A model and its baselines on the same rows.

    Made by `evaluate`; see there for the meaning of the settings. Its pictures are `lift_and_gain`, `precision_recall`, `roc`,
    `reliability`, `profit`, `slices` and `importance`, those that there are figures for.

    Parameters
    ----------
    split : str
        How test rows were separated from training; says so when it is not a temporal test.
    model : str
        Name of the model's score.
    rows, accounts, churned : int
    cutoffs : tuple of int
        Instants, ascending.
    base_rate : Estimate
        Share that churned among the rows.
    train_base_rate : float or None
    scorers : mapping of str to mapping of str to Estimate
        For each score its metrics by name; the model first.
    differences : mapping of str to mapping of str to Estimate
        Model minus each baseline, paired.
    groups : tuple of Slice
        The model by cutoff, tenure and segment.
    reliability : tuple of ReliabilityBin
    tallies : mapping of str to Tally
        What curves are drawn from.
    scored : mapping of str to float
        Share of rows on which each score is known.
    capacity : int or None
        Accounts contacted at each cutoff.
    costs : CostSettings
    profit_threshold : Profit or None
        Highest point of the model's profit curve; None unless all costs are given.
    replicates, seed : int
        Of the bootstrap.
    notes : tuple of str
        What a reader must know so as not to misread the numbers.
    worst_slice : WorstSlice or None
    fairness : tuple of FairnessGap
        For the segments declared sensitive.
    contact_plans : tuple of ContactPlan
        Whom to contact given the costs; empty without costs.
    variants : frozenset of str
        Scores that are the model itself in another form, not baselines.
    importance : mapping of str to float
        What each feature contributes to the model, for a picture; may be empty.
    """

    split: str
    model: str
    rows: int
    accounts: int
    churned: int
    cutoffs: tuple[int, ...]
    base_rate: Estimate
    train_base_rate: float | None
    scorers: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]
    groups: tuple[Slice, ...]
    reliability: tuple[ReliabilityBin, ...]
    tallies: Mapping[str, Tally]
    scored: Mapping[str, float]
    capacity: int | None
    costs: CostSettings
    profit_threshold: Profit | None
    replicates: int
    seed: int
    notes: tuple[str, ...]
    worst_slice: WorstSlice | None = None
    fairness: tuple[FairnessGap, ...] = ()
    contact_plans: tuple[ContactPlan, ...] = ()
    variants: frozenset[str] = frozenset()
    importance: Mapping[str, float] = field(default_factory=dict)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Every score but the model and its variants."""
        return tuple(name for name in self.scorers if name != self.model and name not in self.variants)

    @property
    def headline(self) -> str:
        """The verdict in words; what the model does not beat comes first."""
        if not self.scorers[self.model]["auroc"].known:
            which = f"all {count(self.rows)} rows churned" if self.churned else f"none of the {count(self.rows)} rows churned"
            return f"The ranking cannot be evaluated: {which}. Split: {self.split}."
        if not self.scorers[self.model]["auroc"].bounded:
            untested = f"Not tested: {plural(self.replicates, 'bootstrap sample')} give no intervals, so there is no verdict."
            return " ".join([self._standing(beats_all=False), untested, f"Split: {self.split}."])
        failures = self._failures()
        unproven = [name for name in self.baselines if _unproven(self.differences[name]["auroc"])]
        sentences = [f"The model does not beat {_listed(failures)}."] if failures else []
        if unproven:
            who = "It" if failures else "The model"
            sentences.append(
                f"{who} is not significantly better than {_listed(unproven)} in AUROC (the 95% interval of the difference "
                "includes 0)."
            )
        return " ".join([*sentences, self._standing(beats_all=not sentences), f"Split: {self.split}."])

    def _failures(self) -> list[str]:
        own, found = self.scorers[self.model], []
        auroc, loss = METRICS["auroc"], METRICS["log_loss"]
        for name in self.baselines:
            if self.differences[name]["auroc"].value <= 0:
                theirs = self.scorers[name]["auroc"].value
                found.append(f"{name} in AUROC ({auroc.write(own['auroc'].value)} against {auroc.write(theirs)})")
        constant = self.differences.get(BASE_RATE, {}).get("log_loss")
        if constant is not None and constant.known and constant.value >= 0:
            theirs = self.scorers[BASE_RATE]["log_loss"].value
            values = f"{own['log_loss'].value:.{loss.digits + 1}f} against {theirs:.{loss.digits + 1}f}"
            found.append(f"the base rate in log loss ({values})")
        return found

    def _standing(self, *, beats_all: bool) -> str:
        auroc = METRICS["auroc"]
        values = {name: self.scorers[name]["auroc"] for name in self.baselines}
        best = max((name for name, each in values.items() if each.known), key=lambda name: values[name].value, default=None)
        start = "The model beats every baseline in AUROC" if beats_all else "AUROC"
        against = f"; the best baseline, {best}, {auroc.write(values[best].value)}" if best else ""
        return f"{start}: {auroc.write_estimate(self.scorers[self.model]['auroc'])}{against}."

    def metrics(self) -> Mapping[str, float]:
        """Return the model's metrics that exist, by name.

        Returns
        -------
        mapping of str to float
            With the highest point of the profit curve: `profit_threshold`, `profit_fraction` and `contacts_per_cutoff`.
        """
        found = {name: each.value for name, each in self.scorers[self.model].items() if each.known}
        top = next((plan for plan in self.contact_plans if plan.hindsight), None)
        if top is not None and top.fraction:
            found |= {"profit_threshold": top.threshold, "profit_fraction": top.fraction}
            found["contacts_per_cutoff"] = top.contacts_per_cutoff
        return MappingProxyType(found)

    def __repr__(self) -> str:
        return f"Evaluation of {self.model} on {self.rows:,} rows of {self.accounts:,} accounts, {len(self.scorers)} scores"

    def frame(self, table: TableName = "scorers") -> pd.DataFrame:
        """Return a table of the evaluation.

        Parameters
        ----------
        table : {"scorers", "differences", "groups", "reliability", "fairness", "contact_plans"}, default "scorers"
            One row per score, per baseline (model minus baseline), per slice, per reliability bin, per sensitive attribute and
            measure, or per way of choosing whom to contact. A measure with an interval takes three columns: `auroc`,
            `auroc_low`, `auroc_high`.

        Returns
        -------
        DataFrame
            Missing values are NaN; the last column names the split.
        """
        if table == "scorers":
            found = [{"scorer": name, "scored": self.scored[name], **flat(row)} for name, row in self.scorers.items()]
        elif table == "differences":
            found = [{"model": self.model, "baseline": name, **flat(row)} for name, row in self.differences.items()]
        elif table == "groups":
            found = [flat(each.row()) for each in self.groups]
        else:
            found = [flat(vars(each)) for each in getattr(self, table)]
        return pd.DataFrame(found).assign(split=self.split)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON-able values; what is missing is None."""
        values = {
            "headline": self.headline,
            "split": self.split,
            "model": self.model,
            "rows": self.rows,
            "accounts": self.accounts,
            "churned": self.churned,
            "cutoffs": [text_of(cutoff) for cutoff in self.cutoffs],
            "base_rate": asdict(self.base_rate),
            "train_base_rate": self.train_base_rate,
            "notes": self.notes,
            "scorers": {name: {"scored": self.scored[name], **nested(row)} for name, row in self.scorers.items()},
            "differences": {name: nested(row) for name, row in self.differences.items()},
            "groups": [nested(each.row()) for each in self.groups],
            "reliability": [asdict(each) for each in self.reliability],
            "profit_threshold": asdict(self.profit_threshold) if self.profit_threshold else None,
            "contact_plans": [{**asdict(plan), "words": plan.words} for plan in self.contact_plans],
            "worst_slice": asdict(self.worst_slice) if self.worst_slice else None,
            "fairness": [asdict(gap) for gap in self.fairness],
            "capacity": self.capacity,
            "costs": self.costs.model_dump(),
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over accounts",
                "replicates": self.replicates,
                "seed": self.seed,
            },
        }
        return {name: plain(value) for name, value in values.items()}


def _unproven(difference: Estimate) -> bool:
    return difference.bounded and difference.value > 0 and not difference.excludes(0.0)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table: an estimate takes three columns.

    >>> flat({"name": "a", "auroc": Estimate(0.7, 0.6, 0.8)})
    {'name': 'a', 'auroc': 0.7, 'auroc_low': 0.6, 'auroc_high': 0.8}
    """
    found: dict[str, Any] = {}
    for name, entry in row.items():
        if isinstance(entry, Estimate):
            found |= {name: entry.value, f"{name}_low": entry.low, f"{name}_high": entry.high}
        else:
            found[name] = entry
    return found


def nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: an estimate is a mapping of its value and ends."""
    return {name: asdict(each) if isinstance(each, Estimate) else each for name, each in row.items()}


def quality_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what a page about the quality of a model needs.

    >>> from staypower.evaluation.assessment import evaluate
    >>> found = evaluate([0, 1] * 30, {"model": [0.2, 0.8] * 30}, accounts=range(60), cutoffs=[0] * 60, split="temporal",
    ...                  bootstrap=0)
    >>> quality = quality_of(found)
    >>> quality["gain"]["model"][50]
    [0.5, 1.0]
    """
    plain = evaluation.to_dict()
    kept = {
        name: plain[name]
        for name in ("headline", "split", "rows", "accounts", "churned", "base_rate", "notes", "profit_threshold")
    }
    shown = [metric.name for metric in listed_in("page")]
    scorers = {name: {metric: row[metric] for metric in shown} for name, row in plain["scorers"].items()}
    ranked = {name: tally for name, tally in evaluation.tallies.items() if not tally.one_class}
    model = [each for each in plain["reliability"] if each["scorer"] == evaluation.model]
    return {
        **kept,
        "model": evaluation.model,
        "scorers": scorers,
        "groups": plain["groups"],
        "reliability": model,
        "gain": {name: _gain(tally) for name, tally in ranked.items()},
        "profit": _profit(evaluation) if evaluation.model in ranked else [],
        "costs": {**plain["costs"], "given": evaluation.costs.complete},
    }


def _grid() -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, _POINTS)


def _gain(tally: Tally) -> list[list[float]]:
    share, reached = tally.reached / tally.total, tally.positives / tally.positives[-1]
    return _pairs(np.interp(_grid(), share, reached))


def _profit(evaluation: Evaluation) -> list[list[float]]:
    clv, incentive, contact = evaluation.costs.amounts
    curve = profit_curve_of(
        evaluation.tallies[evaluation.model],
        clv=clv,
        incentive_cost=incentive,
        contact_cost=contact,
        acceptance=evaluation.costs.acceptance,
    )
    return _pairs(np.interp(_grid(), curve.fraction, curve.profit))


def _pairs(values: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(x), 4), round(float(y), 5)] for x, y in zip(_grid(), values, strict=True)]
