"""Turn what a caller gives into checked arrays; every problem at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["checked", "checked_probabilities", "checked_weight"]


def checked(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and scores as arrays, or refuse them.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned.
    y_score : array-like of float, shape (n,)
        Higher means more likely to churn; infinite is allowed, missing is not.

    Returns
    -------
    tuple of array of bool and array of float64

    Raises
    ------
    UsageError
        When lengths differ, nothing is given, a label is neither 0 nor 1, or a score is missing.

    Examples
    --------
    >>> checked([0, 1], [0.2, 0.8])[0].tolist()
    [False, True]
    """
    labels, scores = np.asarray(y_true, dtype=np.float64), np.asarray(y_score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise UsageError.of(
            "labels and scores differ in shape", f"{labels.shape} and {scores.shape}", "give one of each per row"
        )
    problems: list[Problem] = []
    if not len(labels):
        problems.append(Problem("no rows", "0", "give at least one row"))
    odd = (labels != 0) & (labels != 1)
    if odd.any():
        problems.append(
            Problem("label is neither 0 nor 1", f"{labels[odd][0]:g} in {odd.sum()} rows", "give 1 for churned, 0 for stayed")
        )
    missing = np.isnan(scores)
    if missing.any():
        problems.append(Problem("score is missing", f"{missing.sum()} rows", "leave those rows out or give them a score"))
    if problems:
        raise UsageError(problems)
    return labels == 1, scores


def checked_probabilities(y_true: ArrayLike, y_probability: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and probabilities as arrays, or refuse them.

    Raises
    ------
    UsageError
        As `checked`, and when a probability lies outside 0 to 1.

    Examples
    --------
    >>> checked_probabilities([0, 1], [0.2, 0.8])[1].tolist()
    [0.2, 0.8]
    """
    churned, probability = checked(y_true, y_probability)
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        raise UsageError.of(
            "not a probability", f"{probability[outside][0]:g}", "give values from 0 to 1, or use a ranking metric"
        )
    return churned, probability


def checked_weight(sample_weight: ArrayLike | None, rows: int) -> NDArray[np.float64]:
    """Return row weights as an array, ones where none are given.

    Raises
    ------
    UsageError
        When there are not as many as rows, one is negative or missing, or all are 0.

    Examples
    --------
    >>> checked_weight(None, 2).tolist()
    [1.0, 1.0]
    """
    if sample_weight is None:
        return np.ones(rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (rows,) or not (weight >= 0).all() or not np.isfinite(weight).all() or not weight.any():
        raise UsageError.of("unusable weights", f"shape {weight.shape}", f"give {rows} finite weights of at least 0, not all 0")
    return weight
