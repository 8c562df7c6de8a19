"""One row a use of the product."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from staypower.cutoffs import ALWAYS, DAY, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import with_columns
from staypower.tables import Column, Table, Tables

__all__ = ["usage_stream"]


def usage_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the usage rows with `weekend` (1 on Saturdays and Sundays, UTC) and `days_since_signup`.

    `days_since_signup` is built only where key events are declared; it is missing before sign-up.
    """
    table = tables["usage"]
    at = table.instants("at")
    # 1970-01-01 was a Thursday: Saturday and Sunday are days 5 and 6 of a week that starts on Monday
    weekday = (at // DAY + 3) % 7
    table = with_columns(table, (Column("weekend", "number"), np.where(at > ALWAYS, weekday >= 5, np.nan)))
    accounts = tables["accounts"]
    if not settings.key_events or not accounts.has("signed_up_at"):
        return table
    order = pc.index_in(table.data.column("account_id"), value_set=accounts.data.column("account_id").combine_chunks())
    index = np.asarray(order.fill_null(-1).to_numpy(), dtype=np.int64)
    signed_up = np.where(index >= 0, accounts.midnights("signed_up_at")[index], MISSING)
    known = (signed_up > ALWAYS) & (at > ALWAYS) & (at >= signed_up)
    days = np.where(known, (np.where(known, at, 0) - np.where(known, signed_up, 0)) / DAY, np.nan)
    return with_columns(table, (Column("days_since_signup", "number"), days))
