"""The result of an evaluation: every scorer on the same rows, with intervals, as frames, JSON and text."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from staypower.cutoffs import text_of
from staypower.evaluation.measures import METRICS
from staypower.evaluation.resampling import LEVEL, Estimate
from staypower.evaluation.wording import findings_of, headline_of, text_of_evaluation

if TYPE_CHECKING:
    from staypower.evaluation.contacting import ContactPlan
    from staypower.evaluation.fairness import FairnessGap
    from staypower.evaluation.groups import Group
    from staypower.evaluation.memory import AccountMemory
    from staypower.evaluation.settings import CostSettings
    from staypower.evaluation.slices import WorstSlice
    from staypower.metrics.profit import Profit
    from staypower.metrics.tally import Tally
    from staypower.results.pictures import Picture

__all__ = ["Evaluation", "ReliabilityBin"]

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
class Evaluation:
    """A model beside its baselines on the same rows.

    Made by `evaluate`; see there for the meaning of the settings.

    Parameters
    ----------
    split : str
        How test rows were kept apart from training; says so itself when it is not a temporal test.
    model : str
        Name of the model's score.
    rows, accounts, churned : int
    cutoffs : tuple of int
        Instants, ascending.
    base_rate : Estimate
        Share that churned among the rows.
    train_base_rate : float or None
    scorers : mapping of str to mapping of str to Estimate
        Metric by metric; the model first.
    differences : mapping of str to mapping of str to Estimate
        Model minus each baseline, paired.
    groups : tuple of Group
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
        Top of the model's profit curve; None unless all costs are given.
    replicates, seed : int
        Of the bootstrap.
    notes : tuple of str
        What a reader must know to not misread the numbers.
    worst_slice : WorstSlice or None
    fairness : tuple of FairnessGap
        Of the segments declared sensitive.
    contact_plans : tuple of ContactPlan
        Whom to contact when money decides; empty without costs.
    memory : AccountMemory or None
        What known accounts are easier by than accounts never seen.
    variants : frozenset of str
        Scorers that are the model itself in another form: no baselines to beat.
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
    groups: tuple[Group, ...]
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
    memory: AccountMemory | None = None
    variants: frozenset[str] = frozenset()

    @property
    def baselines(self) -> tuple[str, ...]:
        """Every scorer but the model and its variants."""
        return tuple(name for name in self.scorers if name != self.model and name not in self.variants)

    @property
    def headline(self) -> str:
        """The verdict in words; what the model does not beat comes first."""
        return headline_of(self)

    def metrics(self) -> Mapping[str, float]:
        """Return the model's metrics that exist, by name.

        Returns
        -------
        mapping of str to float
            Beside the metrics: `profit_threshold`, `profit_fraction` and `contacts_per_cutoff` at the top of the profit curve,
            `auroc_known_accounts` and `auroc_unseen_accounts` of two models on half of the accounts each.
        """
        found = {name: each.value for name, each in self.scorers[self.model].items() if each.known}
        top = next((plan for plan in self.contact_plans if plan.hindsight), None)
        if top is not None and top.fraction:
            found |= {"profit_threshold": top.threshold, "profit_fraction": top.fraction}
            found["contacts_per_cutoff"] = top.contacts_per_cutoff
        if self.memory is not None and self.memory.known["auroc"].known:
            found["auroc_known_accounts"] = self.memory.known["auroc"].value
            found["auroc_unseen_accounts"] = self.memory.unseen["auroc"].value
        return MappingProxyType(found)

    def __repr__(self) -> str:
        return f"Evaluation of {self.model} on {self.rows:,} rows of {self.accounts:,} accounts, {len(self.scorers)} scores"

    def frame(self, table: TableName = "scorers") -> pd.DataFrame:
        """Return a table of the evaluation.

        Parameters
        ----------
        table : {"scorers", "differences", "groups", "reliability", "fairness", "contact_plans"}, default "scorers"
            One row per scorer, per baseline (model minus baseline), per group, per reliability bin, per sensitive attribute and
            measure, or per way of choosing whom to contact. A measure with an interval takes three columns: `auroc`,
            `auroc_low`, `auroc_high`.

        Returns
        -------
        DataFrame
            Missing values are NaN; the last column names the split.
        """
        if table == "scorers":
            found = [{"scorer": name, "scored": self.scored[name], **_flat(row)} for name, row in self.scorers.items()]
        elif table == "differences":
            found = [{"model": self.model, "baseline": name, **_flat(row)} for name, row in self.differences.items()]
        else:
            entries = getattr(self, table)
            found = [_flat({field: getattr(entry, field) for field in entry.__dataclass_fields__}) for entry in entries]
        return pd.DataFrame(found).assign(split=self.split)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON-able values; what is missing is None."""
        plain = {
            "headline": self.headline,
            "split": self.split,
            "model": self.model,
            "rows": self.rows,
            "accounts": self.accounts,
            "churned": self.churned,
            "cutoffs": [text_of(cutoff) for cutoff in self.cutoffs],
            "base_rate": asdict(self.base_rate),
            "train_base_rate": self.train_base_rate,
            "notes": list(self.notes),
            "scorers": {name: {"scored": self.scored[name], **_nested(row)} for name, row in self.scorers.items()},
            "differences": {name: _nested(row) for name, row in self.differences.items()},
            "groups": [asdict(group) for group in self.groups],
            "reliability": [asdict(each) for each in self.reliability],
            "profit_threshold": asdict(self.profit_threshold) if self.profit_threshold else None,
            "contact_plans": [{**asdict(plan), "words": plan.words} for plan in self.contact_plans],
            "worst_slice": asdict(self.worst_slice) if self.worst_slice else None,
            "fairness": [asdict(gap) for gap in self.fairness],
            "account_memory": _memory(self.memory),
            "capacity": self.capacity,
            "costs": self.costs.model_dump(),
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over accounts",
                "replicates": self.replicates,
                "seed": self.seed,
            },
        }
        cleaned = _clean(plain)
        assert isinstance(cleaned, dict)
        return cleaned

    def text(self, *, groups: bool = True) -> str:
        """Return the evaluation as plain text of at most 100 columns.

        Parameters
        ----------
        groups : bool, default True
            Whether to add the tables by cutoff, tenure and segment.
        """
        return text_of_evaluation(self, groups=groups)

    def plot(self, picture: str = "lift_and_gain") -> Picture:
        """Draw a picture.

        Parameters
        ----------
        picture : str, default "lift_and_gain"
            One of `lift_and_gain`, `precision_recall`, `roc`, `reliability`, `profit` and `slices`, those there
            are figures for.

        Returns
        -------
        Picture
            A matplotlib figure.

        Raises
        ------
        UsageError
            When there is no such picture of this result.
        """
        # only a picture needs matplotlib; scoring must do without it
        from staypower.evaluation.drawing import draw

        return draw(self, picture)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        shown = {metric.label: [row[metric.name].value for row in self.scorers.values()] for metric in METRICS}
        table = pd.DataFrame(shown, index=pd.Index(self.scorers, name=self.split)).dropna(axis=1, how="all")
        found = [f"{title}: {line}" for title, lines in findings_of(self).items() for line in lines]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*found, *self.notes))
        return f"<p><b>{html.escape(self.headline)}</b></p>{table.round(4).to_html(na_rep='')}<ul>{notes}</ul>"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, entry in row.items():
        if isinstance(entry, Estimate):
            flat |= {name: entry.value, f"{name}_low": entry.low, f"{name}_high": entry.high}
        else:
            flat[name] = entry
    return flat


def _memory(memory: AccountMemory | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    sides = {name: _nested(getattr(memory, name)) for name in ("known", "unseen", "difference")}
    return {**sides, "easier": memory.easier}


def _nested(row: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: asdict(each) for name, each in row.items()}


def _clean(value: Any) -> Any:
    """Replace what JSON cannot say (not a number, infinite) by None."""
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
