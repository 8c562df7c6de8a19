"""Churn within other horizons than the model's own, as hazards on either side of it.

The churn model gives the probability of churn within its own horizon. A step before it is P(churn within the shorter horizon |
churn within the longer one), a step after it P(churn within the longer horizon | no churn within the shorter one). So the curve
passes through the churn model's own probability and never falls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.errors import UsageError
from staypower.labels.churn import find_horizon_labels
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle, SealedModel
from staypower.models.secondary import fit_secondary
from staypower.models.settings import HorizonSettings, ModelSettings
from staypower.results.numbers import percent
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_OF_A_SIDE", "HorizonModel", "fit_horizons", "horizons_of"]

LEAST_OF_A_SIDE = 20
"""With fewer accounts on the rarer side of a step the share among the training rows is taken for every account."""

_PREFIX = "horizon_"

# Steps before the own horizon are fitted on churned accounts only, which are few: small trees, strongly shrunk.
_AMONG_CHURNERS: dict[str, float] = {"num_leaves": 4, "max_depth": 2, "l2": 10.0}


@dataclass(frozen=True)
class HorizonModel:
    """The curve of churn over time, read from a bundle's secondary models.

    >>> from staypower.models.secondary import constant_model
    >>> steps = {
    ...     30: constant_model(1, 2, feature="seats", metadata={}),
    ...     180: constant_model(0, 2, feature="seats", metadata={}),
    ... }
    >>> model = HorizonModel(own=90, gap=0, days=(30, 90, 180), steps=steps)
    >>> model.frame(pd.DataFrame({"seats": [1.0]}), np.array([0.2])).round(3).iloc[0].to_dict()
    {'churn_probability_30d': 0.08, 'churn_probability_90d': 0.2, 'churn_probability_180d': 0.4,
     'expected_days_to_churn': 143.4}
    """

    own: int  # days of the churn model's own horizon
    gap: int  # days between the cutoff and the start of every outcome
    days: tuple[int, ...]  # horizons to report, ascending
    # of a horizon before the own one: P(churn within it | churn within the next longer one). Of one after it: P(churn within
    # it | no churn within the next shorter one)
    steps: Mapping[int, SealedModel]

    @classmethod
    def of(cls, bundle: Bundle) -> HorizonModel | None:
        """Find the model among a bundle's secondary models; None when it has none."""
        found = [sealed for name, sealed in bundle.secondary.items() if name.startswith(_PREFIX)]
        if not found:
            return None
        shared = found[0].metadata
        steps = {int(sealed.metadata["step"]): sealed for sealed in found}
        return cls(int(shared["own"]), int(shared["gap"]), tuple(shared["days"]), steps)

    def curve(
        self, X: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None
    ) -> dict[int, NDArray[np.float64]]:
        """Return the probability of churn within every horizon that is known, the own one included."""
        own = np.asarray(churn_probability, dtype=np.float64)
        found, share, reached = {self.own: own}, np.ones(len(own)), own
        for days in sorted((days for days in self.steps if days < self.own), reverse=True):
            share = share * self.steps[days].predict(X, threads=threads)
            found[days] = own * share
        for days in sorted(days for days in self.steps if days > self.own):
            # added to what was reached, never taken from 1: rounding cannot make it fall
            reached = reached + (1.0 - reached) * self.steps[days].predict(X, threads=threads)
            found[days] = reached
        return dict(sorted(found.items()))

    def frame(self, X: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None) -> pd.DataFrame:
        """Return the reported horizons and the expected days to churn; parameters as in `curve`."""
        curve = self.curve(X, churn_probability, threads=threads)
        columns = {f"churn_probability_{days}d": curve[days] for days in self.days}
        return pd.DataFrame({**columns, "expected_days_to_churn": self.gap + _days_staying(curve)})


def _days_staying(curve: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Integrate the probability of staying up to the longest horizon, a straight line between two of them."""
    first = next(iter(curve.values()))
    knots = {0: np.where(np.isnan(first), np.nan, 0.0), **curve}
    steps = [(high - low) * (1.0 - (knots[low] + knots[high]) / 2.0) for low, high in pairwise(knots)]
    return np.asarray(sum(steps), dtype=np.float64)


def horizons_of(
    bundle: Bundle, X: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None
) -> pd.DataFrame:
    """Predict churn within the other horizons with a sealed model."""
    if len(X) != len(churn_probability):
        raise UsageError.of("probabilities do not match X", f"{len(churn_probability)} for {len(X)} rows", "give one per row")
    model = HorizonModel.of(bundle)
    if model is None:
        return pd.DataFrame(index=pd.RangeIndex(len(X)))
    return model.frame(X, churn_probability, threads=threads)


@dataclass(frozen=True)
class _Step:
    """The step between two neighbouring horizons, and the rows that it is fitted on."""

    days: int
    rows: NDArray[np.bool_]
    churned: NDArray[np.int8]
    among_churners: bool


def fit_horizons(
    dataset: Dataset, tables: Tables, label: LabelSettings, settings: HorizonSettings, model: ModelSettings
) -> tuple[dict[str, SealedModel], tuple[str, ...]]:
    """Fit the steps between the label's own horizon and the others."""
    asked = [days for days in settings.days if days != label.horizon]
    if not asked:
        return {}, ()
    reason = label.no_other_horizons
    if reason is not None:
        return {}, (f"other horizons: none, {reason}",)
    steps, notes = _steps(dataset, tables, label, asked)
    made = sorted([step.days for step in steps] + [label.horizon])
    shared: dict[str, Any] = {"own": label.horizon, "gap": label.gap, "days": [days for days in settings.days if days in made]}
    secondary = {}
    for step in steps:
        sealed, more = _fit(dataset, step, shared, model)
        secondary[f"{_PREFIX}{step.days}"] = sealed
        notes += more
    return secondary, tuple(notes)


def _steps(dataset: Dataset, tables: Tables, label: LabelSettings, asked: Sequence[int]) -> tuple[list[_Step], list[str]]:
    plan, trained = dataset.plan, dataset.rows("training", "calibration")
    # training outcomes must be known when the test begins; a snapshot's test is other accounts, not a later time
    until = None if plan.split == "snapshot" else int(plan.test[0])
    found = find_horizon_labels(tables, label, plan.all, [*asked, label.horizon], known_until=until)
    places = dataset.places(found.population.accounts, plan.all)
    churned = {days: found.at(days)[places] for days in found.horizons}
    steps: list[_Step] = []
    shorter = [days for days in found.horizons if days <= label.horizon]
    for days, longer in reversed(list(pairwise(shorter))):
        steps.append(_Step(days, trained & (churned[longer] == 1), churned[days], True))
    before, notes = label.horizon, []
    for days in (days for days in found.horizons if days > label.horizon):
        rows = trained & (churned[days] >= 0) & (churned[before] == 0)
        if not rows.any():
            when = "in the data" if until is None else f"before the first test cutoff, {text_of(until)}"
            notes.append(f"{days} days: no training cutoff has so long an outcome complete {when}")
            continue
        steps.append(_Step(days, rows, churned[days], False))
        before = days
    return steps, notes


def _fit(dataset: Dataset, step: _Step, shared: Mapping[str, Any], model: ModelSettings) -> tuple[SealedModel, tuple[str, ...]]:
    cutoffs = [text_of(int(cutoff)) for cutoff in np.unique(dataset.where(step.rows).cutoffs)]
    sealed = fit_secondary(
        *(dataset, step.rows, step.churned == 1),
        model.model_copy(update={"split": "grouped", **(_AMONG_CHURNERS if step.among_churners else {})}),
        least=LEAST_OF_A_SIDE,
        names=("churned", "not"),
        metadata={**shared, "step": step.days, "cutoffs": cutoffs},
    )
    if sealed.metadata["method"] == "trees":
        return sealed, ()
    of = "of those who churn" if step.among_churners else "of those who stayed until then"
    rarer, share = sealed.metadata["rarer_accounts"], percent(sealed.metadata["share"], 0)
    needed = f"only {rarer} accounts on the rarer side ({LEAST_OF_A_SIDE} are needed)"
    return sealed, (f"{step.days} days: {needed}: {share} {of} is taken for every account",)
