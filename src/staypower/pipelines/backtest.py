"""Repeat training and testing at earlier cutoffs: train on what was known then, test on what came after."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.dataset.cutoff_plan import CutoffPlan, begin_of_history, rolling_plans
from staypower.dataset.folds import build_folds
from staypower.dataset.sampled_tables import Drawn
from staypower.errors import UsageError
from staypower.evaluation.assessment import sample_remarks, sampled_capacity
from staypower.evaluation.backtest import Backtest
from staypower.evaluation.baselines import left_out, probabilities, score_baselines
from staypower.evaluation.folds import POOLED_SPLIT, FoldPredictions, backtest_of, predict_by_halves
from staypower.models.fitting import fit_classifier
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    progress_from,
    require_number,
    settings_from,
    with_health_score,
)
from staypower.pipelines.preparing import drawing_to_train, facts_of, probed_tracker, tracker_of
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.tables import BucketedTables, fingerprint
from staypower.writing import write_atomically

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["FOLDS", "BacktestResult", "backtest"]

FOLDS = 6


@dataclass(frozen=True)
class BacktestResult(Result):
    """A backtest, and where it was written.

    Parameters
    ----------
    backtest : Backtest
    run_id : str
    files : tuple of Path
        The pictures.
    path : Path
        The whole result as JSON.
    """

    backtest: Backtest
    run_id: str
    files: tuple[Path, ...]
    path: Path

    def blocks(self) -> list[Block]:
        """Return the tables, and where the pictures are."""
        where = [f"run: {self.run_id}", "written:", *(f"  {path}" for path in (self.path, *self.files))]
        return [*self.backtest.blocks(), Verbatim(where)]

    def frame(self, table: Literal["folds", "scorers", "ages", "calibration", "health_score"] = "folds") -> pd.DataFrame:
        """Return a table of the backtest; see `Backtest.frame`."""
        return self.backtest.frame(table)

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the backtest."""
        return self.backtest.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run_id": self.run_id,
            "path": str(self.path),
            "pictures": [str(path) for path in self.files],
            **self.backtest.to_dict(),
        }


def backtest(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    folds: int = FOLDS,
    health_score: str | None = None,
    progress: Progress | None = None,
) -> BacktestResult:
    """Test the settings on the past with a rolling origin, and track the run; as `staypower backtest`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    folds : int, default 6
        How many folds at most, the latest; at least 1.
    health_score : str, optional
        `TABLE.COLUMN` of the score that is in use, higher for healthier accounts; by default `evaluation.health_score`. What
        it would have caught is shown beside the model, with the same number of contacts: `capacity`, else a tenth.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    BacktestResult
        `.backtest` holds folds, tables and pictures.

    Examples
    --------
    >>> import staypower
    >>> tested = staypower.backtest("demo/staypower.yaml", folds=1)
    >>> len(tested.backtest.folds)
    1
    """
    require_number("folds", folds, least=1)
    settings, progress = with_health_score(settings_from(settings), health_score), progress_from(progress)
    with drawing_to_train(settings, command="backtest", progress=progress, tables=tables) as drawn:
        return _backtested(settings, drawn, folds=folds, progress=progress)


def _backtested(settings: Settings, drawn: Drawn, *, folds: int, progress: Progress) -> BacktestResult:
    """Train and test on every fold, and log the run."""
    probed_tracker(settings)
    tables, sampling = drawn.tables, drawn.sampling
    plans = _plans(settings, tables, folds)
    with progress.step(f"building features and labels of {len(plans)} folds"):
        datasets = list(
            build_folds(
                *(tables, plans),
                label=settings.label,
                features=settings.features,
                threads=settings.model.threads or 2,
                sampling=sampling,
            )
        )
    made, left_out = [], []
    for number, dataset in enumerate(datasets, start=1):
        short = _shortfall(dataset, settings)
        if short:
            left_out.append(f"fold tested at {text_of(int(dataset.plan.test[0]))} left out: {short}")
            continue
        with progress.step(f"fold {number} of {len(plans)}, tested at {text_of(int(dataset.plan.test[0]))}"):
            made.append(_predict_fold(dataset, tables, settings))
    if not made:
        fix = "give longer histories, more accounts or a longer horizon"
        raise UsageError.of("no fold can be evaluated", left_out[-1], fix)
    with progress.step("evaluating the folds"):
        found = backtest_of(
            made,
            capacity=sampled_capacity(settings.capacity, datasets[0].sampling),
            costs=settings.costs,
            sensitive=settings.features.sensitive,
            left_out=left_out,
            replicates=settings.evaluation.bootstrap,
            seed=settings.model.seed,
        )
    return _recorded(found, settings, plans, tables, progress)


def _plans(settings: Settings, tables: BucketedTables, folds: int) -> list[CutoffPlan]:
    settings.label.require_several_cutoffs("a backtest")
    return rolling_plans(
        settings.cutoffs,
        settings.label.outcome,
        first=begin_of_history(tables),
        observed_until=tables.observed_until,
        folds=folds,
    )


def _shortfall(dataset: Dataset, settings: Settings) -> str:
    trained, fresh = dataset.part("training", "calibration"), dataset.matrix.cutoffs == dataset.plan.test[0]
    churned = int(trained.y.sum())
    if min(churned, len(trained) - churned) < settings.model.min_churners:
        rows = f"{churned} training rows churned and {len(trained) - churned} stayed"
        return f"{rows}, {settings.model.min_churners} are needed"
    return "" if fresh.any() else "no account was active at its test cutoff"


def _predict_fold(dataset: Dataset, tables: BucketedTables, settings: Settings) -> FoldPredictions:
    """Train on a fold's data set as `train` does, and predict its test cutoff and all later ones."""
    model, trained = fit_classifier(dataset, settings.model), dataset.part("training", "calibration")
    first = dataset.matrix.cutoffs == dataset.plan.test[0]
    fresh, tested = dataset.where(first), dataset.part("test")
    # by cutoff, and by account within: the same order in every fold
    order = tested.index[np.argsort(tested.cutoffs, kind="stable")]
    seen = set(trained.accounts)
    facts = facts_of(fresh, tables, settings)
    halves = predict_by_halves(
        dataset,
        first,
        lambda half: fit_classifier(dataset, settings.model, half),
        fewest_churners=settings.model.min_churners,
    )
    scores = score_baselines(fresh, facts)
    remarks = [*facts.remarks, *left_out(scores), *sample_remarks(dataset.sampling, settings.capacity)]
    return FoldPredictions(
        plan=dataset.plan,
        learned_rows=len(trained),
        learned_accounts=len(seen),
        train_base_rate=dataset.base_rate("training", "calibration"),
        how=model.split_,
        accounts=dataset.matrix.accounts[order],
        cutoffs=dataset.matrix.cutoffs[order],
        churned=dataset.y[order],
        probability=model.predict_proba(dataset.X.iloc[order])[:, 1],
        fresh=len(fresh),
        scores=scores,
        probabilities=probabilities() & set(scores),
        known=np.array([account in seen for account in fresh.accounts], dtype=np.bool_),
        halves=None if isinstance(halves, str) else halves,
        segments=facts.slices,
        tenure_days=facts.tenure_days,
        values=facts.account_values,
        mrr=fresh.X["mrr_now"].to_numpy(dtype=np.float64) if "mrr_now" in fresh.X else None,
        remarks=(*remarks, halves) if isinstance(halves, str) else tuple(remarks),
    )


def _recorded(
    found: Backtest, settings: Settings, plans: Sequence[CutoffPlan], tables: BucketedTables, progress: Progress
) -> BacktestResult:
    """Write and draw the result, and log it as a run."""
    folder = settings.output_folder / "backtest"
    content = json.dumps(found.to_dict(), indent=2)
    tracker = tracker_of(settings)
    tags = {"split": POOLED_SPLIT, "data_fingerprint": fingerprint(tables)}
    with (
        progress.step("drawing and logging"),
        tracker.run("backtest", text_of(int(plans[-1].all[-1])), tags) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "backtest.json"
        write_atomically(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))
        files = found.write_pictures(folder)
        found.write_pictures(scratch)
        run.log_settings(settings.to_dict(), settings.chosen())
        run.log_metrics({"backtest": dict(found.metrics())})
        for number, fold in enumerate(found.folds):
            run.log_metrics({"fold": dict(fold.evaluation.metrics())}, step=number)
        for point in found.ages:
            run.log_metrics({"age": dict(point.metrics)}, step=point.age)
        run.log_text(json.dumps([plan.to_dict() for plan in plans], indent=2), "data/folds.json")
        run.log_text(content, "backtest/backtest.json")
        run.log_text(found.text(), "backtest/backtest.txt")
        run.log_text(found.frame().to_csv(index=False), "backtest/folds.csv")
        run.log_artifacts(Path(scratch), "backtest")
    return BacktestResult(found, run.run_id, tuple(files), path)
