"""Fit models to a data set: the churn model, and the secondary models that are sealed with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.cutoffs import Outcome
from staypower.dataset.building import Dataset
from staypower.features.families.surveys import tells_answers
from staypower.labels.settings import LabelSettings
from staypower.labels.tier import find_survey_state, find_tiers
from staypower.labels.tier_settings import TierSettings, Told
from staypower.labels.tier_signs import has_answers
from staypower.models.bundle import SealedModel
from staypower.models.churn import ChurnClassifier
from staypower.models.refitting import Refitted, grow_on_all, refit, refit_on_all, refit_tier
from staypower.models.secondary import KINDS, fit_kinds, horizons_to_fit
from staypower.models.settings import HorizonSettings, ModelSettings
from staypower.models.side_by_side import begun
from staypower.models.silence import Silence, find_silence
from staypower.models.tier import LoyaltyTierClassifier
from staypower.models.tier_prediction import predict_tiers
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.dataset.all_rows import AllRows

__all__ = [
    "SecondaryModels",
    "TierTest",
    "calibrated_base_rate",
    "fit_classifier",
    "fit_on_all",
    "fit_to_score",
    "rows_to_score",
    "secondary_models_begun",
]

# with fewer accounts of a tier, no tier is predicted
_LEAST_OF_A_TIER = 20
# half as many trees in larger steps, and no larger shapes tried, give secondary outputs as good as small steps do
_STEPS_OF_SECONDARY = 0.04


def fit_classifier(dataset: Dataset, settings: ModelSettings, rows: NDArray[np.bool_] | None = None) -> ChurnClassifier:
    """Fit the churn classifier on the training and calibration rows of a data set, or on some of them."""
    trained = dataset.part("training", "calibration")
    if rows is not None:
        trained = trained.where(rows[trained.index])
    plan, chosen = dataset.plan, settings
    if chosen.split == "auto" and plan.split != "temporal":
        chosen = chosen.model_copy(update={"split": "grouped"})
    model = ChurnClassifier.from_settings(
        chosen,
        embargo_days=plan.embargo,
        # where the later cutoffs hold too few churners to calibrate on, `auto` cross-fits over accounts instead
        calibration_cutoffs=len(plan.calibration) if plan.split == "temporal" else None,
        categorical_features=list(dataset.matrix.categories) or None,
    )
    # what is scored may be the very outcome that was learned: no trees that saw it score the account
    keep_folds = plan.split == "snapshot"
    model.fit(trained.X, trained.y, cutoffs=trained.cutoffs, accounts=trained.accounts, keep_folds=keep_folds)
    # the sample left out stayers, so all odds are too high by the share kept where the calibration map was fitted
    temporal = model.split_.startswith("temporal")
    kept = dataset.stayers_kept("calibration") if temporal else dataset.stayers_kept("training", "calibration")
    return model.correct_odds(float(np.log(kept)))


def fit_on_all(dataset: Dataset, sampled: ChurnClassifier, every: AllRows) -> ChurnClassifier:
    """Give a classifier that was fitted to rows that were drawn trees of every row at the same cutoffs."""
    trained, kept = dataset.part("training", "calibration"), dataset.stayers_kept("training", "calibration")
    there = every.at(np.concatenate([dataset.plan.training, dataset.plan.calibration]))
    return grow_on_all(sampled, trained, there, kept=kept)


def rows_to_score(dataset: Dataset, settings: ModelSettings) -> Dataset:
    """Return the data set as the model that scores is trained on it: with the test's rows, or as it is."""
    return dataset.for_scoring() if settings.refit == "all" else dataset


def fit_to_score(dataset: Dataset, twin: ChurnClassifier, settings: ModelSettings, *, every: AllRows | None = None) -> Refitted:
    """Grow the model that scores, on all labelled cutoffs; the twin that was evaluated itself where the settings say so."""
    blind = dataset.plan.split == "snapshot" and not twin.folds_  # no trees could score an account that they do not know
    if settings.refit != "all" or blind:
        return Refitted(twin)
    whole, trained = dataset.for_scoring(), dataset.part("training", "calibration")
    rows, rows_per_account = whole.part("training", "calibration"), len(trained) / trained.distinct_accounts
    if every is None:
        return refit(twin, rows, dataset.plan.test, rows_per_account=rows_per_account)
    kept = whole.stayers_kept("training", "calibration")
    return refit_on_all(twin, rows, dataset.plan.test, rows_per_account=rows_per_account, every=every, kept=kept)


def calibrated_base_rate(dataset: Dataset) -> float:
    """Return the share that churned among the rows that the calibration map was fitted to: what the probabilities add up to."""
    if dataset.rows("calibration").any():
        return dataset.base_rate("calibration")
    return dataset.base_rate("training", "calibration")


@dataclass(frozen=True)
class TierTest:
    """Predicted tiers of the test rows that have one, and what it takes to evaluate them."""

    classes: tuple[str, ...]  # from worst to best
    tier: NDArray[np.int64]  # shape (n,): position in `classes`
    probabilities: NDArray[np.float64]  # shape (n, classes)
    last_tier: NDArray[np.int64]  # shape (n,): of the last answer before the cutoff, -1 where there is none
    accounts: NDArray[np.object_]  # shape (n,)
    cutoffs: NDArray[np.int64]  # shape (n,)
    train_frequencies: NDArray[np.float64]  # share of each tier among the training rows
    told: Told = "median"  # which tier is told


@dataclass(frozen=True)
class SecondaryModels:
    """Models to be sealed with the churn model."""

    models: Mapping[str, SealedModel]
    notes: tuple[str, ...]  # what is not predicted, and why
    tier_test: TierTest | None


@contextmanager
def secondary_models_begun(
    dataset: Dataset,
    tables: BucketedTables,
    *,
    label: LabelSettings,
    horizons: HorizonSettings,
    tier: TierSettings,
    settings: ModelSettings,
    alone: bool = False,
) -> Iterator[Callable[[], SecondaryModels]]:
    """Begin to fit kinds of churn, other horizons and tier beside what the block does; it is given what finishes them.

    They are fitted on the rows of the model that scores; the tier's test is of its twin. Tables are read before that. Where
    the block is to be `alone`, they are fitted when they are to be finished.
    """
    scoring = rows_to_score(dataset, settings)
    if settings.learning_rate is None:
        settings = settings.model_copy(update={"learning_rate": _STEPS_OF_SECONDARY})
    steps, step_notes = horizons_to_fit(scoring, tables, label, horizons, settings)
    # what a tier is read from is little beside the matrix; nothing is read where a snapshot has no tier
    shown = tables.empty if dataset.plan.split == "snapshot" else tables.together(tier.tables_read)
    # those that take longest come first: the later steps have all rows, kinds only churned ones
    jobs: list[Callable[[], Any]] = [_tier_to_fit(dataset, shown, tier, settings), *reversed(steps)]
    jobs.append(partial(fit_kinds, scoring, label, settings))
    with begun(jobs, alone=alone) as results:

        def finish() -> SecondaryModels:
            (tiers, tier_notes, tier_test), *fitted, (kind, kind_notes) = results()
            models = {name: sealed for name, sealed, _ in reversed(fitted)}
            models |= {**({} if kind is None else {KINDS: kind}), **tiers}
            more = [note for *_, notes in reversed(fitted) for note in notes]
            told = [f"loyalty tier: {note}" for note in tier_notes]
            return SecondaryModels(models, (*kind_notes, *step_notes, *more, *told), tier_test)

        yield finish


FittedTier = tuple[Mapping[str, SealedModel], list[str], TierTest | None]


def _tier_to_fit(dataset: Dataset, tables: Tables, tier: TierSettings, settings: ModelSettings) -> Callable[[], FittedTier]:
    """Read what a tier is from tables, and return what fits it."""
    if dataset.plan.split == "snapshot":
        return lambda: ({}, ["not predicted, a snapshot has no later answers"], None)
    if tier.kind == "survey" and not has_answers(tables, tier.instrument):
        return lambda: ({}, [f"not predicted, there are no answers to {tier.instrument} surveys"], None)
    found = _tiers_of(dataset, tables, tier)
    invited = _invited(dataset, tables, tier) if tier.kind == "survey" else None
    return partial(_fit_tier, dataset, *found, invited, tier, settings)


def _fit_tier(
    dataset: Dataset,
    tiers: NDArray[np.int64],
    last_tiers: NDArray[np.int64],
    invited: NDArray[np.bool_] | None,
    tier: TierSettings,
    settings: ModelSettings,
) -> FittedTier:
    known = tiers >= 0
    # an answer that came after the first test cutoff was not known when the test began
    early = Outcome(horizon=tier.horizon).mature(dataset.matrix.cutoffs, int(dataset.plan.test[0]))
    trained = dataset.where(dataset.rows("training", "calibration") & early & known)
    short = _shortfall(tiers[trained.index], trained.accounts, tier.classes)
    if short:
        return {}, [f"not predicted, {short}"], None
    model = LoyaltyTierClassifier.from_settings(
        settings.model_copy(update={"split": "auto"}),
        classes_order=list(range(len(tier.classes))),
        embargo_days=tier.horizon,
        categorical_features=list(dataset.matrix.categories) or None,
    )
    weights = np.ones(len(trained)) if trained.weights is None else trained.weights
    model.fit(*(trained.X, tiers[trained.index]), cutoffs=trained.cutoffs, accounts=trained.accounts, sample_weight=weights)
    scoring = model
    if settings.refit == "all":
        whole = dataset.for_scoring()
        kept = whole.where(whole.rows("training", "calibration") & known)
        scoring = refit_tier(model, kept, tiers[kept.index], rows_per_account=len(trained) / trained.distinct_accounts)
    silence = Silence.none()
    if invited is not None:
        asked = dataset.where(dataset.rows("training", "calibration") & early & invited)
        columns = [dataset.catalogue.names.index(name) for name in tells_answers(dataset.catalogue)]
        silence = find_silence(
            *(model._features(asked.X), tiers[asked.index], asked.accounts),
            answers=columns,
            seed=settings.seed,
            threads=model._threads(),
        )
    sealed = {"tiers": list(tier.classes), "tier_horizon_days": tier.horizon, "silence": silence.to_dict()}
    models = scoring.to_secondary_models(metadata=sealed)
    tested = dataset.where(dataset.rows("test") & known)
    if not len(tested):
        return models, ["not evaluated, there are no answers in the test period"], None
    counts = np.bincount(tiers[trained.index], weights=weights, minlength=len(tier.classes))
    found = TierTest(
        classes=tier.classes,
        tier=tiers[tested.index],
        probabilities=predict_tiers(model.to_secondary_models(metadata=sealed), tested.X),
        last_tier=last_tiers[tested.index],
        accounts=tested.accounts,
        cutoffs=tested.cutoffs,
        train_frequencies=counts / counts.sum(),
        told=tier.told,
    )
    names = {f"above {number}:": f"above {name}:" for number, name in enumerate(tier.classes)}
    notes = [reduce(lambda words, name: words.replace(*name), names.items(), note) for note in model.notes_]
    return models, [*notes, *silence.words()], found


def _invited(dataset: Dataset, tables: Tables, tier: TierSettings) -> NDArray[np.bool_]:
    """Say which rows are of accounts that had been invited to a survey."""
    state = find_survey_state(tables, tier, tables.account_ids, dataset.plan.all)
    account, cutoff = dataset.places(state.accounts, state.cutoffs)
    return state.ever_invited[account, cutoff]


def _tiers_of(dataset: Dataset, tables: Tables, tier: TierSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the tier of every row and that of the last answer before; -1 where there is none, or the horizon is not complete."""
    cutoffs = dataset.plan.all[Outcome(horizon=tier.horizon).mature(dataset.plan.all, tables.observed_until)]
    mature = dataset.where(np.isin(dataset.matrix.cutoffs, cutoffs))
    found = np.full((2, len(dataset.y)), -1, dtype=np.int64)
    found[:, mature.index] = find_tiers(tables, tier, cutoffs).rows(mature.accounts, mature.cutoffs)
    return found[0], found[1]


def _shortfall(tier: NDArray[np.int64], accounts: NDArray[np.object_], classes: tuple[str, ...]) -> str:
    found = {name: len(set(accounts[tier == number])) for number, name in enumerate(classes)}
    few = ", ".join(f"{count} {name}" for name, count in found.items() if count < _LEAST_OF_A_TIER)
    return f"too few accounts of a tier answered ({few}; {_LEAST_OF_A_TIER} of each are needed)" if few else ""
