"""Texts of accounts as of a cutoff: their names, their owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.cutoffs import before
from staypower.schemas import ACCOUNT_NAME
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["called", "texts_known"]


def called(row: Mapping[Any, Any]) -> str:
    """Write the id of an account, with its name where it has one.

    >>> called({"account_id": "A17", "name": "Harbour"}), called({"account_id": "A18", "name": None})
    ('A17 (Harbour)', 'A18')
    """
    name = row.get(ACCOUNT_NAME)
    return f"{row['account_id']} ({name})" if isinstance(name, str) and name else str(row["account_id"])


def texts_known(tables: Tables, accounts: Sequence[str], column: str, *, cutoff: int) -> NDArray[np.object_] | None:
    """Return a text of each account, None where it is blank; None for all where `accounts` has no such column.

    Where rows are versions, the last one known at the cutoff counts; else the first row of each account.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> rows = pa.table({"account_id": ["a", "b"], "owner": ["ann", None]})
    >>> accounts = Table(SCHEMAS["accounts"], rows)
    >>> texts_known(Tables({"accounts": accounts}, 9), ["b", "a"], "owner", cutoff=9).tolist()
    [None, 'ann']
    """
    if not tables.has("accounts", column):
        return None
    table = tables["accounts"]
    account = number_accounts(table, accounts)
    since = instants_or_missing(table, "valid_from")
    seen = account >= 0
    if table.has("valid_from"):
        seen &= before(np.maximum(since, instants_or_missing(table, "known_at")), cutoff)
    rows = np.flatnonzero(seen)
    rows = rows[np.lexsort((-rows, since[rows]))]
    found = np.full(len(accounts), None, dtype=object)
    found[account[rows]] = table.texts(column)[rows]
    return found
