"""Revenue: what every account pays a month and what a period kept, gained and lost of it, by cohort too; and order revenue."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before, entry
from staypower.errors import UsageError
from staypower.labels.inputs import count_runs, newer_version
from staypower.portfolio.customers import Customers, open_ends_note
from staypower.portfolio.figures import (
    NONE,
    Figure,
    Interval,
    PortfolioCell,
    Resampler,
    as_money,
    first_over_last,
    join_notes,
    whole_amounts,
)
from staypower.portfolio.periods import Periods
from staypower.results.numbers import plural
from staypower.spells import SubscriptionVersions, instants_or_missing, number_accounts, read_versions
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CustomerRevenue",
    "OrderAmounts",
    "RecurringRevenue",
    "customer_revenue",
    "order_figures",
    "ratio",
    "read_order_amounts",
    "recurring_revenue",
    "revenue_cohort_figures",
    "revenue_figures",
    "revenue_problem",
    "without_mrr",
]

_UNKNOWN = -1


@dataclass(frozen=True)
class RecurringRevenue:
    """What every account pays a month, at every instant.

    >>> one = np.array([[10_000]])
    >>> RecurringRevenue(one, one > 0, one > 0, one * 0).amount.tolist()
    [[10000]]
    """

    # shape (n_accounts, k): whole ten-thousandths, summed over the subscriptions that cover the instant; 0 where none does
    amount: NDArray[np.int64]
    known: NDArray[np.bool_]  # shape (n_accounts, k): False where a subscription that covers the instant has no `mrr`
    covered: NDArray[np.bool_]  # shape (n_accounts, k): whether a subscription covers the instant
    # shape (n_accounts, k): what was paid in the moment before the latest end that the instant sees, in whole ten-
    # thousandths; 0 where nothing ended yet, -1 where that subscription has no `mrr`
    carried: NDArray[np.int64]


def revenue_problem(tables: Tables) -> str | None:
    """Say why the tables do not tell monthly revenue over time; None when they do.

    >>> revenue_problem(Tables({}, 0))
    'there is no table `subscriptions`'
    """
    if "subscriptions" not in tables:
        return "there is no table `subscriptions`"
    return _mrr_problem(tables["subscriptions"])


def _mrr_problem(subscriptions: Table) -> str | None:
    if not subscriptions.has("mrr"):
        return "the subscriptions have no `mrr`"
    if not subscriptions.has("valid_from") and "mrr" not in subscriptions.fixed:
        return "`mrr` may have changed since: give its versions with `valid_from`, or declare it `fixed`"
    return None


def recurring_revenue(
    subscriptions: Table, instants: NDArray[np.int64], *, accounts: Sequence[str], observed_until: int
) -> RecurringRevenue:
    """Return the monthly recurring revenue of accounts just before each instant, as it is known in hindsight.

    A subscription counts where it began before the instant and did not end before it. A version of it applies from
    its `valid_from` until the next version's; before the first `valid_from` nothing is known.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "started_at": time(0, 2), "ended_at": time(4, None), "mrr": [5.0, 7.5]})
    >>> table = Table(SCHEMAS["subscriptions"], rows, fixed=frozenset({"mrr"}))
    >>> found = recurring_revenue(table, np.array([1, 3, 5]), accounts=["a"], observed_until=9)
    >>> found.amount.tolist()
    [[50000, 125000, 75000]]
    """
    problem = _mrr_problem(subscriptions)
    if problem is not None:
        raise UsageError.of("no monthly revenue over time", "subscriptions", problem)
    amounts, known = whole_amounts(subscriptions, "mrr")
    versions = read_versions(subscriptions, accounts, observed_until=observed_until)
    shape = (len(accounts), len(instants))
    ended, started = _of_subscription(versions)
    valid_from = np.maximum(versions.started, instants_or_missing(subscriptions, "valid_from")[versions.row])
    # a version written when the subscription closed never applied
    applied = (ended < 0) | (valid_from < ended)
    applying = versions.take(applied)
    valid_from, ended_applied = valid_from[applied], ended[applied]
    enters, leaves = entry(valid_from, instants), entry(ended_applied, instants)
    stop = np.minimum(newer_version(applying.subscription, enters, len(instants)), leaves)
    has_amount = known[applying.row]
    paid = amounts[applying.row]
    first = np.flatnonzero(np.diff(versions.subscription, prepend=-1))
    covering = count_runs(versions.account[first], entry(started[first], instants), entry(ended[first], instants), shape)
    known_count = count_runs(applying.account[has_amount], enters[has_amount], stop[has_amount], shape)
    return RecurringRevenue(
        amount=_sum_runs(applying.account, enters, stop, paid, shape),
        known=known_count == covering,
        covered=covering > 0,
        carried=_carried(applying, ended_applied, np.where(has_amount, paid, _UNKNOWN), instants, shape),
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
    applying: SubscriptionVersions,
    ended: NDArray[np.int64],
    paid: NDArray[np.int64],
    instants: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Return what was paid in the moment before the latest end that each instant sees."""
    found = np.zeros(shape, dtype=np.int64)
    last = np.flatnonzero(np.append(np.diff(applying.subscription) != 0, True)) if len(applying) else np.empty(0, np.int64)
    last = last[(entry(ended[last], instants) < len(instants)) & (ended[last] > applying.started[last])]
    if not len(last):
        return found
    order = last[np.lexsort((ended[last], applying.account[last]))]
    account, end = applying.account[order], ended[order]
    first = np.flatnonzero((np.diff(account, prepend=-1) != 0) | (np.diff(end, prepend=end[0] - 1) != 0))
    closing = paid[order]
    total = np.add.reduceat(closing, first)
    total[np.minimum.reduceat(closing, first) == _UNKNOWN] = _UNKNOWN
    latest = np.zeros(shape, dtype=np.int64)
    # ascending ends: of several that enter at the same instant the latest is written last
    np.maximum.at(latest, (account[first], entry(end[first], instants)), np.arange(1, len(first) + 1))
    latest = np.maximum.accumulate(latest, axis=1)
    return np.append(0, total)[latest]


@dataclass(frozen=True)
class CustomerRevenue:
    """What each customer pays a month at each boundary.

    >>> CustomerRevenue(np.array([[10_000]]), np.array([[True]])).amount.tolist()
    [[10000]]
    """

    amount: NDArray[np.int64]  # shape (n_accounts, k + 1): whole ten-thousandths; 0 where it is no customer
    known: NDArray[np.bool_]  # shape (n_accounts, k + 1): False for a customer whose revenue is not recorded


def customer_revenue(tables: Tables, customers: Customers) -> CustomerRevenue:
    """Find what each customer pays a month at each boundary.

    A customer between two subscriptions, in a hole that the grace closes, is counted with what it paid when the hole began.
    """
    found = recurring_revenue(
        tables["subscriptions"],
        customers.periods.bounds,
        accounts=customers.accounts,
        observed_until=tables.observed_until,
    )
    present = customers.stay >= 0
    amount, known = found.amount, found.known
    if customers.carries:
        hole = present & ~found.covered
        amount, known = np.where(hole, found.carried, amount), known & ~(hole & (found.carried < 0))
    return CustomerRevenue(np.where(present & known, amount, 0), known | ~present)


def revenue_figures(
    customers: Customers, revenue: CustomerRevenue, cell: PortfolioCell, resampler: Resampler
) -> Iterator[Figure]:
    """Yield the movements of monthly recurring revenue, and gross and net revenue retention.

    Over the customers at the start: gross = sum of min(start, end) / sum of start, at most 1; net = sum of end / sum of
    start. Other accounts, returning ones included, add nothing to either. Start + new + reactivated +
    expansion - contraction - churned = end, to the last ten-thousandth.
    """
    before, after = customers.at_start(cell.position), customers.at_end(cell.position)
    concerned = cell.members & (before | after)
    known = concerned & revenue.known[:, cell.position] & revenue.known[:, cell.position + 1]
    start, end = (revenue.amount[:, place] for place in (cell.position, cell.position + 1))
    final, caution = open_ends_note(customers, cell)
    note = join_notes(without_mrr(int(concerned.sum() - known.sum())), caution)
    stayed = known & before & after
    change = np.where(stayed, end - start, 0)
    came = known & ~before & after
    returned = came & (customers.began < customers.periods.starts[cell.position])
    sums = {
        "mrr_at_start": start[known & before].sum(),
        "mrr_new": end[came & ~returned].sum(),
        "mrr_reactivated": end[returned].sum(),
        "mrr_expansion": change[change > 0].sum(),
        "mrr_contraction": -change[change < 0].sum(),
        "mrr_churned": start[known & before & ~after].sum(),
        "mrr_at_end": end[known & after].sum(),
    }
    count = int(known.sum())
    for metric, amount in sums.items():
        yield cell.figure(metric, as_money(amount), n=count, accounts=count, complete=final, note=note)
    starters = known & before
    n = int(starters.sum())
    if not customers.readable(cell.position):
        return
    for metric, kept in (("gross_revenue_retention", np.minimum(start, end)), ("net_revenue_retention", end)):
        value, interval, empty = ratio(kept[starters], start[starters], resampler, f"{metric}|{cell.name}")
        why = empty if n else "no customers with `mrr` at the start"
        yield cell.figure(metric, value, interval, n=n, accounts=n, complete=final, note=join_notes(why, note))


def without_mrr(accounts: int) -> str:
    """Say how many accounts were left out because their `mrr` is blank."""
    return f"{plural(accounts, 'account')} without `mrr` left out" if accounts else ""


def ratio(parts: NDArray[np.int64], wholes: NDArray[np.int64], resampler: Resampler, name: str) -> tuple[float, Interval, str]:
    """Return a ratio of exact sums over accounts, its bootstrap interval, and why there is none."""
    whole = int(wholes.sum())
    if not whole:
        return math.nan, NONE, "nothing was paid at the start"
    interval = resampler.interval(np.column_stack([parts, wholes]), first_over_last, name=name)
    return int(parts.sum()) / whole, interval, ""


def revenue_cohort_figures(
    customers: Customers, revenue: CustomerRevenue, cell: PortfolioCell, began_in: NDArray[np.int64], resampler: Resampler
) -> Iterator[Figure]:
    """Yield a cohort's revenue by age, and its gross and net retention against age 0.

    Only accounts in their first stay count: those that left and came back add nothing. Accounts with a blank `mrr` at any
    observed age are left out, and the note counts them.
    """
    ages = customers.observed_ages(cell.position)
    members = (began_in == cell.position) & cell.members
    if not ages or not members.any():
        return
    here = slice(cell.position + 1, cell.position + 1 + ages)
    staying = customers.unbroken(cell.position)[members, :ages]
    known: NDArray[np.bool_] = np.all(revenue.known[members, here] | ~staying, axis=1)
    amount = np.where(staying, revenue.amount[members, here], 0)[known]
    note = without_mrr(int(len(known) - known.sum()))
    n = len(amount)
    for age in range(ages):
        yield cell.figure("cohort_mrr", as_money(amount[:, age].sum()), n=n, accounts=n, note=note, age=age)
        for metric, kept in (
            ("cohort_gross_revenue_retention", np.minimum(amount[:, 0], amount[:, age])),
            ("cohort_net_revenue_retention", amount[:, age]),
        ):
            value, interval, empty = ratio(kept, amount[:, 0], resampler, f"{metric}|{cell.name}|{age}")
            yield cell.figure(metric, value, interval, n=n, accounts=n, note=join_notes(empty, note), age=age)


@dataclass(frozen=True)
class OrderAmounts:
    """What each account ordered in each period, as far as it was seen.

    >>> OrderAmounts(np.array([[30_000]]), np.array([[True]]), 0).unknown
    0
    """

    amount: NDArray[np.int64]  # shape (n_accounts, k): whole ten-thousandths, net of returns and cancelled lines
    bought: NDArray[np.bool_]  # shape (n_accounts, k): whether any line is a purchase: neither a return nor cancelled
    unknown: int  # purchases without an amount, at any time


def read_order_amounts(orders: Table, periods: Periods, *, accounts: Sequence[str], observed_until: int) -> OrderAmounts:
    """Add up the net amounts of order lines.

    A line with a negative amount takes money back. A line that is cancelled, or came back at `returned_at`, brings nothing
    when its own amount is positive.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = pa.array([1, 2], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "at": time, "amount": [5.0, -2.0], "quantity": [1.0, -1.0]})
    >>> orders = Table(SCHEMAS["orders"], rows)
    >>> found = read_order_amounts(orders, Periods((0,), (9,), 9), accounts=["a"], observed_until=9)
    >>> found.amount.tolist(), found.bought.tolist()
    ([[30000]], [[True]])
    """
    account, at = number_accounts(orders, accounts), orders.own_instants()
    arrived = np.maximum(at, instants_or_missing(orders, "known_at"))
    seen = (account >= 0) & before(at, observed_until) & before(arrived, observed_until)
    amount, known = whole_amounts(orders, "amount")
    cancelled = orders.numbers("cancelled") == 1 if orders.has("cancelled") else np.zeros(len(orders), dtype=bool)
    taken_back = orders.numbers("quantity") < 0 if orders.has("quantity") else np.zeros(len(orders), dtype=bool)
    void = cancelled | before(instants_or_missing(orders, "returned_at"), observed_until)
    amount = np.where(void & (amount > 0), 0, amount)
    bought = ~cancelled & ~taken_back & ~(amount < 0)
    period = periods.number(at)
    rows = np.flatnonzero(seen & (period >= 0))
    place = account[rows] * len(periods) + period[rows]
    total = np.zeros(len(accounts) * len(periods), dtype=np.int64)
    np.add.at(total, place, amount[rows])
    purchased = np.zeros(len(total), dtype=bool)
    purchased[place[bought[rows]]] = True
    shape = (len(accounts), len(periods))
    return OrderAmounts(total.reshape(shape), purchased.reshape(shape), unknown=int((seen & bought & ~known).sum()))


def order_figures(orders: OrderAmounts, cell: PortfolioCell, margin: float) -> Iterator[Figure]:
    """Yield accounts that ordered, what orders brought, and the mean margin per active account."""
    active = int((orders.bought[:, cell.position] & cell.members).sum())
    total = as_money(orders.amount[cell.members, cell.position].sum())
    yield cell.figure("active_accounts", active, n=active, accounts=active)
    yield cell.figure("order_revenue", total, n=active, accounts=active, note="net of returns")
    note = "no orders" if not active else "margin of this period per account, not a lifetime value"
    value = margin * total / active if active else math.nan
    yield cell.figure("margin_per_active_account", value, n=active, accounts=active, note=note)
