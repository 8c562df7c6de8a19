"""Scored rows as files hold them: the same columns and types whoever is among the accounts."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

__all__ = ["typed_rows"]

_TEXTS = ("account_id", "cutoff", "status", "churn_risk_band", "tier", "quadrant", "scored_at", "run_id")
_TEXT_BEGINNINGS = ("reason_", "lever_", "model_")
_OTHERS = {"horizon_days": pa.int64(), "never_invited": pa.bool_()}


def typed_rows(scores: pd.DataFrame) -> pa.Table:
    """Turn scored rows into an Arrow table.

    >>> typed_rows(pd.DataFrame({"account_id": ["a"], "tier": [None], "mrr": [None]})).schema.types
    [DataType(string), DataType(string), DataType(double)]
    """
    schema = pa.schema([(str(name), _type_of(str(name))) for name in scores.columns])
    return pa.Table.from_pandas(scores, schema=schema, preserve_index=False).replace_schema_metadata(None)


def _type_of(name: str) -> pa.DataType:
    if name in _TEXTS or name.startswith(_TEXT_BEGINNINGS):
        return pa.string()
    return _OTHERS.get(name, pa.float64())
