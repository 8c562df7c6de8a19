"""What is predicted beside churn: its kinds, other horizons, and the loyalty tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from staypower.config.settings import Settings
from staypower.cutoffs import Outcome
from staypower.dataset.building import Dataset
from staypower.evaluation.tier import TierEvaluation, evaluate_tiers
from staypower.labels.tier import find_tiers
from staypower.models import kinds
from staypower.models.bundle import SealedModel
from staypower.models.horizons import fit_horizons
from staypower.models.kinds import fit_kinds
from staypower.models.tier import LoyaltyTierClassifier
from staypower.models.tier_prediction import predict_tiers
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Companions", "fit_companions", "has_answers"]


@dataclass(frozen=True)
class Companions:
    """Models to be sealed beside the churn model."""

    models: Mapping[str, SealedModel] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what a reader should know: what is not predicted, and why
    tier: TierEvaluation | None = None  # the tier model on the test rows that answered


def fit_companions(dataset: Dataset, tables: Tables, settings: Settings) -> Companions:
    """Learn kinds, horizons and tier on the training and calibration rows of a data set."""
    kind, notes = fit_kinds(dataset, settings.label, settings.model)
    steps, more = fit_horizons(dataset, tables, settings.label, settings.horizons, settings.model)
    models = {**steps, **({kinds.NAME: kind} if kind is not None else {})}
    boosters, told, tier = _fit_tier(dataset, tables, settings)
    return Companions({**models, **boosters}, (*notes, *more, *told), tier)


def _fit_tier(
    dataset: Dataset, tables: Tables, settings: Settings
) -> tuple[dict[str, SealedModel], tuple[str, ...], TierEvaluation | None]:
    chosen = settings.tier
    if dataset.plan.split == "snapshot":
        return {}, ("loyalty tier: none, a snapshot has no later answers",), None
    if chosen.kind == "survey" and not has_answers(tables, chosen.instrument):
        return {}, (f"loyalty tier: none, no survey of the instrument {chosen.instrument}",), None
    outcome = Outcome(horizon=chosen.horizon)
    mature = dataset.plan.all[outcome.mature(dataset.plan.all, tables.observed_until)]
    labels = find_tiers(tables, chosen, mature)
    told = np.isin(dataset.matrix.cutoffs, mature)
    tier = np.full(len(dataset.y), -1, dtype=np.int64)
    last = tier.copy()
    rows = labels.rows(dataset.matrix.accounts[told], dataset.matrix.cutoffs[told])
    tier[told], last[told] = rows.tier, rows.last_tier
    # an answer that came after the first test cutoff was not known when the test began
    early = outcome.mature(dataset.matrix.cutoffs, int(dataset.plan.test[0]))
    taught = dataset.rows("training", "calibration") & early
    learned = taught & (tier >= 0)
    short = _shortfall(tier[learned], dataset.matrix.accounts[learned], labels.classes)
    if short:
        return {}, (f"loyalty tier: none, {short}",), None
    model = LoyaltyTierClassifier.from_settings(
        settings.model.model_copy(update={"split": "auto"}),
        classes_order=list(range(len(labels.classes))),
        embargo_days=chosen.horizon,
        categorical_features=list(dataset.matrix.categories) or None,
    )
    keys = dataset.matrix.cutoffs, dataset.matrix.accounts
    weights = np.ones(len(dataset.y)) if dataset.weights is None else dataset.weights
    model.fit(
        dataset.X[learned], tier[learned], cutoffs=keys[0][learned], accounts=keys[1][learned], sample_weight=weights[learned]
    )
    companions = model.to_secondary_models(metadata={"tiers": list(labels.classes), "tier_horizon_days": chosen.horizon})
    tested, left = dataset.rows("test") & (tier >= 0), dataset.weights
    if not tested.any():
        return companions, ("loyalty tier: nobody answered in the test",), None
    evaluation = evaluate_tiers(
        tier[tested],
        predict_tiers(companions, dataset.X[tested]),
        accounts=keys[1][tested],
        cutoffs=keys[0][tested],
        split=dataset.plan.split,
        classes=labels.classes,
        last_tier=last[tested],
        train_frequencies=_frequencies(tier[learned], None if left is None else left[learned], len(labels.classes)),
        seed=settings.model.seed,
    )
    return companions, tuple(f"loyalty tier: {note}" for note in model.notes_), evaluation


def _frequencies(tier: NDArray[np.int64], weights: NDArray[np.float64] | None, classes: int) -> NDArray[np.float64]:
    """Return the share of each tier among all answers, those of rows that were left out included."""
    counts = np.bincount(tier, weights=weights, minlength=classes)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def has_answers(tables: Tables, instrument: str) -> bool:
    """Say whether the surveys hold answers to an instrument."""
    if not tables.has("surveys", "instrument", "answered_at", "value"):
        return False
    found = pc.any(pc.equal(tables["surveys"].data.column("instrument"), instrument)).as_py()
    return bool(found)


def _shortfall(tier: NDArray[np.int64], accounts: NDArray[np.object_], classes: tuple[str, ...]) -> str:
    least = 20
    found = {name: len(set(accounts[tier == number])) for number, name in enumerate(classes)}
    few = ", ".join(f"{count} {name}" for name, count in found.items() if count < least)
    return f"too few accounts of a tier answered ({few}; {least} of each are needed)" if few else ""
