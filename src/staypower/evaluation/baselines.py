"""The baselines: what any model must beat on the same rows. A new one is declared in `BASELINES`, and nowhere else.

A rule is a score, not a probability. It stays missing (NaN) where it knows nothing; `evaluate` then gives the row the median of
the known scores and says how many rows there were. The logistic regression on the features of the model shows whether trees are
needed, LightGBM with its defaults whether this training of trees is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from lightgbm import LGBMClassifier

from staypower.dataset.building import DatasetRows
from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.logistic import logistic_baseline, require_fitting_rows
from staypower.evaluation.row_facts import TENURE_FEATURES, RowFacts
from staypower.models.trees import threads_for

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Columns = Mapping[str, Any] | pd.DataFrame

__all__ = [
    "BASELINES",
    "Baseline",
    "HEALTH_SCORE",
    "NEVER_DAYS",
    "last_answer_rule",
    "left_out",
    "lightgbm_baseline",
    "probabilities",
    "recency_rule",
    "score_baselines",
    "tenure_rule",
]

HEALTH_SCORE = "health score"
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


def lightgbm_baseline(
    X_train: pd.DataFrame,
    y_train: ArrayLike,
    X_test: pd.DataFrame,
    categorical: Sequence[str] = (),
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Predict churn with LightGBM as it comes: 100 trees of 31 leaves, nothing held out, nothing calibrated.

    The rows stand in the order given. The settings that make the trees the same for any number of threads change nothing else.

    >>> import pandas as pd
    >>> X = pd.DataFrame({"silence": [1.0, 2, 3, 10, 11, 12] * 20})
    >>> risk = lightgbm_baseline(X, [0, 0, 0, 1, 1, 1] * 20, X)
    >>> bool(risk[5] > risk[0])
    True
    """
    churned = np.asarray(y_train, dtype=np.float64)
    require_fitting_rows(X_train, churned, X_test, categorical)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    positions = [list(X_train.columns).index(name) for name in categorical]
    inputs, asked = X_train.to_numpy(dtype=np.float64), X_test.to_numpy(dtype=np.float64)
    threads = threads_for(None, inputs.size)
    model = LGBMClassifier(n_jobs=threads, deterministic=True, force_col_wise=True, random_state=0, verbosity=-1)
    model.fit(inputs, churned, sample_weight=weight, categorical_feature=positions or "auto")
    return np.asarray(model.booster_.predict(asked, num_threads=threads), dtype=np.float64)


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
    columns: tuple[str, ...] = ()  # the features of which it needs one


def _rule(
    rule: Callable[[Columns, Sequence[str]], NDArray[np.float64]],
    columns: Sequence[str],
    rows: DatasetRows,
    facts: RowFacts,
) -> NDArray[np.float64] | None:
    present = [column for column in columns if column in rows.dataset.X]
    return rule(rows.dataset.X[present].iloc[rows.index], present) if present else None


def _of_features(
    name: str,
    description: str,
    missing: str,
    rule: Callable[[Columns, Sequence[str]], NDArray[np.float64]],
    columns: Sequence[str],
) -> Baseline:
    """Declare a rule that reads some features, as many of them as there are."""
    return Baseline(name, description, missing, partial(_rule, rule, columns), columns=tuple(columns))


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


def _lightgbm(rows: DatasetRows, facts: RowFacts) -> NDArray[np.float64]:
    trained = rows.dataset.part("training", "calibration")
    return lightgbm_baseline(trained.X, trained.y, rows.X, list(rows.dataset.matrix.categories), sample_weight=trained.weights)


BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        _of_features(
            "recency rule",
            "days since the latest activity of any kind",
            "an activity that never happened is longest ago",
            recency_rule,
            ("days_since_last_use", "days_since_last_order"),
        ),
        _of_features("tenure rule", "the shorter the tenure, the higher", "median", tenure_rule, TENURE_FEATURES),
        _of_features(
            "last survey answer",
            "the lower the last answer, the higher; NPS if there is one, else CSAT, else CES",
            "median",
            last_answer_rule,
            ("nps_last", "csat_last", "ces2_last", "ces1_last"),
        ),
        Baseline(
            HEALTH_SCORE,
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
        Baseline(
            "LightGBM defaults",
            "trees as LightGBM grows them without any setting, on the same features and training rows as the model",
            "",
            _lightgbm,
            is_probability=True,
        ),
    )
}


def score_baselines(rows: DatasetRows, facts: RowFacts) -> dict[str, NDArray[np.float64]]:
    """Score rows by every baseline that the data allow."""
    scores = {name: baseline.score(rows, facts) for name, baseline in BASELINES.items()}
    return {name: score for name, score in scores.items() if score is not None}


def left_out(scores: Collection[str]) -> tuple[str, ...]:
    """Say which rules are not among some scores, and which features they lack.

    >>> left_out(["tenure rule", "last survey answer"])
    ('The recency rule is left out: it needs one of the features days_since_last_use, days_since_last_order.',)
    """
    return tuple(
        f"The {name} is left out: it needs one of the features {', '.join(baseline.columns)}."
        for name, baseline in BASELINES.items()
        if baseline.columns and name not in scores
    )


def probabilities() -> frozenset[str]:
    """Return the baselines whose scores are probabilities.

    >>> sorted(probabilities())
    ['LightGBM defaults', 'logistic regression']
    """
    return frozenset(name for name, baseline in BASELINES.items() if baseline.is_probability)
