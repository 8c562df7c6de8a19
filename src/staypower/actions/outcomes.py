"""Outcomes of the accounts that were on a list: churn within the horizon after each outreach, where it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.actions.outreach import Outreach
from staypower.cutoffs import DAY
from staypower.labels.churn import find_labels
from staypower.labels.settings import LabelSettings
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outcomes", "find_outcomes"]

_DAYS_AT_ONCE = 32


@dataclass(frozen=True)
class Outcomes:
    """One row for every account and action: its first outreach with that action whose outcome is known.

    >>> Outcomes.none("there is no table `outreach`").problem
    'there is no table `outreach`'
    """

    action: NDArray[np.object_]  # shape (n,)
    held: NDArray[np.bool_]  # shape (n,): held back instead of acted on
    churned: NDArray[np.bool_]  # shape (n,)
    open: Mapping[str, int] = field(default_factory=dict)  # of each action the rows whose outcome is not complete yet
    # of each action the rows that are not compared because another action was listed for the account at nearly the same time
    mixed: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None  # why there is nothing to measure

    @classmethod
    def none(cls, problem: str) -> Outcomes:
        """Return no outcomes, and why."""
        nothing = np.empty(0, dtype=bool)
        return cls(np.empty(0, dtype=object), nothing, nothing, problem=problem)

    @classmethod
    def together(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """Join the outcomes of different accounts; there is a problem only where nothing was found anywhere."""
        found = [part for part in parts if part.problem is None]
        if not found:
            return parts[0]
        return cls(
            np.concatenate([part.action for part in found]),
            np.concatenate([part.held for part in found]),
            np.concatenate([part.churned for part in found]),
            _sums([part.open for part in found]),
            _sums([part.mixed for part in found]),
        )


def _sums(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for each in counts for name in each})
    return {name: sum(each.get(name, 0) for each in counts) for name in names}


def find_outcomes(tables: Tables, label: LabelSettings, past: Outreach, accounts: Sequence[str]) -> Outcomes:
    """Find who churned after an outreach, among those acted on and those held back.

    The outcome begins at the UTC midnight before the outreach: that day's events count for both sides, and only accounts active
    at that midnight count, as in training. Of several rows of an account with the same action the first counts: later ones are
    not independent of it.

    A row is not compared when another action was listed for the account less than gap + horizon days before or after it:
    accounts held back got neither, so a useless action would be credited with the effect of the other one. Both sides lose the
    same rows, since being held back is listed as well.
    """
    if label.is_snapshot:
        return Outcomes.none("a churn flag applies to one date only, not to the time after an outreach")
    recorded = np.flatnonzero((past.holdout >= 0) & np.array([name is not None for name in past.action], dtype=bool))
    if not len(recorded):
        return Outcomes.none("no row of `outreach` has both `action` and `holdout`" if len(past) else "no past outreach")
    known_until = min(tables.observed_until, past.cutoff)
    day = past.instant // DAY * DAY
    rows = pd.DataFrame({"account": past.account, "action": past.action, "held": past.holdout == 1, "day": day})
    rows["mixed"] = _mixed(past, day, label.outcome.gap + label.outcome.horizon)
    rows = rows.iloc[recorded]
    rows = rows.sort_values(["account", "action", "day", "held"], kind="stable").drop_duplicates(["account", "action"])
    mature = label.outcome.mature(rows["day"].to_numpy(), known_until)
    waiting, mixed = _by_action(rows[~mature]), _by_action(rows[mature & rows["mixed"]])
    rows = rows[mature & ~rows["mixed"]]
    churned = _churned(replace(tables, observed_until=known_until), label, rows, accounts)
    rows, churned = rows[churned >= 0], churned[churned >= 0]
    return Outcomes(rows["action"].to_numpy(dtype=object), rows["held"].to_numpy(), churned == 1, waiting, mixed)


def _by_action(rows: pd.DataFrame) -> dict[str, int]:
    return {str(name): int(count) for name, count in rows["action"].value_counts().sort_index().items()}


def _mixed(past: Outreach, day: NDArray[np.int64], days: int) -> NDArray[np.bool_]:
    """Find the rows with another action for the same account less than so many days away."""
    action = pd.factorize(past.action, sort=False)[0]
    order = np.lexsort((action, day, past.account))
    account, kind, at = past.account[order], action[order], day[order]
    found = np.zeros(len(order), dtype=bool)
    if len(order) < 2:
        return found
    same_account = account[1:] == account[:-1]
    turns = ~same_account | (kind[1:] != kind[:-1])
    run = np.concatenate([[0], np.cumsum(turns)])
    begins, ends = np.flatnonzero(np.append(True, turns)), np.flatnonzero(np.append(turns, True))
    # the nearest row of another action stands before the run of this one, or after it
    before, after = np.maximum(begins - 1, 0)[run], np.minimum(ends + 1, len(order) - 1)[run]
    place = np.arange(len(order))
    for other in (before, after):
        elsewhere = (account[other] == account) & (kind[other] != kind)
        found |= elsewhere & (np.abs(at - at[other]) < days * DAY) & (other != place)
    mixed = np.empty(len(order), dtype=bool)
    mixed[order] = found
    return mixed


def _churned(tables: Tables, label: LabelSettings, rows: pd.DataFrame, accounts: Sequence[str]) -> NDArray[np.int8]:
    """Return 1 churned, 0 stayed, -1 not in the population, for each row; some days at a time, to bound memory."""
    found = np.full(len(rows), -1, dtype=np.int8)
    days, number = np.unique(rows["day"].to_numpy(), return_inverse=True)
    account = rows["account"].to_numpy()
    for first in range(0, len(days), _DAYS_AT_ONCE):
        here = np.flatnonzero((number >= first) & (number < first + _DAYS_AT_ONCE))
        concerned = np.unique(account[here])
        some = _only(tables, label, [accounts[position] for position in concerned])
        labels = find_labels(some, label, days[first : first + _DAYS_AT_ONCE])
        place = {name: position for position, name in enumerate(labels.population.accounts)}
        row = np.array([place[accounts[position]] for position in account[here]], dtype=np.int64)
        found[here] = labels.churned[row, number[here] - first]
    return found


def _only(tables: Tables, label: LabelSettings, accounts: Sequence[str]) -> Tables:
    """Return the tables that the label reads, with the rows of some accounts."""
    read = {"accounts", "subscriptions", getattr(label, "table", None), getattr(label, "dates", None)}
    wanted = pa.array(accounts)
    return replace(tables, tables={name: _rows_of(tables[name], wanted) for name in tables if name in read})


def _rows_of(table: Table, accounts: pa.Array) -> Table:
    column = table.data.column("account_id")
    return replace(table, data=table.data.filter(pc.is_in(column, value_set=accounts.cast(column.type))))
