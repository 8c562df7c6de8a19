"""Monthly recurring revenue of every account at any instants, from the versions of its subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import entry
from staypower.errors import UsageError
from staypower.labels.runs import count_runs, newer_version
from staypower.portfolio.customer_value.money import whole_amounts
from staypower.spells import SubscriptionVersions, instants_or_missing, read_versions
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MonthlyRevenue", "monthly_revenue", "revenue_problem"]

_UNKNOWN = -1


@dataclass(frozen=True)
class MonthlyRevenue:
    """What every account pays a month, at every instant.

    >>> one = np.array([[10_000]])
    >>> MonthlyRevenue(one, one > 0, one > 0, one * 0).amount.tolist()
    [[10000]]
    """

    # shape (n_accounts, k): Whole ten-thousandths, summed over the subscriptions that cover the instant; 0 where none does
    amount: NDArray[np.int64]
    known: NDArray[np.bool_]  # shape (n_accounts, k): False where a subscription that covers the instant has no `mrr`
    covered: NDArray[np.bool_]  # shape (n_accounts, k): Whether a subscription covers the instant
    # shape (n_accounts, k): What was paid in the moment before the latest end that the instant sees, in whole ten-
    # thousandths; 0 where nothing ended yet, -1 where that subscription has no `mrr`
    carried: NDArray[np.int64]


def revenue_problem(subscriptions: Table) -> str | None:
    """Say why monthly revenue over time cannot be told from a table; None when it can.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS
    >>> revenue_problem(Table(SCHEMAS["subscriptions"], pa.table({"account_id": ["a"]})))
    'the subscriptions have no `mrr`'
    """
    if not subscriptions.has("mrr"):
        return "the subscriptions have no `mrr`"
    if not subscriptions.has("valid_from") and "mrr" not in subscriptions.fixed:
        return "`mrr` may have changed since: give its versions with `valid_from`, or declare it `fixed`"
    return None


def monthly_revenue(
    subscriptions: Table, instants: NDArray[np.int64], *, accounts: Sequence[str], observed_until: int
) -> MonthlyRevenue:
    """Return the monthly recurring revenue of accounts just before each instant, as it is known in hindsight.

    A subscription counts where it began before the instant and did not end before it. A version of it speaks from its
    `valid_from` until the next version's; before the first `valid_from` nothing is known.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "started_at": time(0, 2), "ended_at": time(4, None), "mrr": [5.0, 7.5]})
    >>> table = Table(SCHEMAS["subscriptions"], rows, fixed=frozenset({"mrr"}))
    >>> found = monthly_revenue(table, np.array([1, 3, 5]), accounts=["a"], observed_until=9)
    >>> found.amount.tolist()
    [[50000, 125000, 75000]]
    """
    problem = revenue_problem(subscriptions)
    if problem is not None:
        raise UsageError.of("no monthly revenue over time", "subscriptions", problem)
    amounts, known = whole_amounts(subscriptions, "mrr")
    versions = read_versions(subscriptions, accounts, observed_until=observed_until)
    shape = (len(accounts), len(instants))
    ended, started = _of_subscription(versions)
    told_from = np.maximum(versions.started, instants_or_missing(subscriptions, "valid_from")[versions.row])
    # a version written when the subscription closed never spoke
    spoke = (ended < 0) | (told_from < ended)
    speaking = versions.take(spoke)
    told_from, ended_spoken = told_from[spoke], ended[spoke]
    enters, leaves = entry(told_from, instants), entry(ended_spoken, instants)
    stop = np.minimum(newer_version(speaking.subscription, enters, len(instants)), leaves)
    has_amount = known[speaking.row]
    paid = amounts[speaking.row]
    first = np.flatnonzero(np.diff(versions.subscription, prepend=-1))
    covering = count_runs(versions.account[first], entry(started[first], instants), entry(ended[first], instants), shape)
    told = count_runs(speaking.account[has_amount], enters[has_amount], stop[has_amount], shape)
    return MonthlyRevenue(
        amount=_sum_runs(speaking.account, enters, stop, paid, shape),
        known=told == covering,
        covered=covering > 0,
        carried=_carried(speaking, ended_spoken, np.where(has_amount, paid, _UNKNOWN), instants, shape),
    )


def _of_subscription(versions: SubscriptionVersions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each version when its subscription ended, by the last version, and when it started, by the earliest."""
    if not len(versions):
        return versions.ended, versions.started
    first = np.flatnonzero(np.diff(versions.subscription, prepend=-1))
    count = np.diff(np.append(first, len(versions)))
    last = first + count - 1
    return np.repeat(versions.ended[last], count), np.repeat(np.minimum.reduceat(versions.started, first), count)


def _sum_runs(
    account: NDArray[np.int64],
    first: NDArray[np.int32],
    stop: NDArray[np.int64],
    amount: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Add each row's amount at the positions `[first, stop)` of its account, in whole numbers."""
    real = first < stop
    change = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(change, (account[real], first[real]), amount[real])
    np.subtract.at(change, (account[real], stop[real]), amount[real])
    return change.cumsum(axis=1)[:, : shape[1]]


def _carried(
    speaking: SubscriptionVersions,
    ended: NDArray[np.int64],
    paid: NDArray[np.int64],
    instants: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Return what was paid in the moment before the latest end that each instant sees."""
    found = np.zeros(shape, dtype=np.int64)
    last = np.flatnonzero(np.append(np.diff(speaking.subscription) != 0, True)) if len(speaking) else np.empty(0, np.int64)
    last = last[(entry(ended[last], instants) < len(instants)) & (ended[last] > speaking.started[last])]
    if not len(last):
        return found
    order = last[np.lexsort((ended[last], speaking.account[last]))]
    account, end = speaking.account[order], ended[order]
    first = np.flatnonzero((np.diff(account, prepend=-1) != 0) | (np.diff(end, prepend=end[0] - 1) != 0))
    closing = paid[order]
    total = np.add.reduceat(closing, first)
    total[np.minimum.reduceat(closing, first) == _UNKNOWN] = _UNKNOWN
    latest = np.zeros(shape, dtype=np.int64)
    # ascending ends: of several that enter at the same instant the latest is written last
    np.maximum.at(latest, (account[first], entry(end[first], instants)), np.arange(1, len(first) + 1))
    latest = np.maximum.accumulate(latest, axis=1)
    return np.append(0, total)[latest]
