"""Rows to train on: what the caller gave, checked and put in an order that does not depend on the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from staypower.errors import Problem, UsageError, nearest

__all__ = ["FitError", "Rows", "categorical_positions", "ordered_rows", "two_classes"]

Floats = NDArray[np.float64]


class FitError(UsageError, ValueError):
    """What was given to the estimator cannot be used; a `ValueError` too, as scikit-learn expects.

    >>> raise FitError.of("one class only", "1 class", "give both")
    Traceback (most recent call last):
        ...
    staypower.models.rows.FitError: one class only: 1 class. Fix: give both.
    """


@dataclass(frozen=True)
class Rows:
    """Rows to train on, in the order of account and cutoff.

    >>> Rows(np.zeros((2, 1)), np.array([0, 1], dtype=np.int8), None, np.arange(2), None).take(np.array([True, False])).labels
    array([0], dtype=int8)
    """

    features: Floats  # shape (n, k)
    labels: NDArray[np.int8]  # shape (n,)
    weights: Floats | None  # shape (n,): None: every row counts once
    accounts: NDArray[np.int64]  # shape (n,): Account number of each row, from 0
    cutoffs: NDArray[np.int64] | None  # shape (n,): Instants

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        """Return some of the rows; account numbers stay as they are."""
        return Rows(
            self.features[which],
            self.labels[which],
            None if self.weights is None else self.weights[which],
            self.accounts[which],
            None if self.cutoffs is None else self.cutoffs[which],
        )

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    @property
    def rarer_accounts(self) -> int:
        """Accounts that bear the rarer label at least once."""
        return min(len(np.unique(self.accounts[self.labels == label])) for label in (0, 1))


def categorical_positions(
    wanted: Sequence[str] | Sequence[int] | None, names: Sequence[str], features: Floats
) -> tuple[int, ...]:
    """Find the categorical features and check their codes.

    >>> categorical_positions(["plan"], ["seats", "plan"], np.array([[7.5, 1.0], [2.0, np.nan]]))
    (1,)
    """
    problems, positions = [], []
    for feature in wanted if wanted is not None else ():
        position = names.index(feature) if feature in names else feature
        if not isinstance(position, int | np.integer) or not 0 <= position < features.shape[1]:
            fix = nearest(str(feature), names) if names else f"give positions from 0 to {features.shape[1] - 1}"
            problems.append(Problem("no such categorical feature", repr(feature), fix))
            continue
        positions.append(int(position))
        wrong = _no_codes(features[:, position])
        if len(wrong):
            problems.append(
                Problem("a category code is no code", f"{feature}: {wrong[0]}", "give whole numbers from 0, NaN where missing")
            )
    if problems:
        raise FitError(problems)
    return tuple(sorted(set(positions)))


def _no_codes(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    wrong: Floats = known[(known < 0) | (known != np.floor(known)) | (known > 2**31 - 1)]
    return wrong


def two_classes(given: NDArray[Any], weights: Floats | None) -> tuple[NDArray[Any], NDArray[np.int8]]:
    """Turn two labels of any type into 0 and 1.

    >>> two_classes(np.array(["stays", "leaves"]), None)[1].tolist()
    [1, 0]
    """
    counted = given if weights is None else given[weights > 0]
    found = np.unique(counted)
    if len(found) == 1:
        raise FitError.of(
            "one class only, cannot train",
            f"all {len(counted)} rows are labelled {found[0]!r}",
            "use cutoffs at which some accounts churned and some stayed: earlier cutoffs, a longer horizon or more accounts",
        )
    if len(found) != 2:
        raise FitError.of(
            "Only binary classification is supported", f"{len(found)} classes", "give two labels: churned and stayed"
        )
    return found, (given == found[1]).astype(np.int8)


def ordered_rows(
    features: Floats,
    labels: NDArray[np.int8],
    weights: Floats | None,
    *,
    accounts: ArrayLike | None,
    cutoffs: ArrayLike | None,
) -> Rows:
    """Put rows in the order of account and cutoff; where those tie, of their values; drop rows of weight 0.

    >>> rows = ordered_rows(
    ...     np.array([[1.0], [2.0]]), np.array([0, 1], dtype=np.int8), None, accounts=["b", "a"], cutoffs=None
    ... )
    >>> rows.labels.tolist()
    [1, 0]
    """
    numbers, instants = _numbers_of(accounts, features), _instants_of(cutoffs, features)
    keys = [key for key in (instants, numbers) if key is not None]
    order = np.lexsort(keys) if keys else np.arange(len(labels))
    if not keys or _ties([key[order] for key in keys]):
        values = [] if weights is None else [weights]
        order = np.lexsort([*values, labels, *features.T[::-1], *keys])
    if weights is not None:
        order = order[weights[order] > 0]
    dense = np.arange(len(order)) if numbers is None else np.unique(numbers[order], return_inverse=True)[1]
    return Rows(
        features[order],
        labels[order],
        None if weights is None else weights[order],
        dense.astype(np.int64),
        None if instants is None else instants[order],
    )


def _numbers_of(accounts: ArrayLike | None, features: Floats) -> NDArray[np.int64] | None:
    if accounts is None:
        return None
    numbers, _ = pd.factorize(np.asarray(accounts), sort=True)
    _same_length("accounts", len(numbers), features)
    if (numbers < 0).any():
        raise FitError.of("blank account", f"{int((numbers < 0).sum())} rows", "give every row its account id")
    return numbers.astype(np.int64)


def _instants_of(cutoffs: ArrayLike | None, features: Floats) -> NDArray[np.int64] | None:
    if cutoffs is None:
        return None
    given = np.asarray(cutoffs)
    if given.dtype.kind not in "iu":
        times = pd.DatetimeIndex(pd.to_datetime(given, utc=True)).as_unit("us")
        if times.hasnans:
            raise FitError.of("blank cutoff", f"{int(np.asarray(times.isna()).sum())} rows", "give every row its cutoff")
        given = np.asarray(times.asi8)
    _same_length("cutoffs", len(given), features)
    return given.astype(np.int64)


def _same_length(name: str, length: int, features: Floats) -> None:
    if length != len(features):
        raise FitError.of(f"{name} do not match X", f"{length} for {len(features)} rows", "give one value for every row")


def _ties(keys: list[NDArray[np.int64]]) -> bool:
    same = np.ones(max(0, len(keys[0]) - 1), dtype=np.bool_)
    for key in keys:
        same &= key[1:] == key[:-1]
    return bool(same.any())
