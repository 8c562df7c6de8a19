"""One row per use of the product."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import ALWAYS, DAY, MISSING
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import arrivals, with_columns
from staypower.schemas import Column
from staypower.tables import Table, Tables, numbered

__all__ = ["usage_stream"]


def usage_stream(tables: Tables, settings: FeatureSettings) -> Table:
    """Return the usage rows with `weekend` (1 on Saturdays and Sundays, UTC) and `days_since_signup`.

    `days_since_signup` is built only where key events are declared; it is missing before sign-up.
    """
    table = tables["usage"]
    at = table.instants("at")
    table = with_columns(table, (Column("weekend", "number"), _weekend(at)))
    accounts = tables["accounts"]
    if not settings.key_events or not accounts.has("signed_up_at"):
        return table
    arrived, signed_up = _sign_ups(accounts, table.data.column("account_id"))
    known = (signed_up > ALWAYS) & (at > ALWAYS) & (at >= signed_up)
    days = np.where(known, (np.where(known, at, 0) - np.where(known, signed_up, 0)) / DAY, np.nan)
    return with_columns(
        table,
        (
            Column("sign_up_known_at", "time", "sign_up_known_at"),
            np.where(arrived == MISSING, MISSING, np.maximum(arrived, at)),
        ),
        (Column("days_since_signup", "number", "sign_up_known_at"), days),
    )


def _weekend(at: np.ndarray) -> pa.Array:
    """Say which instants are on a Saturday or Sunday, as flags, which take little memory."""
    # 1970-01-01 was a Thursday: Saturday and Sunday are days 5 and 6 of a week that starts on Monday
    on_weekend = (at // DAY + 3) % 7 >= 5
    unknown = at <= ALWAYS
    return pa.array(on_weekend, mask=unknown if unknown.any() else None)


def _sign_ups(accounts: Table, wanted: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sign-up of each account wanted, from its first known row, and from when that row is known."""
    begun = accounts.instants("valid_from") if accounts.has("valid_from") else np.full(len(accounts), ALWAYS, dtype=np.int64)
    arrived, signed_up = arrivals(accounts, begun), accounts.midnights("signed_up_at")
    rows = np.flatnonzero(arrived != MISSING)
    rows = rows[np.lexsort((signed_up[rows], begun[rows], arrived[rows]))]
    ids = accounts.data.column("account_id").combine_chunks().take(pa.array(rows))
    numbers, words = numbered(wanted)
    known = np.asarray(pc.index_in(words, value_set=ids).fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    found = np.append(known, -1)[numbers]
    return np.append(arrived[rows], MISSING)[found], np.append(signed_up[rows], MISSING)[found]
