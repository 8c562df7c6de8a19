"""Tune the model: search over folds that roll through the training cutoffs, then confirm the best settings on later ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset, DatasetRows, build_dataset
from staypower.dataset.folds import build_tuning_folds, first_tested
from staypower.dataset.sampled_tables import announcer
from staypower.evaluation.measures import DECISIVE, listed_in, paired_difference
from staypower.evaluation.resampling import Estimate
from staypower.metrics.probability import log_losses
from staypower.models.fitting import fit_classifier
from staypower.models.settings import ModelSettings, TreeShape
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    progress_from,
    require_flags,
    require_number,
    settings_from,
    tables_from,
)
from staypower.pipelines.preparing import open_to_train, probed_tracker
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.tables import Tables, fingerprint
from staypower.tracking.tracker import Tracker
from staypower.tuning import TUNED, Budget, Search, Trial, Tuning, search_settings
from staypower.writing import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.results.pictures import Picture

__all__ = ["FOLDS", "TRIALS", "TuneResult", "tune"]

FOLDS, TRIALS = 3, 30


@dataclass(frozen=True)
class TuneResult(Result):
    """A search for better settings, and where the best were written.

    Parameters
    ----------
    tuning : Tuning
    path : Path
        The best settings as YAML.
    run_id : str
    """

    tuning: Tuning
    path: Path
    run_id: str

    def blocks(self) -> list[Block]:
        """Return the search and where its settings are."""
        return [*self.tuning.blocks(), Verbatim([f"settings: {self.path}", f"run: {self.run_id}"])]

    def frame(self) -> pd.DataFrame:
        """Return one row per trial."""
        return self.tuning.frame()

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the picture of the search."""
        return self.tuning.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run_id": self.run_id, "path": str(self.path), **self.tuning.to_dict()}


def tune(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TuneResult:
    """Search for better settings of the model, and test whether they are better later; as `staypower tune`.

    The folds see the tables as they were known at the first test cutoff, so the search never sees what they are tested on. With
    one cutoff only, as for a flag, the folds are parts of the training accounts.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    trials : int, optional
        Stop after so many trials, at least 2, of which the first tries the defaults; 30 when no budget is given.
    minutes : float, optional
        Stop after so many minutes, above 0.
    resume : bool, default False
        Whether to continue an earlier search of the same settings and data.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    TuneResult
        One row per trial in `.frame()`; `.path` holds the best settings as YAML.

    Examples
    --------
    >>> import staypower
    >>> tuned = staypower.tune("demo/staypower.yaml", trials=2)
    >>> len(tuned.frame())
    2
    """
    require_flags(resume=resume)
    settings, progress = settings_from(settings), progress_from(progress)
    for name, value in (("trials", trials), ("minutes", minutes)):
        if value is not None:
            require_number(name, value, least=2 if name == "trials" else 0.0)
    budget = Budget(TRIALS if trials is None and minutes is None else trials, minutes)
    tables, sampling = open_to_train(
        settings, command="tune", progress=progress, tables=tables_from(settings, tables, progress)
    )
    tracker = probed_tracker(settings)
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            need=("training", "test"),
            least_churners=settings.model.min_churners,
            sampling=sampling,
            announce=announcer(settings.engine.memory_bytes, progress, settings.output_folder / "cache"),
        )
        folds = build_tuning_folds(
            tables,
            folds=FOLDS,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            sampling=sampling,
            least_churners=settings.model.min_churners,
        )
    search = Search(
        settings.path(settings.tracking.folder) / "tuning.db", _name(settings, tables), budget, settings.model.seed, resume
    )
    with tracker.run("tune", text_of(int(dataset.plan.all[-1]))) as run:
        losses = partial(_losses, folds, settings)
        note = partial(_track, tracker, run.run_id)
        with progress.step(f"searching over {len(folds)} folds"):
            found = search_settings(search, losses, defaults=_defaults(dataset, settings), report=note)
        with progress.step("testing the best settings on what the search never saw"):
            tuning = _tested(found, folds, dataset, settings)
        run.log_metrics({"tune": {"best_loss": tuning.best.loss, "default_loss": tuning.default.loss}})
        run.log_text(json.dumps(tuning.to_dict(), indent=2), "tune/tune.json")
        run.log_text(tuning.yaml, "tune/tuned.yaml")
    path = settings.output_folder / "tuned.yaml"
    write_atomically(path, lambda place: place.write_text(tuning.yaml, encoding="utf-8"))
    return TuneResult(tuning, path, run.run_id)


def _predict(rows: DatasetRows, settings: ModelSettings, overrides: Mapping[str, Any]) -> NDArray[np.float64]:
    """Train on the data set of some rows with some settings, and predict the rows."""
    model = fit_classifier(rows.dataset, settings.model_copy(update=dict(overrides)))
    return np.asarray(model.predict_proba(rows.X, rows.accounts)[:, 1], dtype=np.float64)


def _losses(folds: list[Dataset], settings: Settings, overrides: dict[str, Any]) -> list[Callable[[], tuple[float, int]]]:
    return [partial(_loss, fold, settings, overrides) for fold in folds]


def _loss(fold: Dataset, settings: Settings, overrides: dict[str, Any]) -> tuple[float, int]:
    rows = first_tested(fold)
    losses = log_losses(rows.y, _predict(rows, settings.model, overrides))
    return float(np.sum(losses)), len(rows)


def _defaults(dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """Return the tree shape that follows from the size of the whole training, for the sampler to start from."""
    trained = dataset.part("training", "calibration")
    churners = min(trained.churned.distinct_accounts, trained.where(trained.y == 0).distinct_accounts)
    shape = TreeShape.by_evidence(churners=churners, accounts=trained.distinct_accounts, rows=len(trained)).model_dump()
    own = {name: getattr(settings.model, name) for name in TUNED if getattr(settings.model, name) is not None}
    return {**shape, **own}


def _tested(found: tuple[Trial, ...], folds: list[Dataset], dataset: Dataset, settings: Settings) -> Tuning:
    by_accounts = dataset.plan.split == "snapshot"
    cutoffs = tuple(
        f"part {number} of {len(folds)} of the training accounts" if by_accounts else text_of(int(fold.plan.test[0]))
        for number, fold in enumerate(folds, 1)
    )
    test = tuple(text_of(int(cutoff)) for cutoff in dataset.plan.test)
    tuning = Tuning(found, cutoffs, {}, {}, test, by_accounts)
    if tuning.best.is_default:
        return tuning
    overrides = tuning.best.settings
    return replace(
        tuning,
        on_folds=_compare([first_tested(fold) for fold in folds], settings, overrides),
        later=_compare([dataset.part("test")], settings, overrides),
    )


def _compare(parts: Sequence[DatasetRows], settings: Settings, overrides: Mapping[str, Any]) -> dict[str, Estimate]:
    """Compare the best settings with the defaults on the rows of one or several data sets together."""
    y, accounts = np.concatenate([rows.y for rows in parts]), np.concatenate([rows.accounts for rows in parts])
    tuned, default = (np.concatenate([_predict(rows, settings.model, each) for rows in parts]) for each in (overrides, {}))
    seed, names = settings.model.seed, [metric.name for metric in listed_in("differences")]
    return {name: paired_difference(y, tuned, default, accounts, name, replicates=500, seed=seed) for name in names}


def _track(tracker: Tracker, parent: str, trial: Trial) -> None:
    """Record a trial as a child of the run."""
    tags = {"mlflow.parentRunId": parent, "state": trial.state, "default": trial.is_default}
    with tracker.run("tune-trial", str(trial.number), tags) as run:
        run.log_settings({"model": dict(trial.settings)})
        if np.isfinite(trial.loss):
            run.log_metrics({DECISIVE: trial.loss})


def _name(settings: Settings, tables: Tables) -> str:
    """Name the search: the same data and settings are the same search."""
    sections = ("label", "features", "cutoffs", "model", *(("sampling",) if settings.sampling.is_on else ()))
    asked = {name: getattr(settings, name).model_dump(mode="json") for name in sections}
    question = json.dumps([fingerprint(tables), asked], sort_keys=True, default=str)
    return f"{settings.name}-{hashlib.sha256(question.encode()).hexdigest()[:12]}"
