"""Churn of accounts with subscriptions: customers while one runs, churned when the spell ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.cutoffs import ALWAYS, entry
from staypower.labels.inputs import Happenings, count_runs, first_run, from_first, newer_version, read_sign_ups, require_columns
from staypower.labels.population import ChurnDefinition, ChurnKind, Population, Status, fall, old_enough, status_of
from staypower.labels.settings import ContractualLabel, match_words
from staypower.spells import find_spells, read_versions
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ContractualChurn", "kinds_of_ends"]


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
        # A version speaks until a later one is known, or its own end is.
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
