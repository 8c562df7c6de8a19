"""Rules that need no learning: what any model must beat on the same rows.

A rule is a score, not a probability. It stays missing (NaN) where it knows nothing; `evaluate` then places the row in the
middle of the known ones and says how many there were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.errors import Problem, UsageError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Columns = Mapping[str, Any] | pd.DataFrame

__all__ = ["NEVER_DAYS", "last_answer_rule", "recency_rule", "tenure_rule"]

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
    """Score by youth: the shorter the tenure, the more likely to leave.

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
