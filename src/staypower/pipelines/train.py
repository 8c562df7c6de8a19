"""Train a model: load, check, build, fit, evaluate, seal, log."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower import __version__
from staypower.cutoffs import text_of
from staypower.dataset.building import SAME_FOR_ALL, Dataset, build_dataset
from staypower.dataset.cache import MatrixCache
from staypower.dataset.sampled_tables import announcer
from staypower.evaluation import wording
from staypower.evaluation.assessment import evaluate_model
from staypower.evaluation.comparison import Comparison, unfit_because
from staypower.evaluation.result import Evaluation
from staypower.evaluation.tier import TierEvaluation, evaluate_tier_test
from staypower.explanation.learned import find_leaver_reasons
from staypower.models.bundle import Bundle, write_bundle
from staypower.models.fitting import fit_classifier, fit_secondary_models
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.models import compare_versions
from staypower.pipelines.preparing import open_to_train, scoring_options, tracker_of
from staypower.progress import Progress
from staypower.reporting.card import write_card
from staypower.results.numbers import plural
from staypower.results.result import Block, Heading, Items, Result, Verbatim
from staypower.scoring.ranges import Beyond, beyond_to_plain, beyond_training, beyond_words
from staypower.scoring.sealing import seal
from staypower.tables import fingerprint
from staypower.tracking.runs import log_comparison, log_data, log_evaluation, log_tier
from staypower.tracking.tracker import ModelVersion, Tracker

if TYPE_CHECKING:
    from staypower.config.settings import Settings
    from staypower.results.pictures import Picture

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True)
class TrainResult(Result):
    """A trained model with its evaluation, and where both are.

    Parameters
    ----------
    evaluation : Evaluation
        On the test rows.
    dataset : Dataset
    bundle : Bundle
    registered : ModelVersion
        Version, whether it became the champion, and the folder of the sealed bundle.
    run_id : str
    how : str
        How tree count and calibration were found.
    warnings : tuple of str
        What a reader should know first.
    tier : TierEvaluation or None
        The loyalty tier on the test rows that answered.
    comparison : Comparison or None
        With the champion on the same later cutoffs, when another version is champion.
    """

    evaluation: Evaluation
    dataset: Dataset
    bundle: Bundle
    registered: ModelVersion
    run_id: str
    how: str
    warnings: tuple[str, ...]
    tier: TierEvaluation | None = None
    comparison: Comparison | None = None

    def blocks(self) -> list[Block]:
        """Return the evaluation, what the model was trained on, and where it is."""
        # what the model is not better than comes before anything else
        headline, *tables = wording.blocks(self.evaluation, slices=False)
        shown = [headline, Items([*self.warnings, *self._facts()]), *tables]
        if self.tier is not None:
            shown += [Heading("Loyalty tier"), *self.tier.blocks()]
        champion = "the champion: `staypower score` uses it" if self.registered.champion else self.registered.note
        shown.append(f"Model {self.bundle.metadata['name']}, version {self.registered.version}: {champion}")
        if self.comparison is not None:
            shown += [*self.comparison.blocks(), self.comparison.outlook]
        return [*shown, Verbatim([f"bundle: {self.registered.folder}", f"run: {self.run_id}"])]

    def _facts(self) -> list[str]:
        """Say how rows were split, and what the model was trained on and what not."""
        plan, rows = self.dataset.plan, self.dataset.part("training", "calibration")
        first, last = text_of(int(plan.all[0])), text_of(plan.trained_until)
        when = f"at {first}" if first == last else f"{first} to {last}"
        size = f"{plural(len(rows), 'row')} of {plural(rows.distinct_accounts, 'account')}"
        unused = [name for name, why in self.dataset.catalogue.left_out.items() if why == SAME_FOR_ALL]
        more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
        return [
            f"Split: {plan.words}",
            f"Trained on {size}, {when}, {plural(len(self.dataset.catalogue.names), 'feature')}",
            *([f"Sample: {self.dataset.sampling}"] if self.dataset.sampling.is_on else []),
            *([f"Not used: {', '.join(unused[:3])}{more} ({SAME_FOR_ALL})"] if unused else []),
            f"Fit: {self.how}",
            *(f"At the test, {words}" for words in beyond_words(self._beyond())),
        ]

    def _beyond(self) -> tuple[Beyond, ...]:
        """Count the test rows beyond the range of the training rows."""
        return beyond_training(self.bundle.learned, self.dataset.part("test").X)

    def frame(self) -> pd.DataFrame:
        """Return the metrics of the model and its baselines on the test rows."""
        return self.evaluation.frame()

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the evaluation."""
        return self.evaluation.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.bundle.metadata["name"],
            "version": self.registered.version,
            "champion": self.registered.champion,
            "bundle": str(self.registered.folder),
            "digest": self.bundle.digest,
            "run_id": self.run_id,
            "split": self.dataset.plan.to_dict(),
            "sampling": self.dataset.sampling.to_dict(),
            "population": self.dataset.labels.frame().to_dict("records"),
            "features": list(self.dataset.catalogue.names),
            "left_out": dict(self.dataset.catalogue.left_out),
            "warnings": list(self.warnings),
            "beyond_training": beyond_to_plain(self._beyond()),
            "evaluation": self.evaluation.to_dict(),
            "tier": None if self.tier is None else self.tier.to_dict(),
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
        }


def train(
    settings: SettingsLike, tables: TablesLike = None, *, as_of: Moment = None, progress: Progress | None = None
) -> TrainResult:
    """Train, evaluate, track and register a model; as `staypower train`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    as_of : str, date or datetime, optional
        Rows that arrived later than this day or time are set aside.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    TrainResult

    Raises
    ------
    UsageError
        When the settings or tables cannot be used; every problem at once.
    """
    settings, progress = settings_from(settings), progress_from(progress)
    until, tables = instant_from("as_of", as_of, end=True), tables_from(settings, tables, progress)
    tables, sampling = open_to_train(settings, progress=progress, as_of=until, tables=tables)
    data = fingerprint(tables)
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            cache=MatrixCache(settings.output_folder / "cache", data),
            need=("training", "test"),
            least_churners=settings.model.min_churners,
            threads=settings.model.threads or 2,
            sampling=sampling,
            announce=announcer(settings.engine.memory_bytes, progress),
        )
    tracker = tracker_of(settings)
    with tracker.run("train", tags={"split": dataset.plan.split}) as run:
        with progress.step("fitting"):
            model = fit_classifier(dataset, settings.model)
        with progress.step("evaluating on later cutoffs" if dataset.plan.split != "snapshot" else "evaluating"):
            evaluation = evaluate_model(
                dataset,
                model.predict_proba(dataset.part("test").X, dataset.part("test").accounts)[:, 1],
                tables,
                label=settings.label,
                features=settings.features,
                evaluation=settings.evaluation,
                costs=settings.costs,
                portfolio=settings.portfolio,
                capacity=settings.capacity,
                seed=settings.model.seed,
                threads=settings.model.threads or 2,
            )
            importance = dict(zip(dataset.catalogue.names, map(float, model.feature_importances_), strict=True))
            evaluation = replace(evaluation, importance=importance)
        with progress.step("fitting kinds, horizons and tier"):
            secondary = fit_secondary_models(
                dataset,
                tables,
                label=settings.label,
                horizons=settings.horizons,
                tier=settings.tier,
                settings=settings.model,
            )
            tier = evaluate_tier_test(secondary.tier_test, split=dataset.plan.split, seed=settings.model.seed)
        bundle = seal(
            *(model, dataset, evaluation),
            name=settings.name,
            label=settings.label,
            compare_by=settings.explanation.compare_by,
            run_id=run.run_id,
            data=data,
        )
        leavers, found = find_leaver_reasons(model, dataset, tables, settings.label, settings.explanation)
        notes = (*model.notes_, *secondary.notes, *found)
        card = write_card(
            *(evaluation, dataset, tables),
            name=settings.name,
            owner=settings.owner,
            label=settings.label,
            features=settings.features,
            fit=model.split_,
            data=data,
            made_at=datetime.now(UTC),
            version=__version__,
            tier=tier,
            notes=notes,
        )
        learned = {**bundle.learned, "reasons": {"leavers": None if leavers is None else leavers.to_dict()}}
        bundle = replace(bundle, secondary={**bundle.secondary, **secondary.models}, card=card, learned=learned)
        with progress.step("logging the run and the model"), tempfile.TemporaryDirectory() as scratch:
            log_data(run, settings.to_dict(), dataset, data=data)
            log_evaluation(run, evaluation, scratch=Path(scratch))
            log_tier(run, tier)
            folder = Path(scratch) / "bundle"
            digest = write_bundle(bundle, folder)
            run.log_model(bundle, folder, digest, **_choices(settings, bundle))
            registered = _register(tracker, folder, digest, run.run_id, dataset, evaluation, lacking=model.lacking_)
        against, now = None, tracker.champion()
        if now is not None and not registered.champion:
            with progress.step("comparing with the champion"):
                against = compare_versions(settings, tables, registered.version, now.version, data=data)
            log_comparison(run, against)
    return TrainResult(evaluation, dataset, bundle, registered, run.run_id, model.split_, notes, tier, against)


def _choices(settings: Settings, bundle: Bundle) -> dict[str, Any]:
    """Return what a served model needs of the settings; it is given features, and no prior of a scoring run."""
    unshifted = replace(scoring_options(settings, bundle), prior=None)
    return {
        "reasons": settings.output.reasons,
        "told": settings.tier.told,
        "abstain_below": settings.tier.abstain_below,
        "high_above": unshifted.high_above(bundle),
    }


def _register(
    tracker: Tracker, folder: Path, digest: str, run_id: str, dataset: Dataset, evaluation: Evaluation, *, lacking: str
) -> ModelVersion:
    """Register the sealed model with what it was trained on, and whether it can be promoted automatically."""
    training, test, plan = dataset.part("training", "calibration"), dataset.part("test"), dataset.plan
    facts = {
        "learned_from": f"{text_of(int(plan.all[0]))} to {text_of(plan.trained_until)}",
        "learned_rows": f"{plural(len(training), 'row')} of {plural(training.distinct_accounts, 'account')}",
        "tested_at": " to ".join(dict.fromkeys(text_of(int(plan.test[at])) for at in (0, -1))),
        "tested_rows": f"{plural(len(test), 'row')} of {plural(test.distinct_accounts, 'account')}",
    }
    unfit = unfit_because(evaluation, churned_accounts=test.churned.distinct_accounts, lacking=lacking)
    metrics = dict(evaluation.metrics())
    return tracker.register(folder, digest, run_id, metrics, split=plan.split, facts=facts, unfit=unfit)
