"""The labels: who of the population churned in the outcome, and how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.cutoffs import MISSING, Outcome, entry, text_of
from staypower.errors import UsageError
from staypower.labels.inputs import read_activity, read_churn_dates, read_flag, require_columns, snapshot_cutoff
from staypower.labels.population import Population, Status, find_population
from staypower.labels.runs import count_runs
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel, match_words
from staypower.spells import find_spells
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ChurnKind",
    "Labels",
    "find_labels",
    "last_labelled_cutoff",
]


class ChurnKind(IntEnum):
    """How an account churned.

    >>> ChurnKind(2).name
    'INVOLUNTARY'
    """

    NONE = 0
    VOLUNTARY = 1
    INVOLUNTARY = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Labels:
    """The population and what became of it.

    >>> population = Population(("a",), np.array([0]), np.array([[0]], dtype=np.int8))
    >>> one = np.array([[1]], dtype=np.int8)
    >>> Labels(population, one, one, np.array([[False]])).frame()["base_rate"].tolist()
    [1.0]
    """

    population: Population
    # shape (n_accounts, k): 1 churned, 0 stayed, -1 not in the population, gone before the outcome began, or without a label
    churned: NDArray[np.int8]
    # shape (n_accounts, k): Values of `ChurnKind`; `NONE` where the account did not churn in the outcome in any way
    kind: NDArray[np.int8]
    # shape (n_accounts, k): Members of the population that were gone when the outcome began: they left inside the gap, or
    # rows that arrived after the cutoff tell that they had left already
    gone_early: NDArray[np.bool_]

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
        """Return account position, cutoff position and label of every labelled pair, sorted by account and cutoff."""
        account, cutoff = np.nonzero(self.churned >= 0)
        return account, cutoff, self.churned[account, cutoff]

    def frame(self) -> pd.DataFrame:
        """Return the counts: one row per cutoff."""
        status, labelled = self.population.status, self.churned >= 0
        churners = (self.churned == 1).sum(axis=0)
        size = labelled.sum(axis=0)
        columns: dict[str, object] = {
            "cutoff": [text_of(int(cutoff)) for cutoff in self.population.cutoffs],
            "accounts": len(self.population.accounts),
            "active": self.population.active.sum(axis=0),
            "notice_given": (status == Status.NOTICE_GIVEN).sum(axis=0),
            "too_new": (status == Status.TOO_NEW).sum(axis=0),
            "left_in_gap": self.gone_early.sum(axis=0),
            "unlabelled": (self.population.scored & ~labelled & ~self.gone_early).sum(axis=0),
            "labelled": size,
            "churners": churners,
        }
        for kind in (ChurnKind.VOLUNTARY, ChurnKind.INVOLUNTARY, ChurnKind.UNKNOWN):
            columns[kind.name.lower()] = (labelled & (self.kind == kind)).sum(axis=0)
        columns["base_rate"] = np.where(size > 0, churners / np.maximum(size, 1), np.nan)
        return pd.DataFrame(columns)


def last_labelled_cutoff(tables: Tables, settings: LabelSettings) -> int:
    """Return the latest cutoff that can be labelled: the last midnight UTC with a complete outcome, or the flag's own.

    >>> from staypower.cutoffs import instant_of
    >>> text_of(last_labelled_cutoff(Tables({}, instant_of("2025-07-01")), ContractualLabel(horizon=90, grace=30)))
    '2025-03-03'
    """
    if isinstance(settings, GivenLabel) and settings.flag is not None:
        return snapshot_cutoff(tables, settings)
    return settings.outcome.last_mature(tables.observed_until)


def find_labels(tables: Tables, settings: LabelSettings, cutoffs: NDArray[np.int64], *, need_churners: bool = True) -> Labels:
    """Find who of the population churned in the outcome of each cutoff.

    - Contractual: the spell that holds the cutoff ends in `[cutoff + gap, cutoff + gap + horizon)`. A label of one kind takes
      the other kind, and ends without a reason, for not churned.
    - Non-contractual: no row that counts in the outcome.
    - Given dates: the first date lies in the outcome. Given flag: the flag.

    >>> import pyarrow as pa
    >>> from staypower.cutoffs import DAY
    >>> from staypower.tables import SCHEMAS, Table
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"], "left": ["Yes", "No"]}))
    >>> labels = find_labels(Tables({"accounts": accounts}, DAY), GivenLabel(flag="left"), np.array([DAY]))
    >>> labels.churned.tolist()
    [[1], [0]]
    """
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    _refuse_open_outcomes(tables, settings, cutoffs)
    population = find_population(tables, settings, cutoffs)
    if isinstance(settings, ContractualLabel):
        kind, gone = _contractual(tables, settings, population)
    elif isinstance(settings, NonContractualLabel):
        kind, gone = _non_contractual(tables, settings, population)
    elif settings.flag is None:
        kind, gone = _given_dates(tables, settings, population)
    else:
        kind, gone = _given_flag(tables, settings, population, need_churners=need_churners)
    labelled = population.scored & ~gone & (kind >= 0)
    return Labels(
        population,
        churned=np.where(labelled, _wanted(settings, kind), -1).astype(np.int8),
        kind=np.where(labelled, kind, ChurnKind.NONE).astype(np.int8),
        gone_early=population.scored & gone,
    )


def _wanted(settings: LabelSettings, kind: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Say which ends are what the label is about."""
    of = settings.of if isinstance(settings, ContractualLabel) else "any"
    return kind > 0 if of == "any" else kind == ChurnKind[of.upper()]


def _refuse_open_outcomes(tables: Tables, settings: LabelSettings, cutoffs: NDArray[np.int64]) -> None:
    if isinstance(settings, GivenLabel) and settings.flag is not None:
        at = snapshot_cutoff(tables, settings)
        others = [text_of(int(cutoff)) for cutoff in cutoffs if cutoff != at]
        if others:
            raise UsageError.of(
                "a flag says who churned at one cutoff only", ", ".join(others), f"use the cutoff {text_of(at)}"
            )
        return
    outcome = settings.outcome
    open_ones = [text_of(int(cutoff)) for cutoff in cutoffs[~outcome.mature(cutoffs, tables.observed_until)]]
    if open_ones:
        value = (
            f"cutoff {', '.join(open_ones)} with gap {outcome.gap}, horizon {outcome.horizon} and grace {outcome.grace} days; "
            f"the data end at {text_of(tables.observed_until)}"
        )
        last = text_of(outcome.last_mature(tables.observed_until))
        raise UsageError.of(
            "outcome not complete", value, f"use {last}, the last cutoff whose outcome is complete, or an earlier one"
        )


def _fall(
    ended: NDArray[np.int64], cutoffs: NDArray[np.int64], outcome: Outcome
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the run of cutoffs `[first, stop)` whose outcome holds each instant; from `stop` on it lies before the outcome."""
    first = entry(ended, cutoffs, offset_days=-(outcome.gap + outcome.horizon))
    return first, entry(ended, cutoffs, offset_days=-outcome.gap)


def _contractual(
    tables: Tables, settings: ContractualLabel, population: Population
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    subscriptions = require_columns(tables, "subscriptions", "started_at", "ended_at")
    if settings.of != "any":
        require_columns(tables, "subscriptions", "end_reason")
    spells = find_spells(
        subscriptions, grace_days=settings.grace, accounts=population.accounts, observed_until=tables.observed_until
    )
    cutoffs, shape = population.cutoffs, population.status.shape
    # The spell that holds a cutoff is the last one begun before it. Spells are numbered from 1; 0 says none, because later
    # versions took back what was seen, and stands for an end before every cutoff.
    begun = entry(spells.started, cutoffs)
    seen = begun < len(cutoffs)
    latest = np.zeros(shape, dtype=np.int64)
    np.maximum.at(latest, (spells.account[seen], begun[seen]), np.flatnonzero(seen) + 1)
    latest = np.maximum.accumulate(latest, axis=1)
    first, stop = (np.append(np.int32(0), numbers)[latest] for numbers in _fall(spells.ended, cutoffs, settings.outcome))
    position = np.arange(shape[1])[None, :]
    kinds = np.append(np.int8(0), _kinds(spells.end_reason, settings.involuntary))
    churned = (first <= position) & (position < stop)
    return np.where(churned, kinds[latest], np.int8(0)), position >= stop


def _kinds(reasons: NDArray[np.object_], involuntary: tuple[str, ...]) -> NDArray[np.int8]:
    codes, distinct = pd.factorize(pd.Series(reasons, dtype=object))
    kinds = [ChurnKind.INVOLUNTARY if match_words(text, involuntary) else ChurnKind.VOLUNTARY for text in distinct]
    return np.array([*kinds, ChurnKind.UNKNOWN], dtype=np.int8)[codes]


def _non_contractual(
    tables: Tables, settings: NonContractualLabel, population: Population
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    rows = read_activity(tables, settings, population.accounts).counting()
    shape = (len(population.accounts), len(population.cutoffs))
    came = count_runs(rows.account, *_fall(rows.at, population.cutoffs, settings.outcome), shape) > 0
    return np.where(came, np.int8(ChurnKind.NONE), np.int8(ChurnKind.UNKNOWN)), np.zeros(shape, dtype=bool)


def _given_dates(tables: Tables, settings: GivenLabel, population: Population) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    dates = read_churn_dates(tables, settings, population.accounts)
    never = np.iinfo(np.int64).max
    first_date = np.full(len(population.accounts), never, dtype=np.int64)
    np.minimum.at(first_date, dates.account, dates.at)
    first, stop = _fall(np.where(first_date == never, MISSING, first_date), population.cutoffs, settings.outcome)
    position = np.arange(len(population.cutoffs))[None, :]
    churned = (first[:, None] <= position) & (position < stop[:, None])
    return np.where(churned, np.int8(ChurnKind.UNKNOWN), np.int8(ChurnKind.NONE)), position >= stop[:, None]


def _given_flag(
    tables: Tables, settings: GivenLabel, population: Population, *, need_churners: bool
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    told = read_flag(tables, settings, population.accounts, need_churners=need_churners)
    flags = np.broadcast_to(told[:, None], population.status.shape)
    return np.where(flags == 1, np.int8(ChurnKind.UNKNOWN), flags), np.zeros(flags.shape, dtype=bool)
