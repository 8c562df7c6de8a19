"""The labels: who of the population churned in the outcome, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import Problem, UsageError
from staypower.labels.definitions import ContractualChurn, GivenChurn, NonContractualChurn
from staypower.labels.endings import find_left
from staypower.labels.population import ChurnDefinition, ChurnKind, Population, Status
from staypower.labels.settings import LabelSettings
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LEAST_CHURNERS",
    "LEAST_STAYERS",
    "HorizonLabels",
    "Labels",
    "definition_of",
    "find_customers",
    "find_horizon_labels",
    "find_labels",
    "find_population",
    "require_enough",
]

# fewer churners or stayers than this and nothing is trained
LEAST_CHURNERS = 20
LEAST_STAYERS = 20

_KINDS: Mapping[str, Callable[[Any], ChurnDefinition]] = {
    "contractual": ContractualChurn,
    "non_contractual": NonContractualChurn,
    "given": GivenChurn,
}


def definition_of(label: LabelSettings) -> ChurnDefinition:
    """Return what a label's kind answers from the tables."""
    return _KINDS[label.kind](label)


def find_population(tables: Tables, label: LabelSettings, cutoffs: NDArray[np.int64]) -> Population:
    """Find what every account is at every cutoff.

    - Contractual: active when a subscription covers the last microsecond before the cutoff, `started_at < cutoff` and not
      `ended_at < cutoff`; notice given when all of these subscriptions have a `cancel_requested_at` before the cutoff;
      invalid when all that is known of the account ends before it starts.
    - Non-contractual: active when a row that counts lies in `[cutoff - activity window, cutoff)`.
    - Given dates: active from sign-up to the first date of churn. Given flag: always active.
    - Too new: both the sign-up and the first row of the label's table are younger than the setting.
    - No history: the label's table has no row of the account before the cutoff, or it has not signed up.
    - Left: active by the label, but gone by another record before the cutoff (see `find_left`). A flag has no time, so those
      who carry it are trained on; `find_customers` says who is still there.
    """
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    if (np.diff(cutoffs) <= 0).any():
        raise ValueError("cutoffs must ascend without repeats")
    accounts, definition = tuple(tables.account_ids), definition_of(label)
    status = definition.statuses(tables, accounts, cutoffs)
    if not label.is_snapshot:
        status = _without(status, find_left(tables, label, definition.stays(tables, accounts), accounts, cutoffs))
    return Population(accounts, cutoffs, status)


def find_customers(tables: Tables, label: LabelSettings, cutoffs: NDArray[np.int64]) -> Population:
    """Find whom a score can be given to: the population, without those who are recorded as gone in any way."""
    found = find_population(tables, label, cutoffs)
    if not label.is_snapshot:
        return found
    gone = find_left(tables, label, (), found.accounts, found.cutoffs)
    gone |= definition_of(label).carries_flag(tables, found.accounts)[:, None]
    return Population(found.accounts, found.cutoffs, _without(found.status, gone))


def _without(status: NDArray[np.int8], gone: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the statuses with customers that have left marked as such."""
    customers = np.isin(status, [Status.SCORED, Status.NOTICE_GIVEN, Status.TOO_NEW])
    return np.where(customers & gone, np.int8(Status.LEFT), status)


@dataclass(frozen=True)
class Labels:
    """The population and what became of it."""

    population: Population
    # shape (n_accounts, k): 1 churned, 0 stayed, -1 not in the population, gone before the outcome began, or without a label
    churned: NDArray[np.int8]
    # shape (n_accounts, k): Values of `ChurnKind`; `NONE` where the account did not churn in the outcome in any way
    kind: NDArray[np.int8]
    # shape (n_accounts, k): Members of the population that were gone when the outcome began: they left inside the gap, or
    # rows that arrived after the cutoff show that they had left already
    gone_early: NDArray[np.bool_]

    @classmethod
    def together(cls, parts: Iterable[Labels]) -> Labels:
        """Combine the labels of several buckets of accounts, sorted by account."""
        found = list(parts)
        accounts, order = _in_order([part.population for part in found])
        status = np.concatenate([part.population.status for part in found])[order]
        churned, kind, gone = (
            np.concatenate([getattr(part, name) for part in found])[order] for name in ("churned", "kind", "gone_early")
        )
        return cls(Population(accounts, found[0].population.cutoffs, status), churned, kind, gone)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
        """Return account position, cutoff position and label of every labelled pair, sorted by account and cutoff."""
        account, cutoff = np.nonzero(self.churned >= 0)
        return account, cutoff, self.churned[account, cutoff]

    def latest(self) -> dict[str, int]:
        """Return the outcome of each account at the latest cutoff at which it was in the population."""
        found: dict[str, int] = {}
        for row, account in enumerate(self.population.accounts):
            known = self.churned[row][self.churned[row] >= 0]
            if len(known):
                found[account] = int(known[-1])
        return found

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
            "left": (status == Status.LEFT).sum(axis=0),
            "left_in_gap": self.gone_early.sum(axis=0),
            "unlabelled": (self.population.scored & ~labelled & ~self.gone_early).sum(axis=0),
            "labelled": size,
            "churners": churners,
        }
        for kind in (ChurnKind.VOLUNTARY, ChurnKind.INVOLUNTARY, ChurnKind.UNKNOWN):
            columns[kind.name.lower()] = (labelled & (self.kind == kind)).sum(axis=0)
        columns["base_rate"] = np.where(size > 0, churners / np.maximum(size, 1), np.nan)
        return pd.DataFrame(columns)


def _in_order(parts: Sequence[Population]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the accounts of several buckets sorted, and where each stands when the buckets lie under one another."""
    every = [account for part in parts for account in part.accounts]
    order = np.array(sorted(range(len(every)), key=every.__getitem__), dtype=np.int64)
    return tuple(every[place] for place in order.tolist()), order


def find_labels(
    tables: BucketedTables,
    label: LabelSettings,
    cutoffs: NDArray[np.int64],
    *,
    need_churners: bool = True,
    known_until: int | None = None,
) -> Labels:
    """Find who of the population churned in the outcome of each cutoff, of tables as they were known at an instant.

    - Contractual: the spell that holds the cutoff ends in `[cutoff + gap, cutoff + gap + horizon)`. A label of one kind takes
      the other kind, and ends without a reason, for not churned.
    - Non-contractual: no row that counts in the outcome.
    - Given dates: the first date lies in the outcome. Given flag: the flag.
    """
    cutoffs, whole = np.asarray(cutoffs, dtype=np.int64), tables.whole
    until = tables.observed_until if known_until is None else known_until
    _refuse_open_outcomes(until, label, cutoffs)
    if whole is None:
        # one bucket may hold nobody who churned
        each = partial(find_labels, label=label, cutoffs=cutoffs, need_churners=False, known_until=known_until)
        return Labels.together(tables.each(each, only=label.tables_read))
    whole = replace(whole, observed_until=until)
    population = find_population(whole, label, cutoffs)
    kind, gone = definition_of(label).churned(whole, population, need_churners=need_churners)
    labelled = population.scored & ~gone & (kind >= 0)
    wanted = kind > 0 if label.predicted == "any" else kind == ChurnKind[label.predicted.upper()]
    return Labels(
        population,
        churned=np.where(labelled, wanted, -1).astype(np.int8),
        kind=np.where(labelled, kind, ChurnKind.NONE).astype(np.int8),
        gone_early=population.scored & gone,
    )


def _refuse_open_outcomes(until: int, label: LabelSettings, cutoffs: NDArray[np.int64]) -> None:
    if label.is_snapshot:
        at = label.last_cutoff(until)
        others = [text_of(int(cutoff)) for cutoff in cutoffs if cutoff != at]
        if others:
            raise UsageError.of(
                "a flag says who churned at one cutoff only", ", ".join(others), f"use the cutoff {text_of(at)}"
            )
        return
    outcome = label.outcome
    open_ones = [text_of(int(cutoff)) for cutoff in cutoffs[~outcome.mature(cutoffs, until)]]
    if open_ones:
        value = (
            f"cutoff {', '.join(open_ones)} with gap {outcome.gap}, horizon {outcome.horizon} and grace {outcome.grace} days; "
            f"the data end at {text_of(until)}"
        )
        last = text_of(outcome.last_mature(until))
        raise UsageError.of(
            "outcome not complete", value, f"use {last}, the last cutoff whose outcome is complete, or an earlier one"
        )


@dataclass(frozen=True)
class HorizonLabels:
    """Who of one population had churned within each of several horizons."""

    population: Population  # the same for every horizon: who is a customer at a cutoff does not depend on how far one looks
    horizons: tuple[int, ...]  # days, ascending
    # shape (horizons, n_accounts, k): 1 churned within the horizon, 0 not, -1 not in the population, gone before the outcome
    # began, or the outcome of this horizon is not complete. Who churned within one horizon churned within every longer one
    # that is complete
    churned: NDArray[np.int8]

    def at(self, horizon: int) -> NDArray[np.int8]:
        """Return the labels of one horizon, shape (n_accounts, k)."""
        found: NDArray[np.int8] = self.churned[self.horizons.index(horizon)]
        return found

    @classmethod
    def together(cls, parts: Iterable[HorizonLabels]) -> HorizonLabels:
        """Combine the labels of several buckets of accounts, sorted by account."""
        found = list(parts)
        accounts, order = _in_order([part.population for part in found])
        status = np.concatenate([part.population.status for part in found])[order]
        churned = np.concatenate([part.churned for part in found], axis=1)[:, order]
        return cls(Population(accounts, found[0].population.cutoffs, status), found[0].horizons, churned)


def find_horizon_labels(
    tables: BucketedTables,
    label: LabelSettings,
    cutoffs: NDArray[np.int64],
    horizons: Sequence[int],
    *,
    known_until: int | None = None,
) -> HorizonLabels:
    """Find who of the population of each cutoff had churned within each horizon."""
    reason = label.no_other_horizons
    if reason is not None:
        raise UsageError.of("the label has no other horizons", reason, "leave `horizons.days` empty")
    cutoffs, whole = np.asarray(cutoffs, dtype=np.int64), tables.whole
    if whole is None:
        each = partial(find_horizon_labels, label=label, cutoffs=cutoffs, horizons=tuple(horizons), known_until=known_until)
        return HorizonLabels.together(tables.each(each, only=label.tables_read))
    until = whole.observed_until if known_until is None else min(known_until, whole.observed_until)
    wanted = tuple(sorted(set(horizons)))
    population = find_population(whole, label, cutoffs)
    churned = np.full((len(wanted), *population.status.shape), -1, dtype=np.int8)
    for position, horizon in enumerate(wanted):
        longer = label.model_copy(update={"horizon": horizon})
        complete = longer.outcome.mature(cutoffs, until)
        if complete.any():
            churned[position][:, complete] = find_labels(whole, longer, cutoffs[complete]).churned
    return HorizonLabels(population, wanted, churned)


def require_enough(
    y: NDArray[np.int8],
    *,
    purpose: str = "training",
    least_churners: int = LEAST_CHURNERS,
    least_stayers: int = LEAST_STAYERS,
) -> None:
    """Refuse labels with too few churners or stayers to train on."""
    churners, stayers = int((y == 1).sum()), int((y == 0).sum())
    problems = []
    for word, found, least in (("churners", churners, least_churners), ("stayers", stayers, least_stayers)):
        if found < least:
            problem = f"one class only, no {word} for {purpose}" if found == 0 else f"too few {word} for {purpose}"
            horizon = "longer" if word == "churners" else "shorter"
            rule = " (`model.min_churners`)" if word == "churners" and purpose == "training" else ""
            fix = f"at least {least} {word} are needed{rule}: give more history, a {horizon} `label.horizon` or more cutoffs"
            fix += " (`cutoffs.test_count: 1` leaves more of them to training)" if purpose == "training" else ""
            problems.append(Problem(problem, f"{churners} churners and {stayers} stayers", fix))
    if problems:
        raise UsageError(problems)
