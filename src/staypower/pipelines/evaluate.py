"""Evaluate a sealed model on later cutoffs of the current data."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from staypower.cutoffs import text_of
from staypower.dataset.building import build_dataset
from staypower.dataset.cache import MatrixCache
from staypower.dataset.sampled_tables import announcer
from staypower.evaluation.assessment import evaluate_model
from staypower.evaluation.result import Evaluation, TableName
from staypower.features.catalogue import Catalogue
from staypower.models.age import ModelAge
from staypower.models.agreement import evaluated_by, require_same_label, require_what_is_read, training_accounts
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    model_from,
    prior_from,
    progress_from,
    settings_from,
)
from staypower.pipelines.preparing import drawing_to_train, facts_of, probed_tracker
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.tables import fingerprint
from staypower.tracking.contents import log_data, log_evaluation

if TYPE_CHECKING:
    from staypower.config.settings import Settings
    from staypower.dataset.sampled_tables import Drawn
    from staypower.models.champion import BundlePlace
    from staypower.results.pictures import Picture

__all__ = ["EvaluateResult", "evaluate"]


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The evaluation of a model version, and where it was written.

    Parameters
    ----------
    evaluation : Evaluation
    model_version : str
    run_id : str
    files : tuple of Path
        The pictures.
    evaluated : str
        Whether the model that scores was evaluated, or its twin, and what that was trained on.
    """

    evaluation: Evaluation
    model_version: str
    run_id: str
    files: tuple[Path, ...]
    evaluated: str = ""

    def blocks(self) -> list[Block]:
        """Return the evaluation, and where the pictures are."""
        where = [f"Model version {self.model_version}, run {self.run_id}.", "Pictures:", *(f"  {path}" for path in self.files)]
        return [*self.evaluation.blocks(), self.evaluated, Verbatim(where)]

    def frame(self, table: TableName = "scorers") -> pd.DataFrame:
        """Return a table of the evaluation; see `Evaluation.frame`."""
        return self.evaluation.frame(table)

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the evaluation."""
        return self.evaluation.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model_version": self.model_version,
            "evaluated": self.evaluated,
            "run_id": self.run_id,
            "pictures": [str(path) for path in self.files],
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
    """Evaluate a model and its baselines on later cutoffs, and track the run; as `staypower evaluate`.

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

    Examples
    --------
    >>> import staypower
    >>> evaluation = staypower.evaluate("demo/staypower.yaml").evaluation
    >>> evaluation.baselines[:3]
    ('base rate', 'recency rule', 'tenure rule')
    >>> 0 <= evaluation.metrics()["auroc"] <= 1
    True
    """
    settings, progress, target = settings_from(settings), progress_from(progress), prior_from(prior)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    with drawing_to_train(settings, command="evaluate", progress=progress, tables=tables) as drawn:
        return _evaluated(settings, bundle, place, drawn, target=target, progress=progress)


def _evaluated(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    drawn: Drawn,
    *,
    target: float | Literal["estimate"] | None,
    progress: Progress,
) -> EvaluateResult:
    """Build the rows of the test, evaluate, and log the run."""
    tracker, tables = probed_tracker(settings), drawn.tables
    data, catalogue = fingerprint(tables), Catalogue.of(bundle.learned)
    require_same_label(bundle, settings.label)
    require_what_is_read(catalogue, tables.empty)
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            catalogue=catalogue,
            cache=MatrixCache(settings.output_folder / "cache", data),
            need=("test",),
            threads=settings.model.threads or 2,
            sampling=drawn.sampling,
            announce=announcer(settings.engine.memory_to_learn, progress, settings.output_folder / "cache"),
            between=settings.model.refit == "all",
        )
        shown = evaluated_by(bundle, dataset.plan, settings.label)
    with progress.step("evaluating"):
        test = dataset.part("test")
        evaluation = evaluate_model(
            dataset,
            shown.predict(test.X[list(bundle.feature_names)], test.accounts),
            facts_of(test, tables, settings),
            costs=settings.costs,
            capacity=settings.capacity,
            bootstrap=settings.evaluation.bootstrap,
            known=training_accounts(bundle, shown, tables, settings.label),
            prior=target,
            calibrated_base_rate=bundle.trained_base_rate if shown is bundle else float(shown.metadata["base_rate"]),
            seed=settings.model.seed,
        )
    tags = {"split": dataset.plan.split, "model_version": place.version}
    with (
        progress.step("drawing and logging"),
        tracker.run("evaluate", text_of(int(dataset.plan.test[-1])), {**tags, **tracker.under(place.version)}) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        files = evaluation.write_pictures(settings.output_folder / "evaluation")
        log_data(run, settings.to_dict(), dataset, chosen=settings.chosen(), data=data)
        log_evaluation(run, evaluation, scratch=Path(scratch))
    return EvaluateResult(evaluation, place.version, run.run_id, tuple(files), _which(bundle, twin=shown is not bundle))


def _which(bundle: Bundle, *, twin: bool) -> str:
    """Say which model was evaluated."""
    age = ModelAge.of(bundle)
    if twin:
        return f"These are the figures of the twin: {age}."
    return f"Evaluated: the model that scores, trained on data up to {text_of(age.trained_until)}."
