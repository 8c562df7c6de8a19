"""The tables that callers give as features: pandas and polars frames as they are, Arrow tables as pandas frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["as_frame", "first_text"]


def as_frame(X: Any) -> Any:
    """Turn an Arrow table, or what exports one (`__arrow_c_stream__`), into a pandas frame; read a lazy polars frame.

    Arrays, and pandas and polars frames, stay as they are.

    >>> as_frame(pa.table({"seats": [3, 9]}))["seats"].tolist()
    [3, 9]
    """
    if isinstance(X, pd.DataFrame | np.ndarray):
        return X
    if type(X).__module__.startswith("polars"):
        return X.collect() if hasattr(X, "collect") else X
    if not (isinstance(X, pa.RecordBatch) or hasattr(X, "__arrow_c_stream__")):
        return X
    try:
        return pa.table(X).to_pandas()
    except (TypeError, ValueError, pa.ArrowInvalid):
        return X  # one column: the caller says that it is none of the shape


def first_text(X: Any) -> tuple[int, str] | None:
    """Find the first text of an array that is no number, with its column.

    >>> first_text([[1.0, "pro"]]), first_text([["1.5"]])
    ((1, 'pro'), None)
    """
    if isinstance(X, np.ndarray):
        texts = X if X.dtype.kind in "OUT" else None
    else:
        texts = np.asarray(X, dtype=object) if isinstance(X, list) and X and isinstance(X[0], list | tuple) else None
    if texts is None or texts.ndim != 2:
        return None
    cells = ((at, one) for row in texts for at, one in enumerate(row))
    return next(((at, str(one)) for at, one in cells if isinstance(one, str) and not _number(one)), None)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
