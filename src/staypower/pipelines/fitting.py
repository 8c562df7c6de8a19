"""Fit the model of a config from its tables, with its evaluation: what `train` seals, and what `models verify` makes again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staypower import __version__
from staypower.checking.checks import suspected_leaks
from staypower.dataset.all_rows import AllRows, AllTables
from staypower.dataset.building import Dataset, build_dataset
from staypower.dataset.cache import MatrixCache
from staypower.dataset.sampled_tables import Drawn, announcer, require_held
from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate_model
from staypower.evaluation.result import Evaluation
from staypower.evaluation.tier import TierEvaluation, evaluate_tier_test
from staypower.explanation.learned import find_leaver_reasons
from staypower.gate.facts import GATE, find_facts, find_missing
from staypower.models.age import ModelAge
from staypower.models.agreement import GROWN_ON
from staypower.models.bundle import Bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.fitting import fit_classifier, fit_on_all, fit_to_score, rows_to_score, secondary_models_begun
from staypower.models.side_by_side import cores
from staypower.pipelines.preparing import facts_of
from staypower.progress import Progress
from staypower.reporting.card import write_card
from staypower.results.numbers import plural
from staypower.scoring.sealing import seal
from staypower.sources.findings import Finding
from staypower.tables import fingerprint

if TYPE_CHECKING:
    from staypower.config.settings import Settings
    from staypower.models.settings import ModelSettings

__all__ = ["Fitted", "fit_model"]

# hardly any company is as predictable as this
_TOO_GOOD = 0.99
# what the model is compared with where its trees grew on all rows
_SAMPLED = "trees of the sample"
_FEW_CORES, _MANY = 2, 20_000_000  # values of a matrix that fills more cores than these


@dataclass(frozen=True)
class Fitted:
    """A model that is not sealed yet, and what it was found from."""

    bundle: Bundle
    data: str  # fingerprint of the tables
    dataset: Dataset
    learned_from: Dataset  # the rows of the model that scores
    twin: ChurnClassifier  # the model that was evaluated
    evaluation: Evaluation
    tier: TierEvaluation | None
    notes: tuple[str, ...]
    suspicions: tuple[str, ...]
    grown_on: str = ""  # how many rows the trees that score grew on, where that is more than a sample


def fit_model(settings: Settings, drawn: Drawn, *, cache: Path, progress: Progress) -> Fitted:
    """Build features and labels, fit, and evaluate on later cutoffs; matrices are kept in the folder `cache`."""
    tables, sampling, data = drawn.tables, drawn.sampling, fingerprint(drawn.tables)
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            cache=MatrixCache(cache, data),
            need=("training", "test"),
            least_churners=settings.model.min_churners,
            threads=settings.model.threads or 2,
            sampling=sampling,
            announce=announcer(settings.engine.memory_to_learn, progress, cache),
            between=settings.model.refit == "all",
        )
    every = None if drawn.whole is None else _all_rows(drawn.whole, dataset, settings, progress)
    learned_from = rows_to_score(dataset, settings.model)
    shared = _halved(settings.model)
    with secondary_models_begun(
        *(dataset, tables),
        label=settings.label,
        horizons=settings.horizons,
        tier=settings.tier,
        settings=shared,
        # beside other fits LightGBM takes one thread, which is too few for all rows and for what fills many cores
        alone=settings.model.threads == 1
        or every is not None
        or (cores() > _FEW_CORES and dataset.matrix.features.size > _MANY),
    ) as finish_secondary:
        with progress.step("fitting"):
            sampled = fit_classifier(dataset, shared)
            twin = sampled if every is None else fit_on_all(dataset, sampled, every)
        with progress.step("evaluating on later cutoffs" if dataset.plan.split != "snapshot" else "evaluating"):
            test = dataset.part("test")
            evaluation = evaluate_model(
                dataset,
                twin.predict_proba(test.X, test.accounts)[:, 1],
                facts_of(test, tables, settings),
                variants={} if every is None else {_SAMPLED: sampled.predict_proba(test.X)[:, 1]},
                known=None if every is None else _labelled_in_training(dataset),
                costs=settings.costs,
                capacity=settings.capacity,
                bootstrap=settings.evaluation.bootstrap,
                seed=settings.model.seed,
            )
            importance = dict(zip(dataset.catalogue.names, map(float, twin.feature_importances_), strict=True))
            evaluation = replace(evaluation, importance=importance)
        with progress.step("fitting the model that scores, on all labelled cutoffs"):
            scoring = fit_to_score(dataset, twin, shared, every=every)
        with progress.step("fitting kinds, horizons and tier"):
            secondary = finish_secondary()
            tier = evaluate_tier_test(secondary.tier_test, split=dataset.plan.split, seed=settings.model.seed)
    bundle = seal(
        *(scoring, twin, dataset, learned_from, evaluation),
        name=settings.name,
        label=settings.label,
        compare_by=settings.explanation.compare_by,
        data=data,
    )
    leavers, found = find_leaver_reasons(scoring.model, learned_from, tables, settings.label, settings.explanation)
    leaks = suspected_leaks(tables, dataset.labels.latest(), settings.label.hidden)
    suspicions = (*_suspicions(evaluation, leaks), *_better_sampled(evaluation))
    age, notes = ModelAge.of(bundle), (*twin.notes_, *secondary.notes, *found)
    card = write_card(
        *(evaluation, dataset, tables),
        name=settings.name,
        owner=settings.owner,
        label=settings.label,
        features=settings.features,
        fit=twin.split_,
        age=age,
        data=data,
        version=__version__,
        tier=tier,
        notes=(*suspicions, *notes),
    )
    with progress.step("describing the data for the gate"):
        everyday = learned_from.where(learned_from.rows("training", "calibration") & learned_from.drawn)
        gate = find_facts(tables, settings.label, find_missing(everyday.X, everyday.cutoffs))
    reasons = {"leavers": None if leavers is None else leavers.to_dict()}
    learned = {**bundle.learned, "reasons": reasons, GATE: gate.to_dict()}
    grown_on = "" if every is None else f"{plural(len(every), 'row')} of {plural(every.accounts, 'account')}"
    metadata = {**bundle.metadata, **({GROWN_ON: grown_on} if grown_on else {})}
    secondaries = {**bundle.secondary, **secondary.models}
    bundle = replace(bundle, secondary=secondaries, card=card, learned=learned, metadata=metadata)
    return Fitted(bundle, data, dataset, learned_from, twin, evaluation, tier, notes, suspicions, grown_on)


def _halved(settings: ModelSettings) -> ModelSettings:
    """Return the settings with half the threads: the churn model and the secondary ones are fitted beside each other."""
    return settings if settings.threads is None else settings.model_copy(update={"threads": max(1, settings.threads // 2)})


def _all_rows(whole: AllTables, dataset: Dataset, settings: Settings, progress: Progress) -> AllRows:
    """Build every labelled row of what a sample was drawn from."""
    fix = "leave `sampling.grow_on` out: the trees then grow on the sample"
    if dataset.plan.split == "snapshot":
        raise UsageError.of("trees cannot grow on all rows", "a snapshot, which is scored by the trees of its folds", fix)
    if settings.model.refit == "none":
        fix = f"{fix}; or choose `model.refit: all`"
        raise UsageError.of("trees cannot grow on all rows", "model.refit: none, which keeps trees of the earlier cutoffs", fix)
    require_held(dataset, settings.engine.memory_bytes, progress)
    with progress.step("building the rows of all accounts"):
        return whole.rows_like(dataset, settings.label)


def _labelled_in_training(dataset: Dataset) -> list[str]:
    """Return the accounts with a label at a training cutoff, whether their rows were drawn or not."""
    there = np.isin(dataset.plan.all, np.concatenate([dataset.plan.training, dataset.plan.calibration]))
    labels = dataset.labels
    known = (labels.churned[:, there] >= 0).any(axis=1)
    return [labels.population.accounts[at] for at in np.flatnonzero(known).tolist()]


def _better_sampled(evaluation: Evaluation) -> tuple[str, ...]:
    """Say where trees of the sample alone foretell the later cutoffs clearly better than those of all rows."""
    if _SAMPLED not in evaluation.variants:
        return ()
    own, other = (evaluation.scorers[name]["log_loss"].value for name in (evaluation.model, _SAMPLED))
    more = evaluation.differences[_SAMPLED]["log_loss"]
    if not more.low > 0:
        return ()
    return (
        f"Trees of the sample alone foretell the later cutoffs better: log loss {other:.4f} against {own:.4f} of trees of all "
        f"rows ({more.low:.4f} to {more.high:.4f} less). Fix: leave `sampling.grow_on` out.",
    )


def _suspicions(evaluation: Evaluation, leaks: Iterable[Finding]) -> tuple[str, ...]:
    """Say what looks like a leak."""
    found = [f"Suspected leak: {leak.place} {leak.problem}: {leak.meaning}. Fix: {leak.fix}." for leak in leaks]
    ranking = evaluation.scorers[evaluation.model]["auroc"]
    if ranking.known and ranking.value > _TOO_GOOD:
        found.append(
            f"AUROC {ranking.value:.4f} is too good to be true: some column most likely holds the outcome. `staypower check` "
            "and `staypower audit` look for it; look at the features of the highest importance first."
        )
    return tuple(found)
