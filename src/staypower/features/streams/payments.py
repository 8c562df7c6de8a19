"""One row a payment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import group_numbers, with_columns
from staypower.tables import Column, Table, Tables

__all__ = ["payment_stream"]


def payment_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the payments with `recovered_at`: for a failed one, the account's next payment that went through."""
    table = tables["payments"]
    if not table.has("status"):
        return table
    status = table.data.column("status").combine_chunks()
    failed = np.asarray(pc.fill_null(pc.equal(status, "failed"), False).to_numpy(zero_copy_only=False), dtype=bool)
    # a payment refunded later had gone through when it was made
    through = pc.is_in(status, value_set=pa.array(["paid", "refunded"]))
    paid = np.asarray(pc.fill_null(through, False).to_numpy(zero_copy_only=False), dtype=bool)
    at = table.instants("at")
    group = group_numbers(table.data.column("account_id"))
    order = np.lexsort((paid, at, group))
    recovered = np.full(len(table), MISSING, dtype=np.int64)
    recovered[order] = _next_paid(group[order], at[order], paid[order])
    recovered[~failed] = MISSING
    return with_columns(table, (Column("recovered_at", "time", "recovered_at"), recovered))


def _next_paid(group: np.ndarray, at: np.ndarray, paid: np.ndarray) -> np.ndarray:
    """Return, for rows sorted by group and instant, the instant of the next paid row of the same group."""
    n = len(group)
    position = np.where(paid, np.arange(n), n)
    following = np.minimum.accumulate(position[::-1])[::-1]
    following = np.append(following[1:], n)[:n] if n else following
    inside = following < n
    target = np.where(inside, following, 0)
    same = inside & (group[target] == group) if n else inside
    return np.where(same, at[target], MISSING) if n else at
