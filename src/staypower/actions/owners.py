"""Each account's own owner, as it was known at the cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["owners_of"]


def owners_of(tables: Tables, accounts: Sequence[str], *, cutoff: int) -> NDArray[np.object_] | None:
    """Return the owner of each account.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> rows = pa.table({"account_id": ["a", "b"], "owner": ["ann", None]})
    >>> accounts = Table(SCHEMAS["accounts"], rows, fixed=frozenset({"owner"}))
    >>> owners_of(Tables({"accounts": accounts}, 9), ["b", "a"], cutoff=9).tolist()
    [None, 'ann']
    """
    if not tables.has("accounts", "owner"):
        return None
    table = tables["accounts"]
    versions = table.has("valid_from")
    if not versions and "owner" not in table.fixed:
        return None
    account = number_accounts(table, accounts)
    since = instants_or_missing(table, "valid_from")
    seen = account >= 0
    if versions:
        seen &= before(np.maximum(since, instants_or_missing(table, "known_at")), cutoff)
    rows = np.flatnonzero(seen)
    rows = rows[np.lexsort((-rows, since[rows]))]
    found = np.full(len(accounts), None, dtype=object)
    found[account[rows]] = table.texts("owner")[rows]
    return found
