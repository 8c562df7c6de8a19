"""The baselines: what any model must beat on the same rows. A new one is declared in `BASELINES`, and nowhere else.

A rule is a score, not a probability. It stays missing (NaN) where it knows nothing; `evaluate` then gives the row the median of
the known scores and says how many rows there were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.dataset.building import DatasetRows
from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.logistic import logistic_baseline
from staypower.evaluation.row_facts import TENURE_FEATURES, RowFacts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Columns = Mapping[str, Any] | pd.DataFrame

__all__ = [
    "BASELINES",
    "NEVER_DAYS",
    "Baseline",
    "last_answer_rule",
    "probabilities",
    "recency_rule",
    "score_baselines",
    "tenure_rule",
]

# Longer than any history: what never happened is longer ago than anything that did.
NEVER_DAYS = 36_500.0


def recency_rule(X: Columns, names: Sequence[str]) -> NDArray[np.float64]:
    """Score by silence: the longer ago the last activity of any kind, the more likely to leave.

    >>> X = {"days_since_order": [3, np.nan], "days_since_use": [9, np.nan]}
    >>> recency_rule(X, ["days_since_order", "days_since_use"]).tolist()
    [3.0, 36500.0]
    """
    days = _columns(X, names)
    silence: NDArray[np.float64] = np.where(np.isnan(days), NEVER_DAYS, days).min(axis=1)
    return silence


def tenure_rule(X: Columns, names: Sequence[str]) -> NDArray[np.float64]:
    """Score by tenure: the shorter, the more likely to leave.

    >>> tenure_rule({"tenure_days": [10, 400]}, ["tenure_days"]).tolist()
    [-10.0, -400.0]
    """
    return -_first_filled(_columns(X, names))


def last_answer_rule(X: Columns, names: Sequence[str]) -> NDArray[np.float64]:
    """Score by the last survey answer alone: the lower, the more likely to leave.

    >>> last_answer_rule({"nps_last": [0.9, np.nan], "csat_last": [0.1, 0.5]}, ["nps_last", "csat_last"]).tolist()
    [-0.9, -0.5]
    """
    return -_first_filled(_columns(X, names))


def _columns(X: Columns, names: Sequence[str]) -> NDArray[np.float64]:
    known = [str(name) for name in X]
    problems = [Problem("no such column", name, nearest(name, known)) for name in names if name not in known]
    if not names:
        problems.append(Problem("rule without a column", "names is empty", "name at least one column"))
    if problems:
        raise UsageError(problems)
    return np.column_stack([np.asarray(X[name], dtype=np.float64) for name in names])


def _first_filled(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    first = np.argmax(~np.isnan(columns), axis=1)
    filled: NDArray[np.float64] = columns[np.arange(len(columns)), first]
    return filled


@dataclass(frozen=True)
class Baseline:
    """A score to compare the model with.

    >>> BASELINES["recency rule"].is_probability
    False
    """

    name: str  # in every table, file and picture
    description: str  # how it scores, for the docs
    missing: str  # what a row without the needed values gets, for the docs
    score: Callable[[DatasetRows, RowFacts], NDArray[np.float64] | None]  # None where what it needs is not there
    is_probability: bool = False


def _rule(
    rule: Callable[[Columns, Sequence[str]], NDArray[np.float64]],
    columns: Sequence[str],
    rows: DatasetRows,
    facts: RowFacts,
) -> NDArray[np.float64] | None:
    present = [column for column in columns if column in rows.dataset.X]
    return rule(rows.dataset.X[present].iloc[rows.index], present) if present else None


def _logistic(rows: DatasetRows, facts: RowFacts) -> NDArray[np.float64]:
    trained = rows.dataset.part("training", "calibration")
    return logistic_baseline(
        trained.X,
        trained.y,
        rows.X,
        rows.dataset.matrix.categories,
        accounts=trained.accounts,
        sample_weight=trained.weights,
    )


BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            "recency rule",
            "days since the latest activity of any kind",
            "an activity that never happened is longest ago",
            partial(_rule, recency_rule, ("days_since_last_use", "days_since_last_order")),
        ),
        Baseline("tenure rule", "the shorter the tenure, the higher", "median", partial(_rule, tenure_rule, TENURE_FEATURES)),
        Baseline(
            "last survey answer",
            "the lower the last answer, the higher; NPS if there is one, else CSAT, else CES",
            "median",
            partial(_rule, last_answer_rule, ("nps_last", "csat_last", "ces2_last", "ces1_last")),
        ),
        Baseline(
            "health score",
            "your own score (`evaluation.health_score`): the last value known before the cutoff, high for accounts at risk",
            "median",
            lambda _, facts: facts.health_score,
        ),
        Baseline(
            "logistic regression",
            "regularised, on the same features and training rows as the model",
            "",
            _logistic,
            is_probability=True,
        ),
    )
}


def score_baselines(rows: DatasetRows, facts: RowFacts) -> dict[str, NDArray[np.float64]]:
    """Score rows by every baseline that the data allow."""
    scores = {name: baseline.score(rows, facts) for name, baseline in BASELINES.items()}
    return {name: score for name, score in scores.items() if score is not None}


def probabilities() -> frozenset[str]:
    """Return the baselines whose scores are probabilities.

    >>> sorted(probabilities())
    ['logistic regression']
    """
    return frozenset(name for name, baseline in BASELINES.items() if baseline.is_probability)
