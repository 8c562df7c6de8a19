"""The same jobs for a notebook: settings in, results that show themselves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from staypower.actions.result import ActionList
from staypower.auditing.report import AuditReport
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.dataset.building import Dataset
from staypower.dataset.building import build_dataset as _build_dataset
from staypower.evaluation.backtest.result import Backtest
from staypower.evaluation.result import Evaluation
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.pipelines.actions import actions_of
from staypower.pipelines.audit import run_audit
from staypower.pipelines.backtest import FOLDS, run_backtest
from staypower.pipelines.check import CheckResult, run_check
from staypower.pipelines.evaluate import run_evaluate
from staypower.pipelines.explain import run_explain
from staypower.pipelines.explanations import Explanations
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.portfolio import portfolio_of
from staypower.pipelines.report import ReportResult, run_report
from staypower.pipelines.score import scores_of
from staypower.pipelines.train import TrainResult, run_train
from staypower.portfolio.result import Portfolio
from staypower.progress import Progress
from staypower.scoring.scores import Scores
from staypower.tables import Tables

__all__ = [
    "actions",
    "audit",
    "backtest",
    "build_dataset",
    "build_features",
    "check",
    "evaluate",
    "explain",
    "portfolio",
    "read_tables",
    "report",
    "score",
    "train",
]

_QUIET = Progress(quiet=True)


def read_tables(settings: Settings, **objects: object) -> Tables:
    """Read every table of a config.

    Parameters
    ----------
    settings : Settings
        From `load_config`.
    **objects : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        Tables in memory, by the names that `source` gives.

    Returns
    -------
    Tables

    Raises
    ------
    UsageError
        When a table cannot be used.
    """
    tables, findings = load_tables(settings, progress=_QUIET, objects=objects)
    refuse_errors(findings)
    return tables


def check(settings: Settings, **objects: object) -> CheckResult:
    """Say what is wrong with config and tables; see `staypower check`.

    Parameters
    ----------
    settings : Settings
    **objects : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        Tables in memory, by the names that `source` gives.

    Returns
    -------
    CheckResult
    """
    return run_check(settings, progress=_QUIET, objects=objects)


def audit(settings: Settings, tables: Tables | None = None, *, every_cutoff: bool = False) -> AuditReport:
    """Prove that no feature sees the future, as far as data can; see `staypower audit`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    every_cutoff : bool, default False
        Travel to every cutoff of the plan instead of the first, the middle and the last.

    Returns
    -------
    AuditReport
        One row a check in `.frame()`; `.failed` names the checks that failed.
    """
    return run_audit(settings, progress=_QUIET, every_cutoff=every_cutoff, tables=tables).report


def build_features(
    settings: Settings, tables: Tables, *, cutoffs: list[str], catalogue: Catalogue | None = None
) -> FeatureMatrix:
    """Build the features of every account at some cutoffs.

    Parameters
    ----------
    settings : Settings
    tables : Tables
    cutoffs : list of str
        Dates or times.
    catalogue : Catalogue, optional
        What to build; by default everything that the tables allow, learned at the first cutoff.

    Returns
    -------
    FeatureMatrix
    """
    instants = np.unique(np.array([instant_of(cutoff) for cutoff in cutoffs], dtype=np.int64))
    declared = catalogue or declare(tables, settings.features, cutoff=int(instants[0]), hidden=settings.label.hidden)
    return build_matrix(tables, declared, accounts=tables.account_ids, cutoffs=instants)


def build_dataset(settings: Settings, tables: Tables) -> Dataset:
    """Build features and labels at every cutoff of the plan.

    Parameters
    ----------
    settings : Settings
    tables : Tables

    Returns
    -------
    Dataset
    """
    return _build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)


def portfolio(settings: Settings, tables: Tables | None = None) -> Portfolio:
    """Measure the portfolio: NPS, churn, revenue retention, cohorts, worth and support; see `staypower portfolio`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.

    Returns
    -------
    Portfolio
        One row a figure in `.frame()`; shows itself in a notebook.
    """
    return portfolio_of(settings, progress=_QUIET, tables=tables)


def train(settings: Settings, tables: Tables | None = None) -> TrainResult:
    """Learn, evaluate, track and register a model; see `staypower train`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.

    Returns
    -------
    TrainResult
    """
    return run_train(settings, progress=_QUIET, tables=tables)


def evaluate(settings: Settings, tables: Tables | None = None, *, model: str | None = None) -> Evaluation:
    """Evaluate a model on later cutoffs; see `staypower evaluate`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    model : str, optional
        A version or the folder of a bundle; the champion by default.

    Returns
    -------
    Evaluation
    """
    return run_evaluate(settings, progress=_QUIET, tables=tables, model=model).evaluation


def backtest(settings: Settings, tables: Tables | None = None, *, folds: int = FOLDS) -> Backtest:
    """Test the settings on the past with a rolling origin; see `staypower backtest`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    folds : int, default 6
        How many folds at most, the latest.

    Returns
    -------
    Backtest
    """
    return run_backtest(settings, progress=_QUIET, folds=folds, tables=tables).backtest


def score(
    settings: Settings,
    tables: Tables | None = None,
    *,
    cutoff: str | None = None,
    model: str | None = None,
    accounts: tuple[str, ...] = (),
) -> Scores:
    """Score accounts; see `staypower score`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    cutoff : str, optional
        Date or time of knowledge; by default the end of what was observed.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    accounts : tuple of str, optional
        Whom to score; everybody by default.

    Returns
    -------
    Scores
    """
    return scores_of(settings, progress=_QUIET, cutoff=cutoff, model=model, accounts=accounts, tables=tables)


def actions(
    settings: Settings,
    tables: Tables | None = None,
    *,
    cutoff: str | None = None,
    model: str | None = None,
    scores: Scores | None = None,
) -> ActionList:
    """Choose whom to act on and how; see `staypower actions`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    cutoff : str, optional
        Date or time of knowledge; by default the end of what was observed.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    scores : Scores, optional
        From `score`, with the same tables and model; by default every account is scored.

    Returns
    -------
    ActionList
        One row an account on the list in `.frame()`; `.effects` holds what was measured; both draw themselves with `.plot()`.
    """
    return actions_of(settings, progress=_QUIET, cutoff=cutoff, model=model, tables=tables, scores=scores)


def explain(
    settings: Settings,
    tables: Tables | None = None,
    *,
    accounts: tuple[str, ...] = (),
    cutoff: str | None = None,
    model: str | None = None,
    previous: Path | None = None,
) -> Explanations:
    """Say why accounts score as they do and what changed; see `staypower explain`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    accounts : tuple of str, optional
        Whom to tell of; without any, what moved them all.
    cutoff : str, optional
        Date or time of knowledge; by default the end of what was observed.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    previous : Path, optional
        Scores of an earlier cutoff to compare with; by default one step earlier.

    Returns
    -------
    Explanations
        Shows itself in a notebook; `.to_shap()` plugs into `shap.plots`.
    """
    return run_explain(
        settings, progress=_QUIET, accounts=accounts, cutoff=cutoff, model=model, previous=previous, tables=tables
    )


def report(
    settings: Settings,
    tables: Tables | None = None,
    *,
    cutoff: str | None = None,
    model: str | None = None,
    output: Path | None = None,
    previous: Path | None = None,
    pages: int = 50,
    audit: bool = False,
) -> ReportResult:
    """Write one HTML file that opens offline; see `staypower report`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
        By default those of the settings are read.
    cutoff : str, optional
        Date or time of knowledge; by default the end of what was observed.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    output : Path, optional
        By default `report.html` in the output folder.
    previous : Path, optional
        Scores of an earlier cutoff to compare with; by default one step earlier.
    pages : int, default 50
        How many of the accounts of highest risk get a page of their own.
    audit : bool, default False
        Whether to run the audit for the report.

    Returns
    -------
    ReportResult
        `.path` is the file.
    """
    return run_report(
        settings,
        progress=_QUIET,
        cutoff=cutoff,
        output=output,
        model=model,
        previous=previous,
        pages=pages,
        audit=audit,
        tables=tables,
    )
