"""Measure a sealed model on the later cutoffs of the data as they are now."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.dataset.building import Dataset, build_dataset
from staypower.dataset.cache import MatrixCache
from staypower.dataset.pairs import is_test_account
from staypower.dataset.sampling import Sampling
from staypower.errors import UsageError
from staypower.evaluation.result import Evaluation, TableName
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_labels
from staypower.models.agreement import require_same_label, require_what_is_read
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    model_from,
    prior_from,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.judging import judge
from staypower.pipelines.logging import log_data, log_evaluation
from staypower.pipelines.sampling import announcer, open_to_learn
from staypower.progress import Progress
from staypower.reporting.plots import plot_evaluation
from staypower.tables import Tables, fingerprint
from staypower.tracking.tracker import Tracker

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["EvaluateResult", "evaluate"]


@dataclass(frozen=True)
class EvaluateResult:
    """What evaluating found.

    Parameters
    ----------
    evaluation : Evaluation
    model_version : str
    run_id : str
    pictures : tuple of Path
        Files that were drawn.
    """

    evaluation: Evaluation
    model_version: str
    run_id: str
    pictures: tuple[Path, ...]

    def frame(self, table: TableName = "scorers") -> pd.DataFrame:
        """Return a table of the evaluation."""
        return self.evaluation.frame(table)

    def plot(self, picture: str = "lift_and_gain") -> Picture:
        """Draw a picture of the evaluation."""
        return self.evaluation.plot(picture)

    def _repr_html_(self) -> str:
        return self.evaluation._repr_html_()

    def text(self) -> str:
        """Return the tables, and where the pictures are."""
        places = "\n".join(f"  {path}" for path in self.pictures)
        return f"{self.evaluation.text()}\n\nmodel version {self.model_version}, run {self.run_id}\npictures:\n{places}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model_version": self.model_version,
            "run_id": self.run_id,
            "pictures": [str(path) for path in self.pictures],
            "evaluation": self.evaluation.to_dict(),
        }


def evaluate(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    model: str | int | Path | None = None,
    prior: str | float | None = None,
    progress: Progress | None = None,
) -> EvaluateResult:
    """Evaluate a model on later cutoffs beside its baselines, and track the run; as `staypower evaluate`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    prior : float or "estimate", optional
        A base rate above 0 and below 1 that the probabilities are rescaled to, too, so that both can be compared.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    EvaluateResult
        `.evaluation` holds metrics, tables and pictures.
    """
    settings, progress, moved_to = settings_from(settings), progress_from(progress), prior_from(prior)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    tables, sampling = open_to_learn(settings, progress=progress, tables=tables_from(settings, tables, progress))
    data = fingerprint(tables)
    with progress.step("building features and labels"):
        dataset = _rows_for(bundle, tables, settings, MatrixCache(settings.output_folder / "cache", data), sampling, progress)
    test = dataset.rows("test")
    with progress.step("evaluating"):
        evaluation = judge(
            dataset,
            bundle.predict(dataset.X[test][list(bundle.feature_names)]),
            settings,
            tables=tables,
            known=_accounts_learned_from(bundle, tables, settings),
            prior=moved_to,
            trained=float(bundle.metadata.get("calibrated_base_rate", bundle.metadata["base_rate"])),
        )
    tracker = Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
    tags = {"split": dataset.plan.split, "model_version": place.version}
    with (
        progress.step("drawing and logging"),
        tracker.run("evaluate", tags=tags) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        pictures = plot_evaluation(evaluation, settings.output_folder / "evaluation")
        log_data(run, settings, dataset, data=data)
        log_evaluation(run, evaluation, importances={}, scratch=Path(scratch))
    return EvaluateResult(evaluation, place.version, run.run_id, tuple(pictures))


def _accounts_learned_from(bundle: Bundle, tables: Tables, settings: Settings) -> set[str]:
    """Return the accounts that were in the population at a cutoff that the model learned from."""
    plan = bundle.metadata["cutoffs"]
    cutoffs = np.unique([instant_of(text) for text in (*plan["training"], *plan["calibration"])])
    # the model's own sample, whatever the settings say by now
    sampling = Sampling.from_dict(bundle.metadata.get("sampling"))
    labels = find_labels(sampling.of_tables(tables), settings.label, cutoffs)
    everywhere = np.ones(labels.churned.shape, dtype=np.bool_)
    kept = sampling.keeps(labels.churned, everywhere, labels.population.accounts, cutoffs)
    accounts = np.asarray(labels.population.accounts, dtype=object)[kept.any(axis=1)]
    snapshot = plan["split"] == "snapshot"
    return {account for account in accounts.tolist() if not (snapshot and is_test_account(account))}


def _rows_for(
    bundle: Bundle, tables: Tables, settings: Settings, cache: MatrixCache, sampling: Sampling, progress: Progress
) -> Dataset:
    catalogue = Catalogue.from_dict(bundle.learned["catalogue"])
    require_same_label(bundle, settings.label)
    require_what_is_read(catalogue, tables)
    dataset = build_dataset(
        tables,
        label=settings.label,
        features=settings.features,
        cutoffs=settings.cutoffs,
        catalogue=catalogue,
        cache=cache,
        need=("test",),
        threads=settings.model.threads or 2,
        sampling=sampling,
        announce=announcer(settings, progress),
    )
    plan, learned = dataset.plan, bundle.metadata["cutoffs"]
    last = max(instant_of(text) for text in (*learned["training"], *learned["calibration"]))
    seen = not settings.label.outcome.mature(np.array([last]), int(plan.test[0])).all()
    if plan.split != "snapshot" and seen:
        where = f"first test cutoff {dataset.plan.to_dict()['test']}, model learned until {max(learned['training'])}"
        fix = f"set `cutoffs.test` at least {plan.embargo} days after what the model learned, or train again"
        raise UsageError.of("the test would hold outcomes that the model has seen", where, fix)
    return dataset
