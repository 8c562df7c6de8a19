"""Data frames with columns of categories: texts become codes, learned where the model learns and kept beside it.

Arrays, and frames without such columns, pass through as they are. A category that was never seen is missing, which trees take a
branch of their own for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from staypower.errors import Problem
from staypower.models.rows import FitError

__all__ = ["encode", "learn_categories"]

_MEND = (
    'make it a column of categories, in pandas with `X.astype({{"{name}": "category"}})`, or name it in `categorical_features`'
)

Codes = dict[str, dict[str, int]]

_POLARS_TEXTS = ("Categorical", "Enum", "String")


def learn_categories(X: Any, declared: Collection[Any]) -> Codes:
    """Learn the codes of a frame's columns of categories.

    >>> frame = pd.DataFrame({"seats": [3.0, 9.0, 5.0], "plan": pd.Categorical(["pro", "basic", None])})
    >>> learn_categories(frame, ())
    {'plan': {'basic': 0, 'pro': 1}}
    """
    found: Codes = {}
    problems = []
    for position, name, values in _texts(X):
        if isinstance(values.dtype, pd.CategoricalDtype) or name in declared or position in declared:
            texts = np.unique(values.dropna().astype(str))
            found[name] = {str(text): code for code, text in enumerate(texts)}
        else:
            problems.append(Problem("a column holds text", f"{name}: {_first(values)!r}", _MEND.format(name=name)))
    if problems:
        raise FitError(problems)
    return found


def encode(X: Any, categories: Mapping[str, Mapping[str, int]]) -> Any:
    """Put codes in the place of categories.

    >>> frame = pd.DataFrame({"plan": pd.Categorical(["pro", "gold"])})
    >>> encode(frame, {"plan": {"basic": 0, "pro": 1}})["plan"].tolist()
    [1.0, nan]
    """
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
            if isinstance(name, str) and _holds_texts(kind, X.iloc[:, at])
        ]
    if not type(X).__module__.startswith("polars") or not hasattr(X, "schema"):
        return []
    kinds = [(name, kind.base_type().__name__) for name, kind in X.schema.items()]
    return [(at, name, X[name].to_pandas()) for at, (name, kind) in enumerate(kinds) if kind in _POLARS_TEXTS]


def _holds_texts(kind: Any, values: pd.Series) -> bool:
    if isinstance(kind, pd.CategoricalDtype):
        return True
    if not pd.api.types.is_string_dtype(kind):
        return False
    return not isinstance(kind, np.dtype) or pd.api.types.infer_dtype(values, skipna=True) == "string"


def _codes(values: pd.Series, codes: Mapping[str, int]) -> NDArray[np.float64]:
    known = values.notna().to_numpy()
    found = np.full(len(values), np.nan)
    found[known] = [codes.get(text, np.nan) for text in values[known].astype(str)]
    return found


def _first(values: pd.Series) -> Any:
    known = values.dropna()
    return known.iloc[0] if len(known) else None
