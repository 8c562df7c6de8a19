"""Churn as someone else wrote it down: dates of churn in a table, or a flag at one cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.cutoffs import MISSING, entry
from staypower.errors import UsageError
from staypower.labels.inputs import Happenings, first_run, from_first, read_happenings, read_sign_ups, require_columns
from staypower.labels.population import ChurnDefinition, ChurnKind, Population, fall, old_enough, status_of
from staypower.labels.settings import GivenLabel, text_of_value
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GivenChurn"]


@dataclass(frozen=True)
class GivenChurn(ChurnDefinition):
    """With dates, active from sign-up to the first date of churn; with a flag, everybody is active."""

    label: GivenLabel

    def statuses(self, tables: Tables, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the `Status` of each account at each cutoff."""
        shape = (len(accounts), len(cutoffs))
        sign_ups = read_sign_ups(tables, accounts)
        undated = np.bincount(sign_ups.account, minlength=len(accounts)) == 0
        of_age = old_enough([sign_ups], self.label.too_new, cutoffs, len(accounts)) | undated[:, None] | self.label.keep_too_new
        present, gone = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
        if not self.label.is_snapshot:
            dates = _read_churn_dates(tables, self.label, accounts)
            present = from_first(first_run(sign_ups.account, entry(sign_ups.known, cutoffs), shape), shape) | undated[:, None]
            gone = from_first(first_run(dates.account, entry(dates.known, cutoffs), shape), shape)
        return status_of(present | gone, present & ~gone, of_age)

    def churned(
        self, tables: Tables, population: Population, *, need_churners: bool
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return the `ChurnKind` of each account in each outcome, and who was gone before the outcome began."""
        if self.label.is_snapshot:
            recorded = _read_flag(tables, self.label, population.accounts, need_churners=need_churners)
            flags = np.broadcast_to(recorded[:, None], population.status.shape)
            return np.where(flags == 1, np.int8(ChurnKind.UNKNOWN), flags), np.zeros(flags.shape, dtype=bool)
        dates = _read_churn_dates(tables, self.label, population.accounts)
        never = np.iinfo(np.int64).max
        first_date = np.full(len(population.accounts), never, dtype=np.int64)
        np.minimum.at(first_date, dates.account, dates.at)
        first, stop = fall(np.where(first_date == never, MISSING, first_date), population.cutoffs, self.label.outcome)
        position = np.arange(len(population.cutoffs))[None, :]
        churned = (first[:, None] <= position) & (position < stop[:, None])
        return np.where(churned, np.int8(ChurnKind.UNKNOWN), np.int8(ChurnKind.NONE)), position >= stop[:, None]


def _read_churn_dates(tables: Tables, label: GivenLabel, accounts: Sequence[str]) -> Happenings:
    """Read the given dates of churn."""
    table = require_columns(tables, label.dates or "churn", label.time)
    counts = np.ones(len(table), dtype=bool)
    return read_happenings(table, table.instants(label.time), counts, accounts, tables.observed_until)


def _read_flag(tables: Tables, label: GivenLabel, accounts: Sequence[str], *, need_churners: bool = True) -> NDArray[np.int8]:
    """Read the given flag: 1 churned, 0 stayed, -1 where it is blank.

    Of several rows of an account the last by `valid_from` counts, else the first. Without `need_churners` it may be that no
    account churned, as among a few of many.
    """
    name = str(label.flag)
    table = require_columns(tables, "accounts", name)
    values = table.data.column(name).combine_chunks()
    words = [None if pd.isna(value) else text_of_value(value) for value in values.to_pylist()]
    positive = {text_of_value(value) for value in label.positive}
    found = np.array([-1 if not word else int(word in positive) for word in words], dtype=np.int8)
    if need_churners and not (found == 1).any():
        seen = ", ".join(f"`{word}`" for word in sorted({word for word in words if word})[:5]) or "nothing"
        problem = f"no account's value is among the positive ones ({', '.join(sorted(positive))})"
        raise UsageError.of(
            problem, f"accounts.{name} holds {seen}", "write the value that means churned as `positive` in the label"
        )
    account = number_accounts(table, accounts)
    order = np.lexsort((-np.arange(len(table)), instants_or_missing(table, "valid_from")))
    flags = np.full(len(accounts), -1, dtype=np.int8)
    flags[account[order]] = found[order]
    return flags
