"""Who has left by another record than the label's own: contracts that ended, a date of churn, a flag that is carried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import MISSING, entry
from staypower.labels.inputs import Happenings, count_runs, newer_version, read_happenings
from staypower.labels.settings import GivenLabel, LabelSettings
from staypower.spells import read_versions
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_left"]

_DATES = GivenLabel()


def find_left(
    tables: Tables, label: LabelSettings, stays: Sequence[Happenings], accounts: Sequence[str], cutoffs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say who had left before each cutoff by what the label does not read, shape (n_accounts, k).

    Where the label is not made of contracts: all contracts that are known have ended. Where it is not made of dates: a date
    of churn in the table `churn`. What shows that an account stayed (`stays`: its activity, a new contract) after the last end
    outweighs it.
    """
    shape = (len(accounts), len(cutoffs))
    ended = np.full(shape, MISSING, dtype=np.int64)
    if not label.by_subscriptions and _has(tables, "subscriptions", "started_at", "ended_at"):
        ended = _ends_of_contracts(tables, accounts, cutoffs)
    if label.required_table[1] != _DATES.dates and _has(tables, str(_DATES.dates), _DATES.time):
        table = tables[str(_DATES.dates)]
        dates = read_happenings(
            table, table.instants(_DATES.time), np.ones(len(table), dtype=bool), accounts, tables.observed_until
        )
        ended = np.maximum(ended, _latest(dates, cutoffs, shape))
    left: NDArray[np.bool_] = ended != MISSING
    for rows in stays if left.any() else ():
        left &= ended >= _latest(rows, cutoffs, shape)
    return left


def _has(tables: Tables, name: str, *columns: str) -> bool:
    return name in tables and all(tables[name].has(column) for column in columns)


def _ends_of_contracts(tables: Tables, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the last end of accounts whose contracts have all ended before a cutoff; `MISSING` for all others."""
    shape = (len(accounts), len(cutoffs))
    versions = read_versions(tables["subscriptions"], accounts, observed_until=tables.observed_until)
    entered = entry(versions.known, cutoffs)
    newer = newer_version(versions.subscription, entered, len(cutoffs))
    stop = entry(versions.ended, cutoffs)
    running = count_runs(versions.account, entered, np.minimum(newer, stop), shape) > 0
    # the end that a later version takes back is none
    over = stop < newer
    ends = versions.ended[over]
    rows = Happenings(versions.account[over], ends, np.maximum(ends, versions.known[over]), over[over])
    return np.where(running, MISSING, _latest(rows, cutoffs, shape))


def _latest(rows: Happenings, cutoffs: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the time of the last row of each account that is known at each cutoff."""
    found = np.full(shape, MISSING, dtype=np.int64)
    enter = entry(rows.known, cutoffs)
    seen = enter < shape[1]
    np.maximum.at(found, (rows.account[seen], enter[seen]), rows.at[seen])
    return np.maximum.accumulate(found, axis=1)
