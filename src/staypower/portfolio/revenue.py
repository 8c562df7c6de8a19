"""Recurring revenue kept, grown and lost in a period, in exact money."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.customer_value.money import as_money
from staypower.portfolio.customer_value.recurring import MonthlyRevenue, monthly_revenue, revenue_problem
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Cell, Figure
from staypower.portfolio.intervals import NONE, Interval, Resampler, first_over_last
from staypower.portfolio.retention import unsettled
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CustomerRevenue", "customer_revenue", "ratio", "revenue_figures", "without_revenue"]


@dataclass(frozen=True)
class CustomerRevenue:
    """What each customer pays a month at each boundary.

    >>> CustomerRevenue(np.array([[10_000]]), np.array([[True]])).amount.tolist()
    [[10000]]
    """

    amount: NDArray[np.int64]  # shape (n_accounts, k + 1): Whole ten-thousandths; 0 for who is no customer
    known: NDArray[np.bool_]  # shape (n_accounts, k + 1): False for a customer whose revenue is not written down


def without_revenue(tables: Tables) -> str | None:
    """Say why revenue cannot be told over time; None when it can.

    >>> without_revenue(Tables({}, 0))
    'there is no table `subscriptions`'
    """
    return revenue_problem(tables["subscriptions"]) if "subscriptions" in tables else "there is no table `subscriptions`"


def customer_revenue(tables: Tables, customers: Customers) -> CustomerRevenue:
    """Find what each customer pays a month at each boundary.

    A customer between two subscriptions, in a hole that the grace closes, is counted with what it paid when the hole began.
    """
    found: MonthlyRevenue = monthly_revenue(
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


def revenue_figures(customers: Customers, revenue: CustomerRevenue, cell: Cell, resampler: Resampler) -> Iterator[Figure]:
    """Yield the movements of monthly recurring revenue, and gross and net revenue retention.

    Over the customers at the start: gross = sum of min(start, end) / sum of start, at most 1; net = sum of end / sum of
    start. Who was no customer at the start, a returning one too, adds nothing to either. Start + new + reactivated +
    expansion - contraction - churned = end, to the last ten-thousandth.
    """
    before, after = customers.at_start(cell.position), customers.at_end(cell.position)
    concerned = cell.members & (before | after)
    known = concerned & revenue.known[:, cell.position] & revenue.known[:, cell.position + 1]
    start, end = (revenue.amount[:, place] for place in (cell.position, cell.position + 1))
    settled, caution = unsettled(customers, cell)
    missing = int(concerned.sum() - known.sum())
    blank = f"{missing:,} accounts without `mrr` left out" if missing else ""
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
    note = "; ".join(part for part in (blank, caution) if part)
    for metric, amount in sums.items():
        yield cell.figure(metric, as_money(amount), n=count, accounts=count, complete=settled, note=note)
    starters = known & before
    n = int(starters.sum())
    if not customers.readable(cell.position):
        return
    for metric, kept in (("gross_revenue_retention", np.minimum(start, end)), ("net_revenue_retention", end)):
        value, interval, empty = ratio(kept[starters], start[starters], resampler, f"{metric}|{cell.name}")
        said = "; ".join(
            part for part in ("" if n else "no customers with `mrr` at the start", empty if n else "", note) if part
        )
        yield cell.figure(metric, value, interval, n=n, accounts=n, complete=settled, note=said)


def ratio(parts: NDArray[np.int64], wholes: NDArray[np.int64], resampler: Resampler, name: str) -> tuple[float, Interval, str]:
    """Return a ratio of exact sums over accounts, its bootstrap interval, and why there is none."""
    whole = int(wholes.sum())
    if not whole:
        return math.nan, NONE, "nothing was paid at the start"
    interval = resampler.interval(np.column_stack([parts, wholes]), first_over_last, name=name)
    return int(parts.sum()) / whole, interval, ""
