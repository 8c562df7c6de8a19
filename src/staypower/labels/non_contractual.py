"""Churn of accounts without subscriptions: active in the window before the cutoff, and no activity in the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, earliest, entry, exit_after
from staypower.labels.inputs import (
    Happenings,
    count_runs,
    first_run,
    from_first,
    read_happenings,
    read_sign_ups,
    require_columns,
)
from staypower.labels.population import ChurnDefinition, ChurnKind, Population, fall, old_enough, status_of
from staypower.labels.settings import NonContractualLabel
from staypower.tables import Tables, is_return

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NonContractualChurn", "read_activity"]


@dataclass(frozen=True)
class NonContractualChurn(ChurnDefinition):
    """Active when a row counts in the activity window; churned when none counts in the outcome."""

    label: NonContractualLabel

    def statuses(self, tables: Tables, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the `Status` of each account at each cutoff."""
        rows = read_activity(tables, self.label, accounts)
        shape = (len(accounts), len(cutoffs))
        counting = rows.counting()
        left = exit_after(counting.at, cutoffs, self.label.activity_window)
        active = count_runs(counting.account, entry(counting.known, cutoffs), left, shape) > 0
        known = from_first(first_run(rows.account, entry(rows.known, cutoffs), shape), shape)
        of_age = old_enough([rows, read_sign_ups(tables, accounts)], self.label.too_new, cutoffs, len(accounts))
        return status_of(known, active, of_age | self.label.keep_too_new)

    def churned(
        self, tables: Tables, population: Population, *, need_churners: bool
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return the `ChurnKind` of each account in each outcome, and who was gone before the outcome began."""
        rows = read_activity(tables, self.label, population.accounts).counting()
        shape = (len(population.accounts), len(population.cutoffs))
        came = count_runs(rows.account, *fall(rows.at, population.cutoffs, self.label.outcome), shape) > 0
        return np.where(came, np.int8(ChurnKind.NONE), np.int8(ChurnKind.UNKNOWN)), np.zeros(shape, dtype=bool)

    def first_seen(self, tables: Tables, accounts: Sequence[str]) -> tuple[Happenings, int]:
        """Return the rows with which accounts begin, and from when on a whole activity window is recorded."""
        rows = read_activity(tables, self.label, accounts).counting()
        first = earliest([rows.at])
        return rows, MISSING if first == MISSING else first + self.label.activity_window * DAY


def read_activity(tables: Tables, label: NonContractualLabel, accounts: Sequence[str]) -> Happenings:
    """Read the rows of the activity table; those count that are neither cancelled nor returns nor other events."""
    table = require_columns(tables, label.table, *(("event",) if label.key_events else ()))
    counts = np.ones(len(table), dtype=bool)
    if label.key_events:
        wanted = {event.strip().casefold() for event in label.key_events}
        column = pc.utf8_trim_whitespace(table.data.column("event").combine_chunks().cast(pa.string()))
        spelt = pa.array([name for name in pc.unique(column).to_pylist() if name and name.casefold() in wanted], pa.string())
        counts &= np.asarray(pc.is_in(column, value_set=spelt).to_numpy(zero_copy_only=False))
    if label.table == "orders":
        counts &= ~is_return(table)
    return read_happenings(table, table.own_instants(), counts, accounts, tables.observed_until)
