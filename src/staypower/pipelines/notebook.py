"""The same jobs for a notebook: settings in, results that show themselves out."""

from __future__ import annotations

import numpy as np

from staypower.auditing import AuditReport
from staypower.config import Settings
from staypower.cutoffs import instant_of
from staypower.dataset import Dataset, told_by
from staypower.dataset import build_dataset as _build_dataset
from staypower.evaluation import Evaluation
from staypower.explanation import Explanation
from staypower.features import Catalogue, FeatureMatrix, build_matrix, declare
from staypower.pipelines.audit import run_audit
from staypower.pipelines.check import CheckResult, run_check
from staypower.pipelines.evaluate import run_evaluate
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.portfolio import portfolio_of
from staypower.pipelines.score import scores_of
from staypower.pipelines.train import TrainResult, run_train
from staypower.portfolio_metrics import Portfolio
from staypower.progress import Progress
from staypower.scoring import Scores
from staypower.tables import Tables

__all__ = [
    "audit",
    "build_dataset",
    "build_features",
    "check",
    "evaluate",
    "explain",
    "portfolio",
    "read_tables",
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
        What to build; by default everything that the tables allow, learnt at the first cutoff.

    Returns
    -------
    FeatureMatrix
    """
    instants = np.unique(np.array([instant_of(cutoff) for cutoff in cutoffs], dtype=np.int64))
    declared = catalogue or declare(tables, settings.features, cutoff=int(instants[0]), hidden=told_by(settings.label))
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


def explain(
    settings: Settings,
    tables: Tables | None = None,
    *,
    accounts: tuple[str, ...] = (),
    cutoff: str | None = None,
    model: str | None = None,
) -> Explanation:
    """Return the exact contributions behind the scores of accounts; parameters as in `score`.

    Parameters
    ----------
    settings : Settings
    tables : Tables, optional
    accounts : tuple of str, optional
    cutoff, model : str, optional

    Returns
    -------
    Explanation
    """
    return score(settings, tables, cutoff=cutoff, model=model, accounts=accounts).explanation
