"""How well ordered classes are predicted: a mistake by two steps counts more than one by one step.

Classes are numbers from 0, the worst, to K - 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError
from staypower.metrics.ranking import checked_weight

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "accuracy",
    "accuracy_of",
    "adjacent_accuracy_of",
    "confusion",
    "macro_f1",
    "macro_f1_of",
    "quadratic_weighted_kappa",
    "quadratic_weighted_kappa_of",
    "ranked_probability_score",
    "ranked_probability_scores",
]


def ranked_probability_scores(y_true: ArrayLike, y_probability: ArrayLike) -> NDArray[np.float64]:
    """Return the ranked probability score of each row.

    >>> ranked_probability_scores([2], [[0.25, 0.25, 0.5]]).tolist()
    [0.15625]
    """
    classes, probability = _checked_probabilities(y_true, y_probability)
    steps = probability.shape[1] - 1
    expected = probability.cumsum(axis=1)[:, :steps]
    happened = classes[:, None] <= np.arange(steps)
    scores: NDArray[np.float64] = ((expected - happened) ** 2).sum(axis=1) / steps
    return scores


def ranked_probability_score(y_true: ArrayLike, y_probability: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Measure the mean squared distance between predicted and observed cumulative probabilities.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
        Classes from 0, the worst.
    y_probability : array-like of float, shape (n, K)
        Each row sums to 1.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1; lower is better. With two classes it is the Brier score.

    Raises
    ------
    UsageError
        When classes, probabilities or weights cannot be used.

    Notes
    -----
    ``mean over rows of sum_k (P(y <= k) - [y <= k])^2 / (K - 1)`` (Epstein 1969; divided by the number of steps, so that scores
    of different numbers of classes can be compared). A proper score: no other probabilities than the true ones score better.

    Examples
    --------
    >>> ranked_probability_score([0, 2], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    0.5
    """
    scores = ranked_probability_scores(y_true, y_probability)
    return float(np.average(scores, weights=checked_weight(sample_weight, len(scores))))


def confusion(
    y_true: ArrayLike, y_predicted: ArrayLike, *, classes: int, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Count the rows of each true and predicted class.

    Parameters
    ----------
    y_true, y_predicted : array-like of int, shape (n,)
        Classes from 0 to `classes` - 1.
    classes : int
        At least 2.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    array of float64, shape (classes, classes)
        Row: the true class; column: the predicted one.

    Raises
    ------
    UsageError
        When a class is out of range or lengths differ.

    Examples
    --------
    >>> confusion([0, 0, 1, 2], [0, 1, 1, 0], classes=3).tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    true, predicted = _checked_classes(y_true, classes, "y_true"), _checked_classes(y_predicted, classes, "y_predicted")
    if true.shape != predicted.shape:
        raise UsageError.of("classes differ in number", f"{true.shape} and {predicted.shape}", "give one of each per row")
    weight = checked_weight(sample_weight, len(true))
    table: NDArray[np.float64] = np.bincount(true * classes + predicted, weights=weight, minlength=classes**2).astype(float)
    return table.reshape(classes, classes)


def accuracy(y_true: ArrayLike, y_predicted: ArrayLike, *, classes: int, sample_weight: ArrayLike | None = None) -> float:
    """Measure the share of rows whose class is predicted.

    Parameters
    ----------
    y_true, y_predicted : array-like of int, shape (n,)
        Classes from 0 to `classes` - 1.
    classes : int
        At least 2.
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> accuracy([0, 0, 1, 2], [0, 1, 1, 0], classes=3)
    0.5
    """
    return accuracy_of(confusion(y_true, y_predicted, classes=classes, sample_weight=sample_weight))


def accuracy_of(table: NDArray[np.float64]) -> float:
    """Return the accuracy of a confusion table.

    >>> accuracy_of(np.array([[3.0, 1.0], [0.0, 4.0]]))
    0.875
    """
    return float(np.trace(table) / table.sum())


def adjacent_accuracy_of(table: NDArray[np.float64]) -> float:
    """Return the share of a confusion table that is right or wrong by one step.

    >>> adjacent_accuracy_of(np.array([[3.0, 1.0, 1.0], [0.0, 2.0, 0.0], [1.0, 0.0, 2.0]]))
    0.8
    """
    steps = np.abs(np.subtract.outer(np.arange(len(table)), np.arange(len(table))))
    return float(table[steps <= 1].sum() / table.sum())


def macro_f1(y_true: ArrayLike, y_predicted: ArrayLike, *, classes: int, sample_weight: ArrayLike | None = None) -> float:
    """Measure the mean F1 of the classes, each class with the same weight.

    Parameters
    ----------
    y_true, y_predicted : array-like of int, shape (n,)
    classes : int
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        From 0 to 1. A class that occurs and is never predicted counts 0; one that neither occurs nor is predicted is left out.

    Examples
    --------
    >>> round(macro_f1([0, 0, 1, 2], [0, 1, 1, 0], classes=3), 4)
    0.3889
    """
    return macro_f1_of(confusion(y_true, y_predicted, classes=classes, sample_weight=sample_weight))


def macro_f1_of(table: NDArray[np.float64]) -> float:
    """Return the macro F1 of a confusion table.

    >>> macro_f1_of(np.array([[2.0, 0.0], [0.0, 5.0]]))
    1.0
    """
    both = table.sum(axis=0) + table.sum(axis=1)
    there = both > 0
    return float((2 * np.diag(table)[there] / both[there]).mean())


def quadratic_weighted_kappa(
    y_true: ArrayLike, y_predicted: ArrayLike, *, classes: int, sample_weight: ArrayLike | None = None
) -> float:
    """Measure agreement beyond chance, a mistake costing the square of its steps.

    Parameters
    ----------
    y_true, y_predicted : array-like of int, shape (n,)
    classes : int
    sample_weight : array-like of float, shape (n,), optional

    Returns
    -------
    float
        At most 1; 0 for chance, as for any constant; NaN when only one class occurs and only it is predicted.

    Notes
    -----
    ``1 - sum w_ij O_ij / sum w_ij E_ij`` with ``w_ij = (i - j)^2`` and E the product of the margins (Cohen 1968).

    Examples
    --------
    >>> round(quadratic_weighted_kappa([0, 1, 2, 2], [0, 1, 1, 2], classes=3), 4)
    0.8
    """
    return quadratic_weighted_kappa_of(confusion(y_true, y_predicted, classes=classes, sample_weight=sample_weight))


def quadratic_weighted_kappa_of(table: NDArray[np.float64]) -> float:
    """Return the quadratic-weighted kappa of a confusion table.

    >>> quadratic_weighted_kappa_of(np.array([[2.0, 2.0], [2.0, 2.0]]))
    0.0
    """
    classes = len(table)
    steps = np.subtract.outer(np.arange(classes), np.arange(classes)) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((steps * chance).sum())
    return 1 - float((steps * table).sum()) / expected if expected else float("nan")


def _checked_classes(given: ArrayLike, classes: int, name: str) -> NDArray[np.int64]:
    values = np.asarray(given)
    problems = []
    if values.ndim != 1 or not len(values):
        fix = "give one class per row, at least one row"
        problems.append(Problem(f"no column of classes in {name}", str(values.shape), fix))
    elif not np.isin(values, np.arange(classes)).all():
        wrong = values[~np.isin(values, np.arange(classes))]
        fix = f"give whole numbers from 0 to {classes - 1}; leave rows without a class out"
        problems.append(Problem(f"no class in {name}", f"{wrong[0]} in {len(wrong)} rows", fix))
    if problems:
        raise UsageError(problems)
    return values.astype(np.int64)


def _checked_probabilities(y_true: ArrayLike, y_probability: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    probability = np.asarray(y_probability, dtype=np.float64)
    if probability.ndim != 2 or probability.shape[1] < 2:
        raise UsageError.of("no table of probabilities", str(probability.shape), "give one column per class, at least two")
    classes = _checked_classes(y_true, probability.shape[1], "y_true")
    if len(classes) != len(probability):
        raise UsageError.of("rows differ in number", f"{len(classes)} and {len(probability)}", "give one row for every class")
    fine = np.isfinite(probability).all(axis=1) & (probability >= 0).all(axis=1) & (np.abs(probability.sum(axis=1) - 1) < 1e-6)
    if not fine.all():
        fix = "let each row sum to 1, none below 0"
        raise UsageError.of("not probabilities of classes", f"{int((~fine).sum())} rows", fix)
    return classes, probability
