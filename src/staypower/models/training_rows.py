"""Training rows: what the caller gave, checked, texts coded, in an order that does not depend on the caller's.

Columns of categories become codes. Arrays, and frames without such columns, pass through as they are. A category that was never
seen in training is missing, which trees take a branch of their own for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from staypower.errors import Problem, UsageError, nearest
from staypower.hashing import alike_accounts
from staypower.models.binned import BinnedFeatures
from staypower.models.frames import as_frame, first_text

__all__ = ["FitError", "TrainingRows", "categorical_positions", "encode", "learn_categories", "ordered_rows", "two_classes"]

Floats = NDArray[np.float64]


class FitError(UsageError, ValueError):
    """What was given to the estimator cannot be used; a `ValueError` too, as scikit-learn expects."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows to train on, in the order of account and cutoff."""

    inputs: BinnedFeatures
    labels: NDArray[np.int8]  # shape (n,)
    weights: Floats | None  # shape (n,): None: every row counts once
    accounts: NDArray[np.int64]  # shape (n,): Account number of each row, from 0
    cutoffs: NDArray[np.int64] | None  # shape (n,): Instants
    folds: NDArray[np.int64] | None = None  # shape (n,): the fold of each row's account, where the caller deals them

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def features(self) -> Floats:
        """Shape (n, k)."""
        return self.inputs.matrix

    def usable_folds(self, count: int) -> NDArray[np.int64] | None:
        """Return the folds that the caller dealt where each has rows, and the others have both labels."""
        if self.folds is None:
            return None
        held = [self.folds == fold for fold in range(count)]
        sides = [(each, self.labels[~np.isin(self.alike, self.alike[each])]) for each in held]
        return self.folds if all(held.any() and len(np.unique(others)) == 2 for held, others in sides) else None

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> TrainingRows:
        """Return some of the rows; account numbers stay as they are."""
        return TrainingRows(
            self.inputs.take(which),
            self.labels[which],
            None if self.weights is None else self.weights[which],
            self.accounts[which],
            None if self.cutoffs is None else self.cutoffs[which],
            None if self.folds is None else self.folds[which],
        )

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    @property
    def rarer_accounts(self) -> int:
        """Accounts that have the rarer label at least once."""
        return min(len(np.unique(self.accounts[self.labels == label])) for label in (0, 1))

    @cached_property
    def alike(self) -> NDArray[np.int64]:
        """Shape (n,): a number from 0 that accounts share whose rows are alike in every feature, label and cutoff."""
        more = () if self.cutoffs is None else (self.cutoffs,)
        return alike_accounts(self.accounts, (*self.features.T, self.labels, *more))


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
                Problem("unusable category code", f"{feature}: {wrong[0]}", "give whole numbers from 0, NaN where missing")
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
    folds: NDArray[np.int64] | None = None,
) -> TrainingRows:
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
    return TrainingRows(
        BinnedFeatures(features[order]),
        labels[order],
        None if weights is None else weights[order],
        dense.astype(np.int64),
        None if instants is None else instants[order],
        None if folds is None else folds[order],
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
        raise FitError.of(f"{name} do not match X", f"{length} for {len(features)} rows", "give one value per row")


def _ties(keys: list[NDArray[np.int64]]) -> bool:
    same = np.ones(max(0, len(keys[0]) - 1), dtype=np.bool_)
    for key in keys:
        same &= key[1:] == key[:-1]
    return bool(same.any())


_FIX = (
    'make it a column of categories, in pandas with `X.astype({{"{name}": "category"}})`, or name it in `categorical_features`'
)

_DAYS = "give a number instead, such as the days between this time and the cutoff"

Codes = dict[str, dict[str, int]]

_POLARS_TEXTS = ("Categorical", "Enum", "String")
_POLARS_TIMES = ("Date", "Datetime", "Duration", "Time")


def learn_categories(X: Any, declared: Collection[Any]) -> Codes:
    """Learn the codes of a frame's columns of categories.

    >>> frame = pd.DataFrame({"seats": [3.0, 9.0, 5.0], "plan": pd.Categorical(["pro", "basic", None])})
    >>> learn_categories(frame, ())
    {'plan': {'basic': 0, 'pro': 1}}
    """
    found: Codes = {}
    X = as_frame(X)
    problems = [*_not_numbers(X), *(Problem("a column holds times", each, _DAYS) for each in _times(X))]
    for position, name, values in _texts(X):
        if isinstance(values.dtype, pd.CategoricalDtype) or name in declared or position in declared:
            texts = np.unique(values.dropna().astype(str))
            found[name] = {str(text): code for code, text in enumerate(texts)}
        else:
            problems.append(Problem("a column holds text", f"{name}: {_first(values)!r}", _FIX.format(name=name)))
    if problems:
        raise FitError(problems)
    return found


def _not_numbers(X: Any) -> list[Problem]:
    """Find a text in an array, which has no columns of categories."""
    at = None if hasattr(X, "columns") else first_text(X)
    if at is None:
        return []
    fix = "give a data frame whose column is declared, or code it with a transformer such as scikit-learn's `OneHotEncoder`"
    return [Problem("an array holds text", f"column {at[0]}: {at[1]!r}", fix)]


def _times(X: Any) -> list[str]:
    """Name the columns of a frame that hold times."""
    if isinstance(X, pd.DataFrame):
        kinds = list(zip(X.columns, X.dtypes, strict=True))
        return [str(name) for name, kind in kinds if getattr(kind, "kind", "O") in "Mm"]
    schema = X.schema if type(X).__module__.startswith("polars") else {}
    return [name for name, kind in schema.items() if kind.base_type().__name__ in _POLARS_TIMES]


def encode(X: Any, categories: Mapping[str, Mapping[str, int]]) -> Any:
    """Put codes in the place of categories; an Arrow table becomes a pandas frame.

    >>> frame = pd.DataFrame({"plan": pd.Categorical(["pro", "gold"])})
    >>> encode(frame, {"plan": {"basic": 0, "pro": 1}})["plan"].tolist()
    [1.0, nan]
    """
    X = as_frame(X)
    columns = {name: _codes(values, categories[name]) for _, name, values in _texts(X) if name in categories}
    if not columns:
        return X
    if isinstance(X, pd.DataFrame):
        coded = X.copy(deep=False)
        for name, codes in columns.items():
            coded[name] = codes
        return coded
    # polars is not imported for this: a column of the frame knows its own class
    return X.with_columns([type(X[name])(name, codes) for name, codes in columns.items()])


def _texts(X: Any) -> list[tuple[int, str, pd.Series]]:
    """Return position, name and values of the columns of texts and of categories, as pandas columns."""
    if isinstance(X, pd.DataFrame):
        kinds = list(zip(X.columns, X.dtypes, strict=True))
        return [
            (at, name, X.iloc[:, at])
            for at, (name, kind) in enumerate(kinds)
            if isinstance(name, str) and not _holds_numbers(kind) and _holds_texts(kind, X.iloc[:, at])
        ]
    if not type(X).__module__.startswith("polars") or not hasattr(X, "schema"):
        return []
    kinds = [(name, kind.base_type().__name__) for name, kind in X.schema.items()]
    return [(at, name, X[name].to_pandas()) for at, (name, kind) in enumerate(kinds) if kind in _POLARS_TEXTS]


def _holds_numbers(kind: Any) -> bool:
    """Say whether a column's type alone tells that there are no texts: taking columns out of a frame takes long."""
    return isinstance(kind, np.dtype) and kind.kind in "fiub"


def _holds_texts(kind: Any, values: pd.Series) -> bool:
    if isinstance(kind, pd.CategoricalDtype):
        return True
    if isinstance(kind, np.dtype):
        # texts among other values, too
        return kind.kind == "O" and any(isinstance(value, str) for value in values)
    return bool(pd.api.types.is_string_dtype(kind))


def _codes(values: pd.Series, codes: Mapping[str, int]) -> NDArray[np.float64]:
    known = values.notna().to_numpy()
    found = np.full(len(values), np.nan)
    found[known] = [codes.get(text, np.nan) for text in values[known].astype(str)]
    return found


def _first(values: pd.Series) -> Any:
    known = values.dropna()
    return next((value for value in known if isinstance(value, str)), known.iloc[0] if len(known) else None)
