"""Learn a model: load, check, build, fit, evaluate, seal, log."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower import __version__
from staypower.config import Settings
from staypower.cutoffs import instant_of, text_of
from staypower.dataset import SAME_FOR_ALL, Dataset, MatrixCache, build_dataset
from staypower.evaluation import Evaluation, TierEvaluation
from staypower.explanation import learn_usual_values
from staypower.metrics.risk import RiskReference
from staypower.models import Bundle, ChurnClassifier, write_bundle
from staypower.pipelines.card import write_card
from staypower.pipelines.companions import fit_companions
from staypower.pipelines.judging import judge
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.logging import log_data, log_evaluation, log_tier
from staypower.progress import Progress
from staypower.sources import fingerprint
from staypower.tables import Tables
from staypower.tracking import ModelVersion, Tracker

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TrainResult", "fit_classifier", "run_train", "seal"]


@dataclass(frozen=True)
class TrainResult:
    """What training made.

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
    """

    evaluation: Evaluation
    dataset: Dataset
    bundle: Bundle
    registered: ModelVersion
    run_id: str
    how: str
    warnings: tuple[str, ...]
    tier: TierEvaluation | None = None

    def text(self) -> str:
        """Return the summary."""
        plan, learnt = self.dataset.plan, self.dataset.rows("training", "calibration")
        name = self.bundle.metadata["name"]
        champion = "the champion: `staypower score` uses it" if self.registered.champion else self.registered.note
        first, last = text_of(int(plan.all[0])), text_of(plan.learnt_until)
        when = f"at {first}" if first == last else f"{first} to {last}"
        lines = [
            *self.warnings,
            f"split: {plan.words}",
            f"learnt from {learnt.sum():,} rows of {len(set(self.dataset.matrix.accounts[learnt])):,} accounts, "
            f"{when}, {len(self.dataset.catalogue.names)} features",
            *self._constants(),
            f"model: {self.how}",
            "",
            self.evaluation.text(groups=False),
            *(("", "Loyalty tier", self.tier.text()) if self.tier else ()),
            "",
            f"model {name}, version {self.registered.version}: {champion}",
            f"bundle: {self.registered.folder}",
            f"run: {self.run_id}",
        ]
        return "\n".join(lines)

    def _constants(self) -> list[str]:
        """Name features that the tables allow and the model does not get."""
        names = [name for name, why in self.dataset.catalogue.left_out.items() if why == SAME_FOR_ALL]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return [f"not learnt from: {', '.join(names[:3])}{more} ({SAME_FOR_ALL})"] if names else []

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
            "population": self.dataset.labels.frame().to_dict("records"),
            "features": list(self.dataset.catalogue.names),
            "left_out": dict(self.dataset.catalogue.left_out),
            "warnings": list(self.warnings),
            "evaluation": self.evaluation.to_dict(),
            "tier": None if self.tier is None else self.tier.to_dict(),
        }


def run_train(settings: Settings, *, progress: Progress, as_of: str | None = None, tables: Tables | None = None) -> TrainResult:
    """Train, evaluate, track and register a model.

    Parameters
    ----------
    settings : Settings
    progress : Progress
    as_of : str, optional
        Date or time; what arrived later is set aside.
    tables : Tables, optional
        Tables read before; by default those of the settings are read.

    Returns
    -------
    TrainResult

    Raises
    ------
    UsageError
        When the tables or the settings allow no model; nothing is left half-written.
    """
    if tables is None:
        until = None if as_of is None else instant_of(as_of, end=True)
        tables, findings = load_tables(settings, progress=progress, as_of=until)
        refuse_errors(findings)
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
        )
    learnt, test = dataset.rows("training", "calibration"), dataset.rows("test")
    tracker = Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
    with tracker.run("train", tags={"split": dataset.plan.split}) as run:
        with progress.step("fitting"):
            model = fit_classifier(dataset, settings)
        with progress.step("evaluating on later cutoffs" if dataset.plan.split != "snapshot" else "evaluating"):
            evaluation = judge(dataset, model.predict_proba(dataset.X[test])[:, 1], settings)
        with progress.step("fitting kinds, horizons and tier"):
            beside = fit_companions(dataset, tables, settings)
        bundle = seal(model, dataset, settings, evaluation, run_id=run.run_id, data=data)
        bundle = replace(bundle, companions=beside.models)
        with progress.step("logging the run and the model"), tempfile.TemporaryDirectory() as scratch:
            log_data(run, settings, dataset, data=data)
            log_evaluation(run, evaluation, importances=_importances(model, dataset), scratch=Path(scratch))
            log_tier(run, beside.tier)
            folder = Path(scratch) / "bundle"
            digest = write_bundle(bundle, folder)
            example = dataset.X[learnt].head(5)
            run.log_model(model.booster_, example, bundle=folder)
            metrics = dict(evaluation.metrics())
            registered = tracker.register(folder, digest, run.run_id, metrics, split=dataset.plan.split)
    notes = (*model.notes_, *beside.notes)
    return TrainResult(evaluation, dataset, bundle, registered, run.run_id, model.split_, notes, beside.tier)


def fit_classifier(dataset: Dataset, settings: Settings) -> ChurnClassifier:
    """Fit the churn classifier on the training and calibration rows of a data set."""
    learnt = dataset.rows("training", "calibration")
    plan, chosen = dataset.plan, settings.model
    split = "temporal" if plan.split == "temporal" else "grouped"
    if chosen.split == "auto":
        chosen = chosen.model_copy(update={"split": split})
    if plan.split == "temporal":
        chosen = chosen.model_copy(update={"calibration_cutoffs": len(plan.calibration)})
    model = ChurnClassifier.from_settings(
        chosen, embargo_days=plan.embargo, categorical_features=list(dataset.matrix.categories) or None
    )
    return model.fit(
        dataset.X[learnt],
        dataset.y[learnt],
        cutoffs=dataset.matrix.cutoffs[learnt],
        accounts=dataset.matrix.accounts[learnt],
    )


def seal(
    model: ChurnClassifier, dataset: Dataset, settings: Settings, evaluation: Evaluation, *, run_id: str, data: str
) -> Bundle:
    """Put everything that scoring needs into a bundle."""
    learnt, plan = dataset.rows("training", "calibration"), dataset.plan
    # the whole population of the latest cutoff: no score depends on who else is in its batch
    last = dataset.matrix.cutoffs == plan.all[-1]
    usual = learn_usual_values(dataset.X[learnt], dataset.matrix.cutoffs[learnt], dataset.matrix.categories)
    metadata = {
        "name": settings.name,
        "staypower": __version__,
        "run_id": run_id,
        "data_fingerprint": data,
        "label": settings.label.model_dump(mode="json"),
        "horizon_days": settings.label.horizon,
        "base_rate": float(dataset.y[learnt].mean()),
        "risk_reference": RiskReference.of(model.predict_proba(dataset.X[last])[:, 1]).to_dict(),
        "cutoffs": plan.to_dict(),
        "fit": model.split_,
        "metrics": dict(evaluation.metrics()),
    }
    return model.to_bundle(
        categories={name: dict(dataset.catalogue.codes.get(name, {})) for name in dataset.matrix.categories},
        learnt={"catalogue": dataset.catalogue.to_dict(), "usual": usual.to_dict()},
        metadata=metadata,
        card=write_card(settings, dataset, evaluation, fit=model.split_),
    )


def _importances(model: ChurnClassifier, dataset: Dataset) -> dict[str, float]:
    values: NDArray[np.float64] = np.asarray(model.feature_importances_, dtype=np.float64)
    return dict(zip(dataset.catalogue.names, values.tolist(), strict=True))
