"""One row a payment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import NEVER, arrivals, group_numbers, least_later, with_columns
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
    arrived = arrivals(table, at)
    group = group_numbers(table.data.column("account_id"))
    order = np.lexsort((paid, at, group))
    # known from the first later payment to arrive, which need not be the first to be made
    through_at = np.where(paid & (arrived != MISSING), arrived, NEVER)
    recovered = np.full(len(table), NEVER, dtype=np.int64)
    recovered[order] = least_later(through_at[order], group[order])
    recovered[~failed | (recovered == NEVER) | (at == MISSING)] = MISSING
    return with_columns(table, (Column("recovered_at", "time", "recovered_at"), recovered))
