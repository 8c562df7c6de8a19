"""Test the whole procedure on the past: go back, learn from what was known then, test on what came after, and go on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
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
from staypower.errors import UsageError
from staypower.evaluation.backtest.assembling import backtest_of
from staypower.evaluation.backtest.predictions import FoldPredictions
from staypower.evaluation.backtest.result import Backtest
from staypower.models.fitting import fit_classifier
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    progress_from,
    require_number,
    settings_from,
    tables_from,
)
from staypower.pipelines.fitting import predict_by_halves
from staypower.pipelines.judging import LOGISTIC, baselines_of, capacity_of, sample_remarks, tenure_of
from staypower.pipelines.row_facts import find_row_facts
from staypower.pipelines.sampling import open_to_learn
from staypower.progress import Progress
from staypower.reporting.backtest_plots import plot_backtest
from staypower.tables import Tables, fingerprint
from staypower.tracking.tracker import Tracker
from staypower.writing import write_atomically

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["FOLDS", "BacktestResult", "backtest"]

FOLDS = 6


@dataclass(frozen=True)
class BacktestResult:
    """What the backtest found."""

    backtest: Backtest
    run_id: str
    pictures: tuple[Path, ...]  # files that were drawn
    path: Path  # the whole result as JSON

    def frame(self, table: Literal["folds", "scorers", "ages", "calibration"] = "folds") -> pd.DataFrame:
        """Return a table of the backtest."""
        return self.backtest.frame(table)

    def plot(self, picture: str = "folds") -> Picture:
        """Draw a picture of the backtest."""
        return self.backtest.plot(picture)

    def _repr_html_(self) -> str:
        return self.backtest._repr_html_()

    def text(self) -> str:
        """Return the tables, and where the pictures are."""
        places = "\n".join(f"  {path}" for path in (self.path, *self.pictures))
        return f"{self.backtest.text()}\nrun: {self.run_id}\nwritten:\n{places}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run_id": self.run_id,
            "path": str(self.path),
            "pictures": [str(path) for path in self.pictures],
            **self.backtest.to_dict(),
        }


def backtest(
    settings: SettingsLike, tables: TablesLike = None, *, folds: int = FOLDS, progress: Progress | None = None
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
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    BacktestResult
        `.backtest` holds folds, tables and pictures.
    """
    require_number("folds", folds, least=1)
    settings, progress = settings_from(settings), progress_from(progress)
    tables, sampling = open_to_learn(settings, progress=progress, tables=tables_from(settings, tables, progress))
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
            made.append(predict_fold(dataset, tables, settings))
    if not made:
        raise UsageError.of("no fold can be judged", left_out[-1], "give longer histories, more accounts or a longer horizon")
    with progress.step("judging the folds"):
        found = backtest_of(
            made,
            capacity=capacity_of(datasets[0], settings),
            costs=settings.costs,
            sensitive=settings.features.sensitive,
            left_out=left_out,
            replicates=settings.evaluation.bootstrap,
            seed=settings.model.seed,
        )
    return _recorded(found, settings, plans, tables, progress)


def _plans(settings: Settings, tables: Tables, folds: int) -> list[CutoffPlan]:
    settings.label.require_several_cutoffs("a backtest")
    return rolling_plans(
        settings.cutoffs,
        settings.label.outcome,
        first=begin_of_history(tables),
        observed_until=tables.observed_until,
        folds=folds,
    )


def _shortfall(dataset: Dataset, settings: Settings) -> str:
    learned, fresh = dataset.rows("training", "calibration"), dataset.matrix.cutoffs == dataset.plan.test[0]
    churned, stayed = int(dataset.y[learned].sum()), int((dataset.y[learned] == 0).sum())
    if min(churned, stayed) < settings.model.min_churners:
        return f"{churned} rows churned and {stayed} stayed where it learns, {settings.model.min_churners} are needed"
    return "" if fresh.any() else "nobody was active at its test cutoff"


def predict_fold(dataset: Dataset, tables: Tables, settings: Settings) -> FoldPredictions:
    """Train on a fold's data set as `train` does, and predict its test cutoff and all later ones."""
    model, learned = fit_classifier(dataset, settings.model), dataset.rows("training", "calibration")
    fresh = dataset.matrix.cutoffs == dataset.plan.test[0]
    tested = np.flatnonzero(dataset.rows("test"))
    # by cutoff, and by account within: the same order in every fold
    order = tested[np.argsort(dataset.matrix.cutoffs[tested], kind="stable")]
    base_rate, seen = dataset.base_rate("training", "calibration"), set(dataset.matrix.accounts[learned])
    facts = find_row_facts(dataset, tables, settings, fresh, base_rate=base_rate)
    remarks = [*facts.remarks, *sample_remarks(dataset, settings)]
    halves = None
    if settings.evaluation.unseen_accounts:
        found = predict_by_halves(dataset, settings, fresh)
        halves = None if isinstance(found, str) else found
        remarks += [found] if isinstance(found, str) else []
    return FoldPredictions(
        plan=dataset.plan,
        learned_rows=int(learned.sum()),
        learned_accounts=len(seen),
        train_base_rate=base_rate,
        how=model.split_,
        accounts=dataset.matrix.accounts[order],
        cutoffs=dataset.matrix.cutoffs[order],
        churned=dataset.y[order],
        probability=model.predict_proba(dataset.X.iloc[order])[:, 1],
        fresh=int(fresh.sum()),
        scores=baselines_of(dataset, fresh, facts),
        probabilities=frozenset({LOGISTIC}),
        known=np.array([account in seen for account in dataset.matrix.accounts[fresh]], dtype=np.bool_),
        halves=halves,
        segments=facts.slices,
        tenure_days=tenure_of(dataset, fresh),
        values=facts.account_values,
        remarks=tuple(remarks),
    )


def _recorded(
    found: Backtest, settings: Settings, plans: Sequence[CutoffPlan], tables: Tables, progress: Progress
) -> BacktestResult:
    """Write and draw the result, and log it as a run."""
    folder = settings.output_folder / "backtest"
    told = json.dumps(found.to_dict(), indent=2)
    tracker = Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
    tags = {"split": "rolling origin", "data_fingerprint": fingerprint(tables)}
    with (
        progress.step("drawing and logging"),
        tracker.run("backtest", tags=tags) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "backtest.json"
        write_atomically(path, lambda temporary: temporary.write_text(told, encoding="utf-8"))
        pictures = plot_backtest(found, folder)
        plot_backtest(found, Path(scratch))
        run.log_settings(settings.to_dict())
        run.log_metrics({"backtest": dict(found.metrics())})
        for number, fold in enumerate(found.folds):
            run.log_metrics({"fold": dict(fold.evaluation.metrics())}, step=number)
        for point in found.ages:
            run.log_metrics({"age": {"auroc": point.auroc, "log_loss": point.log_loss}}, step=point.age)
        run.log_text(json.dumps([plan.to_dict() for plan in plans], indent=2), "data/folds.json")
        run.log_text(told, "backtest/backtest.json")
        run.log_text(found.text(), "backtest/backtest.txt")
        run.log_text(found.frame().to_csv(index=False), "backtest/folds.csv")
        run.log_artifacts(Path(scratch), "backtest")
    return BacktestResult(found, run.run_id, tuple(pictures), path)
