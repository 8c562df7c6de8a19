"""Three definitions of churn: the end of a subscription, a stretch without activity, and churn as the data give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import ALWAYS, DAY, MISSING, earliest, entry, exit_after
from staypower.errors import UsageError
from staypower.labels.inputs import (
    Happenings,
    count_runs,
    first_run,
    from_first,
    newer_version,
    read_happenings,
    read_sign_ups,
    require_columns,
)
from staypower.labels.population import ChurnDefinition, ChurnKind, Population, Status, fall, old_enough, status_of
from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel, match_words, text_of_value
from staypower.spells import find_spells, instants_or_missing, number_accounts, read_versions
from staypower.tables import Tables, is_return

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ContractualChurn", "GivenChurn", "NonContractualChurn", "kinds_of_ends", "read_activity"]


@dataclass(frozen=True)
class ContractualChurn(ChurnDefinition):
    """Active while a subscription covers the cutoff; churned when the spell that holds the cutoff ends in the outcome."""

    label: ContractualLabel

    def statuses(self, tables: Tables, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the `Status` of each account at each cutoff."""
        subscriptions = require_columns(tables, "subscriptions", "started_at", "ended_at")
        versions = read_versions(subscriptions, accounts, observed_until=tables.observed_until)
        shape = (len(accounts), len(cutoffs))
        entered = entry(versions.known, cutoffs)
        # A version holds until a later one is known, or its own end is.
        stop = np.minimum(newer_version(versions.subscription, entered, len(cutoffs)), entry(versions.ended, cutoffs))
        running = count_runs(versions.account, entered, stop, shape)
        warned = count_runs(versions.account, np.maximum(entered, entry(versions.notice, cutoffs)), stop, shape)
        possible = (versions.ended <= ALWAYS) | (versions.ended >= versions.started)
        sane = from_first(first_run(versions.account[possible], entered[possible], shape), shape)
        known = from_first(first_run(versions.account, entered, shape), shape)
        rows = Happenings(versions.account, versions.started, versions.known, possible)
        of_age = old_enough([rows, read_sign_ups(tables, accounts)], self.label.too_new, cutoffs, len(accounts))
        status = status_of(known, running > 0, of_age | self.label.keep_too_new)
        if not self.label.keep_notice:
            status[(running > 0) & (warned == running)] = Status.NOTICE_GIVEN
        status[known & ~sane] = Status.INVALID
        return status

    def stays(self, tables: Tables, accounts: Sequence[str]) -> Sequence[Happenings]:
        """Return the starts of subscriptions."""
        versions = read_versions(tables["subscriptions"], accounts, observed_until=tables.observed_until)
        return (Happenings(versions.account, versions.started, versions.known, np.ones(len(versions.row), dtype=bool)),)

    def churned(
        self, tables: Tables, population: Population, *, need_churners: bool
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return the `ChurnKind` of each account in each outcome, and who was gone before the outcome began."""
        subscriptions = require_columns(tables, "subscriptions", "started_at", "ended_at")
        if self.label.of != "any":
            require_columns(tables, "subscriptions", "end_reason")
        spells = find_spells(
            subscriptions, grace_days=self.label.grace, accounts=population.accounts, observed_until=tables.observed_until
        )
        cutoffs, shape = population.cutoffs, population.status.shape
        # The spell that holds a cutoff is the last one begun before it. Spells are numbered from 1; 0 says none, because later
        # versions took back what was seen, and stands for an end before every cutoff.
        begun = entry(spells.started, cutoffs)
        seen = begun < len(cutoffs)
        latest = np.zeros(shape, dtype=np.int64)
        np.maximum.at(latest, (spells.account[seen], begun[seen]), np.flatnonzero(seen) + 1)
        latest = np.maximum.accumulate(latest, axis=1)
        first, stop = (np.append(np.int32(0), numbers)[latest] for numbers in fall(spells.ended, cutoffs, self.label.outcome))
        position = np.arange(shape[1])[None, :]
        kinds = np.append(np.int8(0), kinds_of_ends(spells.end_reason, self.label.involuntary))
        churned = (first <= position) & (position < stop)
        return np.where(churned, kinds[latest], np.int8(0)), position >= stop


def kinds_of_ends(reasons: NDArray[np.object_], involuntary: tuple[str, ...]) -> NDArray[np.int8]:
    """Return the `ChurnKind` of each end by its reason, `UNKNOWN` where none is written.

    >>> [ChurnKind(kind).name for kind in kinds_of_ends(np.array(["Card expired", "Price", None], dtype=object), ("card",))]
    ['INVOLUNTARY', 'VOLUNTARY', 'UNKNOWN']
    """
    codes, distinct = pd.factorize(pd.Series(reasons, dtype=object))
    kinds = [ChurnKind.INVOLUNTARY if match_words(text, involuntary) else ChurnKind.VOLUNTARY for text in distinct]
    return np.array([*kinds, ChurnKind.UNKNOWN], dtype=np.int8)[codes]


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

    def stays(self, tables: Tables, accounts: Sequence[str]) -> Sequence[Happenings]:
        """Return the activity that counts."""
        return (read_activity(tables, self.label, accounts).counting(),)

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

    def carries_flag(self, tables: Tables, accounts: Sequence[str]) -> NDArray[np.bool_]:
        """Say which accounts carry the flag; none where new accounts are scored that have no such column."""
        if not self.label.is_snapshot or not tables["accounts"].has(str(self.label.flag)):
            return super().carries_flag(tables, accounts)
        return np.asarray(_read_flag(tables, self.label, accounts, need_churners=False) == 1, dtype=np.bool_)

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
